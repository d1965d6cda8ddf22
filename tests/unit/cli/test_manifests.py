"""`iambridge manifests`: what kubectl kustomize prints, valid by Kubernetes' schemas, with no more rights than needed."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from iambridge.adapters.manifests import manifest_files
from iambridge.cli.main import main
from iambridge.wire.kustomization import components_of

ROOT = Path(__file__).parents[3]
KUBECTLS = [path for path in (shutil.which("kubectl"), str(Path(sys.executable).with_name("kubectl"))) if path]
COMPONENTS = components_of(manifest_files("webhook"))
_CHOICES: list[list[str]] = [[], *([name] for name in COMPONENTS), list(COMPONENTS)]


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["manifests", "webhook", *words]) == 0
    return capsys.readouterr().out


def documents(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(printed(capsys, *words)))


def flags(components: list[str]) -> list[str]:
    return [word for name in components for word in ("--component", name)]


@pytest.mark.parametrize("kubectl", KUBECTLS, ids=lambda path: "pinned" if ".venv" in path else "system")
@pytest.mark.parametrize("namespace", ["", "elsewhere"])
@pytest.mark.parametrize("components", _CHOICES, ids=",".join)
def test_it_prints_what_kustomize_prints(
    kubectl: str, namespace: str, components: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the byte. kustomize moves no DNS names and no annotations: those of cert-manager are ours to move."""
    if namespace and {"cert-manager", "ca-bundle-policy"} & set(components):
        pytest.skip(
            "kustomize leaves DNS names and annotations, and gives cluster-scoped kinds it does not know a namespace"
        )
    shutil.copytree(ROOT / "deploy/webhook", tmp_path / "webhook")
    overlay: dict[str, Any] = {"resources": ["../webhook"]}
    if components:
        overlay["components"] = [f"../webhook/components/{name}" for name in components]
    if namespace:
        overlay["namespace"] = namespace
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay/kustomization.yaml").write_text(yaml.safe_dump(overlay))
    done = subprocess.run([kubectl, "kustomize", tmp_path / "overlay"], capture_output=True, text=True, check=True)
    words = [*flags(components), *(["--namespace", namespace] if namespace else [])]
    assert printed(capsys, *words) == done.stdout


def test_another_namespace_and_image_reach_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """No reference to the default namespace stays behind, whatever components are chosen."""
    text = printed(capsys, *flags(list(COMPONENTS)), "--namespace", "elsewhere", "--image", "example.org/iam:9")
    lines = [line.replace("iambridge-webhook", "").replace("webhook.iambridge", "") for line in text.splitlines()]
    assert [line for line in lines if "iambridge" in line] == [
        "        - iambridge",  # the command
        "          value: /run/iambridge",
        "        - mountPath: /run/iambridge",
    ]
    assert text.count("image: ") == 1
    assert "image: example.org/iam:9\n" in text


