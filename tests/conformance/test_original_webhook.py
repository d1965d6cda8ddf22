"""The original amazon-eks-pod-identity-webhook answers the case files too: the same pod, or a difference that is named.

It needs the original's binary, which `make bench-webhook` builds into the user's cache.
"""

import base64
import copy
import datetime as dt
import http.client
import importlib.util
import json
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import jsonpatch
import pytest
from tests.ports import free_port

from iambridge.adapters.certificates import CertificateAuthority, Leaf

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iambridge-bench"
BINARY = CACHE / "amazon-eks-pod-identity-webhook"

pytestmark = pytest.mark.skipif(not BINARY.exists(), reason="the original is not built: `make bench-webhook` builds it")

_spec = importlib.util.spec_from_file_location(
    "pod_cases", ROOT / "tests/unit/core/pod_identity/pod_cases.py"
)  # fmt: skip
assert _spec is not None
assert _spec.loader is not None
pod_cases: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pod_cases)

_OPTION = "differs: an option"
_RANDOM = "differs: drawn at random"


class Api(BaseHTTPRequestHandler):
    """Lists and then silently watches the ServiceAccounts and the ConfigMap of one group of cases."""

    protocol_version = "HTTP/1.1"
    accounts: ClassVar[list[dict[str, Any]]] = []
    config_maps: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        kind, items = (
            ("ConfigMapList", self.config_maps)
            if url.path.endswith("/configmaps")
            else ("ServiceAccountList", self.accounts)
        )
        if "sendInitialEvents" in query:
            self._answer(
                422, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422}
            )
        elif "watch" in query:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.rfile.read(1)  # until the client goes
        else:
            self._answer(200, {"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": "5"}, "items": items})

    def _answer(self, code: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture(scope="module")
def leaf(tmp_path_factory: pytest.TempPathFactory) -> Leaf:
    authority = CertificateAuthority(tmp_path_factory.mktemp("pki"), name="test", now=dt.datetime.now(dt.UTC))
    return authority.leaf("webhook", hosts=("127.0.0.1",))


def groups() -> list[list[tuple[str, dict[str, Any]]]]:
    """Cases that one process of the original can answer: the same flags, and no ConfigMap or file of their own."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for path in sorted(pod_cases.DIRECTORY.glob("*.yaml")):
        case = pod_cases.load(path)
        if case["original"].startswith((_OPTION, _RANDOM)):
            continue
        alone = "configMap" in case or "containerCredentials" in case
        found.setdefault(json.dumps([case["flags"], path.stem if alone else ""]), []).append((path.stem, case))
    return list(found.values())


@pytest.fixture
def answer(leaf: Leaf, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    cases: list[tuple[str, dict[str, Any]]] = request.param
    names = [namespace(index, case) for index, (_, case) in enumerate(cases)]
    prefix = next(
        (flag.partition("=")[2] for flag in cases[0][1]["flags"] if "annotation-prefix" in flag), "eks.amazonaws.com"
    )
    probe = {f"{prefix}/role-arn": "arn:aws:iam::111122223333:role/probe"}
    handler = type("Handler", (Api,), {
        "accounts": [account("probe", "probe", probe)] + [
            account(name, "app", case["serviceAccount"])
            for name, (_, case) in zip(names, cases, strict=True) if case["serviceAccount"] is not None
        ],
        "config_maps": [{"metadata": {"name": "pod-identity-webhook", "namespace": "eks", "resourceVersion": "4"},
                         "data": {"config": json.dumps(cases[0][1].get("configMap", {}))}}],
    })  # fmt: skip
    api = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    api.daemon_threads = True
    threading.Thread(target=api.serve_forever, daemon=True).start()
    port = free_port()
    credentials = tmp_path / "credentials.json"
    credentials.write_text(json.dumps({"identities": cases[0][1].get("containerCredentials", [])}))
    process = subprocess.Popen(
        [
            BINARY, "--in-cluster=false", f"--kube-api=http://127.0.0.1:{api.server_port}", f"--port={port}",
            f"--metrics-port={free_port()}", f"--tls-cert={leaf.certificate}", f"--tls-key={leaf.key}",
            f"--watch-container-credentials-config={credentials}", *cases[0][1]["flags"],
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until_synced(port, cases[0][1]["flags"])
        yield lambda case, index: review(port, names[index], case["pod"])
    finally:
        process.terminate()
        process.wait(60)
        api.shutdown()
        api.server_close()


def namespace(index: int, case: dict[str, Any]) -> str:
    return "default" if "configMap" in case or "containerCredentials" in case else f"case-{index}"


def account(where: str, name: str, annotations: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": where, "resourceVersion": "3", "annotations": annotations}}


def wait_until_synced(port: int, flags: list[str]) -> None:
    """The original serves before it has synced: wait for an injection (and then for the ConfigMap, listed after)."""
    pod = {"metadata": {"name": "probe"}, "spec": {"serviceAccountName": "probe", "containers": [{"name": "a"}]}}
    for _ in range(200):
        try:
            if "volumes" in review(port, "probe", pod)["spec"]:
                time.sleep(0.3 if any("config-map" in flag for flag in flags) else 0)
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("the original does not inject")


def review(port: int, where: str, pod: dict[str, Any]) -> dict[str, Any]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)
    body = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1",
            "request": {"uid": "u", "namespace": where, "operation": "CREATE", "object": pod}}  # fmt: skip
    connection.request("POST", "/mutate", json.dumps(body), {"Content-Type": "application/json"})
    response = json.loads(connection.getresponse().read())["response"]
    connection.close()
    assert response["allowed"], response
    patch = json.loads(base64.b64decode(response["patch"])) if "patch" in response else []
    mutated: dict[str, Any] = jsonpatch.apply_patch(copy.deepcopy(pod), patch)
    return mutated


def plain(pod: dict[str, Any]) -> dict[str, Any]:
    """Without what Go's encoder adds to every container, or takes from it, whatever the webhook decides."""
    pod = copy.deepcopy(pod)
    for field in ("containers", "initContainers"):
        for container in pod["spec"].get(field, []):
            if container.get("resources") == {}:
                del container["resources"]
            for name in ("env", "volumeMounts"):
                if not container.get(name):
                    container.pop(name, None)
    return pod


@pytest.mark.parametrize(("answer", "cases"), [(g, g) for g in groups()], indirect=["answer"], ids=lambda _: "")
def test_the_original_agrees_or_the_difference_is_named(answer: Any, cases: list[tuple[str, dict[str, Any]]]) -> None:
    """Every case marked `same` is mutated by the original to the same pod; every other to another pod."""
    wrong = []
    for index, (name, case) in enumerate(cases):
        same = plain(answer(case, index)) == plain(case["mutated"])
        if same is not (case["original"] == "same"):
            wrong.append((name, case["original"], plain(answer(case, index))))
    assert not wrong


@pytest.mark.parametrize(("answer", "cases"), [(g, g) for g in groups()], indirect=["answer"], ids=lambda _: "")
def test_side_by_side_the_second_adds_nothing(answer: Any, cases: list[tuple[str, dict[str, Any]]]) -> None:
    """Where both agree, ours leaves the original's pod as it is, and the original ours: that is what --beside-eks needs."""
    wrong = []
    for index, (name, case) in enumerate(cases):
        if case["original"] != "same":
            continue
        theirs, ours = answer(case, index), case["mutated"]
        if pod_cases.judge(case, theirs).patch:
            wrong.append((name, "ours after theirs", pod_cases.judge(case, theirs).patch))
        again = plain(answer({**case, "pod": ours}, index))
        if again != plain(ours):
            wrong.append((name, "theirs after ours", again))
    assert not wrong
