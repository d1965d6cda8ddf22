"""What we need from outside, as Protocols of at most six methods. A port exists only where two real adapters do.

`now` and `new_id` are plain callables and not ports.
"""

from typing import Protocol

from iambridge.core.decision import Decision


class DecisionLog(Protocol):
    """Keeps every decision for the operator. Implementations must never be handed a token, key or raw pod."""

    def record(self, decision: Decision, *, request_id: str, **request: str) -> None:
        """Write one decision with the non-secret facts of its request."""
