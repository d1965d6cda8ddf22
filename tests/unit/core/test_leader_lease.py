"""client-go's rule of who leads, on values."""

import datetime as dt

import pytest

from iambridge.core.leader_lease import DURATION_SECONDS, claim, released

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC)
HELD = {
    "holderIdentity": "a",
    "leaseDurationSeconds": 15,
    "acquireTime": "2026-01-01T00:00:00.000000Z",
    "renewTime": "2026-01-01T00:00:00.000000Z",
    "leaseTransitions": 3,
}


@pytest.mark.parametrize("spec", [{}, {"holderIdentity": ""}, {"holderIdentity": None}])
def test_an_empty_lease_is_taken_at_once(spec: dict[str, object]) -> None:
    """As the manifests ship it."""
    taken = claim(spec, "a", now=NOW, unchanged_for=0.0)
    assert taken == {
        "holderIdentity": "a",
        "leaseDurationSeconds": DURATION_SECONDS,
        "acquireTime": "2026-01-02T03:04:05.000678Z",
        "renewTime": "2026-01-02T03:04:05.000678Z",
        "leaseTransitions": 1,
    }


def test_renewing_keeps_when_it_was_acquired() -> None:
    """And counts no transition."""
    renewed = claim(HELD, "a", now=NOW, unchanged_for=2.0)
    assert renewed == {**HELD, "renewTime": "2026-01-02T03:04:05.000678Z"}


@pytest.mark.parametrize(("silence", "taken"), [(0.0, False), (14.9, False), (15.0, True)])
def test_anothers_lease_is_taken_only_after_its_own_duration_of_silence(silence: float, *, taken: bool) -> None:
    """Whatever renewTime says: clocks differ, and the looker's own counts."""
    claimed = claim(HELD, "b", now=NOW, unchanged_for=silence)
    assert (claimed is not None) == taken
    if claimed is not None:
        assert (claimed["holderIdentity"], claimed["leaseTransitions"]) == ("b", 4)


def test_a_released_lease_is_free() -> None:
    """So that a rolling restart need not wait 15 seconds."""
    given_up = released(HELD, now=NOW)
    assert claim(given_up, "b", now=NOW, unchanged_for=0.0) is not None
