"""Every hand-written case, each with its ruling, judged the way `iambridge simulate` judges it."""

import json
from pathlib import Path
from typing import Any

import pytest

from iambridge.cli.simulation import answer
from iambridge.core.decision import Outcome
from iambridge.core.iam_policy import (
    AuthorizationRequest,
    NamedDocument,
    Policies,
    PolicyDocument,
    PolicyKind,
    Principal,
    PrincipalKind,
    authorize,
    evaluate_trust,
)

DIRECTORY = Path(__file__).parents[3] / "cases/iam_policy"
CASES = [
    case
    for name in ("decision_order", "elements", "conditions")
    for case in json.loads((DIRECTORY / f"{name}.json").read_text())
]
PROVIDER = "arn:aws:iam::111122223333:oidc-provider/i.example"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    """The decision is the one that the case's ruling gives, and an implicit denial matches no Allow of its layer."""
    result = answer(json.dumps(case["request"]).encode())
    assert "Errors" not in result, result
    evaluations: Any = result["EvaluationResults"]
    assert [one["EvalDecision"] for one in evaluations] == [case["expected"]], case["ruling"]
    if case["expected"] == "explicitDeny":
        assert evaluations[0]["MatchedStatements"]


def trust(**statement: Any) -> PolicyDocument:
    return PolicyDocument.parse(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Federated": PROVIDER},
                "Action": "sts:AssumeRoleWithWebIdentity",
            }
            | statement,
        },
        kind=PolicyKind.TRUST,
    )


@pytest.mark.parametrize(
    ("statement", "outcome"),
    [
        ({"Condition": {"StringEquals": {"i.example:sub": "system:serviceaccount:a:b"}}}, Outcome.ALLOWED),
        ({"Condition": {"StringEquals": {"i.example:sub": "system:serviceaccount:a:c"}}}, Outcome.IMPLICIT_DENY),
        ({"Effect": "Deny"}, Outcome.EXPLICIT_DENY),
        ({"Principal": {"Federated": PROVIDER + "/x"}}, Outcome.IMPLICIT_DENY),
    ],
)
@pytest.mark.parametrize("explain", [None, True, False])
def test_trust_policy_alone_decides_for_a_web_identity(
    statement: dict[str, Any], outcome: Outcome, explain: Any
) -> None:
    """Federated principal, action and every condition must match; a Deny comes first; explaining changes nothing."""
    caller = Principal(PROVIDER, "111122223333", PrincipalKind.FEDERATED)
    decision = evaluate_trust(
        trust(**statement), action="sts:AssumeRoleWithWebIdentity", principal=caller,
        context={"i.example:sub": "system:serviceaccount:a:b"}, explain=explain,
    )  # fmt: skip
    assert decision.outcome is outcome
    assert bool(decision.fix) is not decision.allowed


def bucket_policy(principal: Any) -> tuple[NamedDocument, ...]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "s3:*", "Resource": "*"}
    return (NamedDocument("bucket", PolicyDocument.parse({"Statement": statement}, kind=PolicyKind.RESOURCE)),)


@pytest.mark.parametrize(
    ("principal", "named", "allowed"),
    [
        (
            Principal.from_arn("arn:aws:iam::111122223333:user/a", user_id="AIDAAAAAAAAAAAAAAAAA"),
            "AIDAAAAAAAAAAAAAAAAA",
            True,
        ),
        (
            Principal.from_arn("arn:aws:sts::111122223333:assumed-role/r/s", user_id="AROAAAAAAAAAAAAAAAAA:s"),
            "AROAAAAAAAAAAAAAAAAA",
            True,
        ),
        (
            Principal.from_arn("arn:aws:sts::111122223333:assumed-role/r/s", user_id="AROABBBBBBBBBBBBBBBB:s"),
            "AROAAAAAAAAAAAAAAAAA",
            False,
        ),
        (Principal.from_arn("arn:aws:iam::111122223333:role/r"), "arn:aws:iam::111122223333:role/r", True),
        (
            Principal.from_arn("arn:aws:sts::111122223333:federated-user/f"),
            "arn:aws:sts::111122223333:federated-user/f",
            True,
        ),
    ],
)
def test_resource_policy_names_by_arn_or_unique_id(principal: Principal, named: str, allowed: Any) -> None:
    """A stored unique id names the very entity, and no later one of the same name."""
    request = AuthorizationRequest(principal, "s3:GetObject", "arn:aws:s3:::b/k")
    assert authorize(request, Policies(resource=bucket_policy({"AWS": named}))).allowed is allowed


