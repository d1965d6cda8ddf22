"""EC2 instance metadata (IMDSv2), one plain-HTTP listener on loopback for each instance.

On EC2 every instance reaches its own service at 169.254.169.254; here each has a port, and its tag
`iambridge:metadata-endpoint` says which. What AWS_EC2_METADATA_SERVICE_ENDPOINT is set to decides which instance a
process is.

Source: EC2 User Guide, "Use the Instance Metadata Service to access instance metadata".
"""

import datetime as dt
import json
import secrets
from collections.abc import Callable
from dataclasses import replace

from iambridge.adapters.serving import Listener, RunningServer, free_port
from iambridge.core.decision import Decision
from iambridge.core.iam_policy import PolicyKind, Principal, PrincipalKind, evaluate_trust
from iambridge.core.role_trust import Session
from iambridge.ports import DecisionLog, Sessions
from iambridge.sandbox.aws import unique_ids
from iambridge.sandbox.aws.entities import InstanceProfile, Role
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.moto_calls import Instance
from iambridge.sandbox.aws.sts_facts import parsed
from iambridge.wire.http import Request, Response

ENDPOINT_TAG = "iambridge:metadata-endpoint"
_LOOPBACK = "127.0.0.1"
_EC2 = "ec2.amazonaws.com"
_SESSION_SECONDS = 6 * 3600
_RENEW_SECONDS = 3600
_MAX_TOKEN_SECONDS = 21_600
_TEXT = (("content-type", "text/plain"),)


