"""Roles and their trust policies."""

import msgspec

from iambridge.core.iam_policy import PolicyKind
from iambridge.errors import DeleteConflict
from iambridge.sandbox.aws import policy_text, unique_ids
from iambridge.sandbox.aws.entities import InstanceProfile, Role
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page, tag_list, tags_from, under_path

_TRUST_LIMIT = 2048
_DEFAULT_SESSION_SECONDS = 3600


def describe(account: IamAccount, role: Role) -> Output:
    result: Output = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": account.arn(role),
        "CreateDate": role.created,
        "AssumeRolePolicyDocument": role.trust,
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
    account.refuse_taken(Role, parameters["RoleName"])
    trust = parameters["AssumeRolePolicyDocument"]
    policy_text.refuse_large(trust, _TRUST_LIMIT, "ACLSizePerRole")
    policy_text.check(trust, PolicyKind.TRUST)
    boundary = parameters.get("PermissionsBoundary", "")
    if boundary:
        account.attachable(boundary)
    role = Role(
        name=parameters["RoleName"],
        id=unique_ids.unique_id(unique_ids.ROLE),
        path=parameters.get("Path", "/"),
        created=account.timestamp(),
        trust=trust,
        description=parameters.get("Description", ""),
        max_session_duration=parameters.get("MaxSessionDuration", _DEFAULT_SESSION_SECONDS),
        tags=tags_from(parameters),
        boundary=boundary,
    )
    account.store.write(role)
    return {"Role": describe(account, role)}


def get_role(account: IamAccount, parameters: Parameters) -> Output:
    return {"Role": {**describe(account, account.find(Role, parameters["RoleName"])), "RoleLastUsed": {}}}


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
    role = account.find(Role, parameters["RoleName"])
    account.store.write(
        msgspec.structs.replace(
            role,
            description=parameters.get("Description", role.description),
            max_session_duration=parameters.get("MaxSessionDuration", _DEFAULT_SESSION_SECONDS),
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
    policy_text.refuse_large(parameters["PolicyDocument"], _TRUST_LIMIT, "ACLSizePerRole")
    policy_text.check(parameters["PolicyDocument"], PolicyKind.TRUST)
    account.store.write(msgspec.structs.replace(role, trust=parameters["PolicyDocument"]))
    return {}


def delete_role(account: IamAccount, parameters: Parameters) -> Output:
    role = account.find(Role, parameters["RoleName"])
    if any(profile.role == role.name for profile in account.store.all(InstanceProfile)):
        raise DeleteConflict("Cannot delete entity, must remove roles from instance profile first.")
    if role.attached:
        raise DeleteConflict("Cannot delete entity, must detach all policies first.")
    if role.inline:
        raise DeleteConflict("Cannot delete entity, must delete policies first.")
    account.store.write(delete=(role,))
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
