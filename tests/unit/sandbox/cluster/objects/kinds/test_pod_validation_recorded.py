"""Pods and Services that kube-apiserver 1.37.2 was asked to create (dry run), with the causes of its refusals."""

import json
from pathlib import Path
from typing import Any

import pytest

from iambridge.sandbox.cluster.objects import service_target
from iambridge.sandbox.cluster.objects.conform import conform
from iambridge.sandbox.cluster.objects.kinds import strategy
from iambridge.sandbox.cluster.objects.types import type_of

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[5] / "cases/cluster/pod_and_service_validation.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_refusals_are_kube_apiserver_s(case: dict[str, Any]) -> None:
    """The same causes in the same order, and none where it had none; what this node refuses beyond that is not asked."""
    obj = {**case["object"], "metadata": {**case["object"]["metadata"], "namespace": "default"}}
    found = strategy("", obj["kind"])
    whole = found.default(found.prepare_create(conform(obj, type_of("v1", obj["kind"])).object))
    errors = found.validate_create(whole)
    if obj["kind"] == "Service":
        errors += service_target.refusals(whole)
    assert [[error.reason, error.message, error.field] for error in errors] == case["causes"]
