"""What clients rely on below kubectl: content types, watches, refusals. Needs an administrator's bearer token."""

import asyncio
import base64
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

Json = dict[str, Any]


class Http:
    """Requests as the kubeconfig's token."""

    def __init__(self, kubeconfig: Path, session: aiohttp.ClientSession) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        if "token" not in user:
            pytest.skip("the kubeconfig has no bearer token")
        self.server = cluster["server"]
        authority = cluster.get("certificate-authority-data")
        pem = base64.b64decode(authority).decode() if authority else Path(cluster["certificate-authority"]).read_text()
        self.tls = ssl.create_default_context(cadata=pem)
        self.headers = {"Authorization": f"Bearer {user['token']}"}
        self.session = session

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Json]:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**self.headers, **({"Content-Type": "application/json"} if data else {}), **named}
        async with self.session.request(method, self.server + path, data=data, headers=sent, ssl=self.tls) as response:
            text = await response.text()
            return response.status, json.loads(text) if text.startswith("{") else {"text": text}

    async def watch(self, path: str, count: int) -> list[Json]:
        """The first `count` events."""
        events = []
        async with self.session.get(
            self.server + path, headers=self.headers, ssl=self.tls, timeout=aiohttp.ClientTimeout(total=20)
        ) as response:
            assert response.status == 200
            async for line in response.content:
                events.append(json.loads(line))
                if len(events) == count:
                    break
        return events


@pytest.fixture
def run(kubeconfig: Path) -> Callable[[Callable[[Http], Awaitable[None]]], None]:
    def inside(work: Callable[[Http], Awaitable[None]]) -> None:
        async def main() -> None:
            async with aiohttp.ClientSession() as session:
                await work(Http(kubeconfig, session))
            await asyncio.sleep(0.05)  # aiohttp closes TLS connections a little after its session

        asyncio.run(main())

    return inside


Run = Callable[[Callable[[Http], Awaitable[None]]], None]
MAPS = "/api/v1/namespaces/default/configmaps"


def config_map(name: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"of": "http"}}, "data": data}


def test_statuses(run: Run) -> None:
    """Each refusal is a Status with Kubernetes' code and reason; nothing is a 500."""

    async def work(http: Http) -> None:
        for method, path, body, headers, wanted in (
            ("GET", f"{MAPS}/none", None, {}, (404, "NotFound")),
            ("POST", MAPS, b"{", {}, (400, "BadRequest")),
            ("POST", MAPS, b"[]", {}, (400, "BadRequest")),
            ("POST", MAPS, config_map("x"), {"Content_Type": "application/cbor"}, (415, "UnsupportedMediaType")),
            ("GET", MAPS, None, {"Accept": "image/png"}, (406, "NotAcceptable")),
            ("PATCH", f"{MAPS}/none", {}, {"Content_Type": "application/json"}, (415, "UnsupportedMediaType")),
            (
                "POST",
                MAPS,
                {"kind": "ConfigMap", "apiVersion": "v2", "metadata": {"name": "x"}},
                {},
                (400, "BadRequest"),
            ),
            ("POST", MAPS, config_map("Not-A-Name"), {}, (422, "Invalid")),
            ("POST", MAPS, {"kind": "ConfigMap", "apiVersion": "v1"}, {}, (422, "Invalid")),
            ("POST", MAPS, {"data": {"a": 1}, "metadata": {"name": "x"}}, {}, (400, "BadRequest")),
            ("GET", f"{MAPS}?labelSelector=a%20b%20c", None, {}, (400, "BadRequest")),
            ("GET", f"{MAPS}?fieldSelector=spec.x=1", None, {}, (400, "BadRequest")),
            ("GET", f"{MAPS}?continue=nonsense", None, {}, (400, "BadRequest")),
            ("GET", f"{MAPS}?limit=x", None, {}, (400, "BadRequest")),
            ("POST", f"{MAPS}?dryRun=Some", config_map("x"), {}, (422, "Invalid")),
            ("PUT", f"{MAPS}/other", config_map("x"), {}, (400, "BadRequest")),
        ):
            status, answer = await http.ask(method, path, body, **headers)
            assert (status, answer.get("reason")) == wanted, (method, path, answer)
            assert answer["kind"] == "Status"
            assert answer["code"] == wanted[0]

    run(work)


def test_an_unknown_token_is_unauthorized(run: Run) -> None:
    """A bearer token that nobody knows is 401, not anonymous; none at all is anonymous, and forbidden."""

    async def work(http: Http) -> None:
        status, answer = await http.ask("GET", MAPS, Authorization="Bearer nonsense")
        assert (status, answer["message"], answer["reason"]) == (401, "Unauthorized", "Unauthorized")
        http.headers = {}
        status, answer = await http.ask("GET", MAPS)
        if status != 401:  # anonymous requests may be off
            assert status == 403
            assert 'User "system:anonymous" cannot list resource "configmaps"' in answer["message"]

    run(work)


