"""Whatever is sent to a definition or to objects of a custom kind, the answer is a value or a refusal, never a bug."""

import asyncio
import copy
import json
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from iambridge.sandbox.cluster.cluster import Cluster
from iambridge.wire.http import Headers, Request, Response

from .test_api_laws import broken

if TYPE_CHECKING:
    from .conftest import Begun

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_WIDGETS = "/apis/shop.example.com/v1/namespaces/default/widgets"
_MERGE, _JSON, _APPLY = "application/merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml"
_SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "default": 3},
        "text": {"type": "string", "pattern": "^[a-z]*$", "nullable": True},
        "keyed": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        },
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "map": {"type": "object", "additionalProperties": {"x-kubernetes-int-or-string": True}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "pod": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
        "either": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                   "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
    },
}  # fmt: skip
_VERSION: dict[str, Any] = {
    "name": "v1",
    "served": True,
    "storage": True,
    "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}},
    "selectableFields": [{"jsonPath": ".spec.text"}],
    "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": _SPEC, "status": {"type": "object", "properties": {"size": {"type": "integer"}}}}}},
}  # fmt: skip
_DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.shop.example.com"},
    "spec": {
        "group": "shop.example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]},
        "versions": [_VERSION, {**_VERSION, "name": "v1beta1", "storage": False, "deprecated": True}],
    },
}
_WIDGET: dict[str, Any] = {
    "apiVersion": "shop.example.com/v1",
    "kind": "Widget",
    "metadata": {"name": "w", "labels": {"a": "b"}, "finalizers": ["x.y/z"]},
    "spec": {
        "size": 2,
        "text": "x",
        "keyed": [{"name": "a"}, {"name": "b"}],
        "tags": ["a"],
        "map": {"k": 1},
        "free": {"any": [{"thing": None}]},
        "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}},
        "either": {"a": "x"},
    },
    "status": {"size": 1},
}


def request(
    method: str,
    path: str,
    body: Any = None,
    query: str = "",
    *,
    kind: str = "application/json",
    accept: str = "application/json",
) -> Request:
    headers = Headers([("authorization", "Bearer t"), ("content-type", kind), ("accept", accept)])
    return Request(method, path, query, headers, b"" if body is None else json.dumps(body).encode())


@st.composite
def requests(draw: st.DrawFn) -> Request:
    of_kind = draw(st.sampled_from(("definition", "widget", "widget", "widget")))
    original, base = (_DEFINITION, _DEFINITIONS) if of_kind == "definition" else (_WIDGET, _WIDGETS)
    body = broken(draw, copy.deepcopy(original))
    method = draw(st.sampled_from(["POST", "PUT", "PATCH", "PATCH", "GET", "DELETE"]))
    query = draw(st.sampled_from(("", "fieldValidation=Strict", "dryRun=All")))
    below = (
        draw(st.sampled_from(("", "", "/status", "/scale")))
        if of_kind == "widget"
        else draw(st.sampled_from(("", "/status")))
    )
    name = original["metadata"]["name"]
    if of_kind == "widget" and draw(st.booleans()):
        base = base.replace("/v1/", "/v1beta1/")
    if method == "POST":
        return request("POST", base, body, query)
    if method == "GET":
        accept = draw(
            st.sampled_from(("application/json", "application/json;as=Table;v=v1;g=meta.k8s.io", "application/yaml"))
        )
        where = draw(st.sampled_from((base, f"{base}/{name}")))
        return request(
            "GET",
            where,
            None,
            draw(st.sampled_from(("", "limit=1", "fieldSelector=spec.text%3Dx" if of_kind == "widget" else ""))),
            accept=accept,
        )
    if method != "PATCH":
        return request(
            method, f"{base}/{name}{below if method == 'PUT' else ''}", body if method == "PUT" else None, query
        )
    kind = draw(st.sampled_from((_MERGE, _APPLY, _JSON)))
    if kind == _JSON:
        path = draw(
            st.sampled_from(
                ("/spec", "/spec/keyed/0", "/spec/free", "/metadata/labels", "/status", "/spec/versions/0/schema")
            )
        )
        body = [{"op": draw(st.sampled_from(("add", "remove", "replace"))), "path": path, "value": body.get("spec")}]
    query = "fieldManager=law&force=true" if kind == _APPLY else query
    return request("PATCH", f"{base}/{name}{below}", body, query, kind=kind)


async def established(cluster: Cluster) -> None:
    await cluster.app(request("POST", _DEFINITIONS, _DEFINITION))
    for _ in range(1000):
        if cluster.resources.find("shop.example.com", "v1", "widgets") is not None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the definition was not established")


def judge(sent: Request, response: Response) -> None:
    assert isinstance(response.body, bytes)
    spec_gone = b"spec replicas field" in response.body  # the one 500 that kube-apiserver gives, too
    assert response.status < 500 or spec_gone, (sent, response.body)
    if response.status >= 400 and response.body != b"404 page not found\n" and b"{" in response.body[:1]:
        answer = json.loads(response.body)
        assert (answer["kind"], answer["status"], answer["code"]) == ("Status", "Failure", response.status)
        assert answer["message"]


@settings(max_examples=15)
@given(st.lists(requests(), min_size=5, max_size=30))
def test_no_request_meets_a_bug(begun: "Begun", script: list[Request]) -> None:
    """A refusal is a Status; 500 is never the answer; and at the end discovery and OpenAPI still stand."""

    async def play(cluster: Cluster) -> None:
        await cluster.start()
        await established(cluster)
        for sent in script:
            judge(sent, await cluster.app(sent))
            await asyncio.sleep(0)
        for path in ("/apis", "/openapi/v3", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"):
            assert (await cluster.app(request("GET", path))).status == 200
        await cluster.close()

    with begun.cluster() as cluster:
        asyncio.run(play(cluster))
