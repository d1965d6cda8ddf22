"""Events by both of their groups: one stored object in two spellings."""

import json
from typing import Any

from .conftest import Kubectl


def _old(namespace: str, **more: Any) -> str:
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "old", "namespace": namespace},
        "involvedObject": {"kind": "Pod", "namespace": namespace, "name": "p"},
        "reason": "Why",
        "message": "because",
        "type": "Normal",
        "source": {"component": "tests"},
        "count": 1,
    }
    return json.dumps({**event, **more})


def _new(namespace: str, **more: Any) -> str:
    event = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "new", "namespace": namespace},
        "eventTime": "2026-01-01T00:00:00.000001Z",
        "regarding": {"kind": "Pod", "namespace": namespace, "name": "p"},
        "reason": "Why",
        "action": "Tested",
        "note": "because",
        "type": "Warning",
        "reportingController": "example.com/tests",
        "reportingInstance": "one",
    }
    return json.dumps({**event, **more})


def test_each_group_sees_the_others_events(kubectl: Kubectl) -> None:
    """What is written in one spelling is read in the other, at one resourceVersion and uid."""
    kubectl.ok("create", "-f", "-", stdin=_old(kubectl.namespace))
    kubectl.ok("create", "-f", "-", stdin=_new(kubectl.namespace))
    old = {each["metadata"]["name"]: each for each in kubectl.json("get", "events")["items"]}
    new = {each["metadata"]["name"]: each for each in kubectl.json("get", "events.events.k8s.io")["items"]}
    assert old.keys() == new.keys() == {"old", "new"}
    assert new["old"]["apiVersion"] == "events.k8s.io/v1"
    assert new["old"]["regarding"] == old["old"]["involvedObject"]
    assert (new["old"]["note"], new["old"]["deprecatedCount"]) == ("because", 1)
    assert new["old"]["deprecatedSource"] == {"component": "tests"}
    assert old["new"]["message"] == "because"
    assert old["new"]["involvedObject"] == new["new"]["regarding"]
    assert old["new"]["reportingComponent"] == "example.com/tests"
    for name in ("old", "new"):
        assert old[name]["metadata"]["uid"] == new[name]["metadata"]["uid"]
        assert old[name]["metadata"]["resourceVersion"] == new[name]["metadata"]["resourceVersion"]


def test_selectors_and_columns(kubectl: Kubectl) -> None:
    """Each group has its own field labels; the columns are the same."""
    kubectl.ok("create", "-f", "-", stdin=_new(kubectl.namespace))
    found = kubectl.ok("get", "events.events.k8s.io", "--field-selector=regarding.name=p,type=Warning", "-o", "name")
    assert found == "event.events.k8s.io/new\n"
    assert kubectl.ok("get", "events", "--field-selector=involvedObject.name=q", "-o", "name") == ""
    assert "field label not supported: involvedObject.name" in kubectl.fails(
        "get", "events.events.k8s.io", "--field-selector=involvedObject.name=p"
    )
    head, row = kubectl.ok("get", "events.events.k8s.io").splitlines()
    assert head.split()[:2] == ["LAST", "SEEN"]
    assert "pod/p" in row


def test_the_new_group_is_held_to_more(kubectl: Kubectl) -> None:
    """eventTime, controller, instance, action and type are needed there; old fields are not to be set."""
    for change, words in (
        ({"eventTime": None}, "eventTime: Required value"),
        ({"reportingController": ""}, "reportingController: Required value"),
        ({"reportingInstance": ""}, "reportingInstance: Required value"),
        ({"action": ""}, "action: Required value"),
        ({"type": "Odd"}, 'type: Invalid value: "": has invalid value: Odd'),
        ({"deprecatedCount": 2}, 'count: Invalid value: "": needs to be unset'),
        ({"series": {"count": 1, "lastObservedTime": None}}, "series.count"),
    ):
        said = kubectl.fails("create", "-f", "-", stdin=_new(kubectl.namespace, **change))
        assert words in said, (change, said)
    kubectl.ok("create", "-f", "-", stdin=_new(kubectl.namespace))
    said = kubectl.fails("patch", "events.events.k8s.io", "new", "--type=merge", "-p", '{"note": "other"}')
    assert "message: Invalid value" in said
    assert "field is immutable" in said
    series = '{"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}}'
    kubectl.ok("patch", "events.events.k8s.io", "new", "--type=merge", "-p", series)
    assert kubectl.json("get", "events", "new")["series"]["count"] == 2


def test_deletion_by_either(kubectl: Kubectl) -> None:
    """An event deleted by one group is gone from both; a watch of the other sees it go."""
    kubectl.ok("create", "-f", "-", stdin=_old(kubectl.namespace))
    kubectl.ok("delete", "events.events.k8s.io", "old")
    assert kubectl.json("get", "events")["items"] == []
