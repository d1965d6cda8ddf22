"""The surroundings of an authenticator under test: an API server with one ConfigMap, an STS that can fail, the daemon."""

import asyncio
import contextlib
import datetime as dt
import json
import os
import signal
import ssl
import sys
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from tests.ports import free_port

from iambridge.adapters.certificates import CertificateAuthority, Leaf
from iambridge.adapters.oidc_keys import FetchedOidcKeys
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core import sigv4
from iambridge.core.authenticator_token import CLUSTER_ID_HEADER, encode
from iambridge.core.decision import Decision
from iambridge.core.iam_policy import Policies, Principal
from iambridge.core.role_trust import OidcProvider, Session, TrustedRole
from iambridge.ports import LongTermKey
from iambridge.sandbox.aws.sessions import SealedSessions
from iambridge.sandbox.aws.unique_ids import SESSION_KEY, access_key_id, account_of, secret_access_key
from iambridge.servers.sts import SecurityTokenService
from iambridge.wire.http import Request, Response

ACCOUNT = "111122223333"
CLUSTER = "iambridge"
READER = sigv4.Credentials("AKIAIOSFODNN7EXAMPLE", "reader-secret")
OUTSIDER = sigv4.Credentials("AKIAIOSFODNN7OUTSIDE", "outsider-secret")
MAP_USERS = f"- userarn: arn:aws:iam::{ACCOUNT}:user/pod-reader\n  username: pod-reader\n  groups: [pod-readers]\n"


class Users:
    """IAM's facts: two users, nothing else."""

    def access_key(self, access_key_id: str) -> LongTermKey | None:
        for key, name in ((READER, "pod-reader"), (OUTSIDER, "outsider")):
            if access_key_id == key.access_key_id:
                arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
                principal = Principal(arn, ACCOUNT, "user", user_id=f"AIDA{name.upper().replace('-', '')}")
                return LongTermKey(key.access_key_id, key.secret_access_key, active=True, principal=principal)
        return None

    def role(self, role_arn: str) -> TrustedRole | None:
        return None

    def oidc_provider(self, account: str, url: str) -> OidcProvider | None:
        return None

    def principal_tags(self, entity_arn: str, entity_id: str) -> dict[str, str] | None:
        return {}

    def policies(self, principal: Principal, session: Session | None) -> Policies:
        return Policies()

    def managed_policy_exists(self, policy_arn: str, account: str) -> bool:
        return False


@dataclass
class ConfigMapApi:
    """What the authenticator asks of an API server: list, watch and get of one ConfigMap, the cluster's uid; and Events."""

    data: dict[str, str] | None
    version: int = 1
    events: list[dict[str, Any]] = field(default_factory=list)
    changes: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    uid: str = "u-1"
    cluster_uid: str = "c-1"
    refusal: bool = False

    def object(self) -> dict[str, Any]:
        metadata = {
            "name": "aws-auth",
            "namespace": "kube-system",
            "uid": self.uid,
            "resourceVersion": str(self.version),
        }
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": self.data}

    def edit(self, data: dict[str, str] | None, *, watched: bool = True) -> None:
        """Without `watched` the change is one that no watch tells: whoever asks for what came after is told to list."""
        event = {"type": "DELETED" if data is None else "MODIFIED"}
        self.version += 1
        gone = self.object()
        self.data = data
        if not watched:
            return
        self.changes.put_nowait(json.dumps({**event, "object": gone if data is None else self.object()}) + "\n")

    async def app(self, request: Request) -> Response:
        if self.refusal:
            body = {"kind": "Status", "reason": "Forbidden", "message": "no", "code": 403}
            return Response(403, (), json.dumps(body).encode())
        if request.method == "POST":
            self.events.append(json.loads(request.body))
            return Response(201, (), b"{}")
        if request.path.endswith("/namespaces/kube-system"):
            return Response(200, (), json.dumps({"kind": "Namespace", "metadata": {"uid": self.cluster_uid}}).encode())
        if request.path.endswith("/aws-auth"):
            body = (
                self.object() if self.data is not None else {"kind": "Status", "reason": "NotFound", "message": "gone"}
            )
            return Response(200 if self.data is not None else 404, (), json.dumps(body).encode())
        if "watch=true" in request.query:
            return Response(200, (), self._watch(f"resourceVersion={self.version}&" in request.query + "&"))
        items = [self.object()] if self.data is not None else []
        body = {"kind": "ConfigMapList", "metadata": {"resourceVersion": str(self.version)}, "items": items}
        return Response(200, (), json.dumps(body).encode())

    async def _watch(self, current: bool) -> AsyncIterator[bytes]:  # noqa: FBT001 - one caller
        if not current and self.changes.empty():
            expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            yield json.dumps({"type": "ERROR", "object": expired}).encode() + b"\n"
            return
        while True:
            yield (await self.changes.get()).encode()


