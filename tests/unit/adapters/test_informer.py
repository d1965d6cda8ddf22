"""The client and the informer against an API over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from tests.ports import free_port

from iambridge.adapters.informer import Informer
from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.adapters.pod_identity_facts import ClusterFacts
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core.pod_identity import Settings
from iambridge.errors import ApiServerUnreachable, InputError, NotFound
from iambridge.wire.http import Request, Response
from iambridge.wire.prometheus import Counter

_JSON = (("content-type", "application/json"),)
ROLE = "arn:aws:iam::111122223333:role/app"


def account(name: str, version: int = 1, **annotations: str) -> dict[str, Any]:
    annotations = {f"eks.amazonaws.com/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {"metadata": {"name": name, "namespace": "ns", "resourceVersion": str(version), "annotations": annotations}}


class Api:
    """ServiceAccounts: pages of one object, watches that a test feeds and ends, and a count of GETs."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.version = 1
        self.watches: list[asyncio.Queue[dict[str, Any] | None]] = []
        self.gets: list[str] = []
        self.authorizations: list[str] = []
        self.fail_gets = False

    def emit(self, kind: str, found: dict[str, Any]) -> None:
        for watch in self.watches:
            watch.put_nowait({"type": kind, "object": found})

    async def app(self, request: Request) -> Response:
        self.authorizations.append(request.headers.get("authorization"))
        query = {key: values[0] for key, values in parse_qs(request.query).items()}
        if request.path != "/api/v1/serviceaccounts":
            return self._get(request.path)
        if "watch" in query:
            return Response(200, _JSON, self._stream())
        names = sorted(self.objects)
        start = int(query.get("continue", 0))
        page: dict[str, Any] = {"metadata": {"resourceVersion": str(self.version)}, "items": []}
        if names:
            page["items"] = [self.objects[names[start]]]
            if start + 1 < len(names):
                page["metadata"]["continue"] = str(start + 1)
        return Response(200, _JSON, json.dumps(page).encode())

    def _get(self, path: str) -> Response:
        name = path.rpartition("/")[2]
        self.gets.append(name)
        if self.fail_gets:
            return Response(500, _JSON, b"{}")
        if name in self.objects:
            return Response(200, _JSON, json.dumps(self.objects[name]).encode())
        status = {"kind": "Status", "reason": "NotFound", "code": 404, "message": f'serviceaccounts "{name}" not found'}
        return Response(404, _JSON, json.dumps(status).encode())

    async def _stream(self) -> AsyncIterator[bytes]:
        feed: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.watches.append(feed)
        try:
            while (event := await feed.get()) is not None:
                yield json.dumps(event).encode() + b"\n"
        finally:
            self.watches.remove(feed)


def kubeconfig(directory: Path, port: int, **user: Any) -> Path:
    path = directory / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return path


@asynccontextmanager
async def running(api: Api, directory: Path, **user: Any) -> AsyncIterator[KubernetesClient]:
    port = free_port()
    server = RunningServer(api.app, Listener("127.0.0.1", port))
    await server.start()
    client = KubernetesClient.from_kubeconfig(kubeconfig(directory, port, **user))
    try:
        yield client
    finally:
        await client.close()
        await server.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the condition is anything
            await asyncio.sleep(0.005)


