"""The arithmetic of a Deployment's rollout: how many pods each ReplicaSet shall have next. Pure.

Two laws hold for every sequence of steps, however late the ReplicaSets act and say so: there are never more pods than
`desired + surge`, and no step takes away a pod that serves where fewer than `desired - unavailable` would be left.
Source: kubernetes pkg/controller/deployment/{rolling,sync}.go and its util package.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from iambridge.sandbox.cluster.objects.int_or_percent import scaled


@dataclass(frozen=True, slots=True)
class Size:
    """One ReplicaSet: the pods it was told to keep, those it has, and those of them that serve.

    `settled`: its status is of the size that it was last told. `before` is the most that all ReplicaSets together could
    have when it was told; 0 when not known.
    """

    name: str
    wanted: int
    actual: int = 0
    available: int = 0
    settled: bool = True
    before: int = 0

    @property
    def serving(self) -> int:
        """Available pods that it will keep."""
        return min(self.available, self.wanted)


def limits(max_surge: int | str, max_unavailable: int | str, desired: int) -> tuple[int, int]:
    """(surge, unavailable) as numbers of pods. Both are never 0 together, as nothing could move then."""
    surge, unavailable = scaled(max_surge, desired, up=True), scaled(max_unavailable, desired, up=False)
    if not surge and not unavailable:
        unavailable = 1
    return surge, min(unavailable, desired)


def step(desired: int, surge: int, unavailable: int, new: Size, old: Sequence[Size]) -> dict[str, int] | None:
    """The sizes that change now, by name: the new one grows if it can, else old ones shrink if they can.

    `old` begins with the oldest. None while a ReplicaSet has not acted on its last size: what it has is not known then.
    """
    if not all(each.settled for each in (new, *old)):
        return None
    size = grown(desired, surge, new, old)
    return {new.name: size} if size != new.wanted else _shrunk(desired, unavailable, new, old)


def grown(desired: int, surge: int, new: Size, old: Sequence[Size]) -> int:
    """The new ReplicaSet's size: what the surge leaves room for. Pods that old ones have yet to give up take room."""
    if new.wanted >= desired:
        return desired
    if not all(each.settled for each in old):
        return new.wanted
    room = desired + surge - new.wanted - sum(max(each.wanted, each.actual) for each in old)
    return new.wanted + max(0, min(room, desired - new.wanted))


def _shrunk(desired: int, unavailable: int, new: Size, old: Sequence[Size]) -> dict[str, int]:
    floor = desired - unavailable
    budget = sum(each.wanted for each in old) + new.serving - floor
    wanted = {each.name: each.wanted for each in old}
    # pods that do not serve first: they would block the rollout, and nobody misses them
    for each in old:
        gone = max(0, min(budget, each.wanted - each.serving))
        wanted[each.name] -= gone
        budget -= gone
    spare = min(budget, new.serving + sum(each.serving for each in old) - floor)
    for each in old:
        gone = max(0, min(spare, wanted[each.name]))
        wanted[each.name] -= gone
        spare -= gone
    return {each.name: wanted[each.name] for each in old if wanted[each.name] != each.wanted}


def proportional(desired: int, surge: int, sets: Sequence[Size], status_replicas: int) -> dict[str, int]:
    """Sizes after `desired` changed amid a rollout: every ReplicaSet grows or shrinks by its share.

    `sets` are the active ones, the oldest first; `status_replicas` is what the Deployment's status counts.
    """
    allowed = desired + surge if desired else 0
    to_add = allowed - sum(each.wanted for each in sets)
    # the largest first; among equals, growth goes to the newest and shrinking to the oldest
    newest_first = list(reversed(sets)) if to_add > 0 else list(sets)
    ordered = sorted(newest_first, key=lambda each: -each.wanted)
    sizes = {each.name: each.wanted for each in ordered}
    added = 0
    for each in ordered:
        share = _share(each, desired, desired + surge, status_replicas)
        left = to_add - added
        part = min(share, left) if to_add > 0 else max(share, left)
        if left:
            sizes[each.name] += part
            added += part
    # what rounding left over is the largest one's, and the next one's where that has too few
    for each in ordered:
        part = max(to_add - added, -sizes[each.name])
        sizes[each.name] += part
        added += part
    return sizes


def _share(one: Size, desired: int, most: int, status_replicas: int) -> int:
    if not desired:
        return -one.wanted
    before = one.before or status_replicas
    return _rounded(one.wanted * most, before) - one.wanted if before else 0


def _rounded(numerator: int, denominator: int) -> int:
    """The quotient, half away from zero."""
    return (2 * numerator + denominator) // (2 * denominator)
