"""A real kube-apiserver, kube-controller-manager and etcd on loopback, to judge the embedded cluster by.

    python tools/kubernetes_oracle/oracle.py            build what is missing, run until interrupted
    python tools/kubernetes_oracle/oracle.py --build    only build

Prints one JSON line with `kubeconfig`, `issuer`, `ca` and the processes' ids once the API server is ready, as
`tests/cluster/embedded_server.py` does, and ends with its stdin or at a signal. Needs Go; see the README.md here.
"""

import argparse
import base64
import contextlib
import datetime as dt
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.serving import free_port
from iambridge.core.service_account_token import SigningKey

HERE = Path(__file__).parent
VERSION = re.findall(r"^\tk8s\.io/kubernetes (v\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)[0]
BINARIES = (
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "iambridge/kubernetes" / VERSION
)
PACKAGES = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "etcd": "go.etcd.io/etcd/server/v3",
}
USERS = {
    "admin": ("kubernetes-admin", "system:masters"),
    "controllers": ("system:kube-controller-manager", ""),
}
READY_SECONDS = 180


def build() -> None:
    """Build the binaries that are not in the cache: many minutes of two cores, once for each version."""
    _, major, minor = re.split(r"[v.]", VERSION)[:3]
    names = {"gitVersion": VERSION, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    if not major:
        raise SystemExit(f"{HERE / 'go.mod'} does not pin k8s.io/kubernetes")
    stamps = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in names.items())
    for name, package in PACKAGES.items():
        if not (BINARIES / name).exists():
            print(f"building {name} {VERSION}", file=sys.stderr, flush=True)
            command = ["nice", "-n", "10", "go", "build", "-p", "2", "-trimpath", "-ldflags", f"-s -w {stamps}"]
            command += ["-o", str(BINARIES / name), package]
            subprocess.run(command, cwd=HERE, check=True, env={**os.environ, "CGO_ENABLED": "0"})


class Oracle:
    """The three processes, with their state in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.authority = CertificateAuthority(directory / "pki", name="oracle CA", now=dt.datetime.now(dt.UTC))
        self.port = free_port()
        self.server = f"https://127.0.0.1:{self.port}"
        self.issuer = f"https://localhost:{self.port}"  # another spelling, so that a transcript tells them apart
        self.tokens = {user: base64.urlsafe_b64encode(os.urandom(18)).decode() for user in USERS}

    def start(self, *more: str) -> None:
        """`more` are flags for kube-apiserver."""
        client, peer = free_port(), free_port()
        state = self.directory / "etcd"
        url, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        etcd = {
            "data-dir": state,
            "listen-client-urls": url,
            "advertise-client-urls": url,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
            "log-level": "warn",
        }
        self._run("etcd", etcd)
        self._run("kube-apiserver", self._api_server(url), *more)
        self._wait_ready()
        controllers = {
            "kubeconfig": self.kubeconfig("controllers"),
            "service-account-private-key-file": self.directory / "service-account.key",
            "root-ca-file": self.authority.certificate_file,
            "use-service-account-credentials": "true",
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            "secure-port": free_port(),
            "cert-dir": self.directory / "controllers-pki",
        }
        self._run("kube-controller-manager", controllers)

    def _api_server(self, etcd: str) -> dict[str, object]:
        leaf = self.authority.leaf("server", hosts=("127.0.0.1", "localhost"))
        key = self.directory / "service-account.key"
        key.write_bytes(SigningKey.generate().to_pem())
        users = self.directory / "tokens.csv"
        users.write_text("".join(f'{self.tokens[u]},{name},{u},"{group}"\n' for u, (name, group) in USERS.items()))
        return {
            "etcd-servers": etcd,
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "endpoint-reconciler-type": "none",  # a loopback address is no endpoint
            "secure-port": self.port,
            "tls-cert-file": leaf.certificate,
            "tls-private-key-file": leaf.key,
            "token-auth-file": users,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "service-account-issuer": self.issuer,
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
            "service-cluster-ip-range": "10.0.0.0/24",
            "allow-privileged": "true",
        }

    def _run(self, name: str, flags: dict[str, object], *more: str) -> None:
        words = [str(BINARIES / name), *(f"--{flag}={value}" for flag, value in flags.items()), *more]
        with (self.directory / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _wait_ready(self) -> None:
        tls = ssl.create_default_context(cafile=str(self.authority.certificate_file))
        deadline = time.monotonic() + READY_SECONDS
        while True:
            for name, process in self.processes.items():
                if process.poll() is not None:
                    log = (self.directory / f"{name}.log").read_text()
                    raise SystemExit(f"{name} ended with {process.returncode}:\n{log[-2000:]}")
            with contextlib.suppress(urllib.error.URLError, OSError):
                ask = urllib.request.Request(self.server + "/readyz")
                ask.add_header("Authorization", f"Bearer {self.tokens['admin']}")
                with urllib.request.urlopen(ask, context=tls, timeout=5) as answer:
                    if answer.status == 200:
                        return
            if time.monotonic() > deadline:
                raise SystemExit(f"kube-apiserver is not ready after {READY_SECONDS} s; see {self.directory}")
            time.sleep(0.1)

    def kubeconfig(self, user: str = "admin") -> Path:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "oracle",
                    "cluster": {"server": self.server, "certificate-authority": str(self.authority.certificate_file)},
                }
            ],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": "oracle", "context": {"cluster": "oracle", "user": user}}],
            "current-context": "oracle",
        }
        path = self.directory / f"{user}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path

    def facts(self) -> dict[str, object]:
        return {
            "kubeconfig": str(self.kubeconfig()),
            "issuer": self.issuer,
            "ca": str(self.authority.certificate_file),
            "version": VERSION,
            "processes": {name: process.pid for name, process in self.processes.items()},
        }

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", action="store_true", help="build and stop")
    parser.add_argument("--is-built", action="store_true", help="say by the exit code whether all binaries are here")
    parser.add_argument("--directory", type=Path, help="where state and logs go; a temporary directory by default")
    parser.add_argument("flags", nargs="*", help="more flags for kube-apiserver, after --")
    asked = parser.parse_args()
    if asked.is_built:
        sys.exit(not all((BINARIES / name).exists() for name in PACKAGES))
    build()
    if asked.build:
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as stack:
        directory = asked.directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kubernetes-")))
        directory.mkdir(parents=True, exist_ok=True)
        oracle = Oracle(directory)
        stack.callback(oracle.stop)
        oracle.start(*asked.flags)
        print(json.dumps(oracle.facts()), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()
            if sys.stdin.isatty():
                signal.pause()


if __name__ == "__main__":
    main()
