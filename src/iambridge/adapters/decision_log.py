"""Decisions as JSON lines on a stream: one line a decision, keys stable, nothing secret."""

import json
from collections.abc import Callable
from typing import IO

from iambridge.core.decision import Decision


class JsonLinesDecisionLog:
    """Writes to `stream`; `now` gives seconds since the epoch."""

    def __init__(self, stream: IO[str], now: Callable[[], float]) -> None:
        self._stream = stream
        self._now = now

    def record(self, decision: Decision, *, request_id: str, **request: str) -> None:
        line = {
            "time": round(self._now(), 3),
            "requestId": request_id,
            "hop": decision.hop,
            "outcome": decision.outcome.value,
            **request,
            "reasons": [
                {
                    "code": r.code,
                    "text": r.text,
                    "where": r.where,
                    "held": r.held,
                    **({"facts": dict(r.facts)} if r.facts else {}),
                }
                for r in decision.reasons
            ],
        }
        if decision.fix:
            line["fix"] = decision.fix
        self._stream.write(json.dumps(line, separators=(",", ":"), ensure_ascii=True) + "\n")
        self._stream.flush()


class NoDecisionLog:
    """For callers that print the decision themselves."""

    def record(self, decision: Decision, *, request_id: str, **request: str) -> None:
        del decision, request_id, request
