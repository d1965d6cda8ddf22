"""Groups and who is in them. Membership is kept with the user."""

import msgspec

from iambridge.errors import DeleteConflict, LimitExceeded, NoSuchEntity
from iambridge.sandbox.aws import unique_ids, users
from iambridge.sandbox.aws.entities import Group, User
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page, under_path

_GROUPS_PER_USER = 10


def describe(account: IamAccount, group: Group) -> Output:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": account.arn(group),
        "CreateDate": group.created,
    }


def members(account: IamAccount, group_name: str) -> list[User]:
    return [user for user in account.store.all(User) if group_name in user.groups]


def create_group(account: IamAccount, parameters: Parameters) -> Output:
    account.refuse_new(Group, parameters["GroupName"])
    group = Group(
        name=parameters["GroupName"],
        id=unique_ids.unique_id(unique_ids.GROUP),
        path=parameters.get("Path", "/"),
        created=account.timestamp(),
    )
    account.store.write(group)
    return {"Group": describe(account, group)}


def get_group(account: IamAccount, parameters: Parameters) -> Output:
    group = account.find(Group, parameters["GroupName"])
    result = page(members(account, group.name), parameters, member="Users", key=lambda user: user.name)
    result["Users"] = [users.describe(account, user) for user in result["Users"]]
    return {"Group": describe(account, group), **result}


def list_groups(account: IamAccount, parameters: Parameters) -> Output:
    groups = under_path(account.store.all(Group), parameters)
    result = page(groups, parameters, member="Groups", key=lambda group: group.name)
    result["Groups"] = [describe(account, group) for group in result["Groups"]]
    return result


def list_groups_for_user(account: IamAccount, parameters: Parameters) -> Output:
    user = account.find(User, parameters["UserName"])
    groups = [account.find(Group, name) for name in user.groups]
    result = page(groups, parameters, member="Groups", key=lambda group: group.name)
    result["Groups"] = [describe(account, group) for group in result["Groups"]]
    return result


def update_group(account: IamAccount, parameters: Parameters) -> Output:
    group = account.find(Group, parameters["GroupName"])
    new_name = parameters.get("NewGroupName", group.name)
    if new_name.lower() != group.name.lower():
        account.refuse_taken(Group, new_name)
    renamed = msgspec.structs.replace(group, name=new_name, path=parameters.get("NewPath", group.path))
    moved = [
        msgspec.structs.replace(user, groups=tuple(new_name if name == group.name else name for name in user.groups))
        for user in members(account, group.name)
    ]
    account.store.write(renamed, *moved, delete=(group,))
    return {}


def delete_group(account: IamAccount, parameters: Parameters) -> Output:
    group = account.find(Group, parameters["GroupName"])
    if members(account, group.name):
        raise DeleteConflict("Cannot delete entity, must remove users from group first.")
    if group.attached:
        raise DeleteConflict("Cannot delete entity, must detach all policies first.")
    if group.inline:
        raise DeleteConflict("Cannot delete entity, must delete policies first.")
    account.store.write(delete=(group,))
    return {}


def add_user_to_group(account: IamAccount, parameters: Parameters) -> Output:
    group = account.find(Group, parameters["GroupName"])
    user = account.find(User, parameters["UserName"])
    if group.name not in user.groups:
        if len(user.groups) >= _GROUPS_PER_USER:
            raise LimitExceeded(f"Cannot exceed quota for GroupsPerUser: {_GROUPS_PER_USER}")
        account.store.write(msgspec.structs.replace(user, groups=(*user.groups, group.name)))
    return {}


def remove_user_from_group(account: IamAccount, parameters: Parameters) -> Output:
    group = account.find(Group, parameters["GroupName"])
    user = account.find(User, parameters["UserName"])
    if group.name not in user.groups:
        raise NoSuchEntity(f"User {user.name} is not in group {group.name}.")
    left = tuple(name for name in user.groups if name != group.name)
    account.store.write(msgspec.structs.replace(user, groups=left))
    return {}


OPERATIONS = {
    "CreateGroup": create_group,
    "GetGroup": get_group,
    "ListGroups": list_groups,
    "ListGroupsForUser": list_groups_for_user,
    "UpdateGroup": update_group,
    "DeleteGroup": delete_group,
    "AddUserToGroup": add_user_to_group,
    "RemoveUserFromGroup": remove_user_from_group,
}