def test_every_change_is_delivered(tmp_path: Path) -> None:
    """Pages, changes, deletions, and after an expired watch what was missed: each is delivered once and in order."""

    async def main() -> None:
        api, seen = Api(), []
        api.objects = {"a": account("a"), "b": account("b")}
        async with running(api, tmp_path) as client:
            informer: Informer[dict[str, Any]] = Informer(
                client, "/api/v1/serviceaccounts", on_change=lambda kind, o: seen.append((kind, o["metadata"]["name"]))
            )
            task = asyncio.create_task(informer.run())
            await until(lambda: bool(api.watches))
            assert informer.synced.is_set()
            assert seen == [("ADDED", "a"), ("ADDED", "b")]
            api.emit("MODIFIED", account("a", 2))
            api.emit("DELETED", account("b", 3))
            api.emit("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
            await until(lambda: len(seen) == 4)
            assert seen[2:] == [("MODIFIED", "a"), ("DELETED", "b")]
            api.objects = {"c": account("c", 12)}
            api.version = 12
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
            api.emit("ERROR", status)
            await until(lambda: len(seen) == 6)
            assert seen[4:] == [("ADDED", "c"), ("DELETED", "a")]
            task.cancel()

    asyncio.run(main())


def test_a_refusal_is_its_own_class(tmp_path: Path) -> None:
    """A Status comes back as the error of its reason; no answer at all as ApiServerUnreachable."""

    async def main() -> None:
        async with running(Api(), tmp_path) as client:
            with pytest.raises(NotFound, match='"gone" not found'):
                await client.get(path_of("api", "v1", "namespaces", "ns", "serviceaccounts", "gone"))
        other = KubernetesClient.from_kubeconfig(kubeconfig(tmp_path, free_port()))
        with pytest.raises(ApiServerUnreachable):
            await other.get("/version")
        await other.close()

    asyncio.run(main())


def test_exec_plugin_gives_the_token(tmp_path: Path) -> None:
    """An exec plugin is run with its arguments and environment, and its token is sent as a bearer token."""
    script = 'printf \'{"status": {"token": "%s-%s"}}\' "$1" "$FROM"'
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sh",
        "args": ["-c", script, "sh", "word"],
        "env": [{"name": "FROM", "value": "env"}],
    }

    async def main() -> None:
        api = Api()
        api.objects["a"] = account("a")
        async with running(api, tmp_path, exec=plugin) as client:
            await client.get("/api/v1/namespaces/ns/serviceaccounts/a")
        assert api.authorizations == ["Bearer word-env"]

    asyncio.run(main())


@pytest.mark.parametrize(
    "user", [{"username": "a"}, {"auth-provider": {"name": "gcp"}}, {"as": "a", "as-groups": ["g"]}], ids=str
)
def test_what_is_not_modelled_is_refused(tmp_path: Path, user: dict[str, Any]) -> None:
    """A kubeconfig that asks for an identity we cannot take on is refused by name."""
    with pytest.raises(InputError, match="not supported"):
        KubernetesClient.from_kubeconfig(kubeconfig(tmp_path, 1, **user))


def test_reads_past_the_cache_are_shared_and_bounded(tmp_path: Path) -> None:
    """Waiters for one missing ServiceAccount share a read; its absence is believed for a moment; a failure is raised."""

    async def main() -> None:
        api, now = Api(), [1000.0]
        counter = Counter("reads", "Reads", ("result",))
        async with running(api, tmp_path) as client:
            facts = ClusterFacts(client, Settings(), now=lambda: now[0], read_throughs=counter)
            task = asyncio.create_task(facts.run())
            await until(lambda: facts.synced)
            assert facts.known("ns", "new") is None
            api.objects["new"] = account("new", role_arn=ROLE)
            answers = await asyncio.gather(*(facts.read("ns", "new") for _ in range(5)))
            assert api.gets == ["new"]
            assert {answer.service_account.role_arn for answer in answers if answer.service_account} == {ROLE}
            assert (await facts.read("ns", "missing")).service_account is None
            known = facts.known("ns", "missing")
            assert known is not None
            assert known.service_account is None
            now[0] += 2
            assert facts.known("ns", "missing") is None
            api.fail_gets = True
            with pytest.raises(Exception, match=r"{}"):
                await facts.read("ns", "other")
            assert (counter.get("found"), counter.get("missing"), counter.get("failed")) == (1, 1, 1)
            task.cancel()

    asyncio.run(main())


def test_a_young_account_without_a_role_is_read_again_once(tmp_path: Path) -> None:
    """Cached without a role and younger than 60 s: read once for the resourceVersion. Older: never."""

    async def main() -> None:
        api, now = Api(), [1_000_000_000.0]
        young, old = account("young"), account("old")
        young["metadata"]["creationTimestamp"] = "2001-09-09T01:46:10Z"  # 30 s before `now`
        old["metadata"]["creationTimestamp"] = "2001-09-09T01:40:00Z"
        api.objects = {"young": young, "old": old}
        async with running(api, tmp_path) as client:
            facts = ClusterFacts(client, Settings(), now=lambda: now[0])
            task = asyncio.create_task(facts.run())
            await until(lambda: facts.synced)
            assert facts.known("ns", "old") is not None
            assert facts.known("ns", "young") is None
            await facts.read("ns", "young")
            assert facts.known("ns", "young") is not None
            assert api.gets == ["young"]
            changed = account("young", 2)
            changed["metadata"]["creationTimestamp"] = young["metadata"]["creationTimestamp"]
            await until(lambda: bool(api.watches))
            api.emit("MODIFIED", changed)
            await until(lambda: facts.known("ns", "young") is None)
            now[0] += 60
            assert facts.known("ns", "young") is not None
            task.cancel()

    asyncio.run(main())
