import json
from pathlib import Path
from typing import Any

import pytest

from iambridge.errors import BadRequest, Conflict
from iambridge.sandbox.cluster.objects import strategic_merge
from iambridge.sandbox.cluster.objects.apply import apply, track
from iambridge.sandbox.cluster.objects.conform import conform
from iambridge.sandbox.cluster.objects.types import type_of

POD = type_of("v1", "Pod")
CASES = [
    json.loads(line) for line in (Path(__file__).parents[4] / "cases/kubernetes_patches.jsonl").read_text().splitlines()
]


def cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: cleaned(one) for key, one in value.items() if one is not None and key != "time"}
    return [cleaned(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", [case for case in CASES if "patch" in case])
def test_strategic_merge_is_kubernetes(case: dict[str, Any]) -> None:
    """A strategic merge gives what Kubernetes' own code gave for the same patch, or refuses where it refused."""
    if "error" in case["wanted"]:
        with pytest.raises(BadRequest):
            strategic_merge.apply(case["before"], case["patch"], POD)
        return
    assert cleaned(strategic_merge.apply(case["before"], case["patch"], POD)) == case["wanted"]["object"]


@pytest.mark.parametrize("case", [case for case in CASES if "steps" in case])
def test_apply_and_update_are_kubernetes(case: dict[str, Any]) -> None:
    """A sequence of applies and updates ends in the object, managedFields and conflicts that Kubernetes' code gave."""
    live: dict[str, Any] | None = None
    errors = []
    for second, step in enumerate(case["steps"]):
        now, manager = f"2026-01-01T00:00:{second:02}Z", step["manager"]
        try:
            if step["operation"] == "apply":
                merged = apply(live, step["object"], POD, manager=manager, force=step["force"], now=now)
            else:
                merged = track(live, conform(step["object"], POD).object, POD, manager=manager, now=now)
        except Conflict as error:
            errors.append(error.message)
            continue
        errors.append("")
        live = conform(merged, POD).object
    found = cleaned(live or {})
    if "managedFields" in found.get("metadata", {}):
        found["metadata"]["managedFields"].sort(key=lambda entry: (entry["operation"], entry["manager"]))
    assert errors == case["wanted"]["errors"]
    assert found == case["wanted"]["object"]
