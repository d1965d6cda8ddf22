"""Ages as kubectl prints them."""

import pytest

from iambridge.sandbox.cluster.durations import age, human_duration

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (2 * MINUTE, "2m"),
        (2 * MINUTE + 1, "2m1s"),
        (10 * MINUTE, "10m"),
        (179 * MINUTE, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + MINUTE, "3h1m"),
        (8 * HOUR + MINUTE, "8h"),
        (47 * HOUR, "47h"),
        (2 * DAY, "2d"),
        (2 * DAY + HOUR, "2d1h"),
        (8 * DAY + HOUR, "8d"),
        (729 * DAY, "729d"),
        (2 * YEAR, "2y"),
        (2 * YEAR + DAY, "2y1d"),
        (8 * YEAR + DAY, "8y"),
    ],
)
def test_human_duration(seconds: int, shown: str) -> None:
    """Two units at most; the cases are those of apimachinery's own test of HumanDuration."""
    assert human_duration(seconds) == shown


def test_an_object_without_a_time_has_no_age() -> None:
    """Unknown is said, not guessed."""
    assert age({"metadata": {}}, 0) == "<unknown>"
    assert age({"metadata": {"creationTimestamp": "1970-01-01T00:00:00Z"}}, 5) == "5s"
