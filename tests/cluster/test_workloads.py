"""Pods and Jobs as people run them with kubectl, on a whole sandbox."""

import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from .conftest import Kubectl
from .plumbing import eventually

pytestmark = pytest.mark.embedded_only(reason="needs a kubelet that runs the pods")

Object = dict[str, Any]


def pod(name: str, script: str, *, container: Object | None = None, **spec: object) -> str:
    """A pod of one container that runs `script`; `container` and `spec` add fields."""
    own = {"name": "main", "image": "example", "command": ["sh", "-c", script], **(container or {})}
    whole = {"restartPolicy": "Never", "containers": [own], **spec}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole})


def job(name: str, script: str, **spec: object) -> str:
    """A Job of pods that run `script`; `spec` adds fields."""
    template = {"spec": json.loads(pod(name, script))["spec"]}
    whole = {"template": template, **spec}
    return json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": whole})


def phase(node: Kubectl, name: str, wanted: str) -> None:
    node.ok("wait", f"--for=jsonpath={{.status.phase}}={wanted}", f"pod/{name}", "--timeout=60s")


def _main(node: Kubectl, name: str) -> Object:
    statuses = node.json("get", "pod", name)["status"].get("containerStatuses") or [{}]
    return dict(statuses[0])


def events(node: Kubectl, reason: str) -> list[str]:
    return [each["message"] for each in node.json("get", "events")["items"] if each["reason"] == reason]


