"""Real TLS servers on loopback: good, impostor, redirecting, endless, silent."""

import asyncio
import contextlib
import datetime as dt
import gc
import gzip
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.ports import free_port

from iambridge.adapters import oidc_keys
from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.oidc_keys import FetchedOidcKeys, top_certificate_thumbprint
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core.service_account_token import SigningKey, discovery_document, jwks
from iambridge.errors import IDPCommunicationError, InvalidIdentityToken
from iambridge.wire.http import Request, Response

KEY = SigningKey.generate("ES256")
NOW = dt.datetime.now(dt.UTC)


@dataclass
class Clock:
    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Issuer:
    """An issuer whose documents a test may bend."""

    url: str
    authority: CertificateAuthority
    documents: dict[str, Response] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def app(self, request: Request) -> Response:
        self.asked.append(request.path)
        return self.documents.get(request.path, Response(404))

    def publish(self, jwks_uri: str = "", **changes: Any) -> None:
        document = {**discovery_document(self.url, jwks_uri or f"{self.url}/jwks", ["ES256"]), **changes}
        self.documents["/.well-known/openid-configuration"] = Response(200, (), json.dumps(document).encode())
        self.documents["/jwks"] = Response(200, (), json.dumps(jwks([KEY.public])).encode())


@contextlib.asynccontextmanager
async def issuer(directory: Path, *, hosts: tuple[str, ...] = ("127.0.0.1",)) -> AsyncIterator[Issuer]:
    authority = CertificateAuthority(directory / "pki", name="test", now=NOW)
    leaf = authority.leaf("issuer", hosts=hosts)
    port = free_port()
    found = Issuer(f"https://127.0.0.1:{port}", authority)
    found.publish()
    server = RunningServer(found.app, Listener("127.0.0.1", port, leaf.certificate, leaf.key))
    await server.start()
    try:
        yield found
    finally:
        await server.stop()


def trusting(authority: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.pem.decode())


def fetcher(clock: Callable[[], float] = lambda: 0.0, authorities: ssl.SSLContext | None = None) -> FetchedOidcKeys:
    return FetchedOidcKeys(clock, authorities=authorities)


async def refusal(found: Issuer, *thumbprints: str, authorities: ssl.SSLContext | None = None) -> InvalidIdentityToken:
    with pytest.raises(InvalidIdentityToken) as caught:
        await fetcher(authorities=authorities).keys(found.url, thumbprints, KEY.kid)
    return caught.value


def test_keys_are_trusted_by_authority_or_by_thumbprint(tmp_path: Path) -> None:
    """A trusted authority suffices; else the served certificate of the thumbprint is the anchor, the leaf itself too."""

    async def play() -> None:
        async with issuer(tmp_path) as found:
            by_authority = await fetcher(authorities=trusting(found.authority)).keys(found.url, (), KEY.kid)
            by_thumbprint = await fetcher().keys(found.url, (found.authority.thumbprint.upper(),), KEY.kid)
            assert [key.kid for key in by_authority] == [key.kid for key in by_thumbprint] == [KEY.kid]
            assert await top_certificate_thumbprint(found.url) == found.authority.thumbprint
            assert "thumbprint" in (await refusal(found, "0" * 40)).message
            assert "no thumbprint is set" in (await refusal(found)).cause

    asyncio.run(play())


def test_the_thumbprint_is_read_at_the_address_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with two addresses, of which one is silent, as localhost often has, proves itself by thumbprint too."""

    async def both(_: str) -> tuple[str, ...]:
        return ("127.0.0.2", "127.0.0.1")

    async def play() -> None:
        async with issuer(tmp_path) as found:
            monkeypatch.setattr(oidc_keys, "_addresses", both)
            keys = await fetcher().keys(found.url, (found.authority.thumbprint,), KEY.kid)
            assert [key.kid for key in keys] == [KEY.kid]

    asyncio.run(play())


def test_an_impostor_with_the_genuine_authority_appended_is_refused(tmp_path: Path) -> None:
    """A chain that merely contains the thumbprint's certificate proves nothing: the leaf must be under it."""

    async def play() -> None:
        genuine = CertificateAuthority(tmp_path / "genuine", name="genuine", now=NOW)
        async with issuer(tmp_path / "impostor") as found:
            leaf = found.authority.leaf("forged", hosts=("127.0.0.1",))
            leaf.certificate.write_bytes(leaf.certificate.read_bytes() + genuine.pem)
            port = free_port()
            server = RunningServer(found.app, Listener("127.0.0.1", port, leaf.certificate, leaf.key))
            await server.start()
            try:
                found.url = f"https://127.0.0.1:{port}"
                found.publish()
                assert "thumbprint" in (await refusal(found, genuine.thumbprint)).message
                assert found.asked == []
            finally:
                await server.stop()

    asyncio.run(play())


