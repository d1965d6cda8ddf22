"""The authenticator's certificates: pinned once, renewed and exchanged under clients that notice nothing."""

import asyncio
import base64
import datetime as dt
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from iambridge.adapters.authenticator_state import StateDirectory

from .world import Daemon, Surroundings


def init(directory: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "iambridge", "authenticator", "init", "--hostname", "127.0.0.1", *flags]
    return subprocess.run([*command, "--state-dir", str(directory)], capture_output=True, text=True, check=False)


def pinned(directory: Path) -> bytes:
    cluster = yaml.safe_load((directory / "kubeconfig.yaml").read_text())["clusters"][0]["cluster"]
    return base64.b64decode(cluster["certificate-authority-data"])


async def served(daemon: Daemon, trusted: bytes) -> bytes | None:
    """The certificate that a fresh connection sees, or None when `trusted` does not vouch for it."""
    tls = ssl.create_default_context(cadata=trusted.decode())
    port = int(daemon.url.rpartition(":")[2])
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    except ssl.SSLCertVerificationError:
        return None
    certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return certificate


async def changes(daemon: Daemon, trusted: bytes, before: bytes | None) -> bytes:
    for _ in range(600):
        now = await served(daemon, trusted)
        if now is not None and now != before:
            return now
        await asyncio.sleep(0.05)
    raise AssertionError(daemon.log.read_text()[-2000:])


async def becomes_trusted(daemon: Daemon, authority: bytes) -> None:
    for _ in range(600):
        if await served(daemon, authority) is not None:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(daemon.log.read_text()[-2000:])


def play(directory: Path, story: Callable[[Surroundings, Daemon], Awaitable[None]]) -> None:
    async def run() -> None:
        world = Surroundings(directory)
        await world.start("api")
        await world.start("sts")
        try:
            async with world.authenticator("--kubeconfig-pregenerated") as daemon:
                await story(world, daemon)
        finally:
            await world.stop()

    asyncio.run(run())


def test_leaves_and_authorities_change_under_a_running_server(tmp_path: Path) -> None:
    """A new leaf needs no new kubeconfig and no restart; a new authority needs one restart of the API server, between
    its two phases, at any moment of which what is served is trusted by what is pinned."""
    state = tmp_path / "state"
    assert init(state).returncode == 0
    first = pinned(state)

    async def story(world: Surroundings, daemon: Daemon) -> None:
        leaf = await served(daemon, first)
        assert leaf is not None
        (state / "authenticator.crt").unlink()
        assert init(state).returncode == 0
        assert pinned(state) == first
        leaf = await changes(daemon, first, leaf)

        assert init(state, "--rotate-ca", "begin").returncode == 0
        both = pinned(state)
        assert both.startswith(first)
        assert both.count(b"BEGIN CERTIFICATE") == 2
        assert init(state, "--rotate-ca", "begin").returncode == 0
        assert pinned(state) == both
        assert await served(daemon, both) is not None
        leaf = (state / "authenticator.crt").read_bytes()

        assert init(state, "--rotate-ca", "finish").returncode == 0
        last = pinned(state)
        await becomes_trusted(daemon, last)
        assert last == both.removeprefix(first)
        assert (state / "authenticator.crt").read_bytes() != leaf
        assert await served(daemon, both) is not None

        again = init(state, "--rotate-ca", "finish")
        assert again.returncode == 2
        assert "no change of authority has begun" in again.stderr

    play(tmp_path, story)


def upstream_pair(state: Path) -> None:
    """As aws-iam-authenticator makes it: RSA, self-signed, an authority, for a hundred years."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "aws-iam-authenticator")])
    now = dt.datetime.now(dt.UTC)
    import ipaddress

    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + dt.timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    state.mkdir(exist_ok=True)
    (state / "key.pem").write_bytes(key.private_bytes(*form))
    (state / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def test_an_upstream_pair_is_served_as_it_is_and_followed(tmp_path: Path) -> None:
    """cert.pem and key.pem are pinned themselves, never replaced, and a pair that is put in their place is served."""
    state = tmp_path / "state"
    upstream_pair(state)
    first = (state / "cert.pem").read_bytes()
    assert init(state).returncode == 0
    assert pinned(state) == first
    refused = init(state, "--rotate-ca", "begin")
    assert refused.returncode == 2

    async def story(world: Surroundings, daemon: Daemon) -> None:
        assert (state / "cert.pem").read_bytes() == first
        leaf = await served(daemon, first)
        upstream_pair(state)
        await changes(daemon, (state / "cert.pem").read_bytes(), leaf)

    play(tmp_path, story)


def test_a_leaf_is_renewed_a_month_before_its_end(tmp_path: Path) -> None:
    """Whoever is asked in the last thirty days makes a new one, under the same authority; before that nothing changes."""
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    StateDirectory(tmp_path, hosts=("localhost",), now=lambda: start).prepare()
    files = tmp_path / "authenticator.crt", tmp_path / "ca.crt"
    leaf, authority = (file.read_bytes() for file in files)
    StateDirectory(tmp_path, hosts=("localhost",), now=lambda: start + dt.timedelta(days=366)).prepare()
    assert files[0].read_bytes() == leaf
    StateDirectory(tmp_path, hosts=("localhost",), now=lambda: start + dt.timedelta(days=368)).prepare()
    assert files[0].read_bytes() != leaf
    assert files[1].read_bytes() == authority


def test_half_a_change_of_authority_is_named_and_can_be_repeated(tmp_path: Path) -> None:
    """A crash between the two files of the new authority stops renewal, says so, and is mended by the same command."""
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    state = StateDirectory(tmp_path, hosts=("localhost",), now=lambda: start)
    state.begin_rotation()
    (tmp_path / "ca.key").write_bytes((tmp_path / "next-ca/ca.key").read_bytes())
    with pytest.raises(Exception, match="do not belong together"):
        state.prepare()
    state.finish_rotation()
    state.prepare()
    assert not (tmp_path / "next-ca").exists()
