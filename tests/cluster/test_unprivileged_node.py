"""A sandbox that is not root: it has one user to give, and the same confinement."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import _KUBECTLS, Kubectl
from .sandbox_process import SandboxProcess
from .test_workloads import Object, phase, pod

_NOBODY = 65534
_PYTHON = "/usr/bin/python3"  # this test's own interpreter may lie in root's home


def _same_python() -> bool:
    if not Path(_PYTHON).exists() or not shutil.which("setpriv"):
        return False
    program = "import sys; print(sys.version_info[:2])"
    done = subprocess.run([_PYTHON, "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip() == str(sys.version_info[:2])


pytestmark = [
    pytest.mark.embedded_only(reason="needs a kubelet that runs the pods as processes"),
    pytest.mark.skipif(
        os.getuid() != 0 or not _same_python(),
        reason=f"needs root, setpriv, and a {_PYTHON} of this version that another user can start",
    ),
]


@pytest.fixture(scope="module")
def node() -> Iterator[Kubectl]:
    import iambridge

    packages = [str(Path(iambridge.__file__).parents[1]), str(Path(pytest.__file__).parents[1])]
    with tempfile.TemporaryDirectory(prefix="ib-nobody-") as place:
        os.chown(place, _NOBODY, _NOBODY)
        started = SandboxProcess(
            Path(place) / "data",
            {"PYTHONPATH": os.pathsep.join(packages), "HOME": place},
            python=("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", _PYTHON),
        )
        tool = Kubectl(_KUBECTLS[-1], started.kubeconfig, Path(place))
        tool.ok("wait", "--for=create", "--timeout=60s", "serviceaccount/default")
        yield tool
        started.stop()


def test_a_hardened_pod_runs_as_the_node_s_own_user(node: Kubectl) -> None:
    """runAsNonRoot, and a runAsUser that is the node's own: no capability, a read-only root, its token readable."""
    security: Object = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": _NOBODY,
    }
    script = (
        "exec 2>&1; id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status; touch /tmp/x; echo kept > /work-here/x;"
        " cat /work-here/x; head -c 2 /var/run/secrets/kubernetes.io/serviceaccount/token; echo"
    )
    mounts = [{"name": "here", "mountPath": "/work-here"}]
    container = {"securityContext": security, "volumeMounts": mounts}
    volumes = [{"name": "here", "emptyDir": {"medium": "Memory"}}]
    made = node.run("apply", "-f", "-", stdin=pod("hard", script, container=container, volumes=volumes))
    assert (made.code, made.error) == (0, "")
    phase(node, "hard", "Succeeded")
    user, capabilities, no_new, refused, kept, token = node.ok("logs", "hard").splitlines()
    assert (user, capabilities.split()[1], no_new.split()[1]) == (str(_NOBODY), "0" * 16, "1")
    assert "Read-only file system" in refused
    assert (kept, token) == ("kept", "ey")


def test_another_user_is_refused_by_name(node: Kubectl) -> None:
    """It cannot be honoured, so it is not stored; groups are warned of."""
    said = node.fails("apply", "-f", "-", stdin=pod("other", "true", securityContext={"runAsUser": 4321}))
    assert f"spec.securityContext.runAsUser: Forbidden: this node runs every process as its own user, {_NOBODY}" in said
    made = node.run("apply", "-f", "-", stdin=pod("group", "true", securityContext={"fsGroup": 4321}))
    assert "Warning: spec.securityContext.fsGroup: not enforced" in made.error
    phase(node, "group", "Succeeded")
