"""An HTTP request and response as values, so that a server is one function and needs no framework.

The socket end is `adapters.serving`; an in-process caller may build a Request itself.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import msgspec

from iambridge.core.sigv4 import ByName, by_name


class Headers:
    """Header fields in the order received; names compare case-insensitively (RFC 9110 section 5.1)."""

    __slots__ = ("_by_name", "items")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self.items = tuple(items)
        self._by_name: ByName | None = None

    @property
    def by_name(self) -> ByName:
        """Names in lower case -> values; not to be changed."""
        found = self._by_name
        if found is None:
            found = self._by_name = by_name(self.items)
        return found

    def get(self, name: str, default: str = "") -> str:
        """The first value of `name`, or `default`."""
        found = (self._by_name or self.by_name).get(name.lower())
        return found[0] if found else default

    def get_all(self, name: str) -> list[str]:
        return list(self.by_name.get(name.lower(), ()))

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.by_name


class Request(msgspec.Struct, frozen=True):
    """One request, its body read whole.

    `path` is percent-decoded once; `query` is raw, without the question mark. `headers` always hold a `host`, also over
    HTTP/2, where it comes from `:authority`. `client` is `address:port`.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = msgspec.field(default_factory=Headers)
    body: bytes = b""
    client: str = ""
    scheme: str = "https"


class Response(msgspec.Struct, frozen=True):
    """`body` is bytes, or an async iterator of chunks that is closed when the client goes away."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | AsyncIterator[bytes] = b""


App = Callable[[Request], Awaitable[Response]]
