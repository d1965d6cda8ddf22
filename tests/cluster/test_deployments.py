"""Deployments and ReplicaSets as people use them with kubectl: on any cluster with its controllers."""

import json

import pytest

from .conftest import Kubectl
from .played_kubelet import Object, apply, is_ready, pods, roll_out, serve, workload
from .plumbing import eventually


def sets(kubectl: Kubectl, app: str) -> dict[str, Object]:
    """The ReplicaSets of an app by their revision."""
    found = kubectl.json("get", "replicasets", "-l", f"app={app}")["items"]
    return {each["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: each for each in found}


def condition(kubectl: Kubectl, name: str, kind: str) -> Object:
    found = kubectl.json("get", "deployment", name).get("status", {}).get("conditions") or ()
    return next((each for each in found if each["type"] == kind), {})


def image(kubectl: Kubectl, name: str) -> str:
    return kubectl.ok("get", "deployment", name, "-o", "jsonpath={.spec.template.spec.containers[0].image}")


# --- what is made of one


def test_create_deployment_makes_a_replica_set_and_its_pods(kubectl: Kubectl) -> None:
    """`kubectl create deployment` (protobuf) ends in pods whose owner is a ReplicaSet whose owner is the Deployment."""
    kubectl.ok("create", "deployment", "web", "--image=example:1", "--replicas=2", "--port=8080")
    eventually(lambda: len(pods(kubectl, "web")) == 2)
    deployment = kubectl.json("get", "deploy", "web")
    (replica_set,) = kubectl.json("get", "rs", "-l", "app=web")["items"]
    short = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{short}"
    assert replica_set["metadata"]["ownerReferences"][0]["uid"] == deployment["metadata"]["uid"]
    assert replica_set["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": short}
    for pod in pods(kubectl, "web"):
        assert pod["metadata"]["labels"] == {"app": "web", "pod-template-hash": short}
        (owner,) = pod["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("ReplicaSet", replica_set["metadata"]["uid"])
        assert owner["controller"] is owner["blockOwnerDeletion"] is True


def test_defaults_of_a_deployment(kubectl: Kubectl) -> None:
    """What is left out is filled in as Kubernetes does it, and a status that is sent is not taken."""
    apply(kubectl, workload("Deployment", "web") | {"status": {"replicas": 7}})
    spec = kubectl.json("get", "deployment", "web")["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    eventually(lambda: kubectl.json("get", "deployment", "web")["status"].get("replicas") == 1)


def test_status_and_columns_follow_the_pods(kubectl: Kubectl) -> None:
    """READY, UP-TO-DATE and AVAILABLE count ready pods; `rollout status` and `wait` end when all are."""
    apply(kubectl, workload("Deployment", "web", replicas=3))
    eventually(lambda: len(pods(kubectl, "web")) == 3)
    assert condition(kubectl, "web", "Available")["reason"] == "MinimumReplicasUnavailable"
    first, *others = pods(kubectl, "web")
    serve(kubectl, first)
    eventually(lambda: "1/3" in kubectl.ok("get", "deploy", "web"))
    serve(kubectl, *others)
    kubectl.ok("wait", "--for=condition=Available", "deployment/web", "--timeout=60s")
    said = kubectl.ok("rollout", "status", "deploy/web", "--timeout=60s")
    assert 'deployment "web" successfully rolled out' in said
    head, row = kubectl.ok("get", "deployments", "-o", "wide").splitlines()
    assert head.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert row.split()[:4] == ["web", "3/3", "3", "3"]
    assert row.split()[5:] == ["main", "example:1", "app=web"]
    assert condition(kubectl, "web", "Progressing")["reason"] == "NewReplicaSetAvailable"
    head, row = kubectl.ok("get", "rs", "-o", "wide").splitlines()
    assert head.split() == ["NAME", "DESIRED", "CURRENT", "READY", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert row.split()[1:4] == ["3", "3", "3"]


def test_get_all_and_describe(kubectl: Kubectl) -> None:
    """The category `all` holds the workloads, and `describe` names the ReplicaSet and its events."""
    apply(kubectl, workload("Deployment", "web"))
    roll_out(kubectl, "deployment", "web")
    shown = kubectl.ok("get", "all")
    assert all(word in shown for word in ("pod/web-", "deployment.apps/web", "replicaset.apps/web-"))
    described = kubectl.ok("describe", "deployment", "web")
    assert "1 desired | 1 updated | 1 total | 1 available | 0 unavailable" in described
    eventually(lambda: "Scaled up replica set web-" in kubectl.ok("describe", "deployment", "web"))
    assert "Controlled By:  Deployment/web" in kubectl.ok("describe", "rs", "-l", "app=web")


def test_everyday_verbs(kubectl: Kubectl) -> None:
    """set, diff, replace, patch, edit-like JSON patches and explain do their work on workloads."""
    obj = workload("Deployment", "web")
    apply(kubectl, obj)
    kubectl.ok("set", "env", "deployment/web", "COLOUR=red")
    kubectl.ok("set", "resources", "deployment/web", "--requests=cpu=100m,memory=64Mi")
    kubectl.ok("set", "serviceaccount", "deployment/web", "default")
    (container,) = kubectl.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "COLOUR", "value": "red"}]
    assert container["resources"] == {"requests": {"cpu": "100m", "memory": "64Mi"}}
    different = kubectl.run("diff", "-f", "-", stdin=json.dumps(workload("Deployment", "web", "example:2")))
    assert different.code == 1
    assert "+        image: example:2" in different.out
    kubectl.ok("replace", "-f", "-", stdin=json.dumps(obj))
    (container,) = kubectl.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert "env" not in container
    change = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "example:3"}]
    kubectl.ok("patch", "deployment", "web", "--type=json", "-p", json.dumps(change))
    added = {"spec": {"template": {"spec": {"containers": [{"name": "beside", "image": "example:4"}]}}}}
    kubectl.ok("patch", "deployment", "web", "-p", json.dumps(added))
    images = "{.spec.template.spec.containers[*].image}"
    assert kubectl.ok("get", "deployment", "web", "-o", f"jsonpath={images}").split() == ["example:4", "example:3"]
    assert "maxSurge" in kubectl.ok("explain", "deployment.spec.strategy.rollingUpdate")
    assert kubectl.ok("delete", "deploy/web", "--wait=false").startswith("deployment.apps")


# --- rollouts


@pytest.mark.parametrize(("surge", "unavailable"), [(1, 0), (0, 1), (2, 2), ("50%", "25%")])
def test_a_rolling_update_keeps_its_bounds(kubectl: Kubectl, surge: int | str, unavailable: int | str) -> None:
    """Never more pods than replicas and maxSurge, never fewer available than replicas less maxUnavailable."""
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    apply(kubectl, workload("Deployment", "web", replicas=4, strategy=rolling))
    roll_out(kubectl, "deployment", "web")
    most, least = 4 + (2 if surge == "50%" else int(surge)), 4 - (1 if unavailable == "25%" else int(unavailable))
    counts: list[tuple[int, int]] = []
    kubectl.ok("set", "image", "deployment/web", "main=example:2")
    roll_out(
        kubectl, "deployment", "web", lambda there: counts.append((len(there), sum(is_ready(each) for each in there)))
    )
    assert all(total <= most and ready >= least for total, ready in counts), counts
    assert {pod["spec"]["containers"][0]["image"] for pod in pods(kubectl, "web")} == {"example:2"}
    assert [each["spec"]["replicas"] for _, each in sorted(sets(kubectl, "web").items())] == [0, 4]


def test_a_rollout_that_does_not_serve_stops_short(kubectl: Kubectl) -> None:
    """With maxUnavailable 0 the old pods stay for as long as no new one is ready."""
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    apply(kubectl, workload("Deployment", "web", replicas=2, strategy=rolling))
    roll_out(kubectl, "deployment", "web")
    kubectl.ok("set", "image", "deployment/web", "main=example:broken")
    eventually(lambda: len(pods(kubectl, "web")) == 3)
    assert sum(is_ready(each) for each in pods(kubectl, "web")) == 2
    said = kubectl.ok("rollout", "status", "deployment/web", "--watch=false")
    assert "1 out of 2 new replicas have been updated" in said


def test_recreate_makes_no_new_pod_before_the_last_old_one_has_gone(kubectl: Kubectl) -> None:
    """A finalizer keeps the old pod: until it goes there is no new ReplicaSet."""
    obj = workload("Deployment", "web", strategy={"type": "Recreate"})
    obj["spec"]["template"]["metadata"]["finalizers"] = ["example.com/held"]
    apply(kubectl, obj)
    roll_out(kubectl, "deployment", "web")
    (old,) = pods(kubectl, "web")
    kubectl.ok("set", "image", "deployment/web", "main=example:2")
    eventually(lambda: sets(kubectl, "web")["1"]["spec"]["replicas"] == 0)
    eventually(lambda: pods(kubectl, "web") == [])
    assert list(sets(kubectl, "web")) == ["1"]
    name = old["metadata"]["name"]
    kubectl.ok("patch", "pod", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    eventually(lambda: len(pods(kubectl, "web")) == 1)
    assert pods(kubectl, "web")[0]["spec"]["containers"][0]["image"] == "example:2"
    kubectl.ok(
        "patch",
        "pod",
        pods(kubectl, "web")[0]["metadata"]["name"],
        "--type=merge",
        "-p",
        '{"metadata":{"finalizers":null}}',
    )


def test_history_and_undo(kubectl: Kubectl) -> None:
    """Each template is a revision; undo brings one back under the next number, with its change-cause."""
    apply(kubectl, workload("Deployment", "web"))
    kubectl.ok("annotate", "deployment/web", "kubernetes.io/change-cause=first")
    roll_out(kubectl, "deployment", "web")
    eventually(lambda: "first" in kubectl.ok("rollout", "history", "deployment/web"))
    kubectl.ok("set", "image", "deployment/web", "main=example:2")
    kubectl.ok("annotate", "deployment/web", "kubernetes.io/change-cause=second", "--overwrite")
    roll_out(kubectl, "deployment", "web")
    eventually(lambda: "second" in kubectl.ok("rollout", "history", "deployment/web"))
    rows = [line.split() for line in kubectl.ok("rollout", "history", "deployment/web").splitlines()]
    assert [row for row in rows if row and row[0].isdecimal()] == [["1", "first"], ["2", "second"]]
    assert "example:1" in kubectl.ok("rollout", "history", "deployment/web", "--revision=1")
    kubectl.ok("rollout", "undo", "deployment/web")
    roll_out(kubectl, "deployment", "web")
    assert image(kubectl, "web") == "example:1"
    revision = kubectl.json("get", "deployment", "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
    assert revision == "3"
    assert sorted(sets(kubectl, "web")) == ["2", "3"]
    assert sets(kubectl, "web")["3"]["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"
    kubectl.ok("rollout", "undo", "deployment/web", "--to-revision=2")
    assert image(kubectl, "web") == "example:2"


def test_restart_replaces_the_pods(kubectl: Kubectl) -> None:
    """`rollout restart` makes a new revision of the same image."""
    apply(kubectl, workload("Deployment", "web"))
    roll_out(kubectl, "deployment", "web")
    (before,) = pods(kubectl, "web")
    kubectl.ok("rollout", "restart", "deployment/web")
    eventually(lambda: len(sets(kubectl, "web")) == 2)
    roll_out(kubectl, "deployment", "web")
    eventually(lambda: len(pods(kubectl, "web")) == 1)
    assert pods(kubectl, "web")[0]["metadata"]["uid"] != before["metadata"]["uid"]


def test_pause_and_resume(kubectl: Kubectl) -> None:
    """While paused a new template makes nothing, a new size does; resume rolls out all changes at once."""
    apply(kubectl, workload("Deployment", "web"))
    roll_out(kubectl, "deployment", "web")
    kubectl.ok("rollout", "pause", "deployment/web")
    eventually(lambda: condition(kubectl, "web", "Progressing").get("reason") == "DeploymentPaused")
    kubectl.ok("set", "image", "deployment/web", "main=example:2")
    kubectl.ok("scale", "deployment/web", "--replicas=2")
    eventually(lambda: len(pods(kubectl, "web")) == 2)
    assert list(sets(kubectl, "web")) == ["1"]
    assert "can't restart paused deployment" in kubectl.fails("rollout", "restart", "deployment/web")
    kubectl.ok("rollout", "resume", "deployment/web")
    roll_out(kubectl, "deployment", "web")
    assert sorted(sets(kubectl, "web")) == ["1", "2"]
    assert {pod["spec"]["containers"][0]["image"] for pod in pods(kubectl, "web")} == {"example:2"}


def test_old_revisions_go_beyond_the_limit(kubectl: Kubectl) -> None:
    """With revisionHistoryLimit 1 one old ReplicaSet is left."""
    apply(kubectl, workload("Deployment", "web", revisionHistoryLimit=1))
    for tag in ("1", "2", "3"):
        kubectl.ok("set", "image", "deployment/web", f"main=example:{tag}")
        roll_out(kubectl, "deployment", "web")
    eventually(lambda: sorted(sets(kubectl, "web")) == ["2", "3"])
    assert "unable to find the specified revision" in kubectl.fails(
        "rollout", "history", "deployment/web", "--revision=1"
    )


def test_a_rollout_past_its_deadline_says_so(kubectl: Kubectl) -> None:
    """progressDeadlineSeconds: the condition turns False with its reason, and `rollout status` fails."""
    apply(kubectl, workload("Deployment", "web", progressDeadlineSeconds=1))
    # on a slow machine the deadline may pass before the pod is made, which then counts as progress once more
    eventually(lambda: kubectl.json("get", "deployment", "web").get("status", {}).get("updatedReplicas") == 1)
    eventually(lambda: condition(kubectl, "web", "Progressing").get("reason") == "ProgressDeadlineExceeded")
    assert condition(kubectl, "web", "Progressing")["status"] == "False"
    said = kubectl.fails("rollout", "status", "deployment/web", "--timeout=60s")
    assert 'deployment "web" exceeded its progress deadline' in said


def test_ready_is_not_yet_available(kubectl: Kubectl) -> None:
    """With minReadySeconds a pod counts as ready at once and as available only after them."""
    apply(kubectl, workload("Deployment", "web", minReadySeconds=3))
    eventually(lambda: len(pods(kubectl, "web")) == 1)
    serve(kubectl, *pods(kubectl, "web"))
    eventually(lambda: kubectl.json("get", "deployment", "web")["status"].get("readyReplicas") == 1)
    kubectl.ok("rollout", "status", "deployment/web", "--timeout=60s")
    assert kubectl.json("get", "deployment", "web")["status"]["availableReplicas"] == 1
    since = next(each for each in pods(kubectl, "web")[0]["status"]["conditions"] if each["type"] == "Ready")
    assert condition(kubectl, "web", "Available")["lastTransitionTime"] > since["lastTransitionTime"]


def test_what_keeps_pods_from_being_made_is_said(kubectl: Kubectl) -> None:
    """A ServiceAccount that is not there: the ReplicaSet says FailedCreate, the Deployment ReplicaFailure."""
    obj = workload("Deployment", "web")
    obj["spec"]["template"]["spec"]["serviceAccountName"] = "absent"
    apply(kubectl, obj)
    eventually(lambda: condition(kubectl, "web", "ReplicaFailure").get("reason") == "FailedCreate")
    assert 'serviceaccount "absent" not found' in condition(kubectl, "web", "ReplicaFailure")["message"]
    kubectl.ok("create", "serviceaccount", "absent")
    kubectl.ok("scale", "deployment/web", "--replicas=2")
    eventually(lambda: len(pods(kubectl, "web")) == 2, seconds=90)
    eventually(lambda: condition(kubectl, "web", "ReplicaFailure") == {})


# --- sizes


def test_scale(kubectl: Kubectl) -> None:
    """`kubectl scale` writes /scale, with a precondition where it is asked for one; the Scale can be read."""
    apply(kubectl, workload("Deployment", "web", replicas=1))
    kubectl.ok("scale", "deployment/web", "--replicas=3")
    eventually(lambda: len(pods(kubectl, "web")) == 3)
    assert "Expected replicas to be 1, was 3" in kubectl.fails(
        "scale", "deployment/web", "--current-replicas=1", "--replicas=2"
    )
    kubectl.ok("scale", "deployment/web", "--current-replicas=3", "--replicas=2")
    eventually(lambda: len(pods(kubectl, "web")) == 2)
    shown = kubectl.json("get", "deployment", "web", "--subresource=scale")
    assert (shown["kind"], shown["apiVersion"], shown["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 2})
    assert shown["status"]["selector"] == "app=web"
    head, row = kubectl.ok("get", "deployment", "web", "--subresource=scale").splitlines()
    assert head.split() == ["NAME", "DESIRED", "AVAILABLE", "AGE"]
    assert row.split()[:2] == ["web", "2"]
    said = kubectl.fails("patch", "deployment", "web", "--subresource=scale", "-p", '{"spec":{"replicas":-1}}')
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in said
    assert kubectl.json("get", "deployment", "web")["metadata"]["generation"] == 3


def test_scale_is_known_to_field_managers(kubectl: Kubectl) -> None:
    """Who scaled owns spec.replicas: an apply that says otherwise is a conflict that names the subresource."""
    apply(kubectl, workload("Deployment", "web", replicas=1), "--server-side", "--field-manager=owner")
    kubectl.ok("scale", "deployment/web", "--replicas=3")
    said = kubectl.fails(
        "apply",
        "--server-side",
        "--field-manager=owner",
        "-f",
        "-",
        stdin=json.dumps(workload("Deployment", "web", replicas=1)),
    )
    assert '"kubectl" with subresource "scale"' in said
    assert ".spec.replicas" in said
    # who does not name the field leaves it to whom it belongs
    apply(kubectl, workload("Deployment", "web"), "--server-side", "--field-manager=owner")
    assert kubectl.json("get", "deployment", "web")["spec"]["replicas"] == 3


def test_scaling_down_takes_those_that_do_not_serve(kubectl: Kubectl) -> None:
    """Of three pods the one that is not ready goes first."""
    apply(kubectl, workload("ReplicaSet", "web", replicas=3))
    eventually(lambda: len(pods(kubectl, "web")) == 3)
    first, idle, last = pods(kubectl, "web")
    serve(kubectl, first, last)
    eventually(lambda: kubectl.json("get", "rs", "web")["status"].get("readyReplicas") == 2)
    kubectl.ok("scale", "rs/web", "--replicas=2")
    eventually(lambda: len(pods(kubectl, "web")) == 2)
    assert idle["metadata"]["name"] not in {pod["metadata"]["name"] for pod in pods(kubectl, "web")}


def test_scaling_amid_a_rollout_is_shared(kubectl: Kubectl) -> None:
    """Both ReplicaSets grow: the size alone does not hasten the rollout."""
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    apply(kubectl, workload("Deployment", "web", replicas=10, strategy=rolling))
    roll_out(kubectl, "deployment", "web")
    kubectl.ok("set", "image", "deployment/web", "main=example:2")
    eventually(lambda: [each["spec"]["replicas"] for _, each in sorted(sets(kubectl, "web").items())] == [8, 5])
    kubectl.ok("scale", "deployment/web", "--replicas=15")
    eventually(lambda: [each["spec"]["replicas"] for _, each in sorted(sets(kubectl, "web").items())] == [11, 7])


def test_a_deleted_pod_is_replaced(kubectl: Kubectl) -> None:
    """A ReplicaSet makes a new pod for each that goes or ends."""
    apply(kubectl, workload("ReplicaSet", "web", replicas=2))
    eventually(lambda: len(pods(kubectl, "web")) == 2)
    gone = pods(kubectl, "web")[0]["metadata"]["name"]
    kubectl.ok("delete", "pod", gone)
    eventually(lambda: len(pods(kubectl, "web")) == 2)
    assert gone not in {pod["metadata"]["name"] for pod in pods(kubectl, "web")}


# --- owners


def test_a_replica_set_adopts_what_it_selects_and_lets_go_what_it_does_not(kubectl: Kubectl) -> None:
    """A pod with the labels is taken over; one whose labels are changed is set free and replaced."""
    template = workload("ReplicaSet", "web")["spec"]["template"]
    orphan = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mine", "labels": {"app": "web"}}}
    kubectl.ok("apply", "-f", "-", stdin=json.dumps(orphan | {"spec": template["spec"]}))
    apply(kubectl, workload("ReplicaSet", "web", replicas=2))

    def owner(name: str) -> str:
        return kubectl.ok("get", "pod", name, "-o", "jsonpath={.metadata.ownerReferences[*].name}")

    eventually(lambda: owner("mine") == "web")
    eventually(lambda: len(pods(kubectl, "web")) == 2)
    kubectl.ok("label", "pod", "mine", "app=other", "--overwrite")
    eventually(lambda: owner("mine") == "")
    eventually(lambda: len(pods(kubectl, "web")) == 2)


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_all_goes_with_the_deployment(kubectl: Kubectl, cascade: str) -> None:
    """The ReplicaSet and its pods go with their owner's owner."""
    apply(kubectl, workload("Deployment", "web", replicas=2))
    eventually(lambda: len(pods(kubectl, "web")) == 2)
    kubectl.ok("delete", "deployment", "web", f"--cascade={cascade}", "--timeout=60s")
    eventually(lambda: kubectl.json("get", "rs")["items"] == [] and pods(kubectl, "web") == [])


def test_orphans_are_found_again(kubectl: Kubectl) -> None:
    """--cascade=orphan leaves the ReplicaSet and its pods; the same Deployment takes them over unchanged."""
    apply(kubectl, workload("Deployment", "web", replicas=2))
    roll_out(kubectl, "deployment", "web")
    kubectl.ok("delete", "deployment", "web", "--cascade=orphan", "--timeout=60s")
    eventually(lambda: "ownerReferences" not in sets(kubectl, "web")["1"]["metadata"])
    before = {pod["metadata"]["uid"] for pod in pods(kubectl, "web")}
    apply(kubectl, workload("Deployment", "web", replicas=2))
    eventually(lambda: "ownerReferences" in sets(kubectl, "web")["1"]["metadata"])
    kubectl.ok("rollout", "status", "deployment/web", "--timeout=60s")
    assert {pod["metadata"]["uid"] for pod in pods(kubectl, "web")} == before


# --- what is refused


def test_faults_are_named_as_kubernetes_names_them(kubectl: Kubectl) -> None:
    """The words of kube-apiserver, for the faults that people make."""

    def fault(**spec: object) -> str:
        return kubectl.fails("create", "-f", "-", stdin=json.dumps(workload("Deployment", "bad", **spec)))

    assert "spec.selector: Required value" in fault(selector=None)
    assert "`selector` does not match template `labels`" in fault(selector={"matchLabels": {"app": "other"}})
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in fault(replicas=-1)
    assert 'supported values: "Recreate", "RollingUpdate"' in fault(strategy={"type": "Slowly"})
    both = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}
    assert "may not be 0 when `maxSurge` is 0" in fault(strategy=both)
    recreate = {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}
    assert "may not be specified when strategy `type` is 'Recreate'" in fault(strategy=recreate)
    assert "must be greater than minReadySeconds" in fault(minReadySeconds=600, progressDeadlineSeconds=600)
    never = workload("Deployment", "bad")
    never["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    said = kubectl.fails("create", "-f", "-", stdin=json.dumps(never))
    assert 'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"' in said


def test_the_selector_stays(kubectl: Kubectl) -> None:
    """spec.selector is immutable; generation counts changes of the spec and of annotations, not of labels."""
    apply(kubectl, workload("Deployment", "web"))
    obj = workload("Deployment", "web", selector={"matchLabels": {"app": "other"}})
    obj["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    said = kubectl.fails("apply", "-f", "-", stdin=json.dumps(obj))
    assert "spec.selector: Invalid value" in said
    assert "field is immutable" in said

    def generation() -> int:
        return int(kubectl.ok("get", "deployment", "web", "-o", "jsonpath={.metadata.generation}"))

    before = generation()
    kubectl.ok("label", "deployment", "web", "team=one")
    assert generation() == before
    kubectl.ok("annotate", "deployment", "web", "note=one")
    assert generation() == before + 1


def test_default_roles_reach_workloads(kubectl: Kubectl) -> None:
    """edit may scale and roll out, view may only look."""
    for role in ("edit", "view"):
        kubectl.ok("create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}-user")
    apply(kubectl, workload("Deployment", "web"))
    kubectl.ok("scale", "deployment/web", "--replicas=2", "--as=edit-user")
    kubectl.ok("rollout", "restart", "deployment/web", "--as=edit-user")
    kubectl.ok("get", "deployments,replicasets,daemonsets", "--as=view-user")
    said = kubectl.fails("scale", "deployment/web", "--replicas=3", "--as=view-user")
    assert 'cannot patch resource "deployments/scale" in API group "apps"' in said