def test_components_are_listed_and_an_unknown_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The refusal names those that there are."""
    assert printed(capsys, "--list-components").split() == list(COMPONENTS)
    assert main(["manifests", "webhook", "--component", "nope"]) == 2
    assert "fix:   one of ca-bundle-policy, cert-manager" in capsys.readouterr().err


def test_the_image_is_named_in_one_place() -> None:
    """Besides the kustomization, the manifests say only which one is meant."""
    text = "".join(manifest_files("webhook").values())
    assert (
        text.count("newName:") == text.count("newTag:") == text.count("image: iambridge\n") == text.count("image:") == 1
    )


def test_rights_are_the_least(capsys: pytest.CaptureFixture[str]) -> None:
    """No create but of Events, no list of Secrets, no star; what is written is named."""
    for document in documents(capsys):
        for rule in document.get("rules", ()):
            assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
            if {"update", "patch", "delete"} & set(rule["verbs"]):
                assert rule["resourceNames"] == ["iambridge-webhook"]
            if "create" in rule["verbs"]:
                assert rule == {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}
            if "secrets" in rule["resources"]:
                assert rule["verbs"] == ["get", "update", "patch"]


def test_cert_manager_takes_the_rights_away(capsys: pytest.CaptureFixture[str]) -> None:
    """Who renews the certificate needs them; nobody else."""
    rules = [rule for one in documents(capsys, "--component", "cert-manager") for rule in one.get("rules", ())]
    assert not [rule for rule in rules if {"secrets", "leases"} & set(rule["resources"])]
    assert not [rule for rule in rules if "patch" in rule["verbs"]]


def test_the_pod_is_restricted(capsys: pytest.CaptureFixture[str]) -> None:
    """By the restricted Pod Security Standard, with a root file system that cannot be written."""
    deployment = next(one for one in documents(capsys) if one["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "https", "scheme": "HTTPS"}
    assert deployment["spec"]["replicas"] == 2
    delay = next(word for word in container["args"] if word.startswith("--shutdown-delay="))
    assert int(delay.removeprefix("--shutdown-delay=").removesuffix("s")) + 30 < pod["terminationGracePeriodSeconds"]


def test_the_daemon_takes_the_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """Each flag of the manifests is one of `serve webhook`."""
    import argparse

    from iambridge.cli import serve_webhook

    for components in _CHOICES:
        deployment = next(one for one in documents(capsys, *flags(components)) if one["kind"] == "Deployment")
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        assert container["command"] == ["iambridge", "serve", "webhook"]
        parser = argparse.ArgumentParser(allow_abbrev=False)
        serve_webhook.add_arguments(parser)
        serve_webhook.refuse(parser.parse_args(container["args"]))


_MODULES = {
    "v1": "core_v1", "apps/v1": "apps_v1", "rbac.authorization.k8s.io/v1": "rbac_v1", "policy/v1": "policy_v1",
    "coordination.k8s.io/v1": "coordination_v1", "networking.k8s.io/v1": "networking_v1",
    "admissionregistration.k8s.io/v1": "admissionregistration_v1",
}  # fmt: skip


def faults(document: Any, model: Any) -> list[str]:
    """Where `document` is not of Kubernetes' OpenAPI schema, as lightkube's models spell it."""
    try:
        typed = msgspec.convert(document, model)
    except msgspec.ValidationError as error:
        return [str(error)]
    return unknown(document, msgspec.to_builtins(typed), "$")


def unknown(document: Any, known: Any, path: str) -> list[str]:
    """The fields that the schema does not know."""
    if isinstance(document, dict):
        found = [f"{path}.{key}" for key in document if key not in known]
        return found + [
            one for key in document if key in known for one in unknown(document[key], known[key], f"{path}.{key}")
        ]
    if isinstance(document, list):
        return [one for index, item in enumerate(document) for one in unknown(item, known[index], f"{path}[{index}]")]
    return []


def test_every_object_is_of_its_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """No unknown field, none missing, each of its type, in the base and in every component."""
    seen = set()
    for document in documents(capsys, *flags(list(COMPONENTS))):
        module = _MODULES.get(document["apiVersion"])
        if module is None:
            continue
        model = getattr(importlib.import_module(f"lightkube.models.{module}"), document["kind"])
        assert faults(document, model) == []
        seen.add(document["kind"])
    assert seen >= {"PodDisruptionBudget", "NetworkPolicy", "ValidatingAdmissionPolicy", "Deployment", "Lease"}


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"nope": 1}, ["$.spec.nope"]),
        ({"unhealthyPodEvictionPolicy": 1}, ["Expected `str | null`, got `int` - at `$.spec.unhealthyPodEvictionPolicy`"]),
        ({"selector": {"matchExpressions": [{"key": "a"}]}}, ["Object missing required field `operator` - at `$.spec.selector.matchExpressions[0]`"]),
    ],
)  # fmt: skip
def test_the_check_of_schemas_can_fail(spec: dict[str, Any], found: list[str]) -> None:
    """Unknown, mistyped and missing fields are found."""
    from lightkube.models.policy_v1 import PodDisruptionBudget

    assert faults({"spec": spec}, PodDisruptionBudget) == found


def test_custom_resources_are_of_their_documented_shape(capsys: pytest.CaptureFixture[str]) -> None:
    """The Prometheus operator's and cert-manager's: fields of their API references, and references that meet."""
    found = {(one["kind"], one["apiVersion"]): one for one in documents(capsys, *flags(list(COMPONENTS)))}
    monitor = found["ServiceMonitor", "monitoring.coreos.com/v1"]["spec"]
    assert set(monitor) == {"selector", "endpoints"}
    assert set(monitor["endpoints"][0]) <= {"port", "path", "scheme", "interval", "scrapeTimeout"}
    services = [one for one in documents(capsys, *flags(list(COMPONENTS))) if one["kind"] == "Service"]
    wanted = monitor["selector"]["matchLabels"].items()
    chosen = [one for one in services if wanted <= one["metadata"]["labels"].items()]
    assert [port["name"] for one in chosen for port in one["spec"]["ports"]] == [monitor["endpoints"][0]["port"]]
    issuer, certificate = found["Issuer", "cert-manager.io/v1"], found["Certificate", "cert-manager.io/v1"]
    assert issuer["spec"] == {"selfSigned": {}}
    spec = certificate["spec"]
    assert set(spec) == {"secretName", "dnsNames", "duration", "renewBefore", "privateKey", "issuerRef"}
    assert spec["issuerRef"] == {"name": issuer["metadata"]["name"], "kind": "Issuer", "group": "cert-manager.io"}
    metadata = certificate["metadata"]
    configuration = found["MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1"]
    assert configuration["metadata"]["annotations"] == {
        "cert-manager.io/inject-ca-from": f"{metadata['namespace']}/{metadata['name']}"
    }
    pod = found["Deployment", "apps/v1"]["spec"]["template"]["spec"]
    assert {"name": "certificate", "secret": {"secretName": spec["secretName"]}} in pod["volumes"]
    assert "--self-managed-tls=false" in pod["containers"][0]["args"]
