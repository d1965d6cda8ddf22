"""Each pod's own address and its readiness, as a Deployment's replicas behind one port need them."""

import datetime as dt
import ipaddress
import json
import ssl
import sys
import urllib.request
from pathlib import Path

import pytest

from iambridge.adapters.certificates import CertificateAuthority

from .conftest import Kubectl
from .plumbing import eventually
from .test_workloads import Object, events, phase, pod

pytestmark = [
    pytest.mark.embedded_only(reason="needs a kubelet that runs the pods as processes"),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers on every loopback address"),
]
_SERVER = """
import http.server, os, ssl, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = os.path.exists(sys.argv[3])
        self.send_response(200 if ready and self.path == "/readyz" else 503)
        self.end_headers()
        self.wfile.write(os.environ["POD_NAME"].encode())
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer((os.environ["POD_IP"], int(sys.argv[1])), Answer)
if sys.argv[2]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate and its key in one file, for a name that no pod has."""
    authority = CertificateAuthority(tmp_path / "pki", name="test", now=dt.datetime.now(dt.UTC))
    leaf = authority.leaf("server", hosts=("pods.example",))
    both = tmp_path / "server.pem"
    both.write_bytes(leaf.certificate.read_bytes() + leaf.key.read_bytes())
    return both


def serving(name: str, gate: Path, probe: Object, certificate: Path | str = "") -> str:
    """A pod that serves on port 8443 of its own address, ready while `gate` exists."""
    fields = {"POD_IP": "status.podIP", "POD_NAME": "metadata.name"}
    container = {
        "command": [sys.executable, "-c", _SERVER, "8443", str(certificate), str(gate)],
        "ports": [{"name": "web", "containerPort": 8443}],
        "env": [{"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in fields.items()],
        "readinessProbe": {"periodSeconds": 1, **probe},
    }
    return pod(name, "", container=container)


def ready(node: Kubectl, name: str) -> dict[str, str]:
    status = node.json("get", "pod", name)["status"]
    return {
        each["type"]: each["status"] for each in status["conditions"] if each["type"] in ("Ready", "ContainersReady")
    }


def test_replicas_serve_one_port_each_at_its_own_address(node: Kubectl, tmp_path: Path, certificate: Path) -> None:
    """Two pods bind the same port at $(POD_IP); each is reached at its status.podIP, and both addresses are the node's."""
    gate = tmp_path / "gate"
    gate.touch()
    probe = {"httpGet": {"path": "/readyz", "port": "web", "scheme": "HTTPS"}}
    for name in ("one", "two"):
        node.ok("apply", "-f", "-", stdin=serving(name, gate, probe, certificate))
    node.ok("wait", "--for=condition=ready", "pod/one", "pod/two", "--timeout=60s")
    (this,) = node.json("get", "nodes")["items"]
    network = ipaddress.ip_network(this["spec"]["podCIDR"])
    for name in ("one", "two"):
        address = node.json("get", "pod", name)["status"]["podIP"]
        assert ipaddress.ip_address(address) in network
        with urllib.request.urlopen(
            f"https://{address}:8443/readyz", context=ssl._create_unverified_context()
        ) as answer:
            assert answer.read().decode() == name
    assert len({each["status"]["podIP"] for each in node.json("get", "pods")["items"]}) == 2


def test_a_pod_is_ready_while_its_probe_passes(node: Kubectl, tmp_path: Path) -> None:
    """Not before it first passes, no longer after failureThreshold failures, with an event that says why."""
    gate = tmp_path / "gate"
    probe = {"httpGet": {"path": "/readyz", "port": 8443}, "failureThreshold": 1}
    node.ok("apply", "-f", "-", stdin=serving("turns", gate, probe))
    unhealthy = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    eventually(lambda: unhealthy in events(node, "Unhealthy"))
    assert ready(node, "turns") == {"Ready": "False", "ContainersReady": "False"}
    assert node.ok("get", "pod", "turns", "--no-headers").split()[1:3] == ["0/1", "Running"]
    gate.touch()
    node.ok("wait", "--for=condition=ready", "pod/turns", "--timeout=60s")
    assert node.ok("get", "pod", "turns", "--no-headers").split()[1] == "1/1"
    gate.unlink()
    eventually(lambda: ready(node, "turns") == {"Ready": "False", "ContainersReady": "False"})
    (main,) = node.json("get", "pod", "turns")["status"]["containerStatuses"]
    assert (main["ready"], main["started"], main["restartCount"]) == (False, True, 0)


def test_readiness_gates_are_for_others_to_open(node: Kubectl) -> None:
    """A pod is Ready when each gate's condition is true as well; the kubelet leaves the conditions of others alone."""
    gates = [{"conditionType": "target-health.example/hook"}]
    node.ok("apply", "-f", "-", stdin=pod("gated", "exec sleep 300", readinessGates=gates))
    node.ok("wait", "--for=condition=ContainersReady", "pod/gated", "--timeout=60s")

    def condition(kind: str) -> Object:
        conditions = node.json("get", "pod", "gated")["status"]["conditions"]
        return next((each for each in conditions if each["type"] == kind), {})

    assert condition("Ready")["reason"] == "ReadinessGatesNotReady"
    words = 'corresponding condition of pod readiness gate "target-health.example/hook" does not exist.'
    assert condition("Ready")["message"] == words
    assert node.ok("get", "pod", "gated", "-o", "wide", "--no-headers").split()[-1] == "0/1"
    for status, ready in (("True", "true"), ("False", "false"), ("True", "true")):
        opened = {"status": {"conditions": [{"type": "target-health.example/hook", "status": status}]}}
        node.ok("patch", "pod", "gated", "--subresource=status", "-p", json.dumps(opened))
        node.ok("wait", f"--for=condition=ready={ready}", "pod/gated", "--timeout=60s")
        assert condition("target-health.example/hook")["status"] == status
    assert "reason" not in condition("Ready")
    assert node.ok("get", "pod", "gated", "-o", "wide", "--no-headers").split()[-1] == "1/1"


def test_nobody_listens_is_a_failed_probe(node: Kubectl) -> None:
    """A refused connection is told in the kubelet's words, over TCP and HTTP alike."""
    http = {"readinessProbe": {"httpGet": {"port": 9, "path": "/x"}, "periodSeconds": 1}}
    tcp = {"readinessProbe": {"tcpSocket": {"port": 9}, "periodSeconds": 1}}
    node.ok("apply", "-f", "-", stdin=pod("http", "exec sleep 300", container=http))
    node.ok("apply", "-f", "-", stdin=pod("tcp", "exec sleep 300", container=tcp))
    refused = "connect: connection refused"
    eventually(lambda: len(events(node, "Unhealthy")) >= 2)
    by_name = {name: node.json("get", "pod", name)["status"]["podIP"] for name in ("http", "tcp")}
    assert set(events(node, "Unhealthy")) == {
        f'Readiness probe failed: Get "http://{by_name["http"]}:9/x": dial tcp {by_name["http"]}:9: {refused}',
        f"Readiness probe failed: dial tcp {by_name['tcp']}:9: {refused}",
    }


def test_the_downward_api_tells_where_a_pod_is(node: Kubectl) -> None:
    """fieldRef gives addresses, node, names and account as the status and the spec have them, in env and in volumes."""
    paths = ["status.podIP", "status.podIPs", "status.hostIP", "spec.nodeName", "spec.serviceAccountName"]
    paths += ["metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels['app']"]
    env = [{"name": f"F{number}", "valueFrom": {"fieldRef": {"fieldPath": path}}} for number, path in enumerate(paths)]
    items = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    container = {"env": env, "volumeMounts": [{"name": "down", "mountPath": "/run/down"}]}
    script = " ".join(["echo", *(f'"$F{number}"' for number in range(len(paths)))]) + "; cat /run/down/labels"
    one = json.loads(
        pod("told", script, container=container, volumes=[{"name": "down", "downwardAPI": {"items": items}}])
    )
    one["metadata"]["labels"] = {"app": "x"}
    node.ok("apply", "-f", "-", stdin=json.dumps(one))
    phase(node, "told", "Succeeded")
    stored = node.json("get", "pod", "told")
    status, metadata = stored["status"], stored["metadata"]
    expected = [status["podIP"], status["podIPs"][0]["ip"], status["hostIP"], stored["spec"]["nodeName"], "default"]
    expected += ["told", metadata["namespace"], metadata["uid"], "x"]
    assert node.ok("logs", "told").splitlines() == [" ".join(expected), 'app="x"']
    assert status["hostIP"] == "127.0.0.1" != status["podIP"]


def test_a_pod_of_the_host_network_has_the_host_s_address(node: Kubectl) -> None:
    """hostNetwork: true: podIP is hostIP, and no warning is needed."""
    made = node.run("apply", "-f", "-", stdin=pod("host", "exec sleep 300", hostNetwork=True))
    assert (made.code, made.error) == (0, "")
    node.ok("wait", "--for=condition=ready", "pod/host", "--timeout=60s")
    status = node.json("get", "pod", "host")["status"]
    assert status["podIP"] == status["hostIP"] == "127.0.0.1"


def test_probes_that_are_not_run_are_refused_or_named(node: Kubectl) -> None:
    """A readiness probe by exec is refused; a liveness probe is accepted with a warning that it is not run."""
    by_exec = {"readinessProbe": {"exec": {"command": ["true"]}}}
    said = node.fails("apply", "-f", "-", stdin=pod("bad", "true", container=by_exec))
    assert "spec.containers[0].readinessProbe.exec: Forbidden: this node has readiness probes by httpGet and" in said
    lively = {"livenessProbe": {"tcpSocket": {"port": 9}}}
    made = node.run("apply", "-f", "-", stdin=pod("lively", "true", container=lively))
    assert "spec.containers[0].livenessProbe: not run by this node" in made.error
    nothing = {"readinessProbe": {"periodSeconds": 3}}
    said = node.fails("apply", "-f", "-", stdin=pod("bad", "true", container=nothing))
    assert "spec.containers[0].readinessProbe: Required value: must specify a handler type" in said
