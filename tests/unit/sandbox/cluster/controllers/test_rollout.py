import pytest

from iambridge.sandbox.cluster.controllers.rollout import Size, limits, proportional, step


@pytest.mark.parametrize(
    ("surge", "unavailable", "desired", "expected"),
    [
        ("25%", "25%", 10, (3, 2)),
        ("25%", "25%", 1, (1, 0)),
        (0, "1%", 2, (0, 1)),
        ("0%", "25%", 1, (0, 1)),
        ("1%", 0, 2, (1, 0)),
        (3, 7, 5, (3, 5)),
        (1, 1, 0, (1, 0)),
    ],
)
def test_limits(surge: int | str, unavailable: int | str, desired: int, expected: tuple[int, int]) -> None:
    """Surge is rounded up, unavailability down; where both come to nothing one pod may be missing."""
    assert limits(surge, unavailable, desired) == expected


def test_growth_comes_first_then_shrinking() -> None:
    """10 pods, surge 3, unavailable 2: 3 new ones, then 2 old ones fewer, then as new ones serve."""
    old = Size("old", 10, 10, 10)
    assert step(10, 3, 2, Size("new", 0), [old]) == {"new": 3}
    assert step(10, 3, 2, Size("new", 3, 3), [old]) == {"old": 8}
    assert step(10, 3, 2, Size("new", 3, 3), [Size("old", 8, 8, 8)]) == {"new": 5}
    assert step(10, 3, 2, Size("new", 5, 5), [Size("old", 8, 8, 8)]) == {}
    assert step(10, 3, 2, Size("new", 5, 5, 4), [Size("old", 8, 8, 8)]) == {"old": 4}


def test_old_pods_that_do_not_serve_go_first() -> None:
    """The older ReplicaSet serves and stays; the younger, which is broken, goes."""
    old = [Size("good", 3, 3, 3), Size("broken", 2, 2, 0)]
    assert step(4, 1, 1, Size("new", 0, 0), old) == {"broken": 0}


def test_nothing_moves_before_the_last_size_was_acted_on() -> None:
    """A status from before says 5 pods serve, but 4 of them were given up meanwhile: the old ones must stay."""
    late = Size("new", 5, 5, 5, settled=False)
    assert step(5, 5, 0, late, [Size("old", 5, 5, 5)]) is None


def test_pods_that_are_still_to_go_take_room() -> None:
    """An old ReplicaSet that was told to keep 3 still has 4, since it could not delete one."""
    assert step(4, 1, 0, Size("new", 1, 1, 1), [Size("old", 3, 4, 3)]) == {}
    assert step(4, 1, 0, Size("new", 1, 1, 1), [Size("old", 3, 3, 3)]) == {"new": 2}


def test_a_change_of_size_is_shared_by_weight() -> None:
    """15 instead of 10 amid a rollout of 8 and 5: 11 and 7, as the Kubernetes documentation reckons it."""
    sets = [Size("old", 8, 8, 8, before=13), Size("new", 5, 5, 0, before=13)]
    assert proportional(15, 3, sets, 13) == {"old": 11, "new": 7}
    assert proportional(0, 3, sets, 13) == {"old": 0, "new": 0}
