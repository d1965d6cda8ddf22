import copy
from typing import Any

from iambridge.sandbox.cluster.controllers.deployment_plan import REVISION, Plan, plan, same_template, template_hash
from iambridge.sandbox.cluster.controllers.deployment_status import find
from iambridge.sandbox.cluster.timestamps import timestamp

Object = dict[str, Any]
NOW = 1_767_225_660.0


def deployment(**spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "a:1"}]}}
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    whole = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template, "strategy": rolling}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "n", "uid": "D", "generation": 1, "annotations": {"note": "x"}},
        "spec": {**whole, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10, **spec},
    }


def acted(replica_set: Object, *, available: int | None = None) -> Object:
    """The ReplicaSet once its controller has done what it was told."""
    out = copy.deepcopy(replica_set)
    out["metadata"] |= {"uid": out["metadata"]["name"], "generation": 1}
    out["metadata"].setdefault("creationTimestamp", timestamp(NOW))
    wanted = out["spec"]["replicas"]
    counts = {"replicas": wanted, "availableReplicas": wanted if available is None else available}
    counts["readyReplicas"] = counts["availableReplicas"]
    return out | {"status": {**counts, "observedGeneration": 1}}


def first(obj: Object) -> Object:
    made = plan(obj, [], frozenset(), NOW).create
    assert made is not None
    return acted(made)


def reason(step: Plan, kind: str) -> str:
    return str((find(step.status["conditions"], kind) or {}).get("reason"))


def test_the_first_step_makes_a_replica_set() -> None:
    """Named after the template's hash, which its selector and labels carry; annotations are copied."""
    step = plan(deployment(), [], frozenset(), NOW)
    assert step.create is not None
    short = template_hash(deployment()["spec"]["template"], None)
    assert step.create["metadata"]["name"] == f"web-{short}"
    assert step.create["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": short}
    assert (
        step.create["metadata"]["annotations"] | {"note": "x", REVISION: "1"} == step.create["metadata"]["annotations"]
    )
    assert step.events == [f"Scaled up replica set web-{short} from 0 to 2"]
    assert (step.revision, reason(step, "Progressing")) == ("1", "NewReplicaSetCreated")
    assert reason(step, "Available") == "MinimumReplicasUnavailable"


def test_nothing_is_left_to_do_when_all_is_done() -> None:
    """A second look at the same state changes nothing."""
    one = first(deployment())
    step = plan(deployment(), [one], frozenset(), NOW)
    assert (step.create, step.update, step.delete, step.events) == (None, [], [], [])
    assert reason(step, "Progressing") == "NewReplicaSetAvailable"
    done = {**deployment(), "status": step.status}
    again = plan(done, [one], frozenset(), NOW + 1000)
    assert (again.status, again.update, again.again) == (step.status, [], None)


def test_the_hash_label_does_not_make_a_template_another() -> None:
    """Nor does a collision: only the name changes."""
    template = deployment()["spec"]["template"]
    assert same_template(template, first(deployment())["spec"]["template"])
    assert template_hash(template, None) != template_hash(template, 1)
    changed = copy.deepcopy(template)
    changed["spec"]["containers"][0]["image"] = "a:2"
    assert not same_template(template, changed)


def test_a_return_to_an_old_template_is_a_new_revision() -> None:
    """The ReplicaSet is used again under the next number and keeps the old one in its history."""
    one = first(deployment())
    changed = deployment()
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "a:2"
    made = plan(changed, [one], frozenset(), NOW).create
    assert made is not None
    assert made["metadata"]["annotations"][REVISION] == "2"
    assert made["spec"]["replicas"] == 1
    back = plan(deployment(), [one, acted(made, available=0)], frozenset(), NOW)
    (updated, *_) = [each for each in back.update if each["metadata"]["name"] == one["metadata"]["name"]]
    annotations = updated["metadata"]["annotations"]
    assert (annotations[REVISION], annotations["deployment.kubernetes.io/revision-history"]) == ("3", "1")
    assert back.revision == "3"


def test_recreate_waits_for_the_last_pod() -> None:
    """Old ReplicaSets shrink at once; the new one comes when no pod of theirs is left."""
    obj = deployment(strategy={"type": "Recreate"})
    one = first(obj)
    changed = copy.deepcopy(obj)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "a:2"
    step = plan(changed, [one], frozenset({one["metadata"]["uid"]}), NOW)
    assert ([each["spec"]["replicas"] for each in step.update], step.create) == ([0], None)
    gone = acted(step.update[0])
    assert plan(changed, [gone], frozenset({one["metadata"]["uid"]}), NOW).create is None
    made = plan(changed, [gone], frozenset(), NOW).create
    assert made is not None
    assert made["spec"]["replicas"] == 2


def test_a_deadline_is_judged_when_it_is_due() -> None:
    """A rollout that stands still is looked at again just after its deadline, and then has timed out."""
    step = plan(deployment(), [], frozenset(), NOW)
    one = acted(step.create or {}, available=0)
    waiting = {**deployment(), "status": step.status}
    step = plan(waiting, [one], frozenset(), NOW + 10)
    waiting = {**deployment(), "status": step.status}
    assert step.again == 601
    late = plan(waiting, [one], frozenset(), NOW + 10 + 601)
    assert reason(late, "Progressing") == "ProgressDeadlineExceeded"
    assert late.again is None


def test_one_that_is_being_deleted_moves_nothing() -> None:
    """Only its status follows."""
    obj = deployment(replicas=5)
    obj["metadata"]["deletionTimestamp"] = timestamp(NOW)
    step = plan(obj, [first(deployment())], frozenset(), NOW)
    assert (step.update, step.create, step.status["replicas"]) == ([], None, 2)
