"""Server certificates with boto3: kept, told and refused as AWS does; the private key is kept by nobody."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from tests.unit.sandbox.aws.conftest import ACCOUNT, RunningAccount
from tests.unit.sandbox.aws.test_gateway import policy, refusal

from iambridge.adapters.certificates import CertificateAuthority


class Pem:
    """A leaf, its key and its authority; another's beside them."""

    def __init__(self, directory: Path) -> None:
        now = dt.datetime.now(dt.UTC)
        authority = CertificateAuthority(directory / "one", name="one", now=now)
        leaf = authority.leaf("server", hosts=("server.example",))
        self.body, self.key = Path(leaf.certificate).read_text(), Path(leaf.key).read_text()
        self.chain = authority.certificate_file.read_text()
        other = CertificateAuthority(directory / "other", name="other", now=now)
        self.other_key = Path(other.leaf("server", hosts=("server.example",)).key).read_text()
        self.other_chain = other.certificate_file.read_text()
        # a leaf's file may hold its chain: the first certificate is the leaf's own
        end = "-----END CERTIFICATE-----"
        self.body = self.body.partition(end)[0] + end


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Pem:
    return Pem(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def iam(running: RunningAccount) -> Any:
    return running.client("iam", parameter_validation=False)


def test_a_certificate_lives_through_its_calls(running: RunningAccount, iam: Any, pem: Pem) -> None:
    """Upload, tag, get, list, rename, delete; the key is nowhere on disk."""
    made = iam.upload_server_certificate(
        ServerCertificateName="web", Path="/cloudfront/", CertificateBody=pem.body, PrivateKey=pem.key,
        CertificateChain=pem.chain, Tags=[{"Key": "a", "Value": "b"}],
    )["ServerCertificateMetadata"]  # fmt: skip
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:server-certificate/cloudfront/web"
    assert made["ServerCertificateId"].startswith("ASCA")
    assert made["Expiration"] > made["UploadDate"]
    iam.tag_server_certificate(ServerCertificateName="web", Tags=[{"Key": "c", "Value": "d"}])
    found = iam.get_server_certificate(ServerCertificateName="web")["ServerCertificate"]
    assert (found["CertificateBody"], found["CertificateChain"]) == (pem.body.strip(), pem.chain.strip())
    assert found["Tags"] == iam.list_server_certificate_tags(ServerCertificateName="web")["Tags"]
    assert len(found["Tags"]) == 2
    again = {"ServerCertificateName": "WEB", "CertificateBody": pem.body, "PrivateKey": pem.key}
    assert refusal(iam.upload_server_certificate, **again)[::2] == ("EntityAlreadyExists", 409)
    iam.update_server_certificate(ServerCertificateName="web", NewServerCertificateName="www", NewPath="/")
    (listed,) = iam.list_server_certificates()["ServerCertificateMetadataList"]
    assert (listed["Arn"], listed["UploadDate"]) == (
        f"arn:aws:iam::{ACCOUNT}:server-certificate/www", made["UploadDate"],
    )  # fmt: skip
    assert iam.list_server_certificates(PathPrefix="/cloudfront/")["ServerCertificateMetadataList"] == []
    assert iam.get_account_summary()["SummaryMap"]["ServerCertificates"] == 1
    secret = pem.key.splitlines()[1].encode()
    for file in running.account.iam.store.path.parent.glob("*"):
        assert secret not in file.read_bytes()
    iam.delete_server_certificate(ServerCertificateName="www")
    assert refusal(iam.get_server_certificate, ServerCertificateName="www") == (
        "NoSuchEntity", "The Server Certificate with name www cannot be found.", 404,
    )  # fmt: skip


def test_what_does_not_fit_together_is_refused(iam: Any, pem: Pem) -> None:
    """Text that is no certificate or key, another's key, a locked one, and a chain of another authority."""
    loaded = load_pem_private_key(pem.key.encode(), password=None)
    locked = loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
    given = {"ServerCertificateName": "odd", "CertificateBody": pem.body, "PrivateKey": pem.key}
    for change, code in (
        ({"CertificateBody": "nonsense"}, "MalformedCertificate"),
        ({"PrivateKey": "nonsense"}, "MalformedCertificate"),
        ({"PrivateKey": locked}, "MalformedCertificate"),
        ({"PrivateKey": pem.other_key}, "KeyPairMismatch"),
        ({"CertificateChain": pem.other_chain}, "MalformedCertificate"),
        ({"CertificateChain": "nonsense"}, "MalformedCertificate"),
        ({"PrivateKey": f"{pem.key}\u20ac"}, "ValidationError"),
    ):
        found, message, status = refusal(iam.upload_server_certificate, **{**given, **change})
        assert (found, status) == (code, 400)
        assert pem.key.splitlines()[1] not in message
    chained = {**given, "CertificateChain": pem.chain + pem.other_chain}
    assert refusal(iam.upload_server_certificate, **chained)[1].endswith("certificate is: 1")
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []


def test_a_certificate_is_decided_on_its_path(running: RunningAccount, iam: Any, pem: Pem) -> None:
    """Upload on the path asked for, the rest on its own, a move on both."""
    iam.create_user(UserName="certifier")
    client = running.client("iam", iam.create_access_key(UserName="certifier")["AccessKey"])
    own = {
        "Effect": "Allow",
        "Action": "iam:*ServerCertificate",
        "Resource": f"arn:aws:iam::{ACCOUNT}:server-certificate/ours/*",
    }
    iam.put_user_policy(UserName="certifier", PolicyName="p", PolicyDocument=policy(own))
    given = {"ServerCertificateName": "ours", "CertificateBody": pem.body, "PrivateKey": pem.key}
    assert refusal(client.upload_server_certificate, **given)[0] == "AccessDenied"
    client.upload_server_certificate(**given, Path="/ours/")
    moved = {"ServerCertificateName": "ours", "NewPath": "/theirs/"}
    assert refusal(client.update_server_certificate, **moved)[0] == "AccessDenied"
    client.delete_server_certificate(ServerCertificateName="ours")
