"""Refusals of IAM's less used operations, beside those in `iambridge.errors`.

Codes and statuses: botocore iam service-2.json, error shapes.
"""

from http import HTTPStatus

from iambridge.errors import AwsError


class PolicyNotAttachable(AwsError):
    code = "PolicyNotAttachable"


class PasswordPolicyViolation(AwsError):
    code = "PasswordPolicyViolation"


class MalformedCertificate(AwsError):
    code = "MalformedCertificate"


class KeyPairMismatch(AwsError):
    code = "KeyPairMismatch"


class CredentialReportNotPresent(AwsError):
    code = "ReportNotPresent"
    status = HTTPStatus.GONE


class CredentialReportExpired(AwsError):
    code = "ReportExpired"
    status = HTTPStatus.GONE
