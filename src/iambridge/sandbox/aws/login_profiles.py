"""Console passwords and the account's password policy. Nobody signs in here, so no password is kept.

Sources: IAM API Reference, UpdateAccountPasswordPolicy and CreateLoginProfile; IAM User Guide, "Set an account password
policy for IAM users".
"""

import string

import msgspec

from iambridge.errors import EntityAlreadyExists, NoSuchEntity, ValidationError
from iambridge.sandbox.aws.entities import LoginProfile, PasswordPolicy, User
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters
from iambridge.sandbox.aws.iam_errors import PasswordPolicyViolation

_SYMBOLS = "!@#$%^&*()_+-=[]{}|'"
_KINDS = {
    "uppercase letter": string.ascii_uppercase,
    "lowercase letter": string.ascii_lowercase,
    "number": string.digits,
    "symbol": _SYMBOLS,
}
# without a policy of the account's: eight characters of three kinds
_DEFAULT_LENGTH = 8
_DEFAULT_KINDS = 3


def update_password_policy(account: IamAccount, parameters: Parameters) -> Output:
    """What is not given goes back to its default."""
    account.store.write(
        PasswordPolicy(
            minimum_length=parameters.get("MinimumPasswordLength", 6),
            symbols=parameters.get("RequireSymbols", False),
            numbers=parameters.get("RequireNumbers", False),
            uppercase=parameters.get("RequireUppercaseCharacters", False),
            lowercase=parameters.get("RequireLowercaseCharacters", False),
            users_may_change=parameters.get("AllowUsersToChangePassword", False),
            max_age=parameters.get("MaxPasswordAge", 0),
            reuse_prevention=parameters.get("PasswordReusePrevention", 0),
            hard_expiry=parameters.get("HardExpiry", False),
            created=account.timestamp(),
        )
    )
    return {}


def get_password_policy(account: IamAccount, parameters: Parameters) -> Output:
    del parameters
    policy = _required_policy(account)
    result: Output = {
        "MinimumPasswordLength": policy.minimum_length,
        "RequireSymbols": policy.symbols,
        "RequireNumbers": policy.numbers,
        "RequireUppercaseCharacters": policy.uppercase,
        "RequireLowercaseCharacters": policy.lowercase,
        "AllowUsersToChangePassword": policy.users_may_change,
        "ExpirePasswords": policy.max_age > 0,
        "HardExpiry": policy.hard_expiry,
    }
    if policy.max_age:
        result["MaxPasswordAge"] = policy.max_age
    if policy.reuse_prevention:
        result["PasswordReusePrevention"] = policy.reuse_prevention
    return {"PasswordPolicy": result}


def delete_password_policy(account: IamAccount, parameters: Parameters) -> Output:
    del parameters
    account.store.write(delete=(_required_policy(account),))
    return {}


def create_login_profile(account: IamAccount, parameters: Parameters) -> Output:
    user = account.find(User, parameters["UserName"])
    if "Password" not in parameters:
        # optional in the model for the root user's own sessions, which are not to be had here
        raise ValidationError(
            "1 validation error detected: Value null at 'password' failed to satisfy constraint: "
            "Member must not be null"
        )
    if account.store.get(LoginProfile, user.key) is not None:
        raise EntityAlreadyExists(f"Login Profile for user {user.name} already exists.")
    _refuse_weak(account, parameters["Password"])
    profile = LoginProfile(
        user=user.name,
        reset_required=parameters.get("PasswordResetRequired", False),
        created=account.timestamp(),
        changed=account.timestamp(),
    )
    account.store.write(profile)
    return {"LoginProfile": _described(profile)}


def get_login_profile(account: IamAccount, parameters: Parameters) -> Output:
    return {"LoginProfile": _described(_profile(account, parameters))}


def update_login_profile(account: IamAccount, parameters: Parameters) -> Output:
    profile = _profile(account, parameters)
    if "Password" in parameters:
        _refuse_weak(account, parameters["Password"])
        profile = msgspec.structs.replace(profile, changed=account.timestamp())
    if "PasswordResetRequired" in parameters:
        profile = msgspec.structs.replace(profile, reset_required=parameters["PasswordResetRequired"])
    account.store.write(profile)
    return {}


def delete_login_profile(account: IamAccount, parameters: Parameters) -> Output:
    account.store.write(delete=(_profile(account, parameters),))
    return {}


def _required_policy(account: IamAccount) -> PasswordPolicy:
    policy = account.store.get(PasswordPolicy, PasswordPolicy().key)
    if policy is None:
        raise NoSuchEntity(f"The Password Policy with domain name {account.account_id} cannot be found.")
    return policy


def _profile(account: IamAccount, parameters: Parameters) -> LoginProfile:
    user = account.find(User, parameters["UserName"])
    profile = account.store.get(LoginProfile, user.key)
    if profile is None:
        raise NoSuchEntity(f"Login Profile for User {user.name} cannot be found.")
    return profile


def _described(profile: LoginProfile) -> Output:
    return {
        "UserName": profile.user,
        "CreateDate": profile.created,
        "PasswordResetRequired": profile.reset_required,
    }


def _refuse_weak(account: IamAccount, password: str) -> None:
    """AWS's words of what is missing, never the password."""
    policy = account.store.get(PasswordPolicy, PasswordPolicy().key)
    length = policy.minimum_length if policy is not None else _DEFAULT_LENGTH
    short = [f"Password should have a minimum length of {length}"] if len(password) < length else []
    missing = [kind for kind, characters in _KINDS.items() if not set(characters) & set(password)]
    if policy is None:
        more = _DEFAULT_KINDS - (len(_KINDS) - len(missing))
        if more > 0:
            wanted = ", ".join(f"Password should have at least one {kind}" for kind in missing)
            short.append(f"Password should meet {more} more of the following requirements: {wanted}")
    else:
        demanded = (policy.uppercase, policy.lowercase, policy.numbers, policy.symbols)
        wanted_kinds = [kind for kind, wanted in zip(_KINDS, demanded, strict=True) if wanted and kind in missing]
        short += [f"Password should have at least one {kind}" for kind in wanted_kinds]
    if short:
        raise PasswordPolicyViolation(", ".join(short))


OPERATIONS = {
    "UpdateAccountPasswordPolicy": update_password_policy,
    "GetAccountPasswordPolicy": get_password_policy,
    "DeleteAccountPasswordPolicy": delete_password_policy,
    "CreateLoginProfile": create_login_profile,
    "GetLoginProfile": get_login_profile,
    "UpdateLoginProfile": update_login_profile,
    "DeleteLoginProfile": delete_login_profile,
}
