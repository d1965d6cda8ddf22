"""Decisions as JSON lines on a stream: one line a decision, keys stable, nothing secret."""

import asyncio
import json
from collections.abc import Callable
from typing import IO, Any

import msgspec

from iambridge.core.decision import Decision, Reason

LINGER_SECONDS = 0.02
"""How long a server's lines may wait to be written together: a write for each gives the interpreter away."""

_MAX_WAITING = 512
_ENCODER = msgspec.json.Encoder()


class JsonLinesDecisionLog:
    """Writes to `stream`; `now` gives seconds since the epoch.

    With `linger`, in seconds, the lines of a running event loop are written together, at most so much later or 512 at
    once: that much is lost when the process is killed (SIGKILL), nothing when `flush` is called at its end. Without, or
    without a running loop, every line is written at once.
    """

    def __init__(self, stream: IO[str], now: Callable[[], float], *, linger: float = 0.0) -> None:
        self._stream = stream
        self._now = now
        self._linger = linger
        self._waiting: list[str] = []

    def record(self, decision: Decision, *, request_id: str, **request: str) -> None:
        # as text at once: a decision that waits would be one more thing for the collector to walk
        self._waiting.append(_line(self._now(), decision, request_id, request))
        if len(self._waiting) == 1 and self._linger:
            try:
                asyncio.get_running_loop().call_later(self._linger, self.flush)
            except RuntimeError:
                self.flush()
        elif not self._linger or len(self._waiting) >= _MAX_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._stream.write("".join(waiting))
            self._stream.flush()


def _line(moment: float, decision: Decision, request_id: str, request: dict[str, str]) -> str:
    line: dict[str, Any] = {
        "time": int(moment * 1000) / 1000,
        "requestId": request_id,
        "hop": decision.hop,
        "outcome": decision.outcome._value_,
        **request,
        "reasons": msgspec.Raw(decision.written(_reasons)),
    }
    if decision.fix:
        line["fix"] = decision.fix
    try:
        return _ENCODER.encode(line).decode("ascii") + "\n"
    except UnicodeError:  # not ASCII, or a lone surrogate from a client's escapes
        line["reasons"] = [_reason(reason) for reason in decision.reasons]
        return json.dumps(line, separators=(",", ":"), ensure_ascii=True) + "\n"


def _reasons(reasons: tuple[Reason, ...]) -> bytes:
    described = [_reason(reason) for reason in reasons]
    try:
        return _ENCODER.encode(described)
    except UnicodeError:
        return json.dumps(described, separators=(",", ":"), ensure_ascii=True).encode()


def _reason(reason: Reason) -> dict[str, Any]:
    line = {"code": reason.code, "text": reason.text, "where": reason.where, "held": reason.held}
    return {**line, "facts": dict(reason.facts)} if reason.facts else line


class NoDecisionLog:
    """For callers that print the decision themselves."""

    def record(self, decision: Decision, *, request_id: str, **request: str) -> None:
        del decision, request_id, request

    def flush(self) -> None:
        """Nothing waits."""
