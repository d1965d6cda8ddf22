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


def _missing(text: str, parameter: str) -> Run:
    def run(account: IamAccount, parameters: Parameters) -> Output:
        if "UserName" in parameters:
            account.find(User, parameters["UserName"])
        raise NoSuchEntity(text.format(parameters[parameter]))

    return run


# words, the parameter that they name, and what says them
_NONE = (
    (
        "The SSH Public Key with id {} cannot be found.",
        "SSHPublicKeyId",
        ("DeleteSSHPublicKey", "GetSSHPublicKey", "UpdateSSHPublicKey"),
    ),
    (
        "The Certificate with id {} cannot be found.",
        "CertificateId",
        ("DeleteSigningCertificate", "UpdateSigningCertificate"),
    ),
    (
        "The Service Specific Credential with id {} cannot be found.",
        "ServiceSpecificCredentialId",
        ("DeleteServiceSpecificCredential", "ResetServiceSpecificCredential", "UpdateServiceSpecificCredential"),
    ),
    (
        "VirtualMFADevice with serial number {} doesn't exist.",
        "SerialNumber",
        ("DeactivateMFADevice", "DeleteVirtualMFADevice", "GetMFADevice", "ListMFADeviceTags", "ResyncMFADevice",
         "TagMFADevice", "UntagMFADevice"),
    ),
    (
        "Manifest not found for arn {}",
        "SAMLProviderArn",
        ("DeleteSAMLProvider", "GetSAMLProvider", "ListSAMLProviderTags", "TagSAMLProvider", "UntagSAMLProvider",
         "UpdateSAMLProvider"),
    ),
)  # fmt: skip

OPERATIONS: dict[str, Run] = {
    "ListMFADevices": _empty("MFADevices"),
    "ListSAMLProviders": _empty("SAMLProviderList", paged=False),
    "ListSSHPublicKeys": _empty("SSHPublicKeys"),
    "ListServiceSpecificCredentials": _empty("ServiceSpecificCredentials", paged=False),
    "ListSigningCertificates": _empty("Certificates"),
    "ListVirtualMFADevices": _empty("VirtualMFADevices"),
    **{operation: _missing(text, parameter) for text, parameter, operations in _NONE for operation in operations},
}
