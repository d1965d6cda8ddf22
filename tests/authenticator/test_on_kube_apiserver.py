"""The authenticator before a real kube-apiserver, where `tools/kubernetes_oracle` has been built, with a real kubectl."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ports import free_port

from iambridge.core import sigv4

from .world import ACCOUNT, CLUSTER, OUTSIDER, READER, Surroundings

ORACLE = Path(__file__).parents[2] / "tools/kubernetes_oracle/oracle.py"
KUBECTL = next(path for path in (shutil.which("kubectl"), str(Path(sys.executable).with_name("kubectl"))) if path)
RBAC = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: pod-readers}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: pod-readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: pod-readers}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: pod-readers}]
"""

pytestmark = pytest.mark.skipif(
    subprocess.run([sys.executable, ORACLE, "--is-built"], check=False).returncode != 0,
    reason="the real kube-apiserver is not built: `python tools/kubernetes_oracle/oracle.py --build` builds it",
)


def mapped(*names: str) -> str:
    """aws-auth with these users in group pod-readers."""
    users = "".join(
        f"- userarn: arn:aws:iam::{ACCOUNT}:user/{name}\n  username: {name}\n  groups: [pod-readers]\n"
        for name in names
    )
    metadata = {"name": "aws-auth", "namespace": "kube-system"}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mapUsers": users}})


class Cluster:
    def __init__(self, world: Surroundings, facts: dict[str, Any]) -> None:
        self.world = world
        self.admin = Path(facts["kubeconfig"])
        self._cluster = yaml.safe_load(self.admin.read_text())["clusters"][0]

    async def kubectl(self, *words: str, kubeconfig: Path | None = None, stdin: str = "") -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            KUBECTL, "--kubeconfig", str(kubeconfig or self.admin), *words, stdin=-1, stdout=-1, stderr=-1,
            env={"PATH": os.environ["PATH"], "HOME": str(self.world.directory)},
        )  # fmt: skip
        out, error = await process.communicate(stdin.encode())
        return process.returncode or 0, out.decode(), error.decode()

    async def ok(self, *words: str, stdin: str = "") -> str:
        code, out, error = await self.kubectl(*words, stdin=stdin)
        assert code == 0, error
        return out

    def login(self, keys: sigv4.Credentials) -> Path:
        """A kubeconfig whose exec plugin is `iambridge token`, as a person has it."""
        home = self.world.directory / "home"
        home.mkdir(exist_ok=True)
        environment = {
            "HOME": str(home), "AWS_ACCESS_KEY_ID": keys.access_key_id, "AWS_SECRET_ACCESS_KEY": keys.secret_access_key, "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_STS": self.world.sts_url, "AWS_CA_BUNDLE": str(self.world.authority.certificate_file),
            "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip
        plugin = {
            "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never", "command": sys.executable,
            "args": ["-m", "iambridge", "token", "--cluster-name", CLUSTER],
            "env": [{"name": name, "value": value} for name, value in environment.items()],
        }  # fmt: skip
        file = self.world.directory / f"{keys.access_key_id}.kubeconfig"
        file.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [self._cluster],
            "users": [{"name": "u", "user": {"exec": plugin}}],
            "contexts": [{"name": "c", "context": {"cluster": self._cluster["name"], "user": "u"}}],
        }))  # fmt: skip
        return file

    async def becomes(self, keys: sigv4.Credentials, *, code: int) -> tuple[str, str]:
        for _ in range(120):
            found, out, error = await self.kubectl("auth", "whoami", "-o", "json", kubeconfig=self.login(keys))
            if found == code:
                return out, error
            await asyncio.sleep(0.25)
        raise AssertionError((found, out, error))