def test_the_certificate_must_name_the_host(tmp_path: Path) -> None:
    """Under the anchor of a thumbprint the host name still counts."""

    async def play() -> None:
        async with issuer(tmp_path, hosts=("other.example",)) as found:
            assert "thumbprint" in (await refusal(found, found.authority.thumbprint)).message

    asyncio.run(play())


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 65536
        await asyncio.sleep(0.001)


async def _silent() -> AsyncIterator[bytes]:
    yield b"{"
    await asyncio.sleep(60)


def test_answers_that_must_not_be_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redirects, errors, endless, silent and foreign documents end in AWS's words, in bounded time and memory."""
    monkeypatch.setattr(oidc_keys, "_TOTAL_SECONDS", 0.5)

    async def play() -> None:
        async with issuer(tmp_path) as found:
            trust = trusting(found.authority)
            for response in (
                Response(302, (("location", f"{found.url}/jwks"),)), Response(500), Response(204), Response(200, (), _endless()),
                Response(200, (), _silent()), Response(200, (), b"<html>"),
            ):  # fmt: skip
                found.publish()
                found.documents["/jwks"] = response
                error = await refusal(found, authorities=trust)
                assert error.message.startswith("Couldn't retrieve verification key from your identity provider,  ")
            found.publish(jwks_uri=found.url.replace("https", "http") + "/jwks")
            await refusal(found, authorities=trust)
            found.publish(issuer="https://other.example")
            await refusal(found, authorities=trust)

    asyncio.run(play())


def test_the_discovery_document_is_not_redirected_either(tmp_path: Path) -> None:
    """A redirect of the discovery document is an error, and what it names is not asked for."""

    async def play() -> None:
        async with issuer(tmp_path) as found:
            for status in (301, 302, 303, 307, 308):
                moved = Response(status, (("location", f"{found.url}/elsewhere"),))
                found.documents["/.well-known/openid-configuration"] = moved
                error = await refusal(found, authorities=trusting(found.authority))
                assert f"answered {status}" in error.cause
            assert set(found.asked) == {"/.well-known/openid-configuration"}

    asyncio.run(play())


def test_a_small_answer_that_unpacks_to_a_large_one_is_not_unpacked(tmp_path: Path) -> None:
    """Content codings are not undone: 64 MiB behind 64 KiB are unreadable, not held."""

    async def play() -> None:
        async with issuer(tmp_path) as found:
            packed = gzip.compress(b" " * (64 * 1024 * 1024), compresslevel=9)
            found.documents["/jwks"] = Response(200, (("content-encoding", "gzip"),), packed)
            error = await refusal(found, authorities=trusting(found.authority))
            assert "content coding `gzip`" in error.cause

    asyncio.run(play())