class InstanceMetadata:
    """The metadata service of one instance, at `url` while it runs."""

    def __init__(
        self,
        instance: Instance,
        account: IamAccount,
        *,
        sessions: Sessions,
        log: DecisionLog,
        now: Callable[[], dt.datetime],
    ) -> None:
        self.instance = instance
        self._account = account
        self._sessions = sessions
        self._log = log
        self._now = now
        self._tokens: dict[str, float] = {}
        self._credentials: tuple[str, Session] | None = None
        self._port = free_port(_LOOPBACK)
        self.url = f"http://{_LOOPBACK}:{self._port}"
        self._server = RunningServer(self.app, Listener(_LOOPBACK, self._port, max_body=1024))

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()

    async def app(self, request: Request) -> Response:
        """IMDSv2 only: a token first, then everything else with it."""
        if request.headers.get("host") != f"{_LOOPBACK}:{self._port}" or "x-forwarded-for" in request.headers:
            # a web page that resolves its own name to loopback, or a proxy, is not the instance
            return Response(403, _TEXT, b"")
        if request.path == "/latest/api/token":
            return self._token(request)
        if request.method != "GET":
            return Response(405, _TEXT, b"")
        expires = self._tokens.get(request.headers.get("x-aws-ec2-metadata-token"), 0.0)
        if self._now().timestamp() >= expires:
            return Response(401, _TEXT, b"")
        found = self._answer(request.path.removeprefix("/latest/").rstrip("/"))
        return Response(404, _TEXT, b"") if found is None else Response(200, _TEXT, found.encode())

    def _token(self, request: Request) -> Response:
        if request.method != "PUT":
            return Response(405, _TEXT, b"")
        stated = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds")
        if not stated.isascii() or not stated.isdigit() or not 1 <= int(stated[:9]) <= _MAX_TOKEN_SECONDS:
            return Response(400, _TEXT, b"")
        now = self._now().timestamp()
        self._tokens = {token: end for token, end in self._tokens.items() if end > now}
        token = secrets.token_urlsafe(42)
        self._tokens[token] = now + int(stated)
        return Response(200, (*_TEXT, ("x-aws-ec2-metadata-token-ttl-seconds", stated)), token.encode())

    def _answer(self, path: str) -> str | None:
        """What is at `path`, which has neither `/latest/` before it nor a slash after it."""
        instance = self.instance
        values = {
            "meta-data/ami-id": instance.image,
            "meta-data/hostname": instance.private_dns_name,
            "meta-data/instance-id": instance.id,
            "meta-data/instance-type": instance.type,
            "meta-data/local-hostname": instance.private_dns_name,
            "meta-data/local-ipv4": instance.private_ip,
            "meta-data/placement/availability-zone": instance.zone,
            "meta-data/placement/region": instance.region,
        }
        if path in values:
            return values[path]
        if path == "dynamic/instance-identity/document":
            return self._identity_document()
        if path.startswith("meta-data/iam"):
            return self._iam(path.removeprefix("meta-data/iam").strip("/"))
        children = sorted({name[len(path) + 1 :].partition("/")[0] for name in values if name.startswith(path + "/")})
        return "\n".join(children) if children else None

    def _identity_document(self) -> str:
        instance = self.instance
        return json.dumps(
            {
                "accountId": self._account.account_id,
                "availabilityZone": instance.zone,
                "imageId": instance.image,
                "instanceId": instance.id,
                "instanceType": instance.type,
                "privateIp": instance.private_ip,
                "region": instance.region,
                "version": "2017-09-30",
            },
            indent=1,
        )

    def _iam(self, path: str) -> str | None:
        role = self._role()
        if role is None:
            return None
        if path == "security-credentials":
            return role.name
        if path == f"security-credentials/{role.name}":
            return self._security_credentials(role)
        if path == "info":
            return json.dumps({"Code": "Success", "InstanceProfileArn": self.instance.profile_arn})
        return None

    def _role(self) -> Role | None:
        """The role of the instance's profile, as IAM has it now."""
        store = self._account.store
        name = self.instance.profile_arn.rpartition("/")[2]
        profile = store.get(InstanceProfile, name.lower()) if name else None
        if profile is None or self._account.arn(profile) != self.instance.profile_arn or not profile.role:
            return None
        return store.get(Role, profile.role.lower())

    def _security_credentials(self, role: Role) -> str:
        now = self._now()
        decision = self._may_assume(role)
        if not decision.allowed:
            failed = {"Code": "AssumeRoleUnauthorizedAccess", "LastUpdated": _time(now.timestamp())}
            message = f"EC2 cannot assume the role {role.name}. Please see documentation"
            return json.dumps({**failed, "Message": message})
        token, session = self._session(role, now)
        return json.dumps(
            {
                "Code": "Success",
                "LastUpdated": _time(session.issued),
                "Type": "AWS-HMAC",
                "AccessKeyId": session.access_key_id,
                "SecretAccessKey": session.secret_access_key,
                "Token": token,
                "Expiration": _time(session.expires),
            }
        )

    def _may_assume(self, role: Role) -> Decision:
        principal = Principal(arn=_EC2, account="", kind=PrincipalKind.SERVICE)
        trust = parsed(role.trust, PolicyKind.TRUST)
        decision = evaluate_trust(trust, action="sts:AssumeRole", principal=principal, context={})
        decision = replace(decision, hop="ec2:InstanceMetadata")
        self._log.record(
            decision,
            request_id=self.instance.id,
            principal=_EC2,
            action="sts:AssumeRole",
            resource=self._account.arn(role),
        )
        return decision

    def _session(self, role: Role, now: dt.datetime) -> tuple[str, Session]:
        held = self._credentials
        moment = int(now.timestamp())
        if held is not None and held[1].entity_id == role.id and held[1].expires - moment > _RENEW_SECONDS:
            return held
        account = self._account
        session = Session(
            access_key_id=unique_ids.access_key_id(unique_ids.SESSION_KEY, account.account_id),
            secret_access_key=unique_ids.secret_access_key(),
            account=account.account_id,
            kind=PrincipalKind.ROLE_SESSION.value,
            principal_arn=f"arn:aws:sts::{account.account_id}:assumed-role/{role.name}/{self.instance.id}",
            entity_arn=account.arn(role),
            entity_id=role.id,
            user_id=f"{role.id}:{self.instance.id}",
            issued=moment,
            expires=moment + _SESSION_SECONDS,
        )
        self._credentials = (self._sessions.seal(session), session)
        return self._credentials


def _time(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
