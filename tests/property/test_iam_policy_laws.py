"""Laws of policy evaluation, on requests and policies from the generator that the oracle uses too."""

import contextlib
import copy
import random
import sys
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from iambridge.core.iam_policy import PolicyDocument, PolicyKind, authorize
from iambridge.core.iam_policy.layers import in_play
from iambridge.core.iam_policy.reasons import mismatches
from iambridge.core.iam_policy.request import Question
from iambridge.errors import BridgeError

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.oracle.policy_corpus import Case, case, compiled

CASES = st.integers(0, 2**32).map(lambda seed: case(random.Random(seed)))
DENY: Any = {
    "Effect": "Deny",
    "Action": ["s3:Get*", "kms:*"],
    "Resource": "*",
    "Condition": {"StringLike": {"aws:SourceIp": "1*"}},
}


def outcome(made: Case) -> str:
    return authorize(*compiled(made)).outcome.value


def documents(made: Case) -> list[Any]:
    single = [made[name] for name in ("boundary", "session", "endpoint", "resource_policy") if name in made]
    levels = [one for name in ("service_control", "resource_control") for level in made.get(name, ()) for one in level]
    return [*made["identity"], *single, *levels]


@given(CASES, st.integers(0, 20))
def test_adding_a_deny_never_allows(made: Case, which: int) -> None:
    """A Deny statement added to any policy never turns a denial into an allow."""
    before = outcome(made)
    present = documents(made)
    if present:
        document = present[which % len(present)]
        sample = document["Statement"][0]
        document["Statement"].append(DENY | ({"Principal": sample["Principal"]} if "Principal" in sample else {}))
    after = outcome(made)
    assert after != "allowed" or before == "allowed"


@given(CASES, st.randoms(use_true_random=False))
def test_order_is_irrelevant(made: Case, random_: random.Random) -> None:
    """The order of statements, and of identity policies, changes no outcome."""
    shuffled = copy.deepcopy(made)
    random_.shuffle(shuffled["identity"])
    for document in documents(shuffled):
        random_.shuffle(document["Statement"])
    assert outcome(shuffled) == outcome(made)


@given(CASES)
def test_splitting_actions_is_the_same(made: Case) -> None:
    """A statement of several actions is the same as several statements of one."""
    split = copy.deepcopy(made)
    for document in documents(split):
        document["Statement"] = [
            {**statement, "Action": action} if "Action" in statement else statement
            for statement in document["Statement"]
            for action in statement.get("Action", [""])
        ]
    assert outcome(split) == outcome(made)


@given(CASES)
def test_explaining_changes_nothing_and_agrees(made: Case) -> None:
    """Explained or not, the outcome is one; a statement is told as a mismatch exactly when it does not match."""
    request, policies = compiled(made)
    told, untold = authorize(request, policies, explain=True), authorize(request, policies, explain=False)
    assert (told.outcome, told.reasons[-1]) == (untold.outcome, untold.reasons[-1])
    question = Question(request, bounded=bool(policies.boundary))
    for _, named in in_play(policies):
        for statement in named.document.statements:
            matched = statement.action.matches(question.action) and bool(statement.naming(question))
            assert matched is not bool(mismatches(statement, question))


@given(CASES, st.booleans())
def test_reasons_told_later_are_the_reasons(made: Case, explain: bool) -> None:  # noqa: FBT001  # drawn
    """What is read first, and what becomes of the caller's mappings before, changes no reason and no fix."""
    request, policies = compiled(made)
    context, tags = dict(request.context), {"team": "red"}
    request = replace(request, context=context, principal=replace(request.principal, tags=tags))
    at_once, later, fix_first = (authorize(request, policies, explain=explain) for _ in range(3))
    reasons, fix = at_once.reasons, at_once.fix
    context.clear()
    tags["team"] = "blue"
    assert (fix_first.fix, fix_first.reasons) == (fix, reasons)
    assert later == at_once
    assert later.reasons[-1].held is later.allowed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["*", "Allow", "${", "arn:aws:s3:::${a:b}"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["Version", "Statement", "Effect", "Action", "Resource", "Principal", "AWS", "Condition", "StringLike", "IpAddress", "Null", "a:b", "Sid"])
        | st.text(max_size=4), inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=300)
@given(
    st.text() | st.binary() | st.dictionaries(st.text(max_size=5), JSON) | JSON.map(lambda j: {"Statement": j}),
    st.sampled_from(list(PolicyKind)),
)
def test_garbage_gives_a_value_or_our_error(document: Any, kind: PolicyKind) -> None:
    """Whatever is parsed, the answer is a document or a BridgeError."""
    with contextlib.suppress(BridgeError):
        assert PolicyDocument.parse(document, kind=kind).statements


@settings(max_examples=50)
@given(st.integers(1, 60), st.integers(100, 2000))
def test_no_pattern_hangs(stars: int, length: int) -> None:
    """A pattern of many stars against a long near-miss is answered, in every place that takes patterns."""
    pattern = "arn:aws:s3:::" + "a*" * stars + "b"
    document = PolicyDocument.parse(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:" + "G*" * stars, "Resource": [pattern, pattern + "?${aws:username}"]}},
        kind=PolicyKind.IDENTITY, limit=10**6,
    )  # fmt: skip
    statement = document.statements[0]
    assert statement.resource is not None
    assert not statement.resource.matches("arn:aws:s3:::" + "a" * length, lambda _: "x")
    assert not statement.action.matches("s3:" + "g" * (stars - 1))
