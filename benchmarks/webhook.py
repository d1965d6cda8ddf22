# ruff: noqa: E501 - reviews, requests and objects are data
"""The webhook beside the Go original: same machine, same API server, same reviews, interleaved rounds, one core.

    python -m benchmarks.webhook [--rounds 5] [--seconds 3] [--accounts 100 100000] [--realtime]

The original is built from `benchmarks/original_webhook` into the user's cache; without Go it is left out, and that is said.
Both serve with metrics on; ours also with its decision log (into a file). The server is pinned to the last core, the load to
the first. CPU is user and system time of the server process.
"""

import argparse
import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.serving import free_port

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iambridge-bench"
TICK = os.sysconf("SC_CLK_TCK")


def build_original() -> Path | None:
    """The original's binary, built at its pinned version; None without Go."""
    binary = CACHE / "amazon-eks-pod-identity-webhook"
    if binary.exists():
        return binary
    if shutil.which("go") is None:
        print("the original is left out: Go is not installed")
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    command = ["go", "build", "-o", binary, "github.com/aws/amazon-eks-pod-identity-webhook"]
    done = subprocess.run(command, cwd=HERE / "original_webhook", capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"the original is left out: it did not build\n{done.stderr[-500:]}")
        return None
    return binary


def review(account: str) -> bytes:
    """A review of about 6.6 KB, with three containers, as kube-apiserver sends it."""

    def container(name: str) -> dict[str, object]:
        env = [{"name": f"SETTING_{n}", "value": f"value-{n}"} for n in range(10)]
        env.append({"name": "POD_IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}})
        probe = {
            "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
            "timeoutSeconds": 1,
            "periodSeconds": 10,
        }
        return {
            "name": name, "image": f"registry.example.org/team/{name}:1.2.3", "imagePullPolicy": "IfNotPresent", "env": env,
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
            "volumeMounts": [
                {"name": "config", "mountPath": "/etc/config"},
                {"name": "kube-api-access-abcde", "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
            ],
            "livenessProbe": probe, "readinessProbe": probe,
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }  # fmt: skip

    fields = {f"f:field{n}": {".": {}, "f:name": {}, "f:value": {}} for n in range(17)}
    pod = {
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "generateName": "web-5d4f8c7b9-", "creationTimestamp": None,
            "labels": {"app": "web", "pod-template-hash": "5d4f8c7b9"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f8c7b9",
                                 "uid": "5a0b0a6c-0000-4000-8000-000000000001", "controller": True, "blockOwnerDeletion": True}],
            "managedFields": [{"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1",
                               "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": fields}}],
        },
        "spec": {
            "serviceAccountName": account, "serviceAccount": account, "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
            "containers": [container("web"), container("proxy"), container("metrics")], "schedulerName": "default-scheduler",
            "volumes": [
                {"name": "config", "configMap": {"name": "config", "defaultMode": 420}},
                {"name": "kube-api-access-abcde", "projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}]}},
            ],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
            "priority": 0, "enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority", "securityContext": {},
        },
        "status": {},
    }  # fmt: skip
    pods = {"group": "", "version": "v1", "resource": "pods"}
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": kind, "resource": pods, "requestKind": kind,
        "requestResource": pods, "namespace": "bench", "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller",
                     "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]},
        "object": pod, "oldObject": None, "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }  # fmt: skip
    version = "admission.k8s.io/v1beta1"  # v0.6.17 does not echo v1
    return json.dumps(
        {"kind": "AdmissionReview", "apiVersion": version, "request": request}, separators=(",", ":")
    ).encode()


class Running:
    """A server process on its core, waited for until it injects."""

    def __init__(self, command: list[str], port: int, probe: bytes, log: Path) -> None:
        self.port = port
        self._log = log.open("wb")
        core = (os.cpu_count() or 1) - 1
        environment = {**os.environ, "GOMAXPROCS": "1"}
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *command], stdout=self._log, stderr=subprocess.STDOUT, env=environment
        )
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for _ in range(600):
            request = urllib.request.Request(
                f"https://127.0.0.1:{port}/mutate", probe, {"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, context=context, timeout=5) as answer:
                    if b'"patch"' in answer.read():
                        return
            except OSError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"{command[0]} did not inject within a minute: {log.read_text()[-500:]}")

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def pss(self) -> float:
        """MiB."""
        for line in Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def measure(self, mode: str, seconds: float, body: Path, *, realtime: bool = False) -> dict[str, float]:
        """With `realtime` no neighbour of the machine gets between: latencies are the server's and not theirs."""
        before = self.cpu()
        if realtime:
            self._schedule(os.SCHED_FIFO, 10)
        command = [
            *(["chrt", "-f", "10"] if realtime else []),
            "taskset",
            "-c",
            "0",
            sys.executable,
            HERE / "webhook_load.py",
            str(self.port),
            mode,
            str(seconds),
            body,
        ]
        result: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        if realtime:
            self._schedule(os.SCHED_OTHER, 0)
        result["cpu_us"] = (self.cpu() - before) / result["requests"] * 1e6
        result["rps"] = result["requests"] / result["seconds"]
        return result

    def _schedule(self, policy: int, priority: int) -> None:
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            os.sched_setscheduler(int(task.name), policy, os.sched_param(priority))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._log.close()


def _servers(directory: Path, api_port: int, original: Path | None) -> dict[str, tuple[list[str], int]]:
    authority = CertificateAuthority(directory / "pki", name="bench", now=dt.datetime.now(dt.UTC))
    leaf = authority.leaf("webhook", hosts=("127.0.0.1",))
    kubeconfig = directory / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "bench",
                "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
                "clusters": [{"name": "bench", "cluster": {"server": f"http://127.0.0.1:{api_port}"}}],
                "users": [{"name": "bench", "user": {}}],
            }
        )
    )  # fmt: skip

    def flags(port: int) -> list[str]:
        return [
            "--in-cluster=false", f"--kubeconfig={kubeconfig}", f"--tls-cert={leaf.certificate}", f"--tls-key={leaf.key}",
            f"--port={port}", f"--metrics-port={free_port()}",
        ]  # fmt: skip

    found: dict[str, tuple[list[str], int]] = {}
    if original is not None:
        port = free_port()
        found["original"] = ([str(original), *flags(port)], port)
    port = free_port()
    found["iambridge"] = ([str(Path(sys.executable).parent / "iambridge"), "serve", "webhook", *flags(port)], port)
    return found


