"""The case files: each pod, with its ServiceAccount and flags, gets the patch that its file records."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

_spec = importlib.util.spec_from_file_location("pod_cases", Path(__file__).with_name("pod_cases.py"))
assert _spec is not None
assert _spec.loader is not None
pod_cases: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pod_cases)

CASES = sorted(pod_cases.DIRECTORY.glob("*.yaml"))


def test_there_are_enough_cases() -> None:
    """The corpus has at least 80 cases, so that a wrong path does not make an empty test."""
    assert len(CASES) >= 80


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    """The decision, the patch and the mutated pod are those of the file."""
    case = pod_cases.load(path)
    got = pod_cases.outcome(case)
    assert got == {key: case[key] for key in got}, case["law"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_twice_is_once(path: Path) -> None:
    """A pod that has been through the webhook comes through again unchanged."""
    case = pod_cases.load(path)
    again = pod_cases.judge(case, case["mutated"])
    assert again.patch == []
    assert again.denied == case["denied"]
