"""Services as targets of admission webhooks: what kubectl sees of them, and how a call reaches a ready pod."""

import base64
import datetime as dt
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iambridge.adapters.certificates import CertificateAuthority

from .conftest import Kubectl
from .plumbing import eventually
from .test_workloads import Object, pod

pytestmark = [
    pytest.mark.embedded_only(reason="Services here have no network, and pods are processes"),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers on every loopback address"),
]
# answers reviews with the pod's name as an annotation, and a GET while the file of the pod's name exists
_WEBHOOK = """
import base64, http.server, json, os, ssl, sys
certificate, gates = sys.argv[1:]
name = os.environ["POD_NAME"]
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.say(200 if os.path.exists(f"{gates}/{name}") else 503, b"")
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        patch = [{"op": "add", "path": "/metadata/annotations", "value": {"by": name, "host": self.headers["Host"]}}]
        review["response"] = {"uid": review["request"]["uid"], "allowed": True, "patchType": "JSONPatch",
            "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        self.say(200, json.dumps(review).encode())
    def say(self, code, body):
        self.send_response(code); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8443), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


class Replicas:
    """Pods of one webhook behind the Service `hook` of a namespace; each is ready while its gate is open."""

    def __init__(self, node: Kubectl, place: Path, host: str) -> None:
        self.node = node
        self.gates = place / "gates"
        self.gates.mkdir()
        self.authority = CertificateAuthority(place / "pki", name="test", now=dt.datetime.now(dt.UTC))
        leaf = self.authority.leaf("hook", hosts=(host,))
        self.certificate = place / "hook.pem"
        self.certificate.write_bytes(leaf.certificate.read_bytes() + leaf.key.read_bytes())

    def start(self, *names: str) -> None:
        fields = {"POD_IP": "status.podIP", "POD_NAME": "metadata.name"}
        container = {
            "command": [sys.executable, "-c", _WEBHOOK, str(self.certificate), str(self.gates)],
            "ports": [{"name": "https", "containerPort": 8443}],
            "env": [{"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in fields.items()],
            "readinessProbe": {
                "httpGet": {"port": "https", "scheme": "HTTPS"},
                "periodSeconds": 1,
                "failureThreshold": 1,
            },
        }
        for name in names:
            one = json.loads(pod(name, "", container=container))
            one["metadata"]["labels"] = {"app": "hook"}
            self.node.ok("apply", "-f", "-", stdin=json.dumps(one))

    def open(self, *names: str) -> None:
        for name in names:
            (self.gates / name).touch()
        self.node.ok("wait", "--for=condition=ready", "--timeout=60s", *(f"pod/{name}" for name in names))

    def configure(self, **webhook: object) -> None:
        client = {
            "service": {"namespace": self.node.namespace, "name": "hook", "path": "/mutate"},
            "caBundle": base64.b64encode(self.authority.pem).decode(),
        }
        rules = [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}]
        one = {
            "name": "hook.iambridge.dev",
            "clientConfig": client,
            "rules": rules,
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.node.namespace}},
            **webhook,
        }
        whole = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": self.node.namespace},
            "webhooks": [one],
        }
        self.node.ok("apply", "-f", "-", stdin=json.dumps(whole))

    def mutated(self) -> Object:
        """The annotations that a new ConfigMap gets."""
        made = self.node.json("create", "configmap", f"c-{time.monotonic_ns()}")
        return dict(made["metadata"].get("annotations") or {})


def service(**spec: object) -> str:
    whole = {"selector": {"app": "hook"}, "ports": [{"port": 443, "targetPort": "https"}], **spec}
    return json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"}, "spec": whole})


@pytest.fixture
def replicas(node: Kubectl, tmp_path: Path) -> Iterator[Replicas]:
    yield Replicas(node, tmp_path, f"hook.{node.namespace}.svc")
    node.ok("delete", "mutatingwebhookconfiguration", node.namespace, "--ignore-not-found")


def test_reviews_are_spread_over_ready_pods(node: Kubectl, replicas: Replicas) -> None:
    """Each ready pod gets its share, one that is not ready gets none, and TLS names svc.namespace.svc."""
    node.ok("apply", "-f", "-", stdin=service())
    replicas.start("one", "two", "three")
    replicas.open("one", "two")
    replicas.configure()
    seen = [replicas.mutated() for _ in range(4)]
    assert sorted(each["by"] for each in seen) == ["one", "one", "two", "two"]
    assert {each["host"] for each in seen} == {f"hook.{node.namespace}.svc"}
    (replicas.gates / "one").unlink()
    node.ok("wait", "--for=condition=ready=false", "pod/one", "--timeout=60s")
    assert [replicas.mutated()["by"] for _ in range(3)] == ["two"] * 3


def test_a_pod_that_takes_no_connection_is_passed_over(node: Kubectl, replicas: Replicas) -> None:
    """publishNotReadyAddresses names pods that do not listen; the call goes on to the next one."""
    node.ok("apply", "-f", "-", stdin=service(publishNotReadyAddresses=True, ports=[{"port": 443, "targetPort": 8443}]))
    deaf = json.loads(pod("deaf", "exec sleep 300"))
    deaf["metadata"]["labels"] = {"app": "hook"}
    node.ok("apply", "-f", "-", stdin=json.dumps(deaf))
    node.ok("wait", "--for=condition=ready", "pod/deaf", "--timeout=60s")
    replicas.start("one")
    replicas.open("one")
    replicas.configure()
    assert [replicas.mutated()["by"] for _ in range(4)] == ["one"] * 4


def test_without_a_ready_pod_the_failure_policy_decides(node: Kubectl, replicas: Replicas) -> None:
    """kube-apiserver's words for a Service, a port and endpoints that are not there; Ignore lets the write pass."""
    url = f'Post "https://hook.{node.namespace}.svc:443/mutate?timeout=10s"'
    failing = f'failed calling webhook "hook.iambridge.dev": failed to call webhook: {url}: '
    replicas.configure()
    assert f'{failing}service "hook" not found' in node.fails("create", "configmap", "a")
    node.ok("apply", "-f", "-", stdin=service(ports=[{"port": 8443}]))
    assert f'{failing}no service port 443 found for service "hook"' in node.fails("create", "configmap", "a")
    node.ok("apply", "-f", "-", stdin=service())
    replicas.start("one")
    assert f'{failing}no endpoints available for service "hook"' in node.fails("create", "configmap", "a")
    replicas.configure(failurePolicy="Ignore")
    node.ok("create", "configmap", "a")
    replicas.open("one")
    assert replicas.mutated()["by"] == "one"


