"""Which key signs, which stay and which go, by values."""

from typing import Any

import pytest

from iambridge.sandbox.key_rotation import HeldKey, Rotation, rotation

NOW = 1_800_000_000.0
DAY = 86_400.0
MOST = 10 * DAY
RSA = HeldKey("rsa", "RS256", tokens_until=NOW + DAY)
EC = HeldKey("ec", "ES256", tokens_until=NOW + DAY)


def decided(
    signing: HeldKey | None, *retired: HeldKey, algorithm: str | None = None, rotate: bool = False, now: float = NOW
) -> Rotation:
    return rotation(
        signing, retired, algorithm=algorithm, rotate=rotate, now=now, max_expiration=MOST, leeway=60.0
    )  # fmt: skip


@pytest.mark.parametrize(
    ("signing", "asked", "new", "retires"),
    [
        (None, {}, "RS256", None),
        (None, {"algorithm": "ES256"}, "ES256", None),
        (None, {"rotate": True}, "RS256", None),
        (RSA, {}, None, None),
        (EC, {}, None, None),
        (RSA, {"algorithm": "RS256"}, None, None),
        (RSA, {"algorithm": "ES256"}, "ES256", "rsa"),
        (EC, {"algorithm": "RS256"}, "RS256", "ec"),
        (RSA, {"rotate": True}, "RS256", "rsa"),
        (EC, {"rotate": True}, "ES256", "ec"),
        (EC, {"rotate": True, "algorithm": "RS256"}, "RS256", "ec"),
        (HeldKey("big", "ES384"), {}, None, None),
        (HeldKey("big", "ES384"), {"rotate": True}, "RS256", "big"),
    ],
)
def test_which_key_signs(signing: HeldKey | None, asked: dict[str, Any], new: str | None, retires: str | None) -> None:
    """A new key comes first of all, when it is asked for, and when another kind is; else the kind stays."""
    assert decided(signing, **asked) == Rotation(new, retires, (), ())


@pytest.mark.parametrize(
    ("until", "age", "goes"),
    [
        (NOW, 60.0, False),
        (NOW, 60.5, True),
        (NOW + 365 * DAY, 364 * DAY, False),
        (NOW + 365 * DAY, 366 * DAY, True),
        (None, MOST + 60.0, False),
        (None, MOST + 61.0, True),
    ],
)
def test_when_a_retired_key_goes(until: float | None, age: float, *, goes: bool) -> None:
    """After its last token and the leeway; with no record, after the longest life that a token can have."""
    found = decided(RSA, HeldKey("old", "RS256", retired=NOW, tokens_until=until), now=NOW + age)
    assert (found.go, found.stay) == ((("old",), ()) if goes else ((), ("old",)))


def test_a_key_whose_retirement_is_unknown_stays() -> None:
    """A key file that somebody put there, or whose record was lost, is never taken away."""
    assert decided(RSA, HeldKey("found", "ES256"), now=NOW + 1000 * MOST).stay == ("found",)


def test_the_latest_retired_comes_first() -> None:
    """The order of the JWKS: verifiers that try keys in turn meet the likely one early."""
    old = [HeldKey(str(age), "RS256", retired=NOW - age, tokens_until=NOW + DAY) for age in (3, 1, 2)]
    assert decided(RSA, *old).stay == ("1", "2", "3")


def test_a_rotation_cut_short_changes_nothing() -> None:
    """The copy of the key that signs still is no retired key, however old its record says that it is."""
    copy = HeldKey("rsa", "RS256", retired=NOW - 99 * DAY, tokens_until=NOW - 50 * DAY)
    assert decided(RSA, copy) == Rotation(None, None, (), ())
    assert decided(RSA, copy, rotate=True) == Rotation("RS256", "rsa", (), ())
