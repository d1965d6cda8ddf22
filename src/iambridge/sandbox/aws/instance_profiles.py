"""Instance profiles: what lets an EC2 instance hold a role."""

import msgspec

from iambridge.errors import DeleteConflict, LimitExceeded, NoSuchEntity
from iambridge.sandbox.aws import roles, unique_ids
from iambridge.sandbox.aws.entities import InstanceProfile, Role
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page, tag_list, tags_from, under_path


def describe(account: IamAccount, profile: InstanceProfile) -> Output:
    result: Output = {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": account.arn(profile),
        "CreateDate": profile.created,
        "Roles": [roles.describe(account, account.find(Role, profile.role))] if profile.role else [],
    }
    if profile.tags:
        result["Tags"] = tag_list(profile.tags)
    return result


def create_instance_profile(account: IamAccount, parameters: Parameters) -> Output:
    account.refuse_new(InstanceProfile, parameters["InstanceProfileName"])
    profile = InstanceProfile(
        name=parameters["InstanceProfileName"],
        id=unique_ids.unique_id(unique_ids.INSTANCE_PROFILE),
        path=parameters.get("Path", "/"),
        created=account.timestamp(),
        tags=tags_from(parameters),
    )
    account.store.write(profile)
    return {"InstanceProfile": describe(account, profile)}


def get_instance_profile(account: IamAccount, parameters: Parameters) -> Output:
    profile = account.find(InstanceProfile, parameters["InstanceProfileName"])
    return {"InstanceProfile": describe(account, profile)}


def list_instance_profiles(account: IamAccount, parameters: Parameters) -> Output:
    return _listed(account, under_path(account.store.all(InstanceProfile), parameters), parameters)


def list_instance_profiles_for_role(account: IamAccount, parameters: Parameters) -> Output:
    role = account.find(Role, parameters["RoleName"])
    profiles = [profile for profile in account.store.all(InstanceProfile) if profile.role == role.name]
    return _listed(account, profiles, parameters)


def _listed(account: IamAccount, profiles: list[InstanceProfile], parameters: Parameters) -> Output:
    result = page(profiles, parameters, member="InstanceProfiles", key=lambda profile: profile.name)
    result["InstanceProfiles"] = [describe(account, profile) for profile in result["InstanceProfiles"]]
    return result


def add_role_to_instance_profile(account: IamAccount, parameters: Parameters) -> Output:
    profile = account.find(InstanceProfile, parameters["InstanceProfileName"])
    role = account.find(Role, parameters["RoleName"])
    if profile.role:
        raise LimitExceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
    account.store.write(msgspec.structs.replace(profile, role=role.name))
    return {}


def remove_role_from_instance_profile(account: IamAccount, parameters: Parameters) -> Output:
    profile = account.find(InstanceProfile, parameters["InstanceProfileName"])
    if profile.role != parameters["RoleName"]:
        raise NoSuchEntity(
            f"The role with name {parameters['RoleName']} is not associated with instance profile {profile.name}."
        )
    account.store.write(msgspec.structs.replace(profile, role=""))
    return {}


def delete_instance_profile(account: IamAccount, parameters: Parameters) -> Output:
    profile = account.find(InstanceProfile, parameters["InstanceProfileName"])
    if profile.role:
        raise DeleteConflict("Cannot delete entity, must remove roles from instance profile first.")
    account.store.write(delete=(profile,))
    return {}


OPERATIONS = {
    "CreateInstanceProfile": create_instance_profile,
    "GetInstanceProfile": get_instance_profile,
    "ListInstanceProfiles": list_instance_profiles,
    "ListInstanceProfilesForRole": list_instance_profiles_for_role,
    "AddRoleToInstanceProfile": add_role_to_instance_profile,
    "RemoveRoleFromInstanceProfile": remove_role_from_instance_profile,
    "DeleteInstanceProfile": delete_instance_profile,
}