def test_not_principal_knows_unique_ids_and_canonical_users() -> None:
    """Who is listed by unique id and canonical user id is spared by a NotPrincipal Deny."""
    user_id, canonical = "AIDAAAAAAAAAAAAAAAAA", "a" * 64
    statement = {
        "Effect": "Deny",
        "NotPrincipal": {"AWS": user_id, "CanonicalUser": canonical},
        "Action": "*",
        "Resource": "*",
    }
    documents = (NamedDocument("b", PolicyDocument.parse({"Statement": statement}, kind=PolicyKind.RESOURCE)),)
    caller = Principal(
        "arn:aws:iam::111122223333:user/a", "111122223333", "user", user_id=user_id, canonical_user_id=canonical
    )
    stranger = Principal("ec2.amazonaws.com", "", "service")
    assert (
        authorize(AuthorizationRequest(caller, "s3:GetObject", "*"), Policies(resource=documents)).outcome
        is Outcome.IMPLICIT_DENY
    )
    assert (
        authorize(AuthorizationRequest(stranger, "s3:GetObject", "*"), Policies(resource=documents)).outcome
        is Outcome.EXPLICIT_DENY
    )


@pytest.mark.parametrize(
    "arn",
    ["", "x", "arn:aws:iam::1:user/a", "arn:aws:iam::111122223333:user", "arn:aws:iam::111122223333:user/", "arn:aws:sts::111122223333:assumed-role/r",
     "arn:aws:sts::111122223333:assumed-role/r/s/t", "arn:aws:s3::111122223333:user/a"],
)  # fmt: skip
def test_what_names_no_principal_is_refused(arn: str) -> None:
    """`from_arn` raises ValueError for anything but a user, role, session, federated user or root."""
    with pytest.raises(ValueError, match="is not"):
        Principal.from_arn(arn)


@pytest.mark.parametrize("kind", list(PrincipalKind))
def test_keys_of_a_principal(kind: PrincipalKind) -> None:
    """Keys follow from the kind: only a user has a name, only a signed caller aws:PrincipalIsAWSService."""
    caller = Principal(
        "arn:aws:iam::111122223333:x/path/name", "111122223333", kind, role_arn="R", user_id="ID", tags={"Team": "red"}
    )
    keys = caller.keys()
    assert ("aws:username" in keys) is (kind is PrincipalKind.USER)
    unsigned = {PrincipalKind.ANONYMOUS: None, PrincipalKind.FEDERATED: None}
    expected = unsigned.get(kind, "true" if kind is PrincipalKind.SERVICE else "false")
    assert keys.get("aws:principalisawsservice") == expected
    assert ("aws:principaltag/team" in keys) is (kind not in (PrincipalKind.SERVICE, PrincipalKind.ANONYMOUS))


def test_a_provider_that_is_not_known_yet_has_no_keys() -> None:
    """Of a caller without an ARN, as before a token is proved, nothing is known."""
    caller = Principal("", "", PrincipalKind.FEDERATED)
    assert caller.keys() == {}


def test_what_an_action_asked_is_remembered_within_bounds() -> None:
    """Thousands of different actions neither grow the index without bound nor change an answer."""
    document = PolicyDocument.parse(
        {"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}, kind=PolicyKind.IDENTITY
    )
    for number in range(2100):
        assert document.for_action(f"s3:get{number}")[1]
    assert len(document._by_action) <= 1024
    assert list(document.context_keys()) == []
    assert list(document.context_keys("ec2:x")) == []


def test_every_document_in_play_is_named() -> None:
    """Levels of control policies first, then each policy type; what is not in play is left out."""

    def named(name: str) -> NamedDocument:
        return NamedDocument(name, trust())

    policies = Policies(
        identity=(named("i"),), boundary=(named("b"),), session=None, resource=(named("r"),), endpoint=(named("e"),),
        service_control=((named("s1"),), (named("s2"), named("s3"))), resource_control=((named("rc"),),),
    )  # fmt: skip
    assert [one.name for one in policies.documents()] == ["rc", "s1", "s2", "s3", "i", "b", "r", "e"]
    assert list(Policies().documents()) == []