def test_a_certificate_for_another_name_is_refused(node: Kubectl, tmp_path: Path) -> None:
    """A pod's address does not make its certificate good: it must be for svc.namespace.svc."""
    replicas = Replicas(node, tmp_path, "hook.elsewhere.svc")
    node.ok("apply", "-f", "-", stdin=service())
    replicas.start("one")
    replicas.open("one")
    replicas.configure()
    said = node.fails("create", "configmap", "a")
    node.ok("delete", "mutatingwebhookconfiguration", node.namespace)
    assert "tls: failed to verify certificate" in said
    assert f"hook.{node.namespace}.svc" in said


# --- as an object


def test_kubectl_shows_a_service_and_what_it_is_not(kubectl: Kubectl) -> None:
    """apply warns that there is no network behind it; get, wide, describe, patch, label and delete work as elsewhere."""
    made = kubectl.run("apply", "-f", "-", stdin=service())
    assert made.code == 0
    assert "no cluster IP, no proxy, no DNS" in made.error
    assert kubectl.run("apply", "-f", "-", stdin=service()).out == "service/hook unchanged\n"
    header, row = kubectl.ok("get", "svc", "-o", "wide").splitlines()
    assert header.split() == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"]
    assert row.split()[:5] == ["hook", "ClusterIP", "<none>", "<none>", "443/TCP"]
    assert row.split()[-1] == "app=hook"
    stored = kubectl.json("get", "service", "hook")
    assert stored["spec"]["ports"] == [{"port": 443, "protocol": "TCP", "targetPort": "https"}]
    assert stored["status"] == {"loadBalancer": {}}
    assert "https" in kubectl.ok("describe", "service", "hook")
    kubectl.ok("patch", "svc", "hook", "-p", '{"spec":{"ports":[{"port":444,"name":"b"},{"port":443,"name":"a"}]}}')
    assert "444/TCP,443/TCP" in kubectl.ok("get", "service", "hook")
    assert "service/hook" in kubectl.ok("get", "all", "-o", "name")
    assert kubectl.ok("get", "svc", "--field-selector=spec.type=ClusterIP", "-o", "name") == "service/hook\n"
    assert kubectl.ok("delete", "service", "hook").startswith('service "hook" deleted')


