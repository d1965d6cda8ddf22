"""The account itself: its alias and its summary."""

import re

from iambridge.errors import EntityAlreadyExists, NoSuchEntity, ValidationError
from iambridge.sandbox.aws.entities import (
    AccountAlias,
    Entity,
    Group,
    InstanceProfile,
    ManagedPolicy,
    OpenIDConnectProvider,
    Role,
    ServerCertificate,
    TokenPreferences,
    User,
)
from iambridge.sandbox.aws.iam_account import QUOTAS, IamAccount, Output, Parameters

_ALIAS = re.compile(r"[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?")
_COUNTED: dict[str, type[Entity]] = {
    "Users": User,
    "Groups": Group,
    "Roles": Role,
    "ServerCertificates": ServerCertificate,
    "InstanceProfiles": InstanceProfile,
    "Policies": ManagedPolicy,
    "Providers": OpenIDConnectProvider,
}
# default quotas (IAM User Guide, "IAM and STS quotas"), and what is never there: the root user has neither password nor
# keys
_CONSTANT = {
    "AccessKeysPerUserQuota": 2,
    "AccountAccessKeysPresent": 0,
    "AccountMFAEnabled": 0,
    "AccountPasswordPresent": 0,
    "AccountSigningCertificatesPresent": 0,
    "AssumeRolePolicySizeQuota": 2048,
    "AttachedPoliciesPerGroupQuota": 10,
    "AttachedPoliciesPerRoleQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "GroupPolicySizeQuota": 5120,
    "GroupsPerUserQuota": 10,
    "MFADevices": 0,
    "MFADevicesInUse": 0,
    "PolicySizeQuota": 6144,
    "RolePolicySizeQuota": 10240,
    "UserPolicySizeQuota": 2048,
    "VersionsPerPolicyQuota": 5,
}


def create_account_alias(account: IamAccount, parameters: Parameters) -> Output:
    """The account has one alias at most: a new one takes the place of the old."""
    alias = parameters["AccountAlias"]
    if not _ALIAS.fullmatch(alias):
        raise ValidationError("Invalid account alias.")
    current = account.store.all(AccountAlias)
    if any(entity.alias == alias for entity in current):
        raise EntityAlreadyExists(f"The account alias {alias} already exists.")
    account.store.write(AccountAlias(alias=alias, created=account.timestamp()), delete=current)
    return {}


def list_account_aliases(account: IamAccount, parameters: Parameters) -> Output:
    del parameters
    return {"AccountAliases": [entity.alias for entity in account.store.all(AccountAlias)], "IsTruncated": False}


def delete_account_alias(account: IamAccount, parameters: Parameters) -> Output:
    entity = account.store.get(AccountAlias, parameters["AccountAlias"])
    if entity is None:
        raise NoSuchEntity(f"The account alias {parameters['AccountAlias']} does not exist.")
    account.store.write(delete=(entity,))
    return {}


def get_account_summary(account: IamAccount, parameters: Parameters) -> Output:
    """Counts, and the quotas that hold here. Its zeros are what no account here can have."""
    del parameters
    counts = {name: account.store.count(kind) for name, kind in _COUNTED.items()}
    preferred = account.store.get(TokenPreferences, TokenPreferences().key) or TokenPreferences()
    counts["GlobalEndpointTokenVersion"] = int(preferred.version[1])
    versions = sum(len(policy.versions) for policy in account.store.all(ManagedPolicy))
    quotas = {f"{word}Quota": quota for word, quota in QUOTAS.values()}
    return {"SummaryMap": {**_CONSTANT, **quotas, **counts, "PolicyVersionsInUse": versions}}


def set_security_token_service_preferences(account: IamAccount, parameters: Parameters) -> Output:
    """Kept and told, no more: the sandbox has no regions in which one kind of token is refused."""
    account.store.write(TokenPreferences(version=parameters["GlobalEndpointTokenVersion"], created=account.timestamp()))
    return {}


OPERATIONS = {
    "CreateAccountAlias": create_account_alias,
    "ListAccountAliases": list_account_aliases,
    "DeleteAccountAlias": delete_account_alias,
    "GetAccountSummary": get_account_summary,
    "SetSecurityTokenServicePreferences": set_security_token_service_preferences,
}
