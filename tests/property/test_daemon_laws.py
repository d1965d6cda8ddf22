"""A DaemonSet's rolling update keeps its bounds on every node, whatever the order in which pods come, serve and go."""

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from iambridge.sandbox.cluster.controllers.daemon_plan import HASH, Daemons, group, plan

Object = dict[str, Any]
MOVES = st.lists(st.tuples(st.sampled_from(["plan", "plan", "serve", "end"]), st.integers(0, 7)), max_size=60)


class World:
    """Nodes with their pods; deleted pods stay until they have ended."""

    def __init__(self, nodes: int, surge: int, unavailable: int) -> None:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
        annotations = {"deprecated.daemonset.template.generation": "2"}
        template: Object = {"metadata": {"labels": {}}, "spec": {}}
        self.daemon_set = {
            "metadata": {"name": "a", "annotations": annotations},
            "spec": {"template": template, "updateStrategy": rolling},
        }
        self.nodes: list[Object] = [
            {"metadata": {"name": f"n{index}", "labels": {}}, "spec": {}} for index in range(nodes)
        ]
        self.pods: list[Object] = []
        self._count = itertools.count()
        for each in self.nodes:
            self.make(each["metadata"]["name"], "old")
            self.serve(self.pods[-1])

    def make(self, node: str, short: str) -> None:
        name = f"{next(self._count):04}"
        labels = {HASH: short, "pod-template-generation": "2" if short == "new" else "1"}
        meta = {"name": name, "namespace": "n", "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"}
        self.pods.append({"metadata": meta, "spec": {"nodeName": node}, "status": {"phase": "Running"}})

    def serve(self, pod: Object) -> None:
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        pod["status"]["conditions"] = [ready]

    def plan(self) -> bool:
        step = plan(Daemons(self.daemon_set, self.nodes, group(self.pods), "new", 2e9), frozenset())
        for pod in step.delete:
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        for node in step.create:
            self.make(node, "new")
        return bool(step.create or step.delete)

    def end(self) -> None:
        self.pods = [pod for pod in self.pods if "deletionTimestamp" not in pod["metadata"]]

    def move(self, move: str, index: int) -> None:
        if move == "plan":
            self.plan()
        elif move == "serve" and self.pods:
            self.serve(self.pods[index % len(self.pods)])
        elif move == "end":
            going = [pod for pod in self.pods if "deletionTimestamp" in pod["metadata"]]
            self.pods = [pod for pod in self.pods if not going or pod is not going[index % len(going)]]

    def staying(self, node: str) -> list[Object]:
        there = [pod for pod in self.pods if pod["spec"]["nodeName"] == node]
        return [pod for pod in there if "deletionTimestamp" not in pod["metadata"]]

    def served(self) -> int:
        """Nodes with a pod that serves and stays."""
        names = [node["metadata"]["name"] for node in self.nodes]
        return sum(any(pod["status"].get("conditions") for pod in self.staying(name)) for name in names)

    def crowded(self) -> int:
        """Nodes with more than one pod that stays."""
        return sum(len(self.staying(node["metadata"]["name"])) > 1 for node in self.nodes)


@given(st.integers(1, 6), st.integers(1, 6), MOVES)
@settings(max_examples=200)
def test_no_more_nodes_go_without_than_may(nodes: int, unavailable: int, moves: list[tuple[str, int]]) -> None:
    """Without a surge: one pod for each node at most, and never more than maxUnavailable nodes without one that serves."""
    world = World(nodes, 0, unavailable)
    for move, index in moves:
        world.move(move, index)
        assert world.served() >= nodes - unavailable
        assert world.crowded() == 0


@given(st.integers(1, 6), st.integers(1, 6), MOVES)
@settings(max_examples=200)
def test_a_surge_leaves_no_node_without(nodes: int, surge: int, moves: list[tuple[str, int]]) -> None:
    """With a surge each node has one that serves, and no more than maxSurge have two."""
    world = World(nodes, surge, 0)
    for move, index in moves:
        world.move(move, index)
        assert world.served() == nodes
        assert world.crowded() <= surge


@given(st.integers(1, 6), st.sampled_from([(0, 1), (0, 3), (1, 0), (3, 0)]), MOVES)
@settings(max_examples=100)
def test_a_rolling_update_ends(nodes: int, bounds: tuple[int, int], moves: list[tuple[str, int]]) -> None:
    """Once pods serve and end, each node has one pod, of the new template."""
    world = World(nodes, *bounds)
    for move, index in moves:
        world.move(move, index)
    for _ in range(4 * nodes + 8):
        for pod in world.pods:
            world.serve(pod)
        world.end()
        if not world.plan():
            break
    assert sorted(pod["spec"]["nodeName"] for pod in world.pods) == [node["metadata"]["name"] for node in world.nodes]
    assert {pod["metadata"]["labels"][HASH] for pod in world.pods} == {"new"}
