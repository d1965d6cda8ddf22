"""Server certificates. The private key is held against the certificate and then forgotten: nothing here serves with it.

Source: IAM API Reference, UploadServerCertificate; IAM User Guide, "Manage server certificates in IAM".
"""

from typing import TYPE_CHECKING

import msgspec

from iambridge.sandbox.aws import unique_ids
from iambridge.sandbox.aws.entities import ServerCertificate
from iambridge.sandbox.aws.iam_account import IamAccount, Output, Parameters, page, tag_list, tags_from, under_path
from iambridge.sandbox.aws.iam_errors import KeyPairMismatch, MalformedCertificate

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_CHAIN = (
    "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, "
    "followed by any intermediaries in order. The index within the chain of the invalid certificate is: {}"
)


def upload(account: IamAccount, parameters: Parameters) -> Output:
    account.refuse_new(ServerCertificate, parameters["ServerCertificateName"])
    leaf = _read(parameters["CertificateBody"])[0]
    _refuse_other_key(leaf, parameters["PrivateKey"])
    if chain := parameters.get("CertificateChain", ""):
        _refuse_broken(leaf, _read(chain))
    certificate = ServerCertificate(
        name=parameters["ServerCertificateName"],
        id=unique_ids.unique_id(unique_ids.SERVER_CERTIFICATE),
        path=parameters.get("Path", "/"),
        created=account.timestamp(),
        tags=tags_from(parameters),
        body=parameters["CertificateBody"].strip(),
        chain=chain.strip(),
        expires=leaf.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    account.store.write(certificate)
    result: Output = {"ServerCertificateMetadata": _metadata(account, certificate)}
    if certificate.tags:
        result["Tags"] = tag_list(certificate.tags)
    return result


def get(account: IamAccount, parameters: Parameters) -> Output:
    certificate = account.find(ServerCertificate, parameters["ServerCertificateName"])
    found: Output = {
        "ServerCertificateMetadata": _metadata(account, certificate),
        "CertificateBody": certificate.body,
        "Tags": tag_list(certificate.tags),
    }
    if certificate.chain:
        found["CertificateChain"] = certificate.chain
    return {"ServerCertificate": found}


def list_all(account: IamAccount, parameters: Parameters) -> Output:
    member = "ServerCertificateMetadataList"
    certificates = under_path(account.store.all(ServerCertificate), parameters)
    result = page(certificates, parameters, member=member, key=lambda certificate: certificate.name)
    result[member] = [_metadata(account, certificate) for certificate in result[member]]
    return result


def update(account: IamAccount, parameters: Parameters) -> Output:
    certificate = account.find(ServerCertificate, parameters["ServerCertificateName"])
    new_name = parameters.get("NewServerCertificateName", certificate.name)
    if new_name.lower() != certificate.name.lower():
        account.refuse_taken(ServerCertificate, new_name)
    path = parameters.get("NewPath", certificate.path)
    account.store.write(msgspec.structs.replace(certificate, name=new_name, path=path), delete=(certificate,))
    return {}


def delete(account: IamAccount, parameters: Parameters) -> Output:
    """Whether a load balancer has it is not asked."""
    account.store.write(delete=(account.find(ServerCertificate, parameters["ServerCertificateName"]),))
    return {}


def _metadata(account: IamAccount, certificate: ServerCertificate) -> Output:
    return {
        "Path": certificate.path,
        "ServerCertificateName": certificate.name,
        "ServerCertificateId": certificate.id,
        "Arn": account.arn(certificate),
        "UploadDate": certificate.created,
        "Expiration": certificate.expires,
    }


def _read(pem: str) -> list["Certificate"]:
    from cryptography import x509  # noqa: PLC0415 - off the start-up path

    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise MalformedCertificate(
            "Unable to parse certificate. Please ensure the certificate is in PEM format."
        ) from error


def _refuse_other_key(leaf: "Certificate", pem: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - off the start-up path
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # a TypeError is a key with a password
        raise MalformedCertificate(
            "Unable to parse key. Please ensure the private key is in PEM format and not encrypted."
        ) from error
    if key.public_key() != leaf.public_key():
        raise KeyPairMismatch("The certificate body and the private key do not match.")


def _refuse_broken(leaf: "Certificate", chain: list["Certificate"]) -> None:
    """Each certificate must have issued the one before it."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - off the start-up path

    issued = leaf
    for index, issuer in enumerate(chain):
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise MalformedCertificate(_CHAIN.format(index)) from error
        issued = issuer


OPERATIONS = {
    "UploadServerCertificate": upload,
    "GetServerCertificate": get,
    "ListServerCertificates": list_all,
    "UpdateServerCertificate": update,
    "DeleteServerCertificate": delete,
}
