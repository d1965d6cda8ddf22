"""Managed policies and their versions: the account's own, and AWS's to read."""

import msgspec

from iambridge.core.iam_policy import PolicyKind
from iambridge.errors import (
    AwsError,
    DeleteConflict,
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
)
from iambridge.sandbox.aws import policy_text, unique_ids
from iambridge.sandbox.aws.aws_managed_policies import AwsManagedPolicy, all_aws_managed_policies
from iambridge.sandbox.aws.entities import Group, ManagedPolicy, PolicyVersion, Principal, Role, User
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page, tag_list, tags_from

_SIZE_LIMIT = 6144
_VERSIONS = 5


def principals(account: IamAccount) -> list[Principal]:
    return [*account.store.all(User), *account.store.all(Group), *account.store.all(Role)]


def describe(account: IamAccount, policy: ManagedPolicy | AwsManagedPolicy) -> Output:
    arn = _arn(account, policy)
    everyone = principals(account)
    result: Output = {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version,
        "AttachmentCount": sum(arn in principal.attached for principal in everyone),
        "PermissionsBoundaryUsageCount": sum(arn == principal.boundary for principal in everyone),
        "IsAttachable": True,
        "CreateDate": policy.created,
        "UpdateDate": policy.updated or policy.created,
    }
    if isinstance(policy, ManagedPolicy) and policy.description:
        result["Description"] = policy.description
    if isinstance(policy, ManagedPolicy) and policy.tags:
        result["Tags"] = tag_list(policy.tags)
    return result


def _found(account: IamAccount, arn: str) -> ManagedPolicy | AwsManagedPolicy:
    policy = account.managed_policy(arn)
    if policy is None:
        raise NoSuchEntity(f"Policy {arn} was not found.")
    return policy


def _own(account: IamAccount, arn: str) -> ManagedPolicy:
    policy = _found(account, arn)
    if isinstance(policy, AwsManagedPolicy):
        raise InvalidInput(f"Policy {arn} is managed by AWS and cannot be changed.")
    return policy


def create_policy(account: IamAccount, parameters: Parameters) -> Output:
    name = parameters["PolicyName"]
    if account.store.get(ManagedPolicy, name.lower()) is not None:
        raise EntityAlreadyExists(f"A policy called {name} already exists. Duplicate names are not allowed.")
    _check(parameters["PolicyDocument"])
    now = account.timestamp()
    policy = ManagedPolicy(
        name=name,
        id=unique_ids.unique_id(unique_ids.MANAGED_POLICY),
        path=parameters.get("Path", "/"),
        created=now,
        updated=now,
        description=parameters.get("Description", ""),
        versions={"v1": PolicyVersion(document=parameters["PolicyDocument"], created=now)},
        default_version="v1",
        tags=tags_from(parameters),
    )
    account.store.write(policy)
    return {"Policy": describe(account, policy)}


def get_policy(account: IamAccount, parameters: Parameters) -> Output:
    return {"Policy": describe(account, _found(account, parameters["PolicyArn"]))}


def list_policies(account: IamAccount, parameters: Parameters) -> Output:
    scope = parameters.get("Scope", "All")
    policies: list[ManagedPolicy | AwsManagedPolicy] = []
    if scope in {"All", "Local"}:
        policies += account.store.all(ManagedPolicy)
    if scope in {"All", "AWS"}:
        policies += all_aws_managed_policies()
    if parameters.get("OnlyAttached"):
        used = {arn for principal in principals(account) for arn in (*principal.attached, principal.boundary)}
        policies = [policy for policy in policies if _arn(account, policy) in used]
    prefix = parameters.get("PathPrefix", "/")
    policies = [policy for policy in policies if policy.path.startswith(prefix)]
    result = page(policies, parameters, member="Policies", key=lambda policy: policy.name)
    # ListPolicies leaves tags out (IAM API reference, ListPolicies)
    result["Policies"] = [
        {key: value for key, value in describe(account, policy).items() if key != "Tags"}
        for policy in result["Policies"]
    ]
    return result


def _arn(account: IamAccount, policy: ManagedPolicy | AwsManagedPolicy) -> str:
    return policy.arn if isinstance(policy, AwsManagedPolicy) else account.arn(policy)


def delete_policy(account: IamAccount, parameters: Parameters) -> Output:
    policy = _own(account, parameters["PolicyArn"])
    arn = account.arn(policy)
    if any(arn in principal.attached or arn == principal.boundary for principal in principals(account)):
        raise DeleteConflict("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise DeleteConflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions."
            " The default version is deleted with the policy."
        )
    account.store.write(delete=(policy,))
    return {}


