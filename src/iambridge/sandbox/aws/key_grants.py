"""The grants of the account's KMS keys: made, listed, ended, and what they are worth for a call.

They live as long as the keys do, which moto holds in memory. They count at once: a grant token is checked and no more.
Sources: KMS API Reference, CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from iambridge.core import kms_grants
from iambridge.core.iam_policy import NamedDocument, PolicyKind
from iambridge.errors import NotImplementedBySandbox
from iambridge.sandbox.aws import moto_calls
from iambridge.sandbox.aws.entities import Role, User
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.kms_errors import (
    KmsDisabled,
    KmsDryRun,
    KmsInvalidArn,
    KmsInvalidGrantId,
    KmsInvalidGrantToken,
    KmsInvalidMarker,
    KmsInvalidState,
    KmsNotFound,
    KmsValidation,
)
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.operations import Asked, Call
from iambridge.sandbox.aws.service_models import service_model
from iambridge.sandbox.aws.sts_facts import parsed
from iambridge.wire.http import Response

_NO_MODEL = ("GranteeServicePrincipal", "RetiringServicePrincipal")
_PAGE = 50
_MOST = 100
_CONTEXT = "kms:EncryptionContext:"
_SYMMETRIC = kms_grants.WITH_CONTEXT | {kms_grants.CREATE, kms_grants.RETIRE, "DescribeKey"}
_OF_USAGE = {
    "ENCRYPT_DECRYPT": {"Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey"},
    "SIGN_VERIFY": {"GetPublicKey", "Sign", "Verify"},
    "GENERATE_VERIFY_MAC": {"GenerateMac", "VerifyMac"},
    "KEY_AGREEMENT": {"DeriveSharedSecret", "GetPublicKey"},
}
_OF_EVERY_KEY = {kms_grants.CREATE, kms_grants.RETIRE, "DescribeKey"}


@dataclass(frozen=True, slots=True)
class Held:
    """A grant as ListGrants tells it. `request` is what its idempotency is judged by."""

    grant: kms_grants.Grant
    key: str
    token: str
    told: Mapping[str, Any]
    request: str


class KeyGrants:
    def __init__(self, account: IamAccount, moto: MotoBackend, now: Callable[[], float]) -> None:
        self._account = account
        self._moto = moto
        self._now = now
        self._held: dict[str, Held] = {}
        self._generation = 0

    def named(self, call: Call) -> Call:
        """RetireGrant with the key of the grant that it names.

        Raises:
            KmsInvalidGrantToken, KmsInvalidGrantId, KmsNotFound: it names none.
        """
        if call.action != "kms:RetireGrant":
            return call
        held = self._retired(call)
        return replace(call, document={**call.document, "KeyId": held.key, "GrantId": held.grant.id})

    def policy(self, call: Call, asked: Asked) -> tuple[NamedDocument, ...]:
        """What the grants of a key are worth for one decision of a call, as a policy beside the key's own, or none."""
        of_key = [held.grant for held in self._of(asked.resource)]
        if not of_key:
            return ()
        context = {key.removeprefix(_CONTEXT): str(value) for key, value in asked.context if key.startswith(_CONTEXT)}
        text = kms_grants.policy(
            of_key,
            asked.action.removeprefix("kms:"),
            context,
            child=self._grant(call, "") if call.action == "kms:CreateGrant" else None,
            retired=str(call.document.get("GrantId", "")),
        )
        return (NamedDocument(f"grants of {asked.resource}", parsed(text, PolicyKind.RESOURCE)),) if text else ()

    async def answer(self, call: Call) -> Response | None:
        """KMS's answer to an allowed call about grants; None to any other."""
        if call.service.prefix != "kms":
            return None
        self._check_tokens(call)
        if call.operation == "ListRetirableGrants":
            principal = str(call.document.get("RetiringPrincipal", ""))
            return self._listed(call, [h for h in self._all() if h.told.get("RetiringPrincipal") == principal])
        if call.operation == "RetireGrant":
            return self._ended(call, self._retired(call))
        if call.operation not in {"CreateGrant", "ListGrants", "RevokeGrant"}:
            return None
        key = await self._key(call)
        if call.operation == "CreateGrant":
            return self._created(call, key)
        if call.operation == "RevokeGrant":
            return self._ended(call, self._by_id(str(call.document.get("GrantId", "")), str(key["Arn"])))
        wanted = {name: call.document[name] for name in ("GrantId", "GranteePrincipal") if name in call.document}
        return self._listed(call, [h for h in self._of(str(key["Arn"])) if wanted.items() <= h.told.items()])

    def _created(self, call: Call, key: Mapping[str, Any]) -> Response:
        _check_state(key)
        document = call.document
        operations = document.get("Operations")
        allowed = _operations_of(key)
        if not isinstance(operations, list) or not operations or not set(operations) <= allowed:
            raise KmsValidation(
                "The operations of the grant are not valid for the KMS key's type.",
                fix=f"name one or more of {', '.join(sorted(allowed))}",
            )
        request = json.dumps([key["Arn"], document], sort_keys=True)
        found = next((h for h in self._all() if document.get("Name") and h.request == request), None)
        if document.get("DryRun"):
            raise KmsDryRun("The request would have succeeded, but the DryRun option is set.")
        if found is None:
            found = self._made(call, str(key["Arn"]), request)
        return _json({"GrantId": found.grant.id, "GrantToken": found.token})

    def _made(self, call: Call, key: str, request: str) -> Held:
        document, identity = call.document, secrets.token_hex(32)
        told = {name: document[name] for name in ("Name", "GranteePrincipal", "RetiringPrincipal") if name in document}
        held = Held(
            self._grant(call, identity),
            key,
            secrets.token_urlsafe(64),
            {
                **told,
                "KeyId": key,
                "GrantId": identity,
                "CreationDate": self._now(),
                "IssuingAccount": f"arn:aws:iam::{self._account.account_id}:root",
                "Operations": document["Operations"],
                **({"Constraints": document["Constraints"]} if document.get("Constraints") else {}),
            },
            request,
        )
        self._held[identity] = held
        return held

    def _grant(self, call: Call, identity: str) -> kms_grants.Grant:
        document = call.document
        for name in _NO_MODEL:
            if document.get(name):
                raise NotImplementedBySandbox(
                    f"kms:CreateGrant with {name} is not available in this sandbox: no service calls KMS in it.",
                    fix="name an IAM principal, or report what needs it",
                )
        constraints = document.get("Constraints") or {}
        if not isinstance(constraints, Mapping) or not constraints.keys() <= {
            "EncryptionContextEquals",
            "EncryptionContextSubset",
        }:
            raise NotImplementedBySandbox(
                "A grant constraint other than EncryptionContextEquals and EncryptionContextSubset is not available in"
                " this sandbox.",
                fix="take it out of the grant, or report what needs it",
            )
        retiring = str(document.get("RetiringPrincipal", ""))
        operations = document.get("Operations")
        return kms_grants.Grant(
            identity,
            self._principal(str(document.get("GranteePrincipal", ""))),
            frozenset(map(str, operations)) if isinstance(operations, list) else frozenset(),
            self._principal(retiring) if retiring else "",
            _context(constraints.get("EncryptionContextEquals")),
            _context(constraints.get("EncryptionContextSubset")),
        )

    def _principal(self, arn: str) -> str:
        """How a statement names the principal: users and roles by their unique id, so that a namesake gets nothing.

        Raises:
            KmsInvalidArn: there is nobody of that ARN.
        """
        account = self._account.account_id
        if arn in {account, f"arn:aws:iam::{account}:root"}:
            return f"arn:aws:iam::{account}:root"
        for kind in (User, Role):
            found = self._account.of_arn(kind, arn)
            if found is not None:
                return found.id
        if arn.startswith((f"arn:aws:sts::{account}:assumed-role/", f"arn:aws:sts::{account}:federated-user/")):
            return arn
        raise KmsInvalidArn(f"ARN does not refer to a valid principal: {arn[:256]}")

    async def _key(self, call: Call) -> Mapping[str, Any]:
        asked = {"KeyId": call.document.get("KeyId", "")}
        described = await moto_calls.json_call(self._moto, "kms", call.region, "DescribeKey", asked)
        if not (key := described.get("KeyMetadata")):
            raise KmsNotFound(f"Key '{str(asked['KeyId'])[:2048]}' does not exist")
        return dict(key)

    def _all(self) -> list[Held]:
        if self._generation != self._moto.generation:
            # the keys went with the moto that held them
            self._held.clear()
            self._generation = self._moto.generation
        return list(self._held.values())

    def _of(self, key: str) -> list[Held]:
        return [held for held in self._all() if held.key == key]

    def _by_id(self, identity: str, key: str) -> Held:
        found = next((held for held in self._of(key) if held.grant.id == identity), None)
        if found is None:
            raise KmsNotFound(f"Grant ID {identity[:128]} not found")
        return found

    def _retired(self, call: Call) -> Held:
        document = call.document
        if token := document.get("GrantToken"):
            found = next((held for held in self._all() if held.token == token), None)
            if found is None:
                raise KmsInvalidGrantToken("The grant token is not valid.")
            return found
        if not document.get("KeyId") or not document.get("GrantId"):
            raise KmsInvalidGrantId("Give a GrantToken, or a KeyId (the key's ARN) and a GrantId.")
        return self._by_id(str(document["GrantId"]), str(document["KeyId"]))

    def _check_tokens(self, call: Call) -> None:
        tokens = call.document.get("GrantTokens") or []
        known = {held.token for held in self._all()} if tokens else set()
        if not isinstance(tokens, list) or not set(map(str, tokens)) <= known:
            raise KmsInvalidGrantToken("A grant token of the request is not valid.")

    def _ended(self, call: Call, held: Held) -> Response:
        if call.document.get("DryRun"):
            raise KmsDryRun("The request would have succeeded, but the DryRun option is set.")
        del self._held[held.grant.id]
        return Response(200, (("content-type", "application/x-amz-json-1.1"),), b"")

    def _listed(self, call: Call, found: Iterable[Held]) -> Response:
        items = [held.told for held in found]
        marker = str(call.document.get("Marker", "0"))
        if not marker.isdecimal() or len(marker) > 9:
            raise KmsInvalidMarker("The marker is not valid.")
        size = call.document.get("Limit", _PAGE)
        if type(size) is not int or not 1 <= size <= _MOST:
            raise KmsValidation(f"Limit must be a number from 1 to {_MOST}.")
        start = int(marker)
        more = {"NextMarker": str(start + size)} if start + size < len(items) else {}
        return _json({"Grants": items[start : start + size], "Truncated": bool(more), **more})


def _check_state(key: Mapping[str, Any]) -> None:
    if key.get("KeyState") == "Disabled":
        raise KmsDisabled(f"{key['Arn']} is disabled.")
    if key.get("KeyState") != "Enabled":
        raise KmsInvalidState(f"{key['Arn']} is pending deletion.")


def _operations_of(key: Mapping[str, Any]) -> frozenset[str]:
    known = service_model("kms").shapes["GrantOperation"].enum
    if key.get("KeySpec") == "SYMMETRIC_DEFAULT":
        return frozenset(known) & _SYMMETRIC
    return frozenset(known) & (_OF_USAGE.get(str(key.get("KeyUsage")), set()) | _OF_EVERY_KEY)


def _context(value: Any) -> dict[str, str]:
    return {str(name): str(item) for name, item in value.items()} if isinstance(value, Mapping) else {}


def _json(document: Mapping[str, Any]) -> Response:
    return Response(200, (("content-type", "application/x-amz-json-1.1"),), json.dumps(document).encode())
