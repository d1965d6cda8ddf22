"""Managed policies and their versions: the account's own, and AWS's to read."""

from collections import Counter
from typing import NamedTuple

import msgspec

from iambridge.errors import (
    AwsError,
    DeleteConflict,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
)
from iambridge.sandbox.aws import policy_text, unique_ids
from iambridge.sandbox.aws.aws_managed_policies import AwsManagedPolicy, all_aws_managed_policies
from iambridge.sandbox.aws.entities import Group, ManagedPolicy, PolicyVersion, Principal, Role, User
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page, tag_list, tags_from, under_path

_SIZE_LIMIT = 6144
_VERSIONS = 5
# PolicyUsageFilter: the count of `Usage` that it is about
_COUNTED = {"PermissionsPolicy": "attached", "PermissionsBoundary": "boundary"}


def principals(account: IamAccount) -> list[Principal]:
    return [*account.store.all(User), *account.store.all(Group), *account.store.all(Role)]


class Usage(NamedTuple):
    """How many users, groups and roles hold each policy, by ARN."""

    attached: Counter[str]
    boundary: Counter[str]


def usage(account: IamAccount) -> Usage:
    everyone = principals(account)
    return Usage(
        Counter(arn for principal in everyone for arn in principal.attached),
        Counter(principal.boundary for principal in everyone if principal.boundary),
    )


def describe(account: IamAccount, policy: ManagedPolicy | AwsManagedPolicy, used: Usage) -> Output:
    arn = account.policy_arn(policy)
    result: Output = {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version,
        "AttachmentCount": used.attached[arn],
        "PermissionsBoundaryUsageCount": used.boundary[arn],
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
    account.refuse_new(ManagedPolicy, name)
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
    return {"Policy": describe(account, policy, usage(account))}


def get_policy(account: IamAccount, parameters: Parameters) -> Output:
    return {"Policy": describe(account, _found(account, parameters["PolicyArn"]), usage(account))}


def list_policies(account: IamAccount, parameters: Parameters) -> Output:
    scope = parameters.get("Scope", "All")
    policies: list[ManagedPolicy | AwsManagedPolicy] = []
    if scope in {"All", "Local"}:
        policies += account.store.all(ManagedPolicy)
    if scope in {"All", "AWS"}:
        policies += all_aws_managed_policies()
    used = usage(account)
    as_what = parameters.get("PolicyUsageFilter", "")
    if parameters.get("OnlyAttached") or as_what:
        held = {arn for name, count in _COUNTED.items() if as_what in {"", name} for arn in getattr(used, count)}
        policies = [policy for policy in policies if account.policy_arn(policy) in held]
    prefix = parameters.get("PathPrefix", "/")
    policies = [policy for policy in policies if policy.path.startswith(prefix)]
    # the account's own policy and AWS's may share a name
    arn_of = account.policy_arn
    result = page(policies, parameters, member="Policies", key=lambda policy: f"{policy.name} {arn_of(policy)}")
    # ListPolicies leaves tags out (IAM API reference, ListPolicies)
    result["Policies"] = [
        {key: value for key, value in describe(account, policy, used).items() if key != "Tags"}
        for policy in result["Policies"]
    ]
    return result


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
    found = page(list(policy.versions), parameters, member="Versions", key=_newest_first)
    return {**found, "Versions": [_version(policy, name) for name in found["Versions"]]}


def _newest_first(version: str) -> str:
    return f"{10**9 - int(version[1:]):010}"


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
    """Groups, users, then roles."""
    arn = account.policy_arn(_found(account, parameters["PolicyArn"]))
    wanted = parameters.get("EntityFilter", "")
    found = [
        principal
        for principal in under_path(principals(account), parameters)
        if wanted in {"", type(principal).__name__} and _uses(principal, arn, parameters.get("PolicyUsageFilter", ""))
    ]
    ordered = ("Group", "User", "Role")
    paged = page(
        found, parameters, member="", key=lambda entity: f"{ordered.index(type(entity).__name__)}{entity.name}"
    )
    result: Output = {"PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": []}
    for principal in paged.pop(""):
        word = type(principal).__name__
        result[f"Policy{word}s"].append({f"{word}Name": principal.name, f"{word}Id": principal.id})
    return {**result, **paged}


def _uses(principal: Principal, arn: str, as_what: str) -> bool:
    """Without a filter, in either way."""
    attached, boundary = arn in principal.attached, arn == principal.boundary
    return (attached and as_what != "PermissionsBoundary") or (boundary and as_what != "PermissionsPolicy")


def _check(document: str) -> None:
    policy_text.refuse_large(document, _SIZE_LIMIT, "PolicySize")
    policy_text.check_managed(document)


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