def play(directory: Path, story: Callable[[Cluster, int], Awaitable[None]]) -> None:
    """kube-apiserver is told of the authenticator by the kubeconfig that `init` made, before either runs."""
    port = free_port()
    init = [sys.executable, "-m", "iambridge", "authenticator", "init", "--hostname", "127.0.0.1", "--port", str(port)]
    subprocess.run([*init, "--state-dir", str(directory / "state")], check=True, capture_output=True)
    flags = [
        f"--authentication-token-webhook-config-file={directory}/state/kubeconfig.yaml",
        "--authentication-token-webhook-cache-ttl=1s", "--authentication-token-webhook-version=v1",
    ]  # fmt: skip
    command = [sys.executable, str(ORACLE), "--directory", str(directory / "oracle"), "--", *flags]
    oracle = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert oracle.stdout is not None
    assert oracle.stdin is not None
    try:
        facts = json.loads(oracle.stdout.readline())

        async def run() -> None:
            world = Surroundings(directory)
            world.kubeconfig = Path(facts["kubeconfig"])
            await world.start("sts")
            try:
                await story(Cluster(world, facts), port)
            finally:
                await world.stop()

        asyncio.run(run())
    finally:
        oracle.stdin.close()
        oracle.wait(60)
        oracle.stdout.close()


def test_a_person_logs_in_to_a_real_kube_apiserver(tmp_path: Path) -> None:
    """As the user, groups and extra of aws-auth; RBAC counts; edits count without waiting for a cached refusal; an outage is
    over when it is over; and a restart of the authenticator needs none of the API server."""

    async def story(cluster: Cluster, port: int) -> None:
        await cluster.ok("apply", "-f", "-", stdin=RBAC)
        await cluster.ok("apply", "-f", "-", stdin=mapped("pod-reader"))
        # a minute's memory of who somebody is would carry the outsider over STS's outage, as it should
        async with cluster.world.authenticator("--kubeconfig-pregenerated", "--token-cache-ttl=1s", port=port):
            out, _ = await cluster.becomes(READER, code=0)
            user = json.loads(out)["status"]["userInfo"]
            assert user["username"] == "pod-reader"
            assert user["groups"] == ["pod-readers", "system:authenticated"]
            assert user["uid"] == f"aws-iam-authenticator:{ACCOUNT}:AIDAPODREADER"
            assert user["extra"]["canonicalArn"] == [f"arn:aws:iam::{ACCOUNT}:user/pod-reader"]
            assert (await cluster.kubectl("get", "pods", kubeconfig=cluster.login(READER)))[0] == 0
            code, _, error = await cluster.kubectl("get", "secrets", kubeconfig=cluster.login(READER))
            assert (code, 'User "pod-reader" cannot list resource "secrets"' in error) == (1, True)

            _, error = await cluster.becomes(OUTSIDER, code=1)
            assert "You must be logged in to the server" in error
            await cluster.ok("apply", "-f", "-", stdin=mapped("pod-reader", "outsider"))
            await cluster.becomes(OUTSIDER, code=0)
            await cluster.ok("apply", "-f", "-", stdin=mapped("pod-reader"))
            await cluster.becomes(OUTSIDER, code=1)

            forged = sigv4.Credentials(READER.access_key_id, "guessed")
            await cluster.becomes(forged, code=1)
            cluster.world.sts.mode = "failing"
            await cluster.ok("apply", "-f", "-", stdin=mapped("pod-reader", "outsider"))
            await cluster.becomes(OUTSIDER, code=1)
            cluster.world.sts.mode = "well"
            await cluster.becomes(OUTSIDER, code=0)
        await cluster.becomes(OUTSIDER, code=1)
        async with cluster.world.authenticator("--kubeconfig-pregenerated", port=port):
            await cluster.becomes(OUTSIDER, code=0)
            await cluster.ok(
                "patch",
                "configmap",
                "aws-auth",
                "-n",
                "kube-system",
                "--type=merge",
                "-p",
                '{"data": {"mapRoles": "["}}',
            )
            for _ in range(100):
                events = json.loads(await cluster.ok("get", "events", "-n", "kube-system", "-o", "json"))["items"]
                if any(event["reason"] == "AwsAuthFault" for event in events):
                    break
                await asyncio.sleep(0.1)
            else:
                raise AssertionError(events)

    play(tmp_path, story)
