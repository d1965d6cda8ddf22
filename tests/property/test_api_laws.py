"""Whatever a client sends, the API answers it: a value or a refusal in Kubernetes' shape, and never a bug."""

import asyncio
import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from iambridge.core.service_account_token import SigningKey
from iambridge.sandbox.cluster.cluster import Cluster
from iambridge.wire.http import Headers, Request

_KEY = SigningKey.generate("ES256")
_CASES = json.loads((Path(__file__).parents[1] / "cases/cluster/objects.json").read_text())
_VALUES: list[Any] = [None, True, 0, -1, 1.5, 10**30, "", "x", "a" * 300, "é\n", [], [1], [None], [{}], {}]
_VALUES += [{"a": 1}, {"a": None}, {"": ""}, {"$patch": "delete"}, [["x"]], {"name": "x"}]
_PATCHES = ("application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml")

Path_ = tuple[str | int, ...]


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The path of every value inside."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (*path, key)
        yield from places(inner, (*path, key))


def broken(draw: st.DrawFn, original: Any) -> Any:
    """`original` with one or two values taken away, replaced or added."""
    found = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 2))):
        candidates = list(places(found))
        if not candidates:
            break
        *parents, last = draw(st.sampled_from(candidates))
        holder = found
        for key in parents:
            holder = holder[key]
        action = draw(st.sampled_from(("replace", "replace", "remove", "add")))
        if action == "remove":
            del holder[last]
        elif action == "add" and isinstance(holder, dict):
            holder[draw(st.sampled_from(("zzz", "name", "kind", "spec")))] = _value(draw)
        else:
            holder[last] = _value(draw)
    return found


def _value(draw: st.DrawFn) -> Any:
    """A value of its own, so that breaking it further changes nobody else's."""
    return copy.deepcopy(draw(st.sampled_from(_VALUES)))


@st.composite
def requests(draw: st.DrawFn) -> Request:
    case = draw(st.sampled_from(_CASES))
    body, path, kind = broken(draw, case["object"]), case["path"], "application/json"
    method = draw(st.sampled_from(case.get("methods", ["POST", "PUT", "PATCH", "DELETE"])))
    query = draw(st.sampled_from(("", "fieldValidation=Strict", "dryRun=All")))
    if method != "POST":
        path = f"{path}/{case['object']['metadata']['name']}"
    if case.get("subresource"):
        path = f"{path}/{case['subresource']}"
    if method == "PATCH":
        kind = draw(st.sampled_from(_PATCHES))
        query = "fieldManager=law&force=true" if kind == _PATCHES[2] else query
    headers = Headers([("authorization", "Bearer t"), ("content-type", kind), ("accept", "application/json")])
    return Request(method, path, query, headers, json.dumps(body).encode())


def whole() -> list[Request]:
    """What makes the objects of all cases, so that there is something to change."""
    headers = Headers([("authorization", "Bearer t"), ("content-type", "application/json")])
    makes = (case for case in _CASES if "POST" in case.get("methods", ["POST"]))
    return [Request("POST", case["path"], "", headers, json.dumps(case["object"]).encode()) for case in makes]


@settings(max_examples=25, deadline=None)
@given(st.lists(requests(), min_size=5, max_size=30), st.booleans())
def test_no_request_meets_a_bug(script: list[Request], populated: bool) -> None:  # noqa: FBT001 - drawn
    """A refusal is a Status with a reason; 500 is never the answer."""

    async def play(directory: str) -> None:
        users = {"t": ("admin", ("system:masters",))}
        cluster = Cluster(
            Path(directory), issuer_url="https://i", server_url="https://s", signing_keys=[_KEY], static_tokens=users
        )
        await cluster.start()
        for request in [*(whole() if populated else ()), *script]:
            response = await cluster.app(request)
            assert isinstance(response.body, bytes)
            answer = json.loads(response.body)
            assert response.status < 500, (request, answer)
            if response.status >= 400:
                assert (answer["kind"], answer["status"], answer["code"]) == ("Status", "Failure", response.status)
                assert answer["reason"]
                assert answer["message"]
        await cluster.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(play(directory))
