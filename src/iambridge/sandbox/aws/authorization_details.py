"""The whole account in one answer. Source: IAM API Reference, GetAccountAuthorizationDetails."""

from iambridge.sandbox.aws import groups, instance_profiles, last_uses, managed_policies, roles, users
from iambridge.sandbox.aws.aws_managed_policies import AwsManagedPolicy, aws_managed_policy
from iambridge.sandbox.aws.entities import Group, InstanceProfile, ManagedPolicy, Principal, Role, User
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page

_LISTS = {
    "User": "UserDetailList",
    "Group": "GroupDetailList",
    "Role": "RoleDetailList",
    "LocalManagedPolicy": "Policies",
    "AWSManagedPolicy": "Policies",
}


def get_account_authorization_details(account: IamAccount, parameters: Parameters) -> Output:
    """Of AWS's managed policies, those that are attached."""
    wanted = parameters.get("Filter") or list(_LISTS)
    items = [(kind, name, detail) for kind, name, detail in _details(account) if kind in wanted]
    found = page(items, parameters, member="items", key=lambda item: f"{item[0]}/{item[1]}")
    result: Output = {name: [] for name in _LISTS.values()}
    for kind, _, detail in found.pop("items"):
        result[_LISTS[kind]].append(detail)
    return {**result, **found}


def _details(account: IamAccount) -> list[tuple[str, str, Output]]:
    everyone = managed_policies.principals(account)
    found = [(type(principal).__name__, principal.name, _principal(account, principal)) for principal in everyone]
    own, used = account.store.all(ManagedPolicy), managed_policies.usage(account)
    found += [("LocalManagedPolicy", policy.name, _policy(account, policy, used)) for policy in own]
    for arn in {*used.attached, *used.boundary}:
        if arn.startswith("arn:aws:iam::aws:") and (policy := aws_managed_policy(arn)) is not None:
            found.append(("AWSManagedPolicy", policy.name, _policy(account, policy, used)))
    return found


def _principal(account: IamAccount, principal: Principal) -> Output:
    word = type(principal).__name__
    inline = [{"PolicyName": name, "PolicyDocument": text} for name, text in principal.inline.items()]
    attached = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in principal.attached]
    result: Output = {f"{word}PolicyList": inline, "AttachedManagedPolicies": attached}
    if isinstance(principal, User):
        return {**users.describe(account, principal), **result, "GroupList": list(principal.groups)}
    if isinstance(principal, Group):
        return {**groups.describe(account, principal), **result}
    assert isinstance(principal, Role)
    described = roles.describe(account, principal)
    kept = {name: value for name, value in described.items() if name not in {"Description", "MaxSessionDuration"}}
    profiles = [p for p in account.store.all(InstanceProfile) if p.role == principal.name]
    listed = [instance_profiles.describe(account, profile) for profile in profiles]
    return {**kept, **result, "InstanceProfileList": listed, "RoleLastUsed": last_uses.of_role(account, principal)}


def _policy(account: IamAccount, policy: ManagedPolicy | AwsManagedPolicy, used: managed_policies.Usage) -> Output:
    if isinstance(policy, AwsManagedPolicy):
        texts = {policy.default_version: (policy.document, policy.updated)}
    else:
        texts = {name: (version.document, version.created) for name, version in policy.versions.items()}
    versions = [
        {
            "Document": document,
            "VersionId": name,
            "IsDefaultVersion": name == policy.default_version,
            "CreateDate": created,
        }
        for name, (document, created) in texts.items()
    ]
    described = managed_policies.describe(account, policy, used)
    described.pop("Tags", None)
    return {**described, "PolicyVersionList": versions}


OPERATIONS = {"GetAccountAuthorizationDetails": get_account_authorization_details}