LEGS = {
    "saturated": ("saturate", "mutated"),
    "not mutated": ("saturate", "left alone"),
    "new connection each": ("connect", "mutated"),
    "300/s": ("steady", "mutated"),
}
Figures = dict[tuple[str, str, int], list[dict[str, float]]]
"""By leg, server and number of ServiceAccounts: one entry a round."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--accounts", type=int, nargs="+", default=[100, 100_000])
    parser.add_argument(
        "--realtime", action="store_true", help="SCHED_FIFO while measuring: root, and a patient machine"
    )
    parser.add_argument("--legs", nargs="+", choices=tuple(LEGS), default=list(LEGS))
    arguments = parser.parse_args()
    original = build_original()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        bodies = {"mutated": directory / "mutated.json", "left alone": directory / "left.json"}
        bodies["mutated"].write_bytes(review("bench-10"))
        bodies["left alone"].write_bytes(review("bench-11"))
        probe = bodies["mutated"].read_bytes()
        print(f"review {len(probe)} bytes, {arguments.rounds} rounds of {arguments.seconds} s, one core")
        running: dict[tuple[str, int], Running] = {}
        for count in arguments.accounts:
            api_port = free_port()
            api = subprocess.Popen([sys.executable, HERE / "service_account_api.py", str(api_port), str(count)])
            stack.callback(api.wait)
            stack.callback(api.terminate)
            time.sleep(1.0)
            for who, (command, port) in _servers(directory, api_port, original).items():
                running[who, count] = Running(command, port, probe, directory / f"{who}-{count}.log")
                stack.callback(running[who, count].stop)
        figures = measure(arguments, running, bodies)
        report(figures, arguments.accounts)
        for (who, count), server in running.items():
            print(f"PSS after the load   {who:10} {count:7} accounts  {server.pss():.0f} MiB")


def measure(arguments: argparse.Namespace, running: dict[tuple[str, int], Running], bodies: dict[str, Path]) -> Figures:
    """Every leg with the first number of accounts; the others only where their number could matter."""
    figures: Figures = {}
    for _ in range(arguments.rounds):
        for leg, (mode, body) in ((leg, LEGS[leg]) for leg in arguments.legs):
            for (who, count), server in running.items():
                if count == arguments.accounts[0] or mode == "saturate":
                    figures.setdefault((leg, who, count), []).append(
                        server.measure(mode, arguments.seconds, bodies[body], realtime=arguments.realtime)
                    )
    return figures


def report(figures: Figures, accounts: list[int]) -> None:
    medians = {
        key: {name: statistics.median(one[name] for one in rounds) for name in ("cpu_us", "rps", "p50", "p99")}
        for key, rounds in figures.items()
    }
    for (leg, who, count), median in medians.items():
        failures = int(sum(one["failures"] for one in figures[leg, who, count]))
        print(
            f"{leg:20} {who:10} {count:7} accounts  cpu {median['cpu_us']:6.0f} us  {median['rps']:6.0f}/s  "
            f"p50 {median['p50']:6.2f} ms  p99 {median['p99']:6.2f} ms  failures {failures}"
        )
        original = medians.get((leg, "original", count))
        if who == "iambridge" and original is not None:
            ratios = f"cpu {median['cpu_us'] / original['cpu_us']:.2f}  p99 {median['p99'] / original['p99']:.2f}"
            print(f"{leg:20} {'ratio':10} {count:7} accounts  {ratios}")
    if len(accounts) > 1:
        for leg, (mode, _) in LEGS.items():
            if mode == "saturate" and (leg, "iambridge", accounts[0]) in medians:
                few, many = (medians[leg, "iambridge", count]["cpu_us"] for count in (accounts[0], accounts[-1]))
                print(f"{leg:20} iambridge  cpu with {accounts[-1]} accounts / with {accounts[0]}: {many / few:.2f}")


if __name__ == "__main__":
    main()
