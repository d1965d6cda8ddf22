"""Which service account key signs, which stay accepted and published, and which go: decided from values alone.

Kubernetes rotates by hand: --service-account-signing-key-file names the key that signs, --service-account-key-file all
that verify. A token is good for as long as its own `exp` says, so a retired key goes when the last one's time is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

ALGORITHMS = ("RS256", "ES256")
_DEFAULT = "RS256"


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key of the data directory; times are in seconds since the epoch.

    `retired` is None while the key signs. No token of it expires after `tokens_until`; None when that was not recorded.
    """

    kid: str
    alg: str
    retired: float | None = None
    tokens_until: float | None = None

    def verifies_until(self, *, max_expiration: float, leeway: float) -> float | None:
        """When the last token of a retired key is certainly over; None where its retirement is not known.

        Where nothing was recorded that is `max_expiration` after its retirement: the longest life that TokenRequest
        grants, in seconds. `leeway` is for how many seconds past `exp` a token is accepted.
        """
        if self.retired is None:
            return None
        last = self.retired + max_expiration if self.tokens_until is None else self.tokens_until
        return last + leeway


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a start does: `new` is the algorithm of a key to make, which then signs in place of the `retires` one.

    `stay` and `go` are the ids of retired keys, the most lately retired first.
    """

    new: str | None
    retires: str | None
    stay: tuple[str, ...]
    go: tuple[str, ...]


def rotation(
    signing: HeldKey | None,
    retired: Sequence[HeldKey],
    *,
    algorithm: str | None,
    rotate: bool,
    now: float,
    max_expiration: float,
    leeway: float,
) -> Rotation:
    """Without `algorithm` the kind of key stays what it is, RS256 for the first one."""
    wanted = algorithm or (signing.alg if signing is not None and signing.alg in ALGORITHMS else _DEFAULT)
    changes = signing is None or rotate or (algorithm is not None and signing.alg != algorithm)
    stay: list[str] = []
    go: list[str] = []
    for key in sorted(retired, key=lambda each: (-(each.retired or 0.0), each.kid)):
        if signing is not None and key.kid == signing.kid:  # a rotation that a crash cut short: it signs still
            continue
        until = key.verifies_until(max_expiration=max_expiration, leeway=leeway)
        (go if until is not None and now > until else stay).append(key.kid)
    retires = signing.kid if signing is not None and changes else None
    return Rotation(wanted if changes else None, retires, tuple(stay), tuple(go))
