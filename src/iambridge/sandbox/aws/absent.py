"""What users and accounts may have at AWS and cannot be given here: none of it is there, as AWS says it.

Clients ask for these before they delete a user, and take an empty list or NoSuchEntity for an answer.
Source: IAM API Reference, each operation.
"""

from collections.abc import Callable

from iambridge.errors import NoSuchEntity
from iambridge.sandbox.aws.entities import User
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters

Run = Callable[[IamAccount, Parameters], Output]


def _empty(member: str, *, paged: bool = True) -> Run:
    def run(account: IamAccount, parameters: Parameters) -> Output:
        if "UserName" in parameters:
            account.find(User, parameters["UserName"])
        return {member: [], "IsTruncated": False} if paged else {member: []}

    return run


def _missing(text: str, parameter: str = "") -> Run:
    def run(account: IamAccount, parameters: Parameters) -> Output:
        raise NoSuchEntity(text.format(parameters[parameter] if parameter else account.account_id))

    return run


_LOGIN = "Login Profile for User {} cannot be found."
_PASSWORDS = "The Password Policy with domain name {} cannot be found."
_CERTIFICATE = "The Server Certificate with name {} cannot be found."

OPERATIONS: dict[str, Run] = {
    "ListMFADevices": _empty("MFADevices"),
    "ListSAMLProviders": _empty("SAMLProviderList", paged=False),
    "ListSSHPublicKeys": _empty("SSHPublicKeys"),
    "ListServerCertificates": _empty("ServerCertificateMetadataList"),
    "ListServiceSpecificCredentials": _empty("ServiceSpecificCredentials", paged=False),
    "ListSigningCertificates": _empty("Certificates"),
    "ListVirtualMFADevices": _empty("VirtualMFADevices"),
    "DeleteAccountPasswordPolicy": _missing(_PASSWORDS),
    "DeleteLoginProfile": _missing(_LOGIN, "UserName"),
    "DeleteServerCertificate": _missing(_CERTIFICATE, "ServerCertificateName"),
    "GetAccountPasswordPolicy": _missing(_PASSWORDS),
    "GetLoginProfile": _missing(_LOGIN, "UserName"),
    "GetServerCertificate": _missing(_CERTIFICATE, "ServerCertificateName"),
}