def running(marker: str) -> list[int]:
    """Process ids of those that have `marker` in their command line, zombies left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in words and not words.startswith(b"kubectl"):
                found.append(int(entry.name))
    return found


# --- Jobs


def test_a_job_runs_as_many_pods_as_completions_ask_for(node: Kubectl) -> None:
    """completions 3 with parallelism 2: three pods succeed and the Job is Complete."""
    node.ok("apply", "-f", "-", stdin=job("three", "true", completions=3, parallelism=2))
    node.ok("wait", "--for=condition=complete", "job/three", "--timeout=60s")
    assert node.json("get", "job", "three")["status"]["succeeded"] == 3
    pods = node.json("get", "pods", "-l", "job-name=three")["items"]
    assert [each["status"]["phase"] for each in pods] == ["Succeeded"] * 3
    assert all("finalizers" not in each["metadata"] for each in pods)


def test_never_more_pods_than_parallelism(node: Kubectl) -> None:
    """With parallelism 2 of 4 completions, two pods are active and no third is made."""
    node.ok("apply", "-f", "-", stdin=job("two", "sleep 300", completions=4, parallelism=2))
    node.ok("wait", "--for=jsonpath={.status.ready}=2", "job/two", "--timeout=60s")
    assert len(node.json("get", "pods", "-l", "job-name=two")["items"]) == 2


def test_a_job_fails_at_its_backoff_limit_and_its_log_stays(node: Kubectl) -> None:
    """backoffLimit 0: one failure ends the Job, and the failed pod's log can still be read."""
    node.ok("apply", "-f", "-", stdin=job("fails", "echo it broke; exit 3", backoffLimit=0))
    node.ok("wait", "--for=condition=failed", "job/fails", "--timeout=60s")
    conditions = node.json("get", "job", "fails")["status"]["conditions"]
    assert [each["reason"] for each in conditions if each["type"] == "Failed"] == ["BackoffLimitExceeded"]
    assert node.ok("logs", "job/fails") == "it broke\n"
    (one,) = node.json("get", "pods", "-l", "job-name=fails")["items"]
    assert one["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


def test_a_job_ends_at_its_deadline(node: Kubectl) -> None:
    """activeDeadlineSeconds ends the pods that run, and the Job as DeadlineExceeded."""
    marker = f"3{uuid.uuid4().int % 10**9}"
    node.ok("apply", "-f", "-", stdin=job("late", f"sleep {marker}", activeDeadlineSeconds=1))
    node.ok("wait", "--for=condition=failed", "job/late", "--timeout=60s")
    conditions = node.json("get", "job", "late")["status"]["conditions"]
    assert [each["reason"] for each in conditions if each["type"] == "Failed"] == ["DeadlineExceeded"]
    eventually(lambda: running(marker) == [])


def test_a_finished_job_goes_after_its_ttl_with_its_pods(node: Kubectl) -> None:
    """ttlSecondsAfterFinished 0: nothing is left of the Job once it has ended."""
    node.ok("apply", "-f", "-", stdin=job("brief", "true", ttlSecondsAfterFinished=0))
    node.ok("wait", "--for=delete", "job/brief", "--timeout=60s")
    eventually(lambda: node.json("get", "pods", "-l", "job-name=brief")["items"] == [])


def test_a_deleted_pod_of_a_job_is_replaced(node: Kubectl) -> None:
    """A Job whose pod was deleted makes another, and does not stall."""
    node.ok("apply", "-f", "-", stdin=job("again", "sleep 300"))
    node.ok("wait", "--for=jsonpath={.status.ready}=1", "job/again", "--timeout=60s")
    (first,) = node.json("get", "pods", "-l", "job-name=again")["items"]
    node.ok("delete", "pod", first["metadata"]["name"], "--grace-period=1")

    def replaced() -> bool:
        names = {each["metadata"]["name"] for each in node.json("get", "pods", "-l", "job-name=again")["items"]}
        return bool(names - {first["metadata"]["name"]})

    eventually(replaced)


# --- logs


def test_logs_can_be_cut_dated_and_followed(node: Kubectl) -> None:
    """--tail, --since-time, --timestamps, --limit-bytes cut the log; -f goes on to the container's end."""
    node.ok("apply", "-f", "-", stdin=pod("talks", "echo one; echo two; sleep 1; echo three"))
    node.ok("wait", "--for=condition=ready", "pod/talks", "--timeout=60s")
    assert node.ok("logs", "-f", "talks") == "one\ntwo\nthree\n"
    assert node.ok("logs", "--tail=1", "talks") == "three\n"
    assert node.ok("logs", "--limit-bytes=5", "talks") == "one\nt"
    dated = [line.split(" ", 1) for line in node.ok("logs", "--timestamps", "talks").splitlines()]
    assert [words for _, words in dated] == ["one", "two", "three"]
    assert node.ok("logs", f"--since-time={dated[2][0]}", "talks") == "three\n"
    assert node.ok("logs", "--since=1h", "talks") == "one\ntwo\nthree\n"


def test_the_log_of_the_start_before(node: Kubectl) -> None:
    """--previous shows the log of the container's earlier start."""
    script = "if [ -e $HOME/ran ]; then echo second; sleep 300; fi; touch $HOME/ran; echo first; exit 1"
    node.ok("apply", "-f", "-", stdin=pod("twice", script, restartPolicy="OnFailure"))
    node.ok("wait", "--for=condition=ready", "pod/twice", "--timeout=60s")
    eventually(lambda: node.run("logs", "--previous", "twice").out == "first\n")
    eventually(lambda: node.run("logs", "twice").out == "second\n")
    assert _main(node, "twice")["restartCount"] == 1


def test_a_container_that_cannot_be_configured_has_no_log(node: Kubectl) -> None:
    """Without a command and without an entry of the image map the reason stands in the status, and logs say why not."""
    nothing = json.loads(pod("idle", ""))
    del nothing["spec"]["containers"][0]["command"]
    node.ok("apply", "-f", "-", stdin=json.dumps(nothing))
    eventually(lambda: "CreateContainerConfigError" in json.dumps(_main(node, "idle")))
    assert "command" in _main(node, "idle")["state"]["waiting"]["message"]
    assert "is waiting to start: CreateContainerConfigError" in node.fails("logs", "idle")


# --- the end of a pod


def test_a_pod_that_heeds_sigterm_ends_at_once(node: Kubectl) -> None:
    """Deletion sends SIGTERM first: a process that traps it ends by itself within its grace."""
    done = node.kubeconfig.parent / f"done-{uuid.uuid4().hex}"
    script = f"trap 'echo bye > {done}; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    node.ok("apply", "-f", "-", stdin=pod("polite", script))
    eventually(lambda: node.run("logs", "polite").out == "up\n")
    node.ok("delete", "pod", "polite", "--grace-period=90", "--timeout=60s")
    assert done.read_text() == "bye\n"


def test_a_pod_that_ignores_sigterm_is_killed_with_its_children(node: Kubectl) -> None:
    """After the grace the whole process group gets SIGKILL, the children that the shell made too."""
    marker = f"3{uuid.uuid4().int % 10**9}"
    node.ok("apply", "-f", "-", stdin=pod("stubborn", f"trap '' TERM; sleep {marker} & echo up; wait; wait"))
    eventually(lambda: node.run("logs", "stubborn").out == "up\n")
    assert running(marker)
    node.ok("delete", "pod", "stubborn", "--grace-period=1", "--timeout=60s")
    eventually(lambda: running(marker) == [])


def test_a_container_that_fails_again_backs_off(node: Kubectl) -> None:
    """The second failure is followed by CrashLoopBackOff with the delay in its words."""
    node.ok("apply", "-f", "-", stdin=pod("crash", "exit 1", restartPolicy="Always"))
    eventually(lambda: "CrashLoopBackOff" in json.dumps(_main(node, "crash").get("state")))
    state = _main(node, "crash")
    assert state["state"]["waiting"]["message"].startswith("back-off 10s restarting failed container=main pod=crash_")
    assert state["lastState"]["terminated"]["exitCode"] == 1
    assert state["restartCount"] == 1


def test_a_namespace_takes_all_with_it(node: Kubectl) -> None:
    """Deleting a namespace ends its pods' processes and leaves no object in it."""
    marker = f"3{uuid.uuid4().int % 10**9}"
    doomed = f"doomed-{uuid.uuid4().hex[:8]}"
    node.ok("create", "namespace", doomed)
    node.ok("wait", "--for=create", "--timeout=60s", "serviceaccount/default", "--namespace", doomed)
    within = node.within(doomed)
    within.ok("create", "configmap", "one")
    within.ok("apply", "-f", "-", stdin=job("long", f"sleep {marker}"))
    eventually(lambda: bool(running(marker)))
    node.ok("delete", "namespace", doomed, "--timeout=60s")
    assert running(marker) == []
    for kind in ("pods", "jobs", "configmaps", "serviceaccounts", "events"):
        assert within.json("get", kind)["items"] == []


# --- garbage collection


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_dependents_go_with_their_owner(node: Kubectl, cascade: str) -> None:
    """Foreground and background deletion of a Job both take its pods."""
    node.ok("apply", "-f", "-", stdin=job("owner", "sleep 300"))
    node.ok("wait", "--for=jsonpath={.status.ready}=1", "job/owner", "--timeout=60s")
    node.ok("delete", "job", "owner", f"--cascade={cascade}", "--timeout=60s")
    if cascade == "foreground":
        assert node.json("get", "pods")["items"] == []
    eventually(lambda: node.json("get", "pods")["items"] == [], seconds=50)


def test_orphans_stay_and_belong_to_nobody(node: Kubectl) -> None:
    """--cascade=orphan leaves the pods running, without owner and without the Job's finalizer."""
    node.ok("apply", "-f", "-", stdin=job("owner", "sleep 300"))
    node.ok("wait", "--for=jsonpath={.status.ready}=1", "job/owner", "--timeout=60s")
    node.ok("delete", "job", "owner", "--cascade=orphan", "--timeout=60s")

    def free() -> bool:
        (one,) = node.json("get", "pods")["items"]
        return "ownerReferences" not in one["metadata"] and "finalizers" not in one["metadata"]

    eventually(free)
    assert node.json("get", "pods")["items"][0]["status"]["phase"] == "Running"


# --- what is refused, what is said


@pytest.mark.parametrize("kind", ["persistentVolumeClaim", "csi", "nfs"])
def test_volumes_that_are_not_there_are_refused_by_name(node: Kubectl, kind: str) -> None:
    """A volume type that the node does not have is a 422 that names the field."""
    source = {
        "persistentVolumeClaim": {"claimName": "c"},
        "csi": {"driver": "d"},
        "nfs": {"server": "s", "path": "/"},
    }[kind]
    said = node.fails("apply", "-f", "-", stdin=pod("stores", "true", volumes=[{"name": "v", kind: source}]))
    assert f"spec.volumes[0].{kind}" in said


def test_node_and_pod_say_that_this_is_not_a_sandbox(node: Kubectl) -> None:
    """`describe node` and `describe pod` say in words that pods are host processes."""
    described = node.ok("describe", "node")
    assert "not a sandbox: pods are processes of this machine" in described
    assert "Starting kubelet; pods are host processes, this is not a sandbox" in described
    wide = node.ok("get", "nodes", "-o", "wide")
    assert "Ready" in wide
    assert "process://" in wide
    node.ok("apply", "-f", "-", stdin=pod("plain", "true"))
    phase(node, "plain", "Succeeded")
    assert "as a host process" in node.ok("describe", "pod", "plain")
