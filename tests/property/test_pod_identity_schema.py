"""Random pods drawn from Kubernetes' own OpenAPI schema go through the webhook and lose nothing."""

import asyncio
import base64
import copy
import io
import json
import string
from functools import cache
from typing import Any

import jsonpatch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iambridge.adapters.decision_log import JsonLinesDecisionLog
from iambridge.core.pod_identity import Facts, Settings, identity_of_annotations
from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.objects.conform import conform
from iambridge.sandbox.cluster.objects.schema import definitions
from iambridge.sandbox.cluster.objects.types import type_of
from iambridge.servers.pod_identity_webhook import PodIdentityWebhook
from iambridge.wire.http import Headers, Request

SETTINGS = Settings(region="us-west-2", regional_sts=True)
FACTS = Facts(identity_of_annotations({"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/app"}, SETTINGS))
_PREFIX = "#/components/schemas/"
_DEPTH = 7
TEXT = st.one_of(
    st.sampled_from(["aws-iam-token", "AWS_ROLE_ARN", "AWS_REGION", "windows", "kubernetes.io/os", "a", ""]),
    st.text(string.printable, max_size=6),
)
_BIASED = {  # where the webhook looks, a draw from the whole schema would rarely come
    "containers", "initContainers", "volumes", "env", "volumeMounts", "name", "mountPath", "projected", "sources",
    "serviceAccountToken", "nodeSelector", "os", "value",
}  # fmt: skip
"""Fields of a Pod that matter here are drawn more often than the rest."""


def drawn(schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    reference = schema.get("$ref") or next((one["$ref"] for one in schema.get("allOf", ()) if "$ref" in one), "")
    if reference:
        return of_definition(reference.removeprefix(_PREFIX), depth)
    match schema.get("type"):
        case "string":
            return st.just("2026-01-01T00:00:00Z") if schema.get("format") == "date-time" else TEXT
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(0, 2**31 - 1)
        case "number":
            return st.floats(0, 1e6)
        case "array":
            return st.lists(drawn(schema["items"], depth - 1), max_size=2) if depth > 0 else st.just([])
        case "object" if "additionalProperties" in schema:
            return st.dictionaries(TEXT, drawn(schema["additionalProperties"], depth - 1), max_size=2)
    return st.sampled_from(["1", 1]) if "oneOf" in schema or schema.get("format") == "int-or-string" else st.just({})


def later(schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    """Definitions refer to each other: each is made when it is first drawn from."""

    def now() -> st.SearchStrategy[Any]:
        return drawn(schema, depth)

    return st.deferred(now)


@cache
def of_definition(name: str, depth: int) -> st.SearchStrategy[Any]:
    schema = definitions()[name]
    properties = schema.get("properties")
    if not properties:
        return drawn({key: value for key, value in schema.items() if key != "$ref"}, depth)
    if depth <= 0:
        return st.just({})
    parts = {key: later(one, depth - 1) for key, one in properties.items()}
    required = {key: parts.pop(key) for key in schema.get("required", ())}
    likely = sorted(parts.keys() & _BIASED)
    rare = sorted(parts.keys() - _BIASED)
    chosen = st.tuples(
        st.lists(st.sampled_from(likely), max_size=4, unique=True) if likely else st.just([]),
        st.lists(st.sampled_from(rare), max_size=2, unique=True) if rare else st.just([]),
    )
    return chosen.flatmap(
        lambda keys: st.fixed_dictionaries({**required, **{key: parts[key] for key in (*keys[0], *keys[1])}})
    )


PODS = st.builds(
    lambda meta, spec: {"metadata": meta, "spec": {**spec, "serviceAccountName": "app"}},
    of_definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", 4),
    of_definition("io.k8s.api.core.v1.PodSpec", _DEPTH),
)


class Known:
    synced = True

    def known(self, namespace: str, name: str) -> Facts | None:
        return FACTS

    async def read(self, namespace: str, name: str) -> Facts:
        return FACTS


SERVER = PodIdentityWebhook(Known(), SETTINGS, JsonLinesDecisionLog(io.StringIO(), lambda: 0.0), draw=lambda: 0.0)


def answered(pod: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The status, and the pod as an API server would make it by the answer."""
    review = {
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {"uid": "u", "namespace": "default", "operation": "CREATE", "kind": {"kind": "Pod"}, "object": pod},
    }  # fmt: skip
    headers = Headers([("content-type", "application/json")])
    response = asyncio.run(SERVER.app(Request("POST", "/mutate", headers=headers, body=json.dumps(review).encode())))
    assert isinstance(response.body, bytes)
    if response.status != 200:
        return response.status, pod
    patch = json.loads(response.body)["response"].get("patch")
    operations = json.loads(base64.b64decode(patch)) if patch else []
    result: dict[str, Any] = jsonpatch.apply_patch(copy.deepcopy(pod), operations)
    return 200, result


def kept(before: Any, after: Any) -> bool:
    """Everything in `before` is in `after`; lists may only grow, around the user's entries in their order."""
    if isinstance(before, dict):
        return isinstance(after, dict) and all(key in after and kept(before[key], after[key]) for key in before)
    if isinstance(before, list):
        rest = iter(after)
        return all(any(kept(entry, other) for other in rest) for entry in before)
    return bool(before == after)


def faults(pod: dict[str, Any]) -> str:
    """What an API server finds wrong with the pod's types and fields."""
    try:
        return "; ".join(conform({"apiVersion": "v1", "kind": "Pod", **pod}, type_of("v1", "Pod")).unknown)
    except BadRequest as error:
        return error.cause


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(PODS)
def test_pods_of_the_schema_go_through(pod: dict[str, Any]) -> None:
    """Every pod that the schema allows is judged; the patch keeps all of it, fits the schema, and twice is once."""
    status, once = answered(pod)
    assert status == 200
    assert kept(pod, once)
    if not faults(pod):
        assert faults(once) == ""
    assert answered(once) == (200, once)
