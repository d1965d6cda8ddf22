"""Password policy, login profiles and the credential report, with boto3; what else a user may have is not there."""

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.conftest import ACCOUNT, RunningAccount
from tests.unit.sandbox.aws.test_gateway import policy, refusal

if TYPE_CHECKING:
    from iambridge.sandbox.aws.store import Store

STRONG = "Correct-horse-9"


@pytest.fixture(scope="module")
def iam(running: RunningAccount) -> Any:
    return running.client("iam", parameter_validation=False)


@pytest.fixture
def no_policy(iam: Any) -> Any:
    """The account without a password policy of its own, before and after."""
    yield
    iam.delete_account_password_policy()


def test_a_password_policy_is_kept_whole(iam: Any, no_policy: None) -> None:
    """An update takes back what it does not name; without a policy there is none to get."""
    del no_policy
    missing = f"The Password Policy with domain name {ACCOUNT} cannot be found."
    assert refusal(iam.get_account_password_policy) == ("NoSuchEntity", missing, 404)
    iam.update_account_password_policy(MinimumPasswordLength=14, RequireSymbols=True, MaxPasswordAge=90)
    found = iam.get_account_password_policy()["PasswordPolicy"]
    assert (found["MinimumPasswordLength"], found["MaxPasswordAge"], found["ExpirePasswords"]) == (14, 90, True)
    iam.update_account_password_policy(PasswordReusePrevention=5)
    assert iam.get_account_password_policy()["PasswordPolicy"] == {
        "MinimumPasswordLength": 6, "RequireSymbols": False, "RequireNumbers": False, "HardExpiry": False,
        "RequireUppercaseCharacters": False, "RequireLowercaseCharacters": False, "ExpirePasswords": False,
        "AllowUsersToChangePassword": False, "PasswordReusePrevention": 5,
    }  # fmt: skip


def test_a_login_profile_lives_with_its_user(iam: Any) -> None:
    """Made, told, changed, taken along by a rename, in the way of a deletion, deleted; with AWS's words."""
    iam.create_user(UserName="console")
    assert refusal(iam.get_login_profile, UserName="console") == (
        "NoSuchEntity", "Login Profile for User console cannot be found.", 404,
    )  # fmt: skip
    made = iam.create_login_profile(UserName="console", Password=STRONG, PasswordResetRequired=True)["LoginProfile"]
    assert (made["UserName"], made["PasswordResetRequired"]) == ("console", True)
    again = {"UserName": "console", "Password": STRONG}
    assert refusal(iam.create_login_profile, **again)[::2] == ("EntityAlreadyExists", 409)
    iam.update_login_profile(UserName="console", PasswordResetRequired=False)
    iam.update_user(UserName="console", NewUserName="consoled")
    found = iam.get_login_profile(UserName="consoled")["LoginProfile"]
    assert (found["PasswordResetRequired"], found["CreateDate"]) == (False, made["CreateDate"])
    assert refusal(iam.delete_user, UserName="consoled") == (
        "DeleteConflict", "Cannot delete entity, must delete login profile first.", 409,
    )  # fmt: skip
    iam.delete_login_profile(UserName="consoled")
    iam.delete_user(UserName="consoled")


@pytest.mark.parametrize(
    ("rules", "password", "words"),
    [
        (None, "Ab1", "Password should have a minimum length of 8"),
        (
            None,
            "abcdefgh",
            (
                "Password should meet 2 more of the following requirements: Password should have at least one uppercase "
                "letter, Password should have at least one number, Password should have at least one symbol"
            ),
        ),
        (
            {"MinimumPasswordLength": 6, "RequireSymbols": True, "RequireUppercaseCharacters": True},
            "abcdefgh",
            "Password should have at least one uppercase letter, Password should have at least one symbol",
        ),
    ],
    ids=["short", "default", "policy"],
)
def test_a_weak_password_is_refused(iam: Any, rules: Any, password: str, words: str) -> None:
    iam.create_user(UserName="weak")
    try:
        if rules:
            iam.update_account_password_policy(**rules)
        refused = refusal(iam.create_login_profile, UserName="weak", Password=password)
        assert refused == ("PasswordPolicyViolation", words, 400)
        if rules:
            iam.delete_account_password_policy()
    finally:
        iam.delete_user(UserName="weak")


def test_no_password_is_told_or_kept(running: RunningAccount, iam: Any) -> None:
    """A refusal of its shape does not repeat it, and the state on disk does not have it."""
    iam.create_user(UserName="secretive")
    for password in (f"{STRONG}{'x' * 128}", f"{STRONG}\u20ac"):
        code, message, _ = refusal(iam.create_login_profile, UserName="secretive", Password=password)
        assert (code, STRONG in message) == ("ValidationError", False)
        assert "Value at 'password' failed to satisfy constraint" in message
    iam.create_login_profile(UserName="secretive", Password=STRONG)
    store: Store = running.account.iam.store
    for file in store.path.parent.glob("*"):
        assert STRONG.encode() not in file.read_bytes()
    assert STRONG not in json.dumps([request for _, request in running.decisions.decisions])