def test_watch_follows_objects_in_and_out_of_the_selection(run: Run) -> None:
    """Entering a selector is ADDED, leaving it DELETED, and versions only grow."""

    async def work(http: Http) -> None:
        await http.ask("DELETE", f"{MAPS}/walker")
        _, listed = await http.ask("GET", MAPS)
        since = listed["metadata"]["resourceVersion"]
        path = f"{MAPS}?watch=true&labelSelector=mood%3Dgood&resourceVersion={since}&timeoutSeconds=15"
        watching = asyncio.create_task(http.watch(path, 4))
        await http.ask("POST", MAPS, config_map("walker"))
        for mood in ("good", "good", "bad", "good"):
            patch = {"metadata": {"labels": {"mood": mood, "time": str(asyncio.get_running_loop().time())}}}
            await http.ask("PATCH", f"{MAPS}/walker", patch, Content_Type="application/merge-patch+json")
        events = await watching
        await http.ask("DELETE", f"{MAPS}/walker")
        assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED", "ADDED"]
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
        assert versions == sorted(set(versions))

    run(work)


def test_watch_list_ends_its_initial_events_with_a_bookmark(run: Run) -> None:
    """sendInitialEvents streams what there is, then a bookmark that says so."""

    async def work(http: Http) -> None:
        _, listed = await http.ask("GET", "/api/v1/namespaces")
        count = len(listed["items"])
        query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        events = await http.watch(f"/api/v1/namespaces?{query}", count + 1)
        assert {event["type"] for event in events[:-1]} == {"ADDED"}
        assert events[-1]["type"] == "BOOKMARK"
        assert events[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}

    run(work)


def test_a_version_in_the_future_is_a_timeout(run: Run) -> None:
    """Nobody waits for a version that may never come."""

    async def work(http: Http) -> None:
        status, answer = await http.ask("GET", f"{MAPS}?resourceVersion=9999999999&resourceVersionMatch=NotOlderThan")
        assert (status, answer["reason"]) == (504, "Timeout")
        assert "Too large resource version" in answer["message"]

    run(work)


def test_pages_are_of_one_snapshot(run: Run) -> None:
    """What is created and deleted between two pages does not show in the second."""

    async def work(http: Http) -> None:
        for name in ("p1", "p2", "p3"):
            await http.ask("POST", MAPS, config_map(name))
        query = "labelSelector=of%3Dhttp&limit=1"
        _, first = await http.ask("GET", f"{MAPS}?{query}")
        await http.ask("DELETE", f"{MAPS}/p3")
        await http.ask("POST", MAPS, config_map("p4"))
        names = [item["metadata"]["name"] for item in first["items"]]
        token = first["metadata"]["continue"]
        while token:
            _, page = await http.ask("GET", f"{MAPS}?{query}&continue={token}")
            assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
            names += [item["metadata"]["name"] for item in page["items"]]
            token = page["metadata"].get("continue", "")
        for name in ("p1", "p2", "p4"):
            await http.ask("DELETE", f"{MAPS}/{name}")
        assert names == ["p1", "p2", "p3"]

    run(work)


def test_preconditions(run: Run) -> None:
    """A delete with another uid or resourceVersion is a conflict and deletes nothing."""

    async def work(http: Http) -> None:
        _, made = await http.ask("POST", MAPS, config_map("kept"))
        for condition in ({"uid": "another"}, {"resourceVersion": "1"}):
            options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": condition}
            status, answer = await http.ask("DELETE", f"{MAPS}/kept", options)
            assert (status, answer["reason"]) == (409, "Conflict")
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": made["metadata"]["uid"]}}
        status, answer = await http.ask("DELETE", f"{MAPS}/kept", options)
        assert (status, answer["status"], answer["details"]["name"]) == (200, "Success", "kept")

    run(work)


def test_generated_names(run: Run) -> None:
    """generateName gets five characters that are not there yet."""

    async def work(http: Http) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "gen-"}}
        made = [(await http.ask("POST", MAPS, body))[1]["metadata"]["name"] for _ in range(3)]
        for name in made:
            await http.ask("DELETE", f"{MAPS}/{name}")
        assert len(set(made)) == 3
        assert all(name.startswith("gen-") and len(name) == 9 for name in made)

    run(work)


def test_discovery_in_both_forms(run: Run) -> None:
    """The aggregated and the legacy discovery name the same resources."""

    async def work(http: Http) -> None:
        aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        _, core = await http.ask("GET", "/api", Accept=aggregated)
        _, legacy = await http.ask("GET", "/api/v1")
        assert core["kind"] == "APIGroupDiscoveryList"
        first = {each["resource"] for each in core["items"][0]["versions"][0]["resources"]}
        assert first == {each["name"] for each in legacy["resources"] if "/" not in each["name"]}

    run(work)
