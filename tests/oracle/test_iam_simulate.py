"""Thousands of generated requests judged by us and by iam-simulate, a separate process; every disagreement is ruled.

iam-simulate is AGPL-3.0: it is installed into a cache outside the repository and only ever run.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from iambridge.core.iam_policy import authorize

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.oracle.policy_corpus import Case, case, compiled

PACKAGE = "@cloud-copilot/iam-simulate@0.1.173"
PEER = Path(__file__).with_name("iam_simulate.mjs")
CASES = 4000


def installed() -> Path:
    """The node_modules directory of the peer, installed at first need; skips with the reason when it cannot be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not on PATH, so iam-simulate cannot run")
    cache = Path(os.environ.get("IAMBRIDGE_CACHE", Path.home() / ".cache/iambridge")) / "iam-simulate"
    modules = cache / "node_modules"
    if not (modules / "@cloud-copilot/iam-simulate").is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--prefix", str(cache), PACKAGE]
        done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            pytest.skip(f"npm could not install {PACKAGE}: {done.stderr.strip()[-200:]}")
    return modules


def ruling(made: Case, outcome: str, theirs: str) -> str:
    """The ruled case that a disagreement falls under (tests/cases/iam_policy), or empty."""
    text = json.dumps(made)
    documents: list[Any] = [*made["identity"], *(v for v in made.values() if isinstance(v, dict) and "Statement" in v)]
    documents += [d for name in ("service_control", "resource_control") for level in made.get(name, ()) for d in level]
    if any(d["Version"] == "2008-10-17" and "${" in json.dumps(d) for d in documents):
        return "variable-2008"
    if "ForAnyValue" in text and "IfExists" in text and "aws:TagKeys" not in made["context"]:
        return "ForAnyValue:StringEqualsIfExists"
    named = made["principal"] in json.dumps(made.get("resource_policy", {}))
    if "session" in made and named and (outcome, theirs) == ("allowed", "implicitDeny"):
        return "session-named"
    return ""


def test_disagreements_are_ruled() -> None:
    """Where iam-simulate decides otherwise, the case falls under a ruling of ours; most cases agree."""
    modules = installed()
    random_ = random.Random(20261124)
    cases = [case(random_) for _ in range(CASES)]
    lines = "\n".join(json.dumps(one) for one in cases)
    done = subprocess.run(["node", str(PEER), str(modules)], input=lines, capture_output=True, text=True, check=True)
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    ours = [authorize(*compiled(one)).outcome.value for one in cases]
    assert len(theirs) == CASES
    disagreed = [(one, a, b) for one, a, b in zip(cases, ours, theirs, strict=True) if a != b]
    assert [entry for entry in disagreed if not ruling(*entry)] == []
    assert len(disagreed) < CASES // 100
    assert set(ours) == {"allowed", "implicitDeny", "explicitDeny"}