def test_a_credential_report_is_made_and_then_had(iam: Any, no_policy: None) -> None:
    """The columns of AWS's report; a user's password and keys as they are."""
    del no_policy
    assert refusal(iam.get_credential_report)[::2] == ("ReportNotPresent", 410)
    iam.update_account_password_policy(MaxPasswordAge=90)
    iam.create_user(UserName="reported", Path="/team/")
    iam.create_login_profile(UserName="reported", Password=STRONG)
    key = iam.create_access_key(UserName="reported")["AccessKey"]
    iam.update_access_key(UserName="reported", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    iam.create_access_key(UserName="reported")
    assert iam.generate_credential_report()["State"] == "STARTED"
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    report = iam.get_credential_report()
    assert report["ReportFormat"] == "text/csv"
    rows = {row["user"]: row for row in csv.DictReader(report["Content"].decode().splitlines())}
    assert rows["<root_account>"]["arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    row = rows["reported"]
    assert len(row) == 22
    assert (row["arn"], row["password_enabled"], row["mfa_active"]) == (
        f"arn:aws:iam::{ACCOUNT}:user/team/reported", "true", "false",
    )  # fmt: skip
    assert row["password_next_rotation"] > row["password_last_changed"]
    assert sorted((row["access_key_1_active"], row["access_key_2_active"])) == ["false", "true"]
    assert (rows["iambridge-admin"]["password_enabled"], rows["iambridge-admin"]["access_key_2_active"]) == (
        "false", "false",
    )  # fmt: skip


def test_the_token_version_is_kept_and_told(iam: Any) -> None:
    assert iam.get_account_summary()["SummaryMap"]["GlobalEndpointTokenVersion"] == 1
    iam.set_security_token_service_preferences(GlobalEndpointTokenVersion="v2Token")
    assert iam.get_account_summary()["SummaryMap"]["GlobalEndpointTokenVersion"] == 2


ABSENT = [
    ("get_saml_provider", {"SAMLProviderArn": f"arn:aws:iam::{ACCOUNT}:saml-provider/x"}),
    ("delete_server_certificate", {"ServerCertificateName": "x"}),
    ("get_ssh_public_key", {"UserName": "iambridge-admin", "SSHPublicKeyId": "APKA" + "X" * 17, "Encoding": "PEM"}),
    ("deactivate_mfa_device", {"UserName": "iambridge-admin", "SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/x"}),
    ("delete_virtual_mfa_device", {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/x"}),
    ("delete_signing_certificate", {"CertificateId": "X" * 24}),
    ("delete_service_specific_credential", {"ServiceSpecificCredentialId": "X" * 20}),
]


@pytest.mark.parametrize(("method", "arguments"), ABSENT, ids=[method for method, _ in ABSENT])
def test_what_cannot_be_made_is_not_there(iam: Any, method: str, arguments: Any) -> None:
    """Those who tidy up are told so, and not that the sandbox does not know the operation."""
    assert refusal(getattr(iam, method), **arguments)[::2] == ("NoSuchEntity", 404)


def test_the_new_operations_are_denied_by_default(running: RunningAccount, iam: Any) -> None:
    """And allowed on the resource that the reference gives them."""
    iam.create_user(UserName="asking")
    client = running.client("iam", iam.create_access_key(UserName="asking")["AccessKey"])
    calls: list[tuple[Any, dict[str, Any]]] = [
        (client.update_account_password_policy, {}),
        (client.generate_credential_report, {}),
        (client.get_credential_report, {}),
        (client.set_security_token_service_preferences, {"GlobalEndpointTokenVersion": "v1Token"}),
        (client.create_login_profile, {"UserName": "asking", "Password": STRONG}),
        (client.delete_saml_provider, {"SAMLProviderArn": f"arn:aws:iam::{ACCOUNT}:saml-provider/x"}),
    ]
    for call, arguments in calls:
        assert refusal(call, **arguments)[0] == "AccessDenied"
    own = {
        "Effect": "Allow",
        "Action": ["iam:CreateLoginProfile", "iam:DeleteSAMLProvider"],
        "Resource": [f"arn:aws:iam::{ACCOUNT}:user/asking", f"arn:aws:iam::{ACCOUNT}:saml-provider/x"],
    }
    iam.put_user_policy(UserName="asking", PolicyName="p", PolicyDocument=policy(own))
    client.create_login_profile(Password=STRONG)
    assert refusal(client.delete_saml_provider, **calls[-1][1])[0] == "NoSuchEntity"
