"""The operating system's random bytes, fetched by the page: a system call for each few gives the interpreter away."""

import os
import secrets
from io import BytesIO

_PAGE = 4096


class _Page:
    """Every byte is handed out once, whichever thread asks: BytesIO.read is one step. A forked child has none."""

    def __init__(self) -> None:
        self._page = BytesIO()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._page = BytesIO()

    def __call__(self, count: int) -> bytes:
        """`count` bytes, at most 4096."""
        drawn = self._page.read(count)
        if len(drawn) < count:
            page = BytesIO(secrets.token_bytes(_PAGE))
            drawn = page.read(count)
            self._page = page
        return drawn


random_bytes = _Page()


def uuid4() -> str:
    """A random UUID, as request ids are (RFC 9562 section 5.4)."""
    drawn = random_bytes(16).hex()
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-{'89ab'[int(drawn[16], 16) & 3]}{drawn[17:20]}-{drawn[20:]}"
