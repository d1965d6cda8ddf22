"""Thousands of generated requests judged by us and by iam-simulate, a separate process; every disagreement is ruled.

iam-simulate is AGPL-3.0: it is installed into a cache outside the repository and only ever run.
"""

import copy
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import pytest

from iambridge.core.iam_policy import authorize

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.oracle.policy_corpus import Case, case, compiled
from tests.oracle.wide_policy_corpus import wide_case

PACKAGE = "@cloud-copilot/iam-simulate@0.1.173"
PEER = Path(__file__).with_name("iam_simulate.mjs")
CASES = 4000


@pytest.fixture(scope="module")
def installed(peer_cache: Path) -> Path:
    return install(peer_cache)


def install(peer_cache: Path) -> Path:
    """The node_modules directory of the peer, installed at first need; skips with the reason when it cannot be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not on PATH, so iam-simulate cannot run")
    cache = peer_cache / "iam-simulate"
    modules = cache / "node_modules"
    if not (modules / "@cloud-copilot/iam-simulate").is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        install = [
            "npm",
            "install",
            "--ignore-scripts",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(cache),
            PACKAGE,
        ]
        done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            pytest.skip(f"npm could not install {PACKAGE}: {done.stderr.strip()[-200:]}")
    return modules


def documents(made: Case) -> Iterator[Case]:
    yield from made["identity"]
    yield from (value for value in made.values() if isinstance(value, dict) and "Statement" in value)
    yield from (
        one for name in ("service_control", "resource_control") for level in made.get(name, ()) for one in level
    )


def statements(made: Case) -> Iterator[Case]:
    return (one for document in documents(made) for one in document["Statement"])


def variables_in_2008(made: Case) -> None:
    """Ours: Version 2008-10-17 has no variables. Theirs: it has. Removed: the version."""
    for document in documents(made):
        document["Version"] = "2012-10-17"


def if_exists_of_any_value(made: Case) -> None:
    """Ours: IfExists holds on an absent key under ForAnyValue too. Theirs: it does not. Removed: that IfExists."""
    given = {key.lower() for key in made["context"]}
    for statement in statements(made):
        block = statement.get("Condition", {})
        for operator in [o for o in block if o.startswith("ForAnyValue:") and o.endswith("IfExists")]:
            if not any(key.lower() in given for key in block[operator]):
                block[operator.removesuffix("IfExists")] = block.pop(operator)


def session_named(made: Case) -> None:
    """Ours: a session that a resource policy names is free of its session policy. Theirs: not. Removed: the name."""
    for statement in made.get("resource_policy", {}).get("Statement", ()):
        named = statement.get("Principal", "*")
        if named != "*" and made["principal"] in [named.get("AWS"), *named.get("AWS", ())]:
            statement["Principal"] = "*"


def null_variables(made: Case) -> None:
    """Ours: a negated operator holds against a variable without value. Theirs: it does not. Removed: the statement."""
    given = {key.lower() for key in made["context"]}
    for statement in statements(made):
        for operator, keys in statement.get("Condition", {}).items():
            unresolved = any("${aws:username}" in json.dumps(v) for k, v in keys.items() if k.lower() in given)
            if "Not" in operator and unresolved and "aws:username" not in given:
                statement["Condition"] = {"Null": {"ex:never": "false"}}


def not_principal(made: Case) -> None:
    """Ours: NotPrincipal with Deny spares who is listed under every name. Theirs: under one. Removed: the statement."""
    for statement in made.get("resource_policy", {}).get("Statement", ()):
        if "NotPrincipal" in statement:
            statement["Condition"] = {"Null": {"ex:never": "false"}}


RULINGS: dict[str, Callable[[Case], None]] = {
    "variable-2008": variables_in_2008,
    "ForAnyValue:StringEqualsIfExists": if_exists_of_any_value,
    "session-named": session_named,
    "StringNotEquals and a variable without value": null_variables,
    "notprincipal-deny-account-only": not_principal,
}


def ruling(made: Case, theirs: str) -> str:
    """The ruled cases (tests/cases/iam_policy) that a disagreement falls under, or empty.

    It falls under them when we come to their decision once what was ruled on is taken out of the case, and nothing else.
    """
    for count in range(1, len(RULINGS) + 1):
        for names in combinations(RULINGS, count):
            without = copy.deepcopy(made)
            for name in names:
                RULINGS[name](without)
            if authorize(*compiled(without)).outcome.value == theirs:
                return " and ".join(names)
    return ""


@pytest.mark.parametrize(
    ("generator", "seed", "seldom"), [(case, 20261124, {"notprincipal-deny-account-only"}), (wide_case, 20261127, {"variable-2008"})]
)  # fmt: skip
def test_disagreements_are_ruled(
    installed: Path, generator: Callable[[random.Random], Case], seed: int, seldom: set[str]
) -> None:
    """Where iam-simulate decides otherwise, the case falls under a ruling of ours; most cases agree.

    `seldom` are rulings that this generator's cases do not need.
    """
    modules = installed
    random_ = random.Random(seed)
    cases = [generator(random_) for _ in range(CASES)]
    lines = "\n".join(json.dumps(one) for one in cases)
    done = subprocess.run(["node", str(PEER), str(modules)], input=lines, capture_output=True, text=True, check=True)
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    ours = [authorize(*compiled(one)).outcome.value for one in cases]
    assert len(theirs) == CASES
    disagreed = [(one, a, b) for one, a, b in zip(cases, ours, theirs, strict=True) if a != b]
    ruled = [ruling(one, b) for one, _, b in disagreed]
    assert [entry for entry, name in zip(disagreed, ruled, strict=True) if not name] == []
    assert set(RULINGS) - seldom <= set(ruled), "a ruling that explains nothing alone is no ruling"
    assert len(disagreed) < CASES // 33
    assert set(ours) == {"allowed", "implicitDeny", "explicitDeny"}
