"""The certificate authority: kept, private, and with leaves that a strict client accepts."""

import datetime as dt
import hashlib
import ssl
import stat
from pathlib import Path

from cryptography import x509

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.private_file import write_private

NOW = dt.datetime.now(dt.UTC)


def test_the_authority_is_created_once(tmp_path: Path) -> None:
    """Opening the same directory again gives the same certificate, and the key is for its owner only."""
    first = CertificateAuthority(tmp_path / "pki", name="test", now=NOW)
    again = CertificateAuthority(tmp_path / "pki", name="test", now=NOW)
    assert first.pem == again.pem
    assert stat.S_IMODE((tmp_path / "pki/ca.key").stat().st_mode) == 0o600


def test_the_thumbprint_is_what_iam_calls_it(tmp_path: Path) -> None:
    """40 hex digits: SHA-1 of the DER certificate."""
    authority = CertificateAuthority(tmp_path, name="test", now=NOW)
    der = ssl.PEM_cert_to_DER_cert(authority.pem.decode())
    assert authority.thumbprint == hashlib.sha1(der).hexdigest()


def test_a_leaf_is_kept_until_its_names_or_time_change(tmp_path: Path) -> None:
    """The same leaf is reused; other hosts, or less than 30 days left, make a new one."""
    authority = CertificateAuthority(tmp_path, name="test", now=NOW)
    leaf = authority.leaf("server", hosts=("127.0.0.1",))
    before = leaf.certificate.read_bytes()
    assert authority.leaf("server", hosts=("127.0.0.1",)).certificate.read_bytes() == before
    other = authority.leaf("server", hosts=("127.0.0.1", "svc.ns.svc")).certificate.read_bytes()
    assert other != before
    late = CertificateAuthority(tmp_path, name="test", now=NOW + dt.timedelta(days=380))
    renewed = late.leaf("server", hosts=("127.0.0.1", "svc.ns.svc")).certificate.read_bytes()
    assert renewed != other


def test_a_leaf_chains_to_the_authority(tmp_path: Path) -> None:
    """A leaf's chain verifies for its name against the CA alone."""
    authority = CertificateAuthority(tmp_path, name="test", now=NOW)
    chain = x509.load_pem_x509_certificates(authority.leaf("server", hosts=("a.b.svc",)).certificate.read_bytes())
    store = x509.verification.Store([authority.certificate])
    verifier = x509.verification.PolicyBuilder().store(store).build_server_verifier(x509.DNSName("a.b.svc"))
    assert verifier.verify(chain[0], chain[1:])


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    """The new content is there, mode 0600, and no temporary file is left."""
    path = tmp_path / "secret"
    write_private(path, b"one")
    write_private(path, b"two")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"two", 0o600)
    assert list(tmp_path.iterdir()) == [path]
