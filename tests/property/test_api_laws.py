"""Whatever a client sends, the API answers it: a value or a refusal in Kubernetes' shape, and never a bug."""

import asyncio
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from iambridge.sandbox.cluster.cluster import Cluster
from iambridge.wire.http import Headers, Request

if TYPE_CHECKING:
    from .conftest import Begun

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


def play(begun: "Begun", script: list[Request]) -> None:
    """Ask all of `script` of a new cluster, and judge each answer."""

    async def inside(cluster: Cluster) -> None:
        await cluster.start()
        for request in script:
            response = await cluster.app(request)
            assert response.status < 500 or response.status == 504, (request, response.body)
            if response.status < 400 or not isinstance(response.body, bytes) or request.method == "HEAD":
                continue
            if dict(response.headers)["content-type"].startswith("text/plain"):
                assert response.body == b"404 page not found\n"
                continue
            answer = json.loads(response.body)
            assert (answer["kind"], answer["status"], answer["code"]) == ("Status", "Failure", response.status)
            assert answer["reason"]
            assert answer["message"]
        await cluster.close()

    with begun.cluster() as cluster:
        asyncio.run(inside(cluster))


_TYPES = ["application/json", "application/yaml", "application/json-patch+json", "text/plain", "", *_PATCHES]
_TYPES += ["application/vnd.kubernetes.protobuf"]
_OPTIONS = ["labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch", "watch"]
_OPTIONS += ["dryRun", "fieldManager", "fieldValidation", "force", "propagationPolicy", "gracePeriodSeconds", "pretty"]
_WORDS = st.sampled_from(["a", "in", "notin", "(", ")", ",", "=", "!=", "!", "<", " ", "-x", "a/b", "\\", "0", "true"])
_TEXTS = st.one_of(st.lists(_WORDS, max_size=7).map("".join), st.text(max_size=8))
_OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "nope", 1, None]),
        "path": st.sampled_from(["", "/", "/metadata", "/metadata/name", "/spec/x", "/metadata/labels/a", "x", 1]),
        "from": st.sampled_from(["/metadata", "/kind", "/none", "x"]),
        "value": st.sampled_from(_VALUES),
    },
)
_BODIES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    st.lists(_OPERATIONS, max_size=4).map(lambda found: json.dumps(found).encode()),
    st.sampled_from([b"", b"{", b"null", b"[]", b"{} x", b"a: b: c", b"k8s\x00", b"k8s\x00\x0a\x05abc", b"- a\n"]),
)


@st.composite
def strange(draw: st.DrawFn) -> Request:
    """What no client sends: any bytes in any content type, options with any value, tokens that are none."""
    case = draw(st.sampled_from(_CASES))
    method = draw(st.sampled_from(case.get("methods", ["POST", "PUT", "PATCH", "DELETE", "GET", "GET", "HEAD"])))
    path = case["path"]
    if method in {"PUT", "PATCH", "DELETE"}:
        path = f"{path}/{draw(st.sampled_from([case['object']['metadata']['name'], 'none', 'Bad_Name', '%00']))}"
    names = draw(st.lists(st.sampled_from(_OPTIONS), max_size=3, unique=True))
    query = urlencode([(name, draw(_TEXTS)) for name in names if (name, method) != ("watch", "GET")])
    token = draw(st.sampled_from(["Bearer t", "Bearer t", "Bearer t", "Bearer ", "Bearer a.b.c", "Basic YTpi", "x"]))
    types = [
        ("content-type", draw(st.sampled_from(_TYPES))),
        ("accept", draw(st.sampled_from(("", "*/*", "a/b", "x")))),
    ]
    body = draw(_BODIES) if method not in {"GET", "HEAD"} else b""
    return Request(method, path, query, Headers([("authorization", token), *types]), body)


@settings(max_examples=25)
@given(st.lists(strange(), min_size=5, max_size=30))
def test_no_strange_request_meets_a_bug(begun: "Begun", script: list[Request]) -> None:
    """Bytes, selectors, options and tokens that are none are refused with a Status, and never as a bug."""
    play(begun, script)


def whole() -> list[Request]:
    """What makes the objects of all cases, so that there is something to change."""
    headers = Headers([("authorization", "Bearer t"), ("content-type", "application/json")])
    makes = (case for case in _CASES if "POST" in case.get("methods", ["POST"]))
    return [Request("POST", case["path"], "", headers, json.dumps(case["object"]).encode()) for case in makes]


@settings(max_examples=25)
@given(st.lists(requests(), min_size=5, max_size=30), st.booleans())
def test_no_request_meets_a_bug(begun: "Begun", script: list[Request], populated: bool) -> None:  # noqa: FBT001 - drawn
    """A refusal is a Status with a reason; 500 is never the answer."""
    play(begun, [*(whole() if populated else ()), *script])
