"""Fetches an issuer's discovery document and keys over TLS, trusting as AWS does.

A public authority vouches for the host, or else the certificate whose SHA-1 is among the provider's thumbprints becomes
the only trust anchor of the connection that carries the answer. Source: IAM User Guide, "Obtain the thumbprint for an
OpenID Connect identity provider".
"""

import asyncio
import hashlib
import ipaddress
import math
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from iambridge.adapters.bounded_get import NobodyAnswers, UnusableAnswer, bounded_get, connected
from iambridge.core.service_account_token import KeySet, VerificationKey, parse_discovery_document, read_jwks
from iambridge.core.service_account_token.issuer import KEYS_NOT_RETRIEVED, MAX_DOCUMENT_BYTES, followable
from iambridge.errors import IDPCommunicationError, InvalidIdentityToken

_TOTAL_SECONDS = 5.0
_FRESH_SECONDS = 300.0
_REFETCH_SECONDS = 10.0
_MAX_PROVIDERS = 1000
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # all that IANA has given out
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_THUMBPRINT_MISMATCH = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"

Provider = tuple[str, tuple[str, ...]]


@dataclass(slots=True)
class _Fetched:
    """What was fetched, when, and when an unknown key id last made a fetch. Times are of the monotonic clock."""

    found: KeySet
    kids: frozenset[str]
    at: float
    tried: float

    def keys(self, kid: str) -> Sequence[VerificationKey]:
        """The usable keys.

        Raises:
            InvalidIdentityToken: the key of this id is published, and cannot be used.
        """
        why = self.found.left_out.get(kid)
        if why is not None:
            raise InvalidIdentityToken(
                KEYS_NOT_RETRIEVED,
                cause=f"the issuer publishes the key `{kid[:64]}`, which cannot be used: {why}",
                fix="publish the key as RFC 7517 and RFC 7518 write an RSA or EC signing key, with its `kid`",
            )
        return self.found.keys


class FetchedOidcKeys:
    """Implements `ports.OidcKeys`. `now` is a monotonic clock in seconds; `authorities` replaces the system's CAs,
    `is_public` the rule of which addresses a public issuer's keys may be at.

    Keys are kept five minutes a provider. An unknown key id makes one more fetch at once, as after a rotation, and at
    most every ten seconds, whether it succeeds or not: anyone may send an unknown key id. Callers that want the same
    provider's keys at the same time share one fetch.
    """

    def __init__(
        self,
        now: Callable[[], float],
        *,
        authorities: ssl.SSLContext | None = None,
        is_public: Callable[[str], bool] | None = None,
    ) -> None:
        self._now = now
        self._authorities = authorities
        self._is_public = is_public or _is_global
        self._fetched: dict[Provider, _Fetched] = {}
        self._running: dict[Provider, asyncio.Task[_Fetched]] = {}

    async def keys(self, issuer: str, thumbprints: tuple[str, ...], kid: str) -> Sequence[VerificationKey]:
        provider = (issuer, thumbprints)
        found = self._fetched.get(provider)
        if found is not None:
            now = self._now()
            fresh = now - found.at < _FRESH_SECONDS
            if fresh and kid in found.kids:
                return found.found.keys
            if fresh and provider not in self._running:
                if now - found.tried < _REFETCH_SECONDS:
                    return found.keys(kid)
                found.tried = now
        return (await self._shared_fetch(provider)).keys(kid)

    def _public(self) -> ssl.SSLContext:
        # reading the system's authorities takes longer than the rest of a start's certificates
        if self._authorities is None:
            self._authorities = ssl.create_default_context()
        return self._authorities

    async def _shared_fetch(self, provider: Provider) -> _Fetched:
        running = self._running.get(provider)
        if running is None:
            running = asyncio.create_task(self._fetch(provider))
            self._running[provider] = running
            running.add_done_callback(lambda done: self._ended(provider, done))
        return await asyncio.shield(running)

    def _ended(self, provider: Provider, done: asyncio.Task[_Fetched]) -> None:
        self._running.pop(provider, None)
        if not done.cancelled():
            done.exception()  # looked at here too: whoever asked may have gone

    async def _fetch(self, provider: Provider) -> _Fetched:
        issuer, thumbprints = provider
        try:
            async with asyncio.timeout(_TOTAL_SECONDS):
                found = await fetch_keys(issuer, thumbprints, self._public(), self._is_public)
        except TimeoutError as error:
            raise _not_retrieved(f"{issuer} did not answer within 5 seconds") from error
        kept = self._fetched.pop(provider, None)
        kids = frozenset(key.kid for key in found.keys)
        fetched = _Fetched(found, kids, self._now(), kept.tried if kept else -math.inf)
        self._fetched[provider] = fetched
        while len(self._fetched) > _MAX_PROVIDERS:
            self._fetched.pop(next(iter(self._fetched)))
        return fetched


