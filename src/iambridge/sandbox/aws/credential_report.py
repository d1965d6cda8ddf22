"""The account's credential report: who has which credentials, and when they were last used.

Nobody signs in with a password here.

Source: IAM User Guide, "Generate credential reports for your AWS account".
"""

import base64
import csv
import datetime as dt
import io

from iambridge.sandbox.aws import last_uses, users
from iambridge.sandbox.aws.entities import AccessKey, CredentialReport, LoginProfile, PasswordPolicy, User
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters
from iambridge.sandbox.aws.iam_errors import CredentialReportExpired, CredentialReportNotPresent

_FRESH = dt.timedelta(hours=4)
_NONE = "N/A"
_KEY_COLUMNS = ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
_COLUMNS = (
    "user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed",
    "password_next_rotation", "mfa_active",
    *(f"access_key_{number}_{column}" for number in (1, 2) for column in _KEY_COLUMNS),
    "cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
)  # fmt: skip
_CERTIFICATES = ("false", _NONE, "false", _NONE)


def generate_credential_report(account: IamAccount, parameters: Parameters) -> Output:
    """A report is good for four hours, in which no other is made."""
    del parameters
    report = _report(account)
    if report is not None and not _expired(account, report):
        return {"State": "COMPLETE"}
    account.store.write(CredentialReport(content=_content(account), created=account.timestamp()))
    return {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}


def get_credential_report(account: IamAccount, parameters: Parameters) -> Output:
    del parameters
    report = _report(account)
    if report is None:
        raise CredentialReportNotPresent("No credential report is present.", fix="call GenerateCredentialReport first")
    if _expired(account, report):
        raise CredentialReportExpired("The credential report has expired.", fix="call GenerateCredentialReport again")
    content = base64.b64encode(report.content.encode()).decode()
    return {"Content": content, "ReportFormat": "text/csv", "GeneratedTime": report.created}


def _report(account: IamAccount) -> CredentialReport | None:
    return account.store.get(CredentialReport, CredentialReport(content="").key)


def _expired(account: IamAccount, report: CredentialReport) -> bool:
    return account.now() - dt.datetime.fromisoformat(report.created) >= _FRESH


def _content(account: IamAccount) -> str:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(_COLUMNS)
    root = f"arn:aws:iam::{account.account_id}:root"
    # the root user cannot sign in here, and has no keys
    rows.writerow(
        ("<root_account>", root, _time(account.timestamp()), "not_supported", "no_information", "not_supported",
         "not_supported", "false", *_key(account, None), *_key(account, None), *_CERTIFICATES)
    )  # fmt: skip
    for user in account.store.all(User):
        keys = [*users.keys_of(account, user.name), None, None][:2]
        columns = [column for key in keys for column in _key(account, key)]
        created = _time(user.created)
        rows.writerow(
            (user.name, account.arn(user), created, *_password(account, user), "false", *columns, *_CERTIFICATES)
        )
    return out.getvalue()


def _password(account: IamAccount, user: User) -> tuple[str, str, str, str]:
    """Enabled, last used, last changed, next rotation."""
    profile = account.store.get(LoginProfile, user.key)
    if profile is None:
        return "false", _NONE, _NONE, _NONE
    policy = account.store.get(PasswordPolicy, PasswordPolicy().key)
    rotation = _NONE
    if policy is not None and policy.max_age:
        due = dt.datetime.fromisoformat(profile.changed) + dt.timedelta(days=policy.max_age)
        rotation = due.isoformat(timespec="seconds")
    return "true", "no_information", _time(profile.changed), rotation


def _key(account: IamAccount, key: AccessKey | None) -> tuple[str, ...]:
    if key is None:
        return "false", _NONE, _NONE, _NONE, _NONE
    date, region, service = last_uses.of_key(account, key)
    return str(key.status == "Active").lower(), _time(key.created), _time(date) or _NONE, region, service


def _time(text: str) -> str:
    return text.replace("Z", "+00:00")


OPERATIONS = {
    "GenerateCredentialReport": generate_credential_report,
    "GetCredentialReport": get_credential_report,
}
