"""The IAM Query API over the store: parse, validate, run, render. Its callers are authenticated and authorised already.

The service model (botocore's) says what each operation takes and gives, so no operation parses or renders by hand.
"""

from collections.abc import Awaitable, Callable, Mapping

from iambridge.errors import InvalidAction, MissingAction, NotImplementedBySandbox, ValidationError
from iambridge.sandbox.aws import (
    absent,
    account_settings,
    authorization_details,
    credential_report,
    groups,
    instance_profiles,
    login_profiles,
    managed_policies,
    oidc_providers,
    parameters,
    policy_simulation,
    principal_policies,
    query_protocol,
    roles,
    server_certificates,
    service_linked_roles,
    tags,
    users,
)
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters
from iambridge.sandbox.aws.query_protocol import Value
from iambridge.sandbox.aws.service_models import Operation, service_model

OPERATIONS: dict[str, Callable[[IamAccount, Parameters], Output]] = {
    **users.OPERATIONS,
    **groups.OPERATIONS,
    **roles.OPERATIONS,
    **instance_profiles.OPERATIONS,
    **principal_policies.OPERATIONS,
    **managed_policies.OPERATIONS,
    **oidc_providers.OPERATIONS,
    **tags.OPERATIONS,
    **account_settings.OPERATIONS,
    **policy_simulation.OPERATIONS,
    **authorization_details.OPERATIONS,
    **service_linked_roles.OPERATIONS,
    **server_certificates.OPERATIONS,
    **login_profiles.OPERATIONS,
    **credential_report.OPERATIONS,
    **absent.OPERATIONS,
}
# operations whose optional UserName means the calling user (IAM API reference, each operation)
_OWN_USER = frozenset(
    {
        "GetUser",
        "CreateAccessKey",
        "DeleteAccessKey",
        "UpdateAccessKey",
        "ListAccessKeys",
        "ListMFADevices",
        "ListSSHPublicKeys",
        "ListServiceSpecificCredentials",
        "ListSigningCertificates",
        "CreateLoginProfile",
        "GetLoginProfile",
        "DeleteLoginProfile",
        "DeactivateMFADevice",
        "DeleteServiceSpecificCredential",
        "DeleteSigningCertificate",
        "ResetServiceSpecificCredential",
        "UpdateServiceSpecificCredential",
        "UpdateSigningCertificate",
    }
)
_LAST_USED = "uses are recorded by key and role, not by service: call GetAccessKeyLastUsed or GetRole (RoleLastUsed)"
_INSTEAD = dict.fromkeys(
    (
        "GenerateServiceLastAccessedDetails",
        "GetServiceLastAccessedDetails",
        "GetServiceLastAccessedDetailsWithEntities",
    ),
    _LAST_USED,
)


def operation(flat: Mapping[str, str]) -> Operation:
    """The operation that a request names.

    Raises:
        MissingAction, InvalidAction: none, or unknown to IAM.
        NotImplementedBySandbox: known to IAM but not here.
    """
    action = flat.get("Action", "")
    if not action:
        raise MissingAction("Missing Action")
    found = service_model("iam").operations.get(action)
    if found is None:
        raise InvalidAction(f"Could not find operation {action} for version {flat.get('Version', 'NO_VERSION')}")
    if action not in OPERATIONS:
        raise NotImplementedBySandbox(
            f"iam:{action} is not implemented by iambridge",
            fix=_INSTEAD.get(action, "report the operation and the client that needs it"),
        )
    return found


def parse(found: Operation, flat: Mapping[str, str], *, caller: str) -> dict[str, Value]:
    """The operation's input, validated. `caller` is the calling user's name, or empty.

    Raises:
        ValidationError: with every fault.
    """
    model = service_model("iam")
    given = query_protocol.parse(model, found, flat)
    if found.name in _OWN_USER and "UserName" not in given:
        if not caller:
            # AWS says this to a role session or root that names no user
            raise ValidationError("Must specify userName when calling with non-User credentials")
        given["UserName"] = caller
    parameters.validate(model, found, given)
    return given


async def run(
    account: IamAccount,
    found: Operation,
    given: Parameters,
    *,
    request_id: str,
    fetch_thumbprint: Callable[[str], Awaitable[str]],
) -> bytes:
    """The response document; what it acknowledges is on disk. `fetch_thumbprint` takes an issuer's URL.

    Raises:
        AwsError: as IAM answers.
    """
    if found.name == "CreateOpenIDConnectProvider" and not given.get("ThumbprintList"):
        oidc_providers.provider_url(given["Url"])
        given = {**given, "ThumbprintList": [await fetch_thumbprint(given["Url"])]}
    service_linked_roles.refuse_change(account, found.name, given)
    output = OPERATIONS[found.name](account, given)
    return query_protocol.render(service_model("iam"), found, output, request_id=request_id)
