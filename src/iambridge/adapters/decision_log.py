"""Decisions as JSON lines on a stream: one line a decision, keys stable, nothing secret."""

import asyncio
import json
from collections.abc import Callable
from functools import lru_cache
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
        "time": round(moment, 3),
        "requestId": request_id,
        "hop": decision.hop,
        "outcome": decision.outcome._value_,
        **request,
        "reasons": (),
    }
    if decision.fix:
        line["fix"] = decision.fix
    try:
        line["reasons"] = [
            _held(reason.code, reason.text, reason.where, tuple(reason.facts.items()))
            if reason.held
            else _reason(reason)
            for reason in decision.reasons
        ]
        text = _ENCODER.encode(line).decode("ascii")
    except UnicodeError:  # not ASCII, or a lone surrogate from a client's escapes
        line["reasons"] = [_reason(reason) for reason in decision.reasons]
        text = json.dumps(line, separators=(",", ":"), ensure_ascii=True)
    return text + "\n"


def _reason(reason: Reason) -> dict[str, Any]:
    line = {"code": reason.code, "text": reason.text, "where": reason.where, "held": reason.held}
    return {**line, "facts": dict(reason.facts)} if reason.facts else line


@lru_cache(maxsize=1024)
def _held(code: str, text: str, where: str, facts: tuple[tuple[str, str], ...]) -> msgspec.Raw:
    """A reason that held, as it stands in a line: an allowed call's are mostly those of the call before."""
    return msgspec.Raw(_ENCODER.encode(_reason(Reason(code, text, where, held=True, facts=dict(facts)))))


class NoDecisionLog:
    """For callers that print the decision themselves."""

    def record(self, decision: Decision, *, request_id: str, **request: str) -> None:
        del decision, request_id, request

    def flush(self) -> None:
        """Nothing waits."""