def create_policy_version(account: IamAccount, parameters: Parameters) -> Output:
    policy = _own(account, parameters["PolicyArn"])
    _check(parameters["PolicyDocument"])
    if len(policy.versions) >= _VERSIONS:
        raise LimitExceeded(
            f"A managed policy can have up to {_VERSIONS} versions. Before you create a new version, you must delete an"
            " existing version."
        )
    now = account.timestamp()
    name = f"v{policy.latest + 1}"
    version = PolicyVersion(document=parameters["PolicyDocument"], created=now)
    changed = msgspec.structs.replace(
        policy,
        versions={**policy.versions, name: version},
        latest=policy.latest + 1,
        default_version=name if parameters.get("SetAsDefault") else policy.default_version,
        updated=now,
    )
    account.store.write(changed)
    return {"PolicyVersion": _version(changed, name)}


def get_policy_version(account: IamAccount, parameters: Parameters) -> Output:
    policy = _found(account, parameters["PolicyArn"])
    name = parameters["VersionId"]
    if isinstance(policy, AwsManagedPolicy):
        if name != policy.default_version:
            raise _no_version(policy.arn, name)
        document, created = policy.document, policy.updated
        return {
            "PolicyVersion": {"Document": document, "VersionId": name, "IsDefaultVersion": True, "CreateDate": created}
        }
    if name not in policy.versions:
        raise _no_version(account.arn(policy), name)
    return {"PolicyVersion": {"Document": policy.versions[name].document, **_version(policy, name)}}


def list_policy_versions(account: IamAccount, parameters: Parameters) -> Output:
    policy = _found(account, parameters["PolicyArn"])
    if isinstance(policy, AwsManagedPolicy):
        only = {"VersionId": policy.default_version, "IsDefaultVersion": True, "CreateDate": policy.updated}
        return {"Versions": [only], "IsTruncated": False}
    names = sorted(policy.versions, key=lambda name: -int(name[1:]))
    return {"Versions": [_version(policy, name) for name in names], "IsTruncated": False}


def delete_policy_version(account: IamAccount, parameters: Parameters) -> Output:
    policy = _own(account, parameters["PolicyArn"])
    name = parameters["VersionId"]
    if name not in policy.versions:
        raise _no_version(account.arn(policy), name)
    if name == policy.default_version:
        raise DeleteConflict("Cannot delete the default version of a policy.")
    left = {version: value for version, value in policy.versions.items() if version != name}
    account.store.write(msgspec.structs.replace(policy, versions=left))
    return {}


def set_default_policy_version(account: IamAccount, parameters: Parameters) -> Output:
    policy = _own(account, parameters["PolicyArn"])
    if parameters["VersionId"] not in policy.versions:
        raise _no_version(account.arn(policy), parameters["VersionId"])
    account.store.write(
        msgspec.structs.replace(policy, default_version=parameters["VersionId"], updated=account.timestamp())
    )
    return {}


def list_entities_for_policy(account: IamAccount, parameters: Parameters) -> Output:
    """One page holds them all: the answer is never truncated."""
    arn = _arn(account, _found(account, parameters["PolicyArn"]))
    wanted = parameters.get("EntityFilter", "")
    as_boundary = parameters.get("PolicyUsageFilter") == "PermissionsBoundary"
    prefix = parameters.get("PathPrefix", "/")
    result: Output = {"PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": [], "IsTruncated": False}
    for principal in principals(account):
        word = type(principal).__name__
        used = arn == principal.boundary if as_boundary else arn in principal.attached
        if used and wanted in {"", word} and principal.path.startswith(prefix):
            result[f"Policy{word}s"].append({f"{word}Name": principal.name, f"{word}Id": principal.id})
    return result


def _check(document: str) -> None:
    policy_text.refuse_large(document, _SIZE_LIMIT, "PolicySize")
    policy_text.check(document, PolicyKind.IDENTITY)


def _version(policy: ManagedPolicy, name: str) -> Output:
    return {
        "VersionId": name,
        "IsDefaultVersion": name == policy.default_version,
        "CreateDate": policy.versions[name].created,
    }


def _no_version(arn: str, name: str) -> AwsError:
    return NoSuchEntity(f"Policy {arn} version {name} does not exist or is not attachable.")


OPERATIONS = {
    "CreatePolicy": create_policy,
    "GetPolicy": get_policy,
    "ListPolicies": list_policies,
    "DeletePolicy": delete_policy,
    "CreatePolicyVersion": create_policy_version,
    "GetPolicyVersion": get_policy_version,
    "ListPolicyVersions": list_policy_versions,
    "DeletePolicyVersion": delete_policy_version,
    "SetDefaultPolicyVersion": set_default_policy_version,
    "ListEntitiesForPolicy": list_entities_for_policy,
}