async def fetch_keys(
    issuer: str, thumbprints: tuple[str, ...], public: ssl.SSLContext, is_public: Callable[[str], bool]
) -> KeySet:
    """Discovery, then the keys it names; both bounded, neither redirected.

    Raises:
        InvalidIdentityToken, IDPCommunicationError: in AWS's words, the cause for the operator.
    """
    if not followable(issuer):
        raise _not_retrieved("the issuer is not an https URL without userinfo and fragment")
    addresses = await _addresses(issuer)
    private = not all(map(is_public, addresses))
    document = await _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", addresses, thumbprints, public)
    uri = parse_discovery_document(document, issuer)
    key_addresses = await _addresses(uri)
    if not private and not all(map(is_public, key_addresses)):
        raise _not_retrieved("the jwks_uri of a public issuer leads to a private address")
    return read_jwks(await _get(uri, key_addresses, thumbprints, public))


async def top_certificate_thumbprint(issuer: str) -> str:
    """SHA-1, 40 hexadecimal digits, of the last certificate that the issuer's host sends.

    Raises:
        IDPCommunicationError: nobody answers there.
    """
    try:
        async with asyncio.timeout(_TOTAL_SECONDS):
            chain = await _served_chain(issuer, await _addresses(issuer))
    except NobodyAnswers as error:
        raise _unreachable(str(error)) from error
    return hashlib.sha1(chain[-1], usedforsecurity=False).hexdigest()


async def _get(url: str, addresses: tuple[str, ...], thumbprints: tuple[str, ...], public: ssl.SSLContext) -> bytes:
    try:
        try:
            return await bounded_get(url, addresses, public, most=MAX_DOCUMENT_BYTES)
        except ssl.SSLCertVerificationError as error:
            if not thumbprints:
                cause = f"no public authority vouches for {_host(url)}, and no thumbprint is set"
                raise _not_retrieved(cause) from error
        anchored = await _anchored(url, addresses, thumbprints)
        return await bounded_get(url, addresses, anchored, most=MAX_DOCUMENT_BYTES)
    except ssl.SSLCertVerificationError as error:
        raise InvalidIdentityToken(
            _THUMBPRINT_MISMATCH,
            cause=f"{_host(url)} does not prove itself under the thumbprint's certificate: {error.verify_message}",
            fix="renew the issuer's certificate, for its host name, under that certificate",
        ) from error
    except UnusableAnswer as error:
        raise _not_retrieved(str(error)) from error
    except NobodyAnswers as error:
        raise _unreachable(str(error)) from error


async def _anchored(url: str, addresses: tuple[str, ...], thumbprints: tuple[str, ...]) -> ssl.SSLContext:
    """A context that trusts nothing but the served certificate whose SHA-1 is listed.

    The chain is read on a connection of its own, which proves nothing: host name, dates and path are proved later,
    against that one certificate, on the connection that carries the answer.
    """
    wanted = {thumbprint.lower() for thumbprint in thumbprints}
    for certificate in await _served_chain(url, addresses):
        if hashlib.sha1(certificate, usedforsecurity=False).hexdigest() in wanted:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.load_verify_locations(cadata=certificate)
            return context
    raise InvalidIdentityToken(
        _THUMBPRINT_MISMATCH,
        cause=f"no certificate that {_host(url)} sends has one of the provider's thumbprints",
        fix="set the provider's thumbprint to the SHA-1 of the issuer's top certificate",
    )


async def _served_chain(url: str, addresses: tuple[str, ...]) -> list[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await connected(url, addresses, context)
    try:
        connection: Any = writer.get_extra_info("ssl_object")
        public = getattr(connection, "get_unverified_chain", None)
        if public is not None:  # Python 3.13
            return [bytes(certificate) for certificate in public()]
        pem = [certificate.public_bytes() for certificate in connection._sslobj.get_unverified_chain()]  # noqa: SLF001 - no public way before Python 3.13
        return [ssl.PEM_cert_to_DER_cert(text) for text in pem]
    finally:
        writer.transport.abort()


async def _addresses(url: str) -> tuple[str, ...]:
    parts = urlsplit(url)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _unreachable(f"the name `{parts.hostname}` has no address") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _is_global(address: str) -> bool:
    """Whether anybody on the Internet has this address. One that carries an IPv4 address goes where that one leads."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        carried = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in _NAT64:
            carried = ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF)
        if carried is None:
            return parsed in _GLOBAL_UNICAST and parsed.is_global
        parsed = carried
    return parsed.is_global and not parsed.is_multicast


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _not_retrieved(cause: str) -> InvalidIdentityToken:
    return InvalidIdentityToken(
        KEYS_NOT_RETRIEVED, cause=cause, fix="serve the discovery document and JWKS over https, within 5 seconds"
    )


def _unreachable(cause: str) -> IDPCommunicationError:
    return IDPCommunicationError(
        "An error occurred while communicating with the identity provider",
        cause=cause,
        fix="check that the issuer's host can be reached from here, by https",
    )
