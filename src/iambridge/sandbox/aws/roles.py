"""Roles and their trust policies."""

import msgspec

from iambridge.core.iam_policy import PolicyKind
from iambridge.errors import DeleteConflict, InvalidInput
from iambridge.sandbox.aws import last_uses, policy_text, unique_ids
from iambridge.sandbox.aws.entities import InstanceProfile, Role
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page, tag_list, tags_from, under_path
from iambridge.sandbox.aws.trusted_principals import trust_as_of_now, trusted

_TRUST_LIMIT = 2048
_DEFAULT_SESSION_SECONDS = 3600
_OF_SERVICES = "/aws-service-role/"


def describe(account: IamAccount, role: Role) -> Output:
    result: Output = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": account.arn(role),
        "CreateDate": role.created,
        "AssumeRolePolicyDocument": trust_as_of_now(account, role),
        "MaxSessionDuration": role.max_session_duration,
    }
    if role.description:
        result["Description"] = role.description
    if role.boundary:
        result["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": role.boundary,
        }
    if role.tags:
        result["Tags"] = tag_list(role.tags)
    return result


def create_role(account: IamAccount, parameters: Parameters) -> Output:
    account.refuse_new(Role, parameters["RoleName"])
    if parameters.get("Path", "/").startswith(_OF_SERVICES):
        raise InvalidInput(
            f"Path prefix '{_OF_SERVICES}' can only be used for AWS Service linked Roles",
            fix="make it with CreateServiceLinkedRole, or under another path",
        )
    trust = parameters["AssumeRolePolicyDocument"]
    names = _trusted(account, trust)
    boundary = parameters.get("PermissionsBoundary", "")
    if boundary:
        account.attachable(boundary)
    role = Role(
        name=parameters["RoleName"],
        id=unique_ids.unique_id(unique_ids.ROLE),
        path=parameters.get("Path", "/"),
        created=account.timestamp(),
        trust=trust,
        trusted=names,
        description=parameters.get("Description", ""),
        max_session_duration=parameters.get("MaxSessionDuration", _DEFAULT_SESSION_SECONDS),
        tags=tags_from(parameters),
        boundary=boundary,
    )
    account.store.write(role)
    return {"Role": describe(account, role)}


def get_role(account: IamAccount, parameters: Parameters) -> Output:
    role = account.find(Role, parameters["RoleName"])
    return {"Role": {**describe(account, role), "RoleLastUsed": last_uses.of_role(account, role)}}


def list_roles(account: IamAccount, parameters: Parameters) -> Output:
    roles = under_path(account.store.all(Role), parameters)
    result = page(roles, parameters, member="Roles", key=lambda role: role.name)
    # ListRoles leaves tags and boundary out (IAM API reference, ListRoles)
    result["Roles"] = [
        {key: value for key, value in describe(account, role).items() if key not in {"Tags", "PermissionsBoundary"}}
        for role in result["Roles"]
    ]
    return result


def update_role(account: IamAccount, parameters: Parameters) -> Output:
    """What is not given stays, as seen of AWS; the API reference's default of an hour is CreateRole's."""
    role = account.find(Role, parameters["RoleName"])
    account.store.write(
        msgspec.structs.replace(
            role,
            description=parameters.get("Description", role.description),
            max_session_duration=parameters.get("MaxSessionDuration", role.max_session_duration),
        )
    )
    return {}


def update_role_description(account: IamAccount, parameters: Parameters) -> Output:
    role = account.find(Role, parameters["RoleName"])
    changed = msgspec.structs.replace(role, description=parameters["Description"])
    account.store.write(changed)
    return {"Role": describe(account, changed)}


def update_assume_role_policy(account: IamAccount, parameters: Parameters) -> Output:
    role = account.find(Role, parameters["RoleName"])
    trust = parameters["PolicyDocument"]
    account.store.write(msgspec.structs.replace(role, trust=trust, trusted=_trusted(account, trust)))
    return {}


def _trusted(account: IamAccount, trust: str) -> dict[str, str]:
    policy_text.refuse_large(trust, _TRUST_LIMIT, "ACLSizePerRole")
    return trusted(account, policy_text.check(trust, PolicyKind.TRUST))


def delete_role(account: IamAccount, parameters: Parameters) -> Output:
    role = account.find(Role, parameters["RoleName"])
    if any(profile.role == role.name for profile in account.store.all(InstanceProfile)):
        raise DeleteConflict("Cannot delete entity, must remove roles from instance profile first.")
    if role.attached:
        raise DeleteConflict("Cannot delete entity, must detach all policies first.")
    if role.inline:
        raise DeleteConflict("Cannot delete entity, must delete policies first.")
    account.store.write(delete=(role, *last_uses.forgotten(account, role.id)))
    return {}


OPERATIONS = {
    "CreateRole": create_role,
    "GetRole": get_role,
    "ListRoles": list_roles,
    "UpdateRole": update_role,
    "UpdateRoleDescription": update_role_description,
    "UpdateAssumeRolePolicy": update_assume_role_policy,
    "DeleteRole": delete_role,
}
