"""A pod's process gets nothing of the credentials that lie around where `iambridge up` runs."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .conftest import _KUBECTLS, Kubectl
from .sandbox_process import SandboxProcess

pytestmark = pytest.mark.embedded_only(reason="needs a kubelet that runs the pods")

_LOOK = """
import json, os, botocore.session
found = botocore.session.Session().get_credentials()
print(json.dumps({"environment": dict(os.environ), "found": found and [found.method, found.access_key]}))
"""
_PLANTED = "AKIAPLANTEDPLANTED00"


class _Metadata(BaseHTTPRequestHandler):
    """Instance metadata with a role's credentials; notes each request."""

    asked: list[str]

    def do_PUT(self) -> None:
        self._answer("a-token")

    def do_GET(self) -> None:
        keys = {"Code": "Success", "AccessKeyId": _PLANTED, "SecretAccessKey": "s", "Token": "t"}
        keys["Expiration"] = "2099-01-01T00:00:00Z"
        self._answer("role" if self.path.endswith("/security-credentials/") else json.dumps(keys))

    def _answer(self, text: str) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def metadata() -> Iterator[tuple[str, list[str]]]:
    """The URL of a planted metadata server, and the paths it was asked for."""
    handler = type("Metadata", (_Metadata,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler.asked  # type: ignore[attr-defined]  # set two lines above
    server.shutdown()
    thread.join()
    server.server_close()


def _home(directory: Path) -> Path:
    (directory / ".aws").mkdir(parents=True)
    keys = f"[default]\naws_access_key_id = {_PLANTED}\naws_secret_access_key = s\n"
    (directory / ".aws/credentials").write_text(keys)
    return directory


def _look(environment: dict[str, str]) -> object:
    """What an AWS SDK finds in `environment`, to prove that the bait is good."""
    done = subprocess.run([sys.executable, "-c", _LOOK], env=environment, capture_output=True, check=True)
    return json.loads(done.stdout)["found"]


def test_a_pod_sees_no_credentials_of_the_machine(tmp_path: Path, metadata: tuple[str, list[str]]) -> None:
    """Keys in the environment, in ~/.aws and at a metadata server all serve the one who starts `up`, and no pod."""
    home = _home(tmp_path / "home")
    url, asked = metadata
    at_metadata = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url}
    keys = {"AWS_ACCESS_KEY_ID": _PLANTED, "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    assert _look(keys) == ["env", _PLANTED]
    assert _look({"HOME": str(home)}) == ["shared-credentials-file", _PLANTED]
    assert _look({**at_metadata, "HOME": str(tmp_path)}) == ["iam-role", _PLANTED]
    asked.clear()
    planted = {**keys, **at_metadata, "HOME": str(home), "AWS_PROFILE": "default", "PLANTED": "yes"}
    sandbox = SandboxProcess(tmp_path / "data", planted)
    try:
        kubectl = Kubectl(_KUBECTLS[-1], sandbox.kubeconfig, tmp_path)
        kubectl.ok("wait", "--for=create", "--timeout=60s", "serviceaccount/default")
        container = {"name": "main", "image": "example", "command": [sys.executable, "-c", _LOOK]}
        spec = {"restartPolicy": "Never", "containers": [container]}
        looking = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "looking"}, "spec": spec}
        kubectl.ok("apply", "-f", "-", stdin=json.dumps(looking))
        kubectl.ok("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/looking", "--timeout=60s")
        seen = json.loads(kubectl.ok("logs", "looking"))
        said = kubectl.ok("get", "events", "-o", "jsonpath={.items[?(@.reason=='NodeEnvironment')].message}")
    finally:
        sandbox.stop()
    assert seen["found"] is None
    assert asked == []
    environment = seen["environment"]
    # LC_CTYPE is set by the Python of the pod itself
    node = {name for name in environment if name.startswith(("AWS_", "KUBERNETES_")) or name == "NODE_EXTRA_CA_CERTS"}
    assert set(environment) - node <= {"PATH", "HOME", "TMPDIR", "LC_CTYPE"}
    assert environment["HOME"].startswith(str(tmp_path / "data/pods"))
    assert not {*keys, *at_metadata, "AWS_PROFILE"} & set(environment)
    assert _PLANTED not in json.dumps(environment)
    assert all(name in said for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_REGION"))
