"""`iambridge manifests authenticator` and the static pod: what kubectl kustomize prints, valid, with the least rights."""

import argparse
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightkube.models import apps_v1, core_v1, rbac_v1

from iambridge.adapters.manifests import manifest_files
from iambridge.cli import serve_authenticator
from iambridge.cli.main import main

from .test_manifests import KUBECTLS, faults

DEPLOY = Path(__file__).parents[3] / "deploy/authenticator"
MODELS: dict[str, Any] = {
    "ServiceAccount": core_v1.ServiceAccount, "ConfigMap": core_v1.ConfigMap, "DaemonSet": apps_v1.DaemonSet,
    "Role": rbac_v1.Role, "RoleBinding": rbac_v1.RoleBinding, "Pod": core_v1.Pod,
}  # fmt: skip
STATIC_POD = yaml.safe_load((DEPLOY / "static-pod/authenticator.yaml").read_text())


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["manifests", "authenticator", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("kubectl", KUBECTLS, ids=lambda path: "pinned" if ".venv" in path else "system")
def test_it_prints_what_kustomize_prints(kubectl: str, capsys: pytest.CaptureFixture[str]) -> None:
    """To the byte."""
    done = subprocess.run([kubectl, "kustomize", DEPLOY], capture_output=True, text=True, check=True)
    assert printed(capsys) == done.stdout


def test_every_object_is_of_its_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """No unknown field, none missing, each of its type; the static pod too."""
    documents = [*yaml.safe_load_all(printed(capsys)), STATIC_POD]
    assert {document["kind"] for document in documents} == set(MODELS)
    for document in documents:
        assert faults(document, MODELS[document["kind"]]) == []


def pods(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    daemon_set = next(one for one in yaml.safe_load_all(printed(capsys)) if one["kind"] == "DaemonSet")
    return [daemon_set["spec"]["template"]["spec"], STATIC_POD["spec"]]


def test_the_daemon_takes_the_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """Each flag of the manifests is one of `serve authenticator`, and it listens on loopback."""
    for pod in pods(capsys):
        container = pod["containers"][0]
        assert container["command"] == ["iambridge", "serve", "authenticator"]
        parser = argparse.ArgumentParser(allow_abbrev=False)
        serve_authenticator.add_arguments(parser)
        arguments = parser.parse_args(container["args"])
        assert (arguments.address, arguments.port) == ("127.0.0.1", 21362)
        probe = container["livenessProbe"]["httpGet"]
        assert (probe["host"], probe["port"], probe["scheme"]) == ("127.0.0.1", 21362, "HTTPS")
        mounted = {one["mountPath"] for one in container["volumeMounts"]}
        assert {str(arguments.state_dir), str(arguments.generate_kubeconfig.parent)} <= mounted


def test_the_pods_hold_nothing_that_they_do_not_need(capsys: pytest.CaptureFixture[str]) -> None:
    """Root for the host's directories, without any capability, on a root file system that cannot be written."""
    for pod in pods(capsys):
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["containers"][0]["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
        }  # fmt: skip
        assert pod["hostNetwork"] is True
        assert not pod.get("hostPID")
    assert "serviceAccountName" not in STATIC_POD["spec"]
    assert all("configMap" not in volume for volume in STATIC_POD["spec"]["volumes"])


def test_rights_are_the_least(capsys: pytest.CaptureFixture[str]) -> None:
    """Reads of named objects and the creation of Events, in one namespace."""
    documents = list(yaml.safe_load_all(printed(capsys)))
    assert not [one for one in documents if one["kind"].startswith("ClusterRole")]
    rules = [rule for one in documents if one["kind"] == "Role" for rule in one["rules"]]
    for rule in rules:
        if rule["resources"] == ["events"]:
            assert rule["verbs"] == ["create"]
        else:
            assert rule["resourceNames"]
            assert set(rule["verbs"]) <= {"get", "list", "watch"}


def test_the_cluster_id_is_put_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    """An id of digits stays a string; one that no header can carry, and another namespace, are refused by name."""
    documents = list(yaml.safe_load_all(printed(capsys, "--cluster-id", "123456789012")))
    assert next(one for one in documents if one["kind"] == "ConfigMap")["data"] == {"clusterID": "123456789012"}
    for words in (["--cluster-id", "a b"], ["--namespace", "elsewhere"]):
        assert main(["manifests", "authenticator", *words]) == 2
    assert main(["manifests", "webhook", "--cluster-id", "x"]) == 2
    assert set(manifest_files("authenticator")) >= {"static-pod/authenticator.yaml"}
