"""An HTTP request and response as values, so that a server is one function and needs no framework.

The socket end is `adapters.serving`; an in-process caller may build a Request itself.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import msgspec


class Headers:
    """Header fields in the order received; names compare case-insensitively (RFC 9110 section 5.1)."""

    __slots__ = ("_first", "items")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self.items = tuple(items)
        self._first: dict[str, str] | None = None

    def get(self, name: str, default: str = "") -> str:
        """The first value of `name`, or `default`."""
        first = self._first
        if first is None:
            first = self._first = {key.lower(): value for key, value in reversed(self.items)}
        return first.get(name.lower(), default)

    def get_all(self, name: str) -> list[str]:
        wanted = name.lower()
        return [value for key, value in self.items if key.lower() == wanted]

    def __contains__(self, name: str) -> bool:
        self.get(name)
        return self._first is not None and name.lower() in self._first


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