class Silent:
    def record(self, decision: Decision, *, request_id: str, **request: str) -> None:
        pass


def service(directory: Path) -> SecurityTokenService:
    return SecurityTokenService(
        iam=Users(), oidc_keys=FetchedOidcKeys(time.monotonic), sessions=SealedSessions(directory / "session.key"), log=Silent(),
        now=lambda: dt.datetime.now(dt.UTC), new_id=lambda: str(uuid.uuid4()),
        new_key=lambda account: (access_key_id(SESSION_KEY, account), secret_access_key()), account_of=account_of,
    )  # fmt: skip


def kubeconfig_of(directory: Path, api_port: int) -> Path:
    file = directory / "kubeconfig"
    file.write_text(yaml.safe_dump({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{api_port}"}}],
        "users": [{"name": "c", "user": {}}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    }))  # fmt: skip
    return file


def presigned(
    url: str, keys: sigv4.Credentials = READER, *, cluster: str = CLUSTER, age: float = 0, expires: int = 60
) -> str:
    """A token. `age` in seconds makes tokens differ, too."""
    return encode(
        sigv4.presign(
            keys,
            method="GET",
            url=f"{url}/?Action=GetCallerIdentity&Version=2011-06-15",
            region="us-east-1",
            service="sts",
            headers={CLUSTER_ID_HEADER: cluster},
            expires=expires,
            now=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age),
        )
    )


@dataclass
class FailingSts:
    """A real STS that can be told to answer as a sick one: `well`, `slow`, `throttling`, `failing`."""

    service: SecurityTokenService
    mode: str = "well"
    delay: float = 0.0
    calls: int = 0
    open: int = 0
    most_open: int = 0

    async def app(self, request: Request) -> Response:
        self.calls += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            if self.delay:
                await asyncio.sleep(self.delay)
            return await self._answer(request)
        finally:
            self.open -= 1

    async def _answer(self, request: Request) -> Response:
        code = {"throttling": "Throttling", "failing": "InternalFailure"}.get(self.mode)
        if code is None:
            return await self.service.app(request)
        body = json.dumps({"Error": {"Code": code, "Message": "m", "Type": "Sender"}, "RequestId": "r"}).encode()
        return Response(500 if self.mode == "failing" else 400, (("content-type", "application/json"),), body)


@dataclass
class Daemon:
    """A running `iambridge serve authenticator`."""

    url: str
    http: aiohttp.ClientSession
    log: Path

    async def review(self, token: str) -> tuple[int, dict[str, Any]]:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        async with self.http.post(self.url + "/authenticate", json=body) as answer:
            text = await answer.text()
            return answer.status, json.loads(text)["status"] if text.startswith("{") else {"text": text}

    async def becomes(self, token: str, *, authenticated: bool) -> dict[str, Any]:
        return await self.answers(token, lambda code, status: code == 200 and status["authenticated"] is authenticated)

    async def answers(self, token: str, wanted: Any) -> dict[str, Any]:
        for _ in range(600):
            code, status = await self.review(token)
            if wanted(code, status):
                return status
            await asyncio.sleep(0.05)
        raise AssertionError((code, status, self.log.read_text()[-2000:]))

    async def get(self, path: str) -> tuple[int, str]:
        async with self.http.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def shows(self, metric: str) -> None:
        for _ in range(600):
            _, text = await self.get("/metrics")
            if metric in text:
                return
            await asyncio.sleep(0.05)
        raise AssertionError((metric, text))


