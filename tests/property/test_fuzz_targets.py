"""Every target of tools/fuzz/aws_side.py for a moment, and every input that fuzzing ever found.

Longer: `python tools/fuzz/aws_side.py --seconds 600`.
"""

import contextlib
import importlib.util
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from iambridge.errors import BridgeError

ROOT = Path(__file__).parents[2]
FOUND = json.loads((ROOT / "tests/cases/fuzz/findings.json").read_bytes())["cases"]
CASES = 150


def _loaded() -> Any:
    file = ROOT / "tools/fuzz/aws_side.py"
    spec = importlib.util.spec_from_file_location("fuzz_aws_side", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fuzzer = _loaded()


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Any:
    yield
    fuzzer.close()


@pytest.mark.parametrize("target", fuzzer.TARGETS)
def test_mutated_input_is_answered_or_refused(target: str) -> None:
    """No exception but a refusal, no answer of 500."""
    done, findings = fuzzer.fuzz(target, seed=1, cases=CASES)
    assert (done, {place: trace for place, (_, trace) in findings.items()}) == (CASES, {})


@pytest.mark.parametrize("case", FOUND, ids=[case["name"] for case in FOUND])
def test_what_fuzzing_found_stays_mended(case: dict[str, str]) -> None:
    """The input is answered or refused."""
    _, run = fuzzer.TARGETS[case["target"]](random.Random(1))
    with contextlib.suppress(BridgeError):
        run(case["data"].encode("latin-1"))
