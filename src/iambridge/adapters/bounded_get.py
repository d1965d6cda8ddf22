"""One GET over TLS, to addresses that were judged before, whose answer is bounded in bytes.

It is written out because a client library bounds neither what comes before an answer (interim answers without end stop
the event loop that serves everybody) nor what it spends on the pieces of one. It follows no redirect, unpacks nothing,
keeps no connection and takes no proxy from the environment. Source: RFC 9112.
"""

import asyncio
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

_MAX_HEAD_BYTES = 64 * 1024
_NEXT_ADDRESS_SECONDS = 1.0
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
_LENGTH = re.compile(r"[0-9]{1,12}")

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class NobodyAnswers(Exception):
    """No connection was made; the text is the cause."""


class UnusableAnswer(Exception):
    """There was an answer, or a part of one, that is not to be used; the text is the cause."""


async def bounded_get(url: str, addresses: Sequence[str], context: ssl.SSLContext, *, most: int) -> bytes:
    """The body of the 200 that `url` answers, of `most` bytes at most. The caller bounds the time.

    Raises:
        ssl.SSLCertVerificationError: the host did not prove itself to `context`.
        NobodyAnswers, UnusableAnswer: with the cause.
    """
    host = urlsplit(url).netloc
    reader, writer = await connected(url, addresses, context)
    try:
        writer.write(_request(url))
        status, headers = await _head(reader, host)
        if status != 200:
            raise UnusableAnswer(f"{host} answered {status}")
        return await _body(reader, headers, host, most)
    except asyncio.IncompleteReadError:
        raise UnusableAnswer(f"{host} broke off its answer") from None
    except asyncio.LimitOverrunError:
        raise UnusableAnswer(f"{host} answered with a line or headers that are too long") from None
    except OSError as error:
        raise UnusableAnswer(f"{host} broke off its answer: {_told(error)}") from error
    finally:
        # not `close`, which waits for a peer that may never stop sending
        writer.transport.abort()


async def connected(url: str, addresses: Sequence[str], context: ssl.SSLContext) -> Connection:
    """A connection to the first address that answers: a host such as localhost may be listened at on one of two.

    A silent address costs a second when there is another.

    Raises:
        ssl.SSLCertVerificationError: the host did not prove itself to `context`.
        NobodyAnswers: with the cause of the last address.
    """
    parts = urlsplit(url)
    cause = f"the name `{parts.hostname}` has no address"
    for number, address in enumerate(addresses, 1):
        try:
            async with asyncio.timeout(_NEXT_ADDRESS_SECONDS if number < len(addresses) else None):
                return await asyncio.open_connection(
                    address, parts.port or 443, ssl=context, server_hostname=parts.hostname, limit=_MAX_HEAD_BYTES
                )
        except ssl.SSLCertVerificationError:
            raise
        except ssl.SSLError as error:
            cause = f"{parts.netloc} speaks no TLS 1.2 or later: {error.reason or type(error).__name__}"
        except OSError as error:  # TimeoutError among them
            cause = f"nobody answers at {parts.netloc}: {_told(error)}"
    raise NobodyAnswers(cause)


def _request(url: str) -> bytes:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # without `identity` a proxy before the issuer may pack its answer, and nothing here unpacks: 64 MiB fit in 64 KiB
    return (
        f"GET {target} HTTP/1.1\r\nhost: {parts.netloc}\r\naccept: application/json\r\naccept-encoding: identity\r\n"
        "user-agent: iambridge\r\nconnection: close\r\n\r\n"
    ).encode("ascii")


async def _head(reader: asyncio.StreamReader, host: str) -> tuple[int, dict[str, str]]:
    """Status and header fields, names in lower case. An interim answer is none: nobody asked for one."""
    lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
    status = _STATUS.fullmatch(lines[0])
    if status is None:
        raise UnusableAnswer(f"{host} answered with what is not HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise UnusableAnswer(f"{host} answered with a header that is none")
        name, value = field[1].decode().lower(), field[2].decode("latin-1").strip()
        if name in headers and name in {"content-length", "transfer-encoding", "content-encoding"}:
            raise UnusableAnswer(f"{host} answered with two headers `{name}`")
        headers[name] = value
    return int(status[1]), headers


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str], host: str, most: int) -> bytes:
    if (coding := headers.get("content-encoding", "identity").lower()) != "identity":
        raise UnusableAnswer(f"{host} answered in the content coding `{coding[:32]}` without being asked")
    length, transfer = headers.get("content-length"), headers.get("transfer-encoding")
    if transfer is not None:
        if length is not None or transfer.lower() != "chunked":
            raise UnusableAnswer(
                f"{host} answered in a transfer coding other than `chunked`, or with a length beside it"
            )
        return await _chunks(reader, host, most)
    if length is None:
        return await _rest(reader, host, most)
    if _LENGTH.fullmatch(length) is None:
        raise UnusableAnswer(f"{host} answered with a content-length that is none")
    if int(length) > most:
        raise _too_large(host, most)
    return await reader.readexactly(int(length))


async def _chunks(reader: asyncio.StreamReader, host: str, most: int) -> bytes:
    """The content of all chunks. What the chunks themselves take counts too."""
    body, left = bytearray(), most + _MAX_HEAD_BYTES
    while True:
        line = await reader.readuntil(b"\r\n")
        chunk = _CHUNK.fullmatch(line)
        if chunk is None:
            raise UnusableAnswer(f"{host} answered with a chunk that is none")
        size = int(chunk[1], 16)
        if size == 0:
            return bytes(body)  # the connection ends here, and trailers would not be looked at
        left -= len(line) + size + 2
        if left < 0 or len(body) + size > most:
            raise _too_large(host, most)
        content = await reader.readexactly(size + 2)
        if content[-2:] != b"\r\n":
            raise UnusableAnswer(f"{host} answered with a chunk that is none")
        body += content[:-2]


async def _rest(reader: asyncio.StreamReader, host: str, most: int) -> bytes:
    body = bytearray()
    while part := await reader.read(65536):
        body += part
        if len(body) > most:
            raise _too_large(host, most)
    return bytes(body)


def _too_large(host: str, most: int) -> UnusableAnswer:
    return UnusableAnswer(f"the answer of {host} is larger than {most // 1024} KiB")


def _told(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return os.strerror(error.errno) if error.errno else type(error).__name__
