"""Users and their access keys."""

import msgspec

from iambridge.errors import DeleteConflict, LimitExceeded, NoSuchEntity, ValidationError
from iambridge.sandbox.aws import last_uses, unique_ids
from iambridge.sandbox.aws.entities import AccessKey, LoginProfile, User
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page, tag_list, tags_from, under_path

_KEYS_PER_USER = 2


def describe(account: IamAccount, user: User) -> Output:
    result: Output = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": account.arn(user),
        "CreateDate": user.created,
    }
    if user.boundary:
        result["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": user.boundary,
        }
    if user.tags:
        result["Tags"] = tag_list(user.tags)
    return result


def keys_of(account: IamAccount, user_name: str) -> list[AccessKey]:
    return [key for key in account.store.all(AccessKey) if key.user == user_name]


def create_user(account: IamAccount, parameters: Parameters) -> Output:
    account.refuse_new(User, parameters["UserName"])
    boundary = parameters.get("PermissionsBoundary", "")
    if boundary:
        account.attachable(boundary)
    user = User(
        name=parameters["UserName"],
        id=unique_ids.unique_id(unique_ids.USER),
        path=parameters.get("Path", "/"),
        created=account.timestamp(),
        tags=tags_from(parameters),
        boundary=boundary,
    )
    account.store.write(user)
    return {"User": describe(account, user)}


def get_user(account: IamAccount, parameters: Parameters) -> Output:
    return {"User": describe(account, account.find(User, parameters["UserName"]))}


def list_users(account: IamAccount, parameters: Parameters) -> Output:
    users = under_path(account.store.all(User), parameters)
    result = page(users, parameters, member="Users", key=lambda user: user.name)
    # ListUsers leaves tags and boundary out (IAM API reference, ListUsers)
    result["Users"] = [
        {key: value for key, value in describe(account, user).items() if key not in {"Tags", "PermissionsBoundary"}}
        for user in result["Users"]
    ]
    return result


def update_user(account: IamAccount, parameters: Parameters) -> Output:
    user = account.find(User, parameters["UserName"])
    new_name = parameters.get("NewUserName", user.name)
    if new_name.lower() != user.name.lower():
        account.refuse_taken(User, new_name)
    renamed = msgspec.structs.replace(user, name=new_name, path=parameters.get("NewPath", user.path))
    keys = [msgspec.structs.replace(key, user=new_name) for key in keys_of(account, user.name)]
    profile = account.store.get(LoginProfile, user.key)
    old, new = ((profile,), (msgspec.structs.replace(profile, user=new_name),)) if profile is not None else ((), ())
    account.store.write(renamed, *keys, *new, delete=(user, *old))
    return {}


def delete_user(account: IamAccount, parameters: Parameters) -> Output:
    user = account.find(User, parameters["UserName"])
    if keys_of(account, user.name):
        raise DeleteConflict("Cannot delete entity, must delete access keys first.")
    if account.store.get(LoginProfile, user.key) is not None:
        raise DeleteConflict("Cannot delete entity, must delete login profile first.")
    if user.attached:
        raise DeleteConflict("Cannot delete entity, must detach all policies first.")
    if user.inline:
        raise DeleteConflict("Cannot delete entity, must delete policies first.")
    if user.groups:
        raise DeleteConflict("Cannot delete entity, must remove users from group first.")
    account.store.write(delete=(user,))
    return {}


def create_access_key(account: IamAccount, parameters: Parameters) -> Output:
    user = account.find(User, parameters["UserName"])
    if len(keys_of(account, user.name)) >= _KEYS_PER_USER:
        raise LimitExceeded(f"Cannot exceed quota for AccessKeysPerUser: {_KEYS_PER_USER}")
    key = AccessKey(
        id=unique_ids.access_key_id(unique_ids.ACCESS_KEY, account.account_id),
        secret=unique_ids.secret_access_key(),
        user=user.name,
        created=account.timestamp(),
    )
    account.store.write(key)
    return {
        "AccessKey": {
            "UserName": key.user,
            "AccessKeyId": key.id,
            "Status": key.status,
            "SecretAccessKey": key.secret,
            "CreateDate": key.created,
        }
    }


def list_access_keys(account: IamAccount, parameters: Parameters) -> Output:
    user = account.find(User, parameters["UserName"])
    result = page(keys_of(account, user.name), parameters, member="AccessKeyMetadata", key=lambda key: key.id)
    result["AccessKeyMetadata"] = [
        {"UserName": key.user, "AccessKeyId": key.id, "Status": key.status, "CreateDate": key.created}
        for key in result["AccessKeyMetadata"]
    ]
    return result


def update_access_key(account: IamAccount, parameters: Parameters) -> Output:
    if parameters["Status"] not in {"Active", "Inactive"}:
        # the model's third one, Expired, is nothing that a caller may set
        raise ValidationError(
            f"1 validation error detected: Value '{parameters['Status']}' at 'status' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Active, Inactive]"
        )
    key = _own_key(account, parameters)
    account.store.write(msgspec.structs.replace(key, status=parameters["Status"]))
    return {}


def delete_access_key(account: IamAccount, parameters: Parameters) -> Output:
    key = _own_key(account, parameters)
    account.store.write(delete=(key, *last_uses.forgotten(account, key.id)))
    return {}


def get_access_key_last_used(account: IamAccount, parameters: Parameters) -> Output:
    key = account.store.get(AccessKey, parameters["AccessKeyId"])
    if key is None:
        raise _no_key(parameters["AccessKeyId"])
    date, region, service = last_uses.of_key(account, key)
    used = {"LastUsedDate": date} if date else {}
    return {"UserName": key.user, "AccessKeyLastUsed": {**used, "ServiceName": service, "Region": region}}


def _own_key(account: IamAccount, parameters: Parameters) -> AccessKey:
    user = account.find(User, parameters["UserName"])
    key = account.store.get(AccessKey, parameters["AccessKeyId"])
    if key is None or key.user != user.name:
        raise _no_key(parameters["AccessKeyId"])
    return key


def _no_key(key_id: str) -> NoSuchEntity:
    return NoSuchEntity(f"The Access Key with id {key_id} cannot be found.")


OPERATIONS = {
    "CreateUser": create_user,
    "GetUser": get_user,
    "ListUsers": list_users,
    "UpdateUser": update_user,
    "DeleteUser": delete_user,
    "CreateAccessKey": create_access_key,
    "ListAccessKeys": list_access_keys,
    "UpdateAccessKey": update_access_key,
    "DeleteAccessKey": delete_access_key,
    "GetAccessKeyLastUsed": get_access_key_last_used,
}
