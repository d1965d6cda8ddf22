import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from iambridge.cli.simulation import answer

ALICE = "arn:aws:iam::111122223333:user/alice"
ALLOW = {"Version": "2012-10-17", "Statement": {"Sid": "All", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}}


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "iambridge", "simulate", *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_line_out_for_each_line_in() -> None:
    """Bad lines are answered in their place with every fault, the others are judged, and the exit code is 2."""
    good = json.dumps({"CallerArn": ALICE, "ActionNames": ["s3:GetObject"], "PolicyInputList": [ALLOW]})
    done = run("--jsonl", text=f"{good}\n\n{{\n[]\n{good}\n")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [set(line) for line in lines] == [
        {"EvaluationResults"},
        {"Errors"},
        {"Errors"},
        {"Errors"},
        {"EvaluationResults"},
    ]
    assert done.returncode == 2
    assert done.stderr == ""


def test_a_file_or_standard_input_is_one_request(tmp_path: Path) -> None:
    """A request may span lines; a denial is an answer (exit 0); a missing file is bad input (exit 2)."""
    text = json.dumps({"CallerArn": ALICE, "ActionNames": ["s3:GetObject"]}, indent=1)
    (tmp_path / "request.json").write_text(text)
    for done in (run("-f", str(tmp_path / "request.json")), run(text=text)):
        assert done.returncode == 0
        assert json.loads(done.stdout)["EvaluationResults"][0]["EvalDecision"] == "implicitDeny"
    assert run("-f", str(tmp_path / "nothing.json")).returncode == 2


def test_the_answer_has_aws_shape() -> None:
    """One result for each action on each resource, with the deciding statement and every reason."""
    request = {
        "ActionNames": ["s3:GetObject", "sqs:SendMessage"], "ResourceArns": ["arn:aws:s3:::b/k"], "PolicyInputList": [json.dumps(ALLOW)],
    }  # fmt: skip
    results: Any = answer(json.dumps(request).encode())["EvaluationResults"]
    assert [(r["EvalActionName"], r["EvalDecision"]) for r in results] == [
        ("s3:GetObject", "allowed"),
        ("sqs:SendMessage", "implicitDeny"),
    ]
    assert results[0]["MatchedStatements"] == [
        {
            "SourcePolicyId": "PolicyInputList[0]",
            "SourcePolicyType": "PolicyInputList",
            "StatementIndex": 0,
            "Sid": "All",
        }
    ]
    assert set(results[0]) == {
        "EvalActionName",
        "EvalResourceName",
        "EvalDecision",
        "MatchedStatements",
        "MissingContextValues",
        "Reasons",
    }


def test_missing_context_values() -> None:
    """Keys that conditions and variables of this action's statements ask for, once each, are named if not given."""
    document = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${aws:PrincipalTag/team}/*",
         "Condition": {"Bool": {"aws:SecureTransport": "true"}, "StringLike": {"aws:UserAgent": "${aws:username}"}, "Null": {"aws:securetransport": "false"}}},
        {"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": {"Bool": {"aws:ViaAWSService": "true"}}},
    ]}  # fmt: skip
    request = {"CallerArn": ALICE, "ActionNames": ["s3:GetObject"], "PolicyInputList": [document],
               "ContextEntries": [{"ContextKeyName": "AWS:useragent", "ContextKeyValues": ["x"], "ContextKeyType": "string"}]}  # fmt: skip
    results: Any = answer(json.dumps(request).encode())["EvaluationResults"]
    assert results[0]["MissingContextValues"] == ["aws:SecureTransport", "aws:PrincipalTag/team"]
    del request["CallerArn"]
    nobody: Any = answer(json.dumps(request).encode())["EvaluationResults"]
    assert nobody[0]["MissingContextValues"] == ["aws:SecureTransport", "aws:PrincipalTag/team", "aws:username"]


@pytest.mark.parametrize(
    ("request_", "paths"),
    [
        ({}, ["ActionNames"]),
        ({"ActionNames": "x"}, ["ActionNames"]),
        ({"ActionNames": ["s3:*", 1], "Foo": 1}, ["Foo", "ActionNames[1]", "ActionNames[0]"]),
        ({"ActionNames": ["a:B"], "CallerArn": 1, "ResourceArns": ["x"], "ResourceOwner": "y"}, ["CallerArn", "ResourceArns[0]", "ResourceOwner"]),
        ({"ActionNames": ["a:B"], "CallerArn": "x", "ResourcePolicy": 3}, ["CallerArn", "ResourcePolicy"]),
        ({"ActionNames": ["a:B"], "ResourcePolicy": {}}, ["CallerArn", "ResourcePolicy.Statement"]),
        ({"ActionNames": ["a:B"], "ServiceControlPolicies": [{}], "PolicyInputList": ["{"]}, ["PolicyInputList[0]", "ServiceControlPolicies[0]"]),
        ({"ActionNames": ["a:B"], "ContextEntries": [1, {"X": 1}]}, ["ContextEntries[0]", "ContextEntries[1].X", "ContextEntries[1].ContextKeyName", "ContextEntries[1].ContextKeyValues"]),
        (
            {"ActionNames": ["a:B"], "ContextEntries": [
                {"ContextKeyName": "a:b", "ContextKeyValues": ["1", "2"], "ContextKeyType": "numeric"},
                {"ContextKeyName": "A:B", "ContextKeyValues": ["x"], "ContextKeyType": "numericList"},
                {"ContextKeyName": "a:c", "ContextKeyValues": ["x"], "ContextKeyType": "number"},
            ]},
            ["ContextEntries[0].ContextKeyValues", "ContextEntries[1].ContextKeyValues[0]", "ContextEntries[1].ContextKeyName", "ContextEntries[2].ContextKeyType"],
        ),
    ],
)  # fmt: skip
def test_every_fault_of_a_request_has_its_path(request_: dict[str, Any], paths: list[str]) -> None:
    """A malformed request is answered with every fault, none of its actions with a decision."""
    errors: Any = answer(json.dumps(request_).encode())["Errors"]
    assert [error["Path"] for error in errors] == paths


def test_a_name_given_twice_is_refused() -> None:
    """Two values of one name are no request, and no policy either."""
    errors: Any = answer(
        b'{"ActionNames":["a:B"],"ActionNames":["a:C"],"PolicyInputList":[{"Statement":[],"Statement":[]}]}'
    )["Errors"]
    assert [error["Path"] for error in errors] == [
        "ActionNames",
        "PolicyInputList[0].Statement",
        "PolicyInputList[0].Statement",
    ]


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b"1"])
def test_what_is_no_request_is_told(text: bytes) -> None:
    """Bytes that are no JSON object get one error for the whole line."""
    assert answer(text)["Errors"]