class Surroundings:
    """An API server and an STS that can be stopped and started; `authenticator` runs the daemon among them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = CertificateAuthority(directory / "pki", name="test", now=dt.datetime.now(dt.UTC))
        self.api = ConfigMapApi({"mapUsers": MAP_USERS})
        self.sts = FailingSts(service(directory))
        self._sts_port, self._api_port = free_port(), free_port()
        self._servers: dict[str, RunningServer] = {}
        self.kubeconfig = kubeconfig_of(directory, self._api_port)

    @property
    def sts_url(self) -> str:
        return f"https://127.0.0.1:{self._sts_port}"

    def token(
        self, keys: sigv4.Credentials = READER, *, age: float = 0, cluster: str = CLUSTER, expires: int = 60
    ) -> str:
        return presigned(self.sts_url, keys, age=age, cluster=cluster, expires=expires)

    async def start(self, name: str, *, authority: CertificateAuthority | None = None) -> None:
        if name == "api":
            listener, app = Listener("127.0.0.1", self._api_port), self.api.app
        else:
            leaf: Leaf = (authority or self.authority).leaf("sts", hosts=("127.0.0.1",))
            listener, app = Listener("127.0.0.1", self._sts_port, leaf.certificate, leaf.key), self.sts.app
        self._servers[name] = RunningServer(app, listener)
        await self._servers[name].start()

    async def told(self, reason: str) -> str:
        """The message of the Event of that reason, once it is written."""
        for _ in range(600):
            for event in self.api.events:
                if event["reason"] == reason:
                    return str(event["message"])
            await asyncio.sleep(0.05)
        raise AssertionError(self.api.events)

    async def stop(self, *names: str) -> None:
        for name in names or tuple(self._servers):
            await self._servers.pop(name).stop()

    @contextlib.asynccontextmanager
    async def authenticator(
        self, *flags: str, wait: str = "/readyz", code: int = 200, port: int = 0
    ) -> AsyncIterator[Daemon]:
        """The daemon as a process of its own, up to the moment that `wait` answers `code`; killed outright at the end."""
        port, state, log = port or free_port(), self.directory / "state", self.directory / "daemon.log"
        command = [
            sys.executable, "-m", "iambridge", "serve", "authenticator", "--cluster-id", CLUSTER, "--port", str(port),
            "--state-dir", str(state), "--hostname", "127.0.0.1", "--kubeconfig", str(self.kubeconfig),
            "--backend-mode", "EKSConfigMap", "--sts-endpoint", self.sts_url,
            "--sts-ca-file", str(self.authority.certificate_file), *flags,
        ]  # fmt: skip
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=output, stderr=output, env={"PATH": os.environ["PATH"], "HOME": str(self.directory)}
            )
        try:
            for _ in range(600):
                if (state / "kubeconfig.yaml").exists() or process.returncode is not None:
                    break
                await asyncio.sleep(0.05)
            authorities = next(file for file in (state / "ca.crt", state / "cert.pem") if file.exists())
            connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=authorities), limit=0)
            async with aiohttp.ClientSession(connector=connector) as http:
                daemon = Daemon(f"https://127.0.0.1:{port}", http, log)
                await _until_answers(daemon, wait, code)
                yield daemon
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()


async def _until_answers(daemon: Daemon, path: str, code: int) -> None:
    for _ in range(600):
        with contextlib.suppress(aiohttp.ClientError):
            if (await daemon.get(path))[0] == code:
                return
        await asyncio.sleep(0.05)
    raise AssertionError(daemon.log.read_text()[-2000:])