def test_kubectl_creates_services_by_its_own_commands(kubectl: Kubectl) -> None:
    """`create service clusterip` and `expose` send protobuf in newer versions; both are read."""
    kubectl.ok("create", "service", "clusterip", "made", "--tcp=443:8443")
    assert kubectl.json("get", "service", "made")["spec"]["selector"] == {"app": "made"}
    kubectl.ok("create", "service", "clusterip", "headless", "--clusterip=None", "--tcp=443")
    assert kubectl.ok("get", "service", "headless", "--no-headers").split()[1:3] == ["ClusterIP", "None"]
    kubectl.ok("run", "target", "--image=example", "--port=8443", "--labels=app=x")
    kubectl.ok("expose", "pod", "target", "--port=443", "--target-port=8443")
    (port,) = kubectl.json("get", "service", "target")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (443, 8443)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"type": "NodePort"}, "spec.type: Forbidden: NodePort: this cluster has no service network"),
        (
            {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": True},
            "spec.allocateLoadBalancerNodePorts: Forbidden: this cluster gives out no node ports",
        ),
        ({"type": "LoadBalancer", "externalTrafficPolicy": "X"}, 'Unsupported value: "X": supported values: "Cluster"'),
        ({"type": "LoadBalancer", "clusterIP": "None"}, "may not be set to 'None' for LoadBalancer services"),
        (
            {"type": "LoadBalancer", "ports": [{"port": 1, "nodePort": 1}]},
            "The range of valid ports is 30000-32767",
        ),
        (
            {"loadBalancerClass": "a"},
            "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        ({"type": "ExternalName", "externalName": "a.b"}, "spec.type: Forbidden: ExternalName"),
        ({"clusterIP": "10.0.0.1"}, "spec.clusterIP: Forbidden: this cluster has no service network"),
        ({"externalIPs": ["10.0.0.1"]}, "spec.externalIPs: Forbidden"),
        ({"type": "Other"}, 'spec.type: Unsupported value: "Other"'),
        ({"ports": []}, "spec.ports: Required value"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"),
        ({"ports": [{"port": 1}, {"port": 2}]}, "spec.ports[0].name: Required value"),
        ({"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]}, "spec.ports[1]: Duplicate value"),
    ],
)
def test_what_a_service_here_cannot_be_is_refused_by_name(kubectl: Kubectl, spec: Object, words: str) -> None:
    """Other types and addresses are refused, now and by a later change; faults have Kubernetes' words."""
    assert words in kubectl.fails("create", "-f", "-", stdin=service(**spec))
    kubectl.ok("create", "-f", "-", stdin=service())
    assert words in kubectl.fails("patch", "svc", "hook", "--type=merge", "-p", json.dumps({"spec": spec}))


def test_a_controller_of_the_user_s_own_makes_the_load_balancer(kubectl: Kubectl) -> None:
    """It finds the Service by type and class, and says by the status where it is reached; nobody else does."""
    ports = [{"port": 443, "targetPort": "https", "nodePort": 30443}]
    made = kubectl.run("create", "-f", "-", stdin=service(type="LoadBalancer", loadBalancerClass="a.b/c", ports=ports))
    assert "made by a controller that you run, or by nobody" in made.error
    assert kubectl.ok("get", "svc", "hook", "--no-headers").split()[1:5] == [
        *("LoadBalancer", "<none>", "<pending>"),
        "443:30443/TCP",
    ]
    stored = kubectl.json("get", "svc", "hook")["spec"]
    assert (stored["allocateLoadBalancerNodePorts"], stored["externalTrafficPolicy"]) == (False, "Cluster")
    assert reached(kubectl, [{"hostname": "b.elb.amazonaws.com"}, {"ip": "10.0.0.1"}]) == ""
    entries = kubectl.json("get", "svc", "hook")["status"]["loadBalancer"]["ingress"]
    assert entries == [{"hostname": "b.elb.amazonaws.com"}, {"ip": "10.0.0.1", "ipMode": "VIP"}]
    assert kubectl.ok("get", "svc", "hook", "--no-headers").split()[3] == "10.0.0.1,b.elb.amazonaws.com"
    assert "must be a DNS name, not an IP address" in reached(kubectl, [{"hostname": "10.0.0.1"}])
    assert "ingress[0].ip: Invalid value" in reached(kubectl, [{"ip": "b"}])
    patch = '{"spec":{"loadBalancerClass":"other"}}'
    assert "may not change once set" in kubectl.fails("patch", "svc", "hook", "--type=merge", "-p", patch)


def test_a_service_that_is_no_load_balancer_any_more_forgets_it(kubectl: Kubectl) -> None:
    """What the client did not change goes with the type; a status then has no place."""
    ports = [{"port": 443, "nodePort": 30443}]
    kubectl.ok("create", "-f", "-", stdin=service(type="LoadBalancer", loadBalancerClass="a.b/c", ports=ports))
    kubectl.ok("patch", "svc", "hook", "--type=merge", "-p", '{"spec":{"type":"ClusterIP"}}')
    stored = kubectl.json("get", "svc", "hook")["spec"]
    assert stored["ports"] == [{"port": 443, "protocol": "TCP", "targetPort": 443}]
    assert not {"loadBalancerClass", "allocateLoadBalancerNodePorts", "externalTrafficPolicy"} & stored.keys()
    assert 'may only be used when `spec.type` is "LoadBalancer"' in reached(kubectl, [{"hostname": "b.c"}])


def reached(kubectl: Kubectl, entries: list[Object]) -> str:
    """What kubectl says of a controller's write to the status; empty when it was taken."""
    patch = json.dumps({"status": {"loadBalancer": {"ingress": entries}}})
    return kubectl.run("patch", "svc", "hook", "--subresource=status", "--type=merge", "-p", patch).error


def test_a_service_s_name_is_a_host_name(kubectl: Kubectl) -> None:
    """One label of a host name."""
    wrong = service().replace('"hook"', '"-hook"', 1)
    assert "a lowercase RFC 1123 label must consist of" in kubectl.fails("create", "-f", "-", stdin=wrong)


def test_endpoints_are_not_served(kubectl: Kubectl) -> None:
    """No Endpoints, no EndpointSlices: discovery says so."""
    listed = kubectl.ok("api-resources", "-o", "name").split()
    assert "services" in listed
    assert not {each for each in listed if "endpoint" in each}
    eventually(lambda: "doesn't have a resource type" in kubectl.fails("get", "endpoints"))
