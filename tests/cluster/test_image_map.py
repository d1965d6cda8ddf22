"""Images without a container runtime: the user's map, our own image, and no guess."""

import json
import os
from collections.abc import Iterator

import pytest

from iambridge import __version__

from .conftest import _KUBECTLS, Kubectl
from .plumbing import eventually
from .sandbox_process import SandboxProcess
from .test_workloads import Object, phase

pytestmark = pytest.mark.embedded_only(reason="needs a kubelet that runs the pods as processes")
_MAP = """
images:
  - image: amazon/aws-cli
    command: [aws]
    env: {AWS_PAGER: "", FROM_IMAGE: image, FROM_BOTH: image}
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    place = tmp_path_factory.mktemp("images")
    (place / "images.yaml").write_text(_MAP)
    started = SandboxProcess(place / "data", None, "--image-map", str(place / "images.yaml"))
    tool = Kubectl(_KUBECTLS[-1], started.kubeconfig, place)
    tool.ok("wait", "--for=create", "--timeout=60s", "serviceaccount/default")
    yield tool
    started.stop()


def image(name: str, image: str, **fields: object) -> str:
    spec: Object = {"restartPolicy": "Never", "containers": [{"name": "main", "image": image, **fields}]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def test_an_image_of_the_map_runs_by_its_args(node: Kubectl) -> None:
    """`image: amazon/aws-cli` with args is this machine's aws, of the tag that the manifest likes."""
    node.ok("apply", "-f", "-", stdin=image("cli", "amazon/aws-cli:2.31.0", args=["--version"]))
    phase(node, "cli", "Succeeded")
    assert node.ok("logs", "cli").startswith("aws-cli/")
    assert "running ['aws', '--version'] as a host process" in node.ok("describe", "pod", "cli")


def test_our_own_image_is_this_installation(node: Kubectl) -> None:
    """The image of our deploy manifests runs, hardened as they are."""
    fields: Object = {"args": ["--version"]}
    if os.getuid() == 0:
        fields["securityContext"] = {"runAsNonRoot": True, "allowPrivilegeEscalation": False}
    node.ok("apply", "-f", "-", stdin=image("ours", "registry.example/iambridge:0.0", **fields))
    phase(node, "ours", "Succeeded")
    assert __version__ in node.ok("logs", "ours")


def test_the_pod_s_own_variables_replace_the_image_s(node: Kubectl) -> None:
    """env of the map is where the pod starts from, as with an image."""
    env = [{"name": "FROM_BOTH", "value": "pod"}]
    script = ["sh", "-c", "echo $FROM_IMAGE $FROM_BOTH"]
    node.ok("apply", "-f", "-", stdin=image("both", "amazon/aws-cli", command=script, env=env))
    phase(node, "both", "Succeeded")
    assert node.ok("logs", "both") == "image pod\n"


def test_an_image_that_is_not_mapped_waits_with_the_fix(node: Kubectl) -> None:
    """No command and no entry: the reason and both ways out stand in the status."""
    node.ok("apply", "-f", "-", stdin=image("unknown", "nginx"))

    def waiting() -> Object:
        statuses = node.json("get", "pod", "unknown")["status"].get("containerStatuses") or [{"state": {}}]
        return dict(statuses[0]["state"].get("waiting") or {})

    eventually(lambda: waiting().get("reason") == "CreateContainerConfigError")
    assert waiting()["message"] == (
        "embedded node has no container runtime: image nginx is not pulled;"
        " give the container a command, or map the image with iambridge up --image-map FILE"
    )