@pytest.mark.parametrize("endless", [b"", b"x-filler: " + b"a" * 1000 + b"\r\n", b"a" * 1000])
def test_headers_that_never_end_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endless: bytes) -> None:
    """A host that completes TLS and then is silent, or sends headers or one header for ever, is left in bounded time."""
    monkeypatch.setattr(oidc_keys, "_TOTAL_SECONDS", 1.0)
    authority = CertificateAuthority(tmp_path / "pki", name="test", now=NOW)
    leaf = authority.leaf("issuer", hosts=("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(b"HTTP/1.1 200 OK\r\nx-first: ")
            while not writer.is_closing():
                writer.write(endless)
                await writer.drain()
                await asyncio.sleep(0.001)

    async def play() -> None:
        server = await asyncio.start_server(drip, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        async with server:
            with pytest.raises(InvalidIdentityToken) as caught:
                async with asyncio.timeout(30):
                    await fetcher(authorities=trusting(authority)).keys(f"https://127.0.0.1:{port}", (), "k")
            assert caught.value.message.startswith("Couldn't retrieve verification key")

    asyncio.run(play())


def test_under_the_anchor_of_a_thumbprint_dates_still_count(tmp_path: Path) -> None:
    """A leaf that has expired proves nothing, though the listed certificate signed it."""

    async def play() -> None:
        async with issuer(tmp_path) as found:
            expired = _expired_leaf(found.authority, tmp_path)
            port = free_port()
            server = RunningServer(found.app, Listener("127.0.0.1", port, *expired))
            await server.start()
            try:
                found.url = f"https://127.0.0.1:{port}"
                found.publish()
                error = await refusal(found, found.authority.thumbprint)
                assert "thumbprint" in error.message
                assert "expired" in error.cause
                assert found.asked == []
            finally:
                await server.stop()

    asyncio.run(play())


def _expired_leaf(authority: CertificateAuthority, directory: Path) -> tuple[Path, Path]:
    """A certificate of yesterday by `authority`, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = serialization.load_pem_private_key((authority.directory / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "expired")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(authority.certificate.subject, name, key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - dt.timedelta(days=9))
        .not_valid_after(NOW - dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    files = directory / "expired.crt", directory / "expired.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + authority.pem)
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def test_a_public_issuers_keys_stay_public(tmp_path: Path) -> None:
    """A jwks_uri of a public issuer that leads to a private address is refused, and nobody is asked there."""

    async def play() -> None:
        async with issuer(tmp_path) as found:
            authorities = trusting(found.authority)
            found.publish(jwks_uri=found.url.replace("127.0.0.1", "127.0.0.2") + "/jwks")
            public = FetchedOidcKeys(lambda: 0.0, authorities=authorities, is_public="127.0.0.1".__eq__)
            with pytest.raises(InvalidIdentityToken) as caught:
                await public.keys(found.url, (), KEY.kid)
            assert "private address" in caught.value.cause
            assert found.asked == ["/.well-known/openid-configuration"]
            with pytest.raises(IDPCommunicationError):  # a private issuer's are looked for there
                await fetcher(authorities=authorities).keys(found.url, (), KEY.kid)

    asyncio.run(play())


def test_a_closed_port_is_a_communication_error() -> None:
    """When nobody answers, the error is the one that SDKs retry, and its cause says what there is not."""
    port = free_port()
    for url, cause in (
        (f"https://127.0.0.1:{port}", f"nobody answers at 127.0.0.1:{port}: Connection refused"),
        ("https://nobody.invalid", "the name `nobody.invalid` has no address"),
    ):
        with pytest.raises(IDPCommunicationError) as caught:
            asyncio.run(fetcher().keys(url, ("0" * 40,), "k"))
        assert caught.value.cause == cause
        with pytest.raises(IDPCommunicationError):
            asyncio.run(top_certificate_thumbprint(url))


def test_keys_are_kept_shared_and_refetched(tmp_path: Path) -> None:
    """Concurrent callers share a fetch, a known kid is kept five minutes, an unknown one refetches every ten seconds."""

    async def play() -> None:
        async with issuer(tmp_path) as found:
            clock = Clock()
            keys = fetcher(clock, trusting(found.authority))
            await asyncio.gather(*(keys.keys(found.url, (), KEY.kid) for _ in range(20)))
            assert len(found.asked) == 2
            clock.seconds += 299
            await keys.keys(found.url, (), KEY.kid)
            assert len(found.asked) == 2
            await keys.keys(found.url, (), "unknown")
            assert len(found.asked) == 4
            await keys.keys(found.url, (), "unknown")
            assert len(found.asked) == 4
            clock.seconds += 301
            await keys.keys(found.url, (), KEY.kid)
            assert len(found.asked) == 6

    asyncio.run(play())


@pytest.mark.parametrize(
    ("address", "public"),
    [("93.184.215.14", True), ("127.0.0.1", False), ("10.0.0.1", False), ("169.254.169.254", False), ("::1", False),
     ("fe80::1%eth0", False), ("::ffff:127.0.0.1", False), ("fd00:ec2::254", False), ("0.0.0.0", False), ("224.0.0.1", False),
     ("2606:4700::1", True), ("64:ff9b::7f00:1", False), ("64:ff9b::a9fe:a9fe", False), ("64:ff9b::5db8:d70e", True),
     ("64:ff9b:1::5db8:d70e", False), ("2002:a00:1::1", False), ("2002:5db8:d70e::1", True), ("::7f00:1", False), ("fec0::1", False),
     ("::ffff:0:127.0.0.1", False), ("::ffff:93.184.215.14", True), ("100.64.0.1", False), ("ff0e::1", False)],
)  # fmt: skip
def test_private_addresses_are_recognised(address: str, *, public: bool) -> None:
    """The keys of a public issuer must not lead to a private, loopback or link-local address, translated ones included."""
    assert oidc_keys._is_global(address) is public


def test_a_proxy_that_packs_what_it_is_asked_to_is_not_asked_to(tmp_path: Path) -> None:
    """An issuer behind a packing proxy answers plainly: nothing here unpacks, so nothing may offer to."""

    async def play() -> None:
        async with issuer(tmp_path) as found:
            plain = found.app

            async def packing(request: Request) -> Response:
                response = await plain(request)
                if "gzip" not in request.headers.get("accept-encoding"):
                    return response
                assert isinstance(response.body, bytes)
                return Response(response.status, (("content-encoding", "gzip"),), gzip.compress(response.body))

            leaf, port = found.authority.leaf("issuer", hosts=("127.0.0.1",)), free_port()
            server = RunningServer(packing, Listener("127.0.0.1", port, leaf.certificate, leaf.key))
            await server.start()
            try:
                found.url = f"https://127.0.0.1:{port}"
                found.publish()
                keys = await fetcher(authorities=trusting(found.authority)).keys(found.url, (), KEY.kid)
                assert [key.kid for key in keys] == [KEY.kid]
            finally:
                await server.stop()

    asyncio.run(play())


def test_a_rotated_key_is_fetched_at_once(tmp_path: Path) -> None:
    """The first unknown key id after a fetch makes another; the next waits for its ten seconds."""

    async def play() -> None:
        async with issuer(tmp_path) as found:
            clock, rotated = Clock(), SigningKey.generate("ES256")
            keys = fetcher(clock, trusting(found.authority))
            await keys.keys(found.url, (), KEY.kid)
            found.documents["/jwks"] = Response(200, (), json.dumps(jwks([rotated.public])).encode())
            at_once = await asyncio.gather(*(keys.keys(found.url, (), rotated.kid) for _ in range(5)))
            assert {key.kid for found_keys in at_once for key in found_keys} == {rotated.kid}
            asked = len(found.asked)
            clock.seconds += 9
            await keys.keys(found.url, (), "unknown")
            assert len(found.asked) == asked
            clock.seconds += 1
            await keys.keys(found.url, (), "unknown")
            assert len(found.asked) == asked + 2

    asyncio.run(play())


def test_a_fetch_that_nobody_waits_for_any_more_ends_quietly(tmp_path: Path) -> None:
    """Whoever asked has gone; the error is nobody's, and no noise of the event loop either."""
    heard: list[str] = []

    async def play() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["message"]))
        async with issuer(tmp_path) as found:
            keys = fetcher(authorities=trusting(found.authority))
            found.documents.clear()
            asking = asyncio.create_task(keys.keys(found.url, (), "k"))
            while not found.asked:  # noqa: ASYNC110 - a real server's progress
                await asyncio.sleep(0)
            (running,) = keys._running.values()
            asking.cancel()
            await asyncio.wait({running, asking})
            del running
            gc.collect()
            await asyncio.sleep(0)

    asyncio.run(play())
    assert heard == []


def test_an_unknown_key_id_does_not_hammer_an_issuer_that_fails(tmp_path: Path) -> None:
    """A fetch for an unknown key id that failed counts too: ten seconds long the keys that are kept answer."""

    async def play() -> None:
        async with issuer(tmp_path) as found:
            clock = Clock()
            keys = fetcher(clock, trusting(found.authority))
            await keys.keys(found.url, (), KEY.kid)
            found.documents["/jwks"] = Response(503)
            clock.seconds += 11
            with pytest.raises(InvalidIdentityToken, match="Couldn't retrieve"):
                await keys.keys(found.url, (), "unknown")
            asked = len(found.asked)
            for _ in range(20):
                assert [key.kid for key in await keys.keys(found.url, (), "unknown")] == [KEY.kid]
            assert len(found.asked) == asked
            clock.seconds += 11
            found.publish()
            await keys.keys(found.url, (), "unknown")
            assert len(found.asked) == asked + 2

    asyncio.run(play())


def test_a_published_key_that_cannot_be_used_is_told_apart_from_one_that_is_not_published(tmp_path: Path) -> None:
    """The cause says what is wrong with the key, also when the set was fetched before."""

    async def play() -> None:
        async with issuer(tmp_path) as found:
            published = jwks([KEY.public])["keys"][0]
            found.documents["/jwks"] = Response(200, (), json.dumps({"keys": [{**published, "use": "enc"}]}).encode())
            keys = fetcher(authorities=trusting(found.authority))
            for _ in range(2):
                with pytest.raises(InvalidIdentityToken, match="Couldn't retrieve") as caught:
                    await keys.keys(found.url, (), KEY.kid)
                assert caught.value.cause == (
                    f"the issuer publishes the key `{KEY.kid}`, which cannot be used: its `use` or `key_ops` is not to "
                    "verify signatures"
                )

    asyncio.run(play())
