"""Definitions and objects as Kubernetes' own code judged them: tools/custom_resources/differential.py recorded them."""

import json
from pathlib import Path
from typing import Any

import pytest

from iambridge.sandbox.cluster.objects.conform import conform
from iambridge.sandbox.cluster.objects.custom import embedded, list_types, values
from iambridge.sandbox.cluster.objects.custom.defaulting import default
from iambridge.sandbox.cluster.objects.custom.pruning import prune
from iambridge.sandbox.cluster.objects.kinds import strategy
from iambridge.sandbox.cluster.objects.types import type_of

_FILE = Path(__file__).parents[5] / "cases/custom_resources/kubernetes-0.37.2.json"
CASES: list[dict[str, Any]] = json.loads(_FILE.read_text())
RULES = strategy("apiextensions.k8s.io", "CustomResourceDefinition")
TYPE = type_of("apiextensions.k8s.io/v1", "CustomResourceDefinition")


def words(faults: list[Any]) -> list[str]:
    return sorted({str(fault) for fault in faults})


def cut(text: str) -> str:
    """Kubernetes shows a whole schema by the fields of its internal struct, which is nobody's business."""
    head, found, tail = text.partition(": only [")
    return head.partition(": Invalid value")[0] + found + tail


@pytest.mark.parametrize("number", range(len(CASES)))
def test_as_kubernetes(number: int) -> None:
    """The same refusals of the definition, or the same object, unknown fields and faults, on creation and update."""
    case = CASES[number]
    answer = case["answer"]
    definition = RULES.default(conform(case["definition"], TYPE).object)
    faults = words(RULES.validate_create(definition))
    assert sorted(map(cut, faults)) == sorted(map(cut, answer.get("definition") or []))
    if "definition" in answer:
        return
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    pruned, unknown = prune(case["object"], schema)
    found = default(pruned, schema)
    old = default(prune(case["old"], schema)[0], schema)
    assert found == answer["object"]
    assert unknown == answer["unknown"]
    created = values.validate(found, schema) + embedded.faults(found, schema) + list_types.faults(found, schema)
    assert words(created) == answer["errors"]
    assert words(values.validate(found, schema, old=old)) == answer["update"]


def test_the_cases_are_of_every_sort() -> None:
    """There are valid and faulty definitions, and valid and faulty objects, among them."""
    answers = [case["answer"] for case in CASES]
    assert sum("definition" in answer for answer in answers) > 50
    assert sum(bool(answer.get("errors")) for answer in answers) > 50
    assert sum(answer.get("errors") == [] for answer in answers) > 50
    assert sum(answer.get("errors") not in (None, []) and answer.get("update") == [] for answer in answers) > 5
