"""A rollout keeps its two bounds, whatever the order in which ReplicaSets act, pods get ready and statuses arrive."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from iambridge.sandbox.cluster.controllers.rollout import Size, grown, limits, proportional, step

PERCENTS = st.integers(0, 100).map(lambda number: f"{number}%")
SHARES = st.one_of(st.integers(0, 6), PERCENTS)


@dataclass
class World:
    """ReplicaSets with their pods (each ready or not), and what their statuses say of them."""

    desired: int
    surge: int
    unavailable: int
    names: list[str] = field(default_factory=list)
    wanted: dict[str, int] = field(default_factory=dict)
    pods: dict[str, list[bool]] = field(default_factory=dict)
    status: dict[str, tuple[int, int, bool]] = field(default_factory=dict)

    def add(self, name: str, wanted: int, pods: list[bool]) -> None:
        self.names.append(name)
        self.wanted[name], self.pods[name] = wanted, pods
        self.status[name] = (0, 0, False)

    def size(self, name: str) -> Size:
        return Size(name, self.wanted[name], *self.status[name])

    @property
    def old(self) -> list[Size]:
        return [self.size(name) for name in self.names[:-1]]

    def roll(self) -> dict[str, int] | None:
        sizes = step(self.desired, self.surge, self.unavailable, self.size(self.names[-1]), self.old)
        for name, wanted in (sizes or {}).items():
            self.wanted[name] = wanted
            self.status[name] = (*self.status[name][:2], False)
        return sizes

    def template(self, name: str) -> None:
        self.add(name, grown(self.desired, self.surge, Size("", 0), [self.size(each) for each in self.names]), [])

    def act(self, name: str) -> None:
        """A ReplicaSet makes or deletes pods; those that are not ready go first."""
        pods = sorted(self.pods[name], reverse=True)[: self.wanted[name]]
        self.pods[name] = pods + [False] * (self.wanted[name] - len(pods))

    def say(self, name: str, *, failing: bool = False) -> None:
        """A ReplicaSet acts, unless what it does fails, then writes its status."""
        if not failing:
            self.act(name)
        self.status[name] = (len(self.pods[name]), sum(self.pods[name]), True)

    def serve(self, name: str) -> None:
        if False in self.pods[name]:
            self.pods[name][self.pods[name].index(False)] = True

    def move(self, move: str, index: int, template: str) -> None:
        name = self.names[index % len(self.names)]
        match move:
            case "roll":
                self.roll()
            case "act":
                self.act(name)
            case "serve":
                self.serve(name)
            case "say" | "fail":
                self.say(name, failing=move == "fail")
            case "template" if len(self.names) < 5:
                self.template(template)
            case "back":
                self.names.append(self.names.pop(index % len(self.names)))
            case "everybody":
                self.roll()
                for each in self.names:
                    self.say(each, failing=each == name)
                    self.serve(each)
                    self.say(each, failing=each == name)

    @property
    def total(self) -> int:
        return sum(map(len, self.pods.values()))

    @property
    def serving(self) -> int:
        return sum(map(sum, self.pods.values()))


# the last of them is what mostly happens; the index says to which ReplicaSet, or which of them fails
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["template", "back", "fail", "act", "say", "say", "serve", "roll", "roll", *["everybody"] * 3]),
        st.integers(0, 5),
    ),
    max_size=60,
)


def started(desired: int, surge: int | str, unavailable: int | str) -> World:
    world = World(desired, *limits(surge, unavailable, desired))
    world.add("set-0", desired, [True] * desired)
    world.say("set-0")
    world.template("set-1")
    return world


@given(st.integers(0, 12), SHARES, SHARES, MOVES)
@settings(max_examples=400)
def test_a_rollout_keeps_its_bounds(
    desired: int, surge: int | str, unavailable: int | str, moves: list[tuple[str, int]]
) -> None:
    """Never more than desired + maxSurge pods, never fewer available than desired - maxUnavailable."""
    world = started(desired, surge, unavailable)
    for number, (move, index) in enumerate(moves):
        world.move(move, index, f"set-{number + 2}")
        assert world.total <= desired + world.surge
        assert world.serving >= desired - world.unavailable


@given(st.integers(0, 12), SHARES, SHARES, MOVES)
@settings(max_examples=200)
def test_a_rollout_ends(desired: int, surge: int | str, unavailable: int | str, moves: list[tuple[str, int]]) -> None:
    """Once ReplicaSets act and pods get ready, only the new ReplicaSet has pods, and as many as are wanted."""
    world = started(desired, surge, unavailable)
    for number, (move, index) in enumerate(moves):
        world.move(move, index, f"set-{number + 2}")
    for _ in range(40 * (desired + 2)):
        for name in world.names:
            world.act(name)
            for _ in range(desired + 1):
                world.serve(name)
            world.say(name)
        if not world.roll():
            break
    new = world.names[-1]
    assert {name: len(pods) for name, pods in world.pods.items() if pods} == ({new: desired} if desired else {})


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(0, 60), SHARES)
@settings(max_examples=300)
def test_a_scale_amid_a_rollout_gives_out_exactly_what_there_is(
    wanted: list[int], desired: int, surge: int | str
) -> None:
    """Every share is a size, none is negative, and together they are what is allowed, unless that is below nothing."""
    extra, _ = limits(surge, 0, desired)
    sets = [Size(str(index), size, size, size, before=sum(wanted)) for index, size in enumerate(wanted)]
    sizes = proportional(desired, extra, sets, sum(wanted))
    assert sizes.keys() == {each.name for each in sets}
    assert min(sizes.values()) >= 0
    assert sum(sizes.values()) == (desired + extra if desired else 0)
