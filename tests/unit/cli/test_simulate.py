import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from iambridge.cli.simulation import answer

CASES = Path(__file__).parents[2] / "cases/simulate"
FAULTS = json.loads((CASES / "faults.json").read_text())
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


def test_decisions() -> None:
    """Hundreds of requests, each with the outcome that AWS's documentation gives it, through one process, line by line."""
    cases = [json.loads(line) for line in (CASES / "decisions.jsonl").read_text().splitlines()]
    done = run("--jsonl", text="\n".join(json.dumps(case["request"]) for case in cases))
    found = [json.loads(line) for line in done.stdout.splitlines()]
    outcomes = [
        ["Errors"] if "Errors" in one else [result["EvalDecision"] for result in one["EvaluationResults"]]
        for one in found
    ]
    assert len(outcomes) == len(cases)
    wrong = [(c["name"], c["expected"], got) for c, got in zip(cases, outcomes, strict=True) if c["expected"] != got]
    assert wrong == []
    assert done.returncode == 2


def test_each_line_is_answered_before_the_next_is_read() -> None:
    """A program at the other end of two pipes gets each answer while it still holds its next request back."""
    command = [sys.executable, "-m", "iambridge", "simulate", "--jsonl"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line, key in ((GOOD, "EvaluationResults"), ("{", "Errors"), (GOOD, "EvaluationResults")):
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], 120)
            assert ready, "no answer while the pipe is open"
            assert key in json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.wait(120) == 2


def test_a_file_or_standard_input_is_one_request(tmp_path: Path) -> None:
    """A request may span lines; a denial is an answer (exit 0); a missing file is bad input (exit 2)."""
    text = json.dumps({"CallerArn": ALICE, "ActionNames": ["s3:GetObject"]}, indent=1)
    (tmp_path / "request.json").write_text(text)
    for done in (run("-f", str(tmp_path / "request.json")), run(text=text), run("-f", "-", text=text)):
        assert done.returncode == 0
        assert json.loads(done.stdout)["EvaluationResults"][0]["EvalDecision"] == "implicitDeny"
    assert run("-f", str(tmp_path / "nothing.json")).returncode == 2


GOOD = json.dumps({"CallerArn": ALICE, "ActionNames": ["s3:GetObject"]})
ALLOW_TEXT = json.dumps(ALLOW)
LONG = json.dumps({"ActionNames": ["s3:GetObject"], "ResourceArns": ["arn:aws:s3:::" + "x" * 17_000_000]})


@pytest.mark.parametrize(
    ("name", "text", "arguments", "kinds"),
    [
        ("requests.txt", f"{GOOD}\n{{\n{GOOD}\n", (), "EXE"),
        ("requests.txt", f"{GOOD}\n", (), "E"),
        ("requests.txt", f"{GOOD}\n\n \n", (), "E"),
        ("requests.jsonl", f"{{\n{GOOD}\n", (), "XE"),
        ("requests.txt", f"{{\n{GOOD}\n", ("--jsonl",), "XE"),
        ("requests.txt", f"{{\n{GOOD}\n", (), "XE"),
        ("requests.txt", f"\n{{\n{GOOD}\n\n", (), "XXEX"),
        ("requests.txt", f"{{\n{ALLOW_TEXT}\n", (), "X"),
        ("requests.txt", f"{GOOD}\r\n\r\n{GOOD}", (), "EXE"),
        ("requests.jsonl", GOOD.replace(" ", "\r") + f"\r\n{GOOD}\n", (), "EE"),
        ("requests.jsonl", f"{GOOD}\v\n{GOOD}\x85\n{GOOD}", (), "XXE"),
        ("requests.jsonl", "", (), ""),
        ("requests.jsonl", f"{LONG}\n{GOOD}", (), "XE"),
        ("requests.txt", "", (), "X"),
    ],
)
def test_a_file_is_one_request_or_one_a_line(
    tmp_path: Path, name: str, text: str, arguments: tuple[str, ...], kinds: str
) -> None:
    """Requests are lines by the file's name, by --jsonl, or because a line is a whole one; standard input is alike."""
    (tmp_path / name).write_bytes(text.encode())
    as_lines = ("--jsonl",) if name.endswith(".jsonl") else arguments
    for done in (run("-f", str(tmp_path / name), *arguments), run(*as_lines, text=text)):
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert "".join("X" if "Errors" in line else "E" for line in lines) == kinds
        assert done.returncode == (2 if "X" in kinds else 0)


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


def test_every_statement_that_decided_is_named() -> None:
    """Every Deny that matches, or every Allow of the policy types that allowed; of an implicit denial none."""
    deny = {"Version": "2012-10-17", "Statement": {"Sid": "No", "Effect": "Deny", "Action": "s3:Put*", "Resource": "*"}}
    request = {
        "CallerArn": ALICE, "ActionNames": ["s3:GetObject", "s3:PutObject", "ec2:RunInstances"],
        "PolicyInputList": [ALLOW, deny, ALLOW], "PermissionsBoundaryPolicyInputList": [ALLOW, deny],
    }  # fmt: skip
    results: Any = answer(json.dumps(request).encode())["EvaluationResults"]
    named = [[statement["SourcePolicyId"] for statement in result["MatchedStatements"]] for result in results]
    boundary = "PermissionsBoundaryPolicyInputList"
    assert named == [
        ["PolicyInputList[0]", "PolicyInputList[2]", f"{boundary}[0]"],
        ["PolicyInputList[1]", f"{boundary}[1]"],
        [],
    ]


def test_a_policy_type_that_was_not_needed_did_not_decide() -> None:
    """A resource policy that names the user needs no identity policy, so none is among the statements that decided."""
    bucket = {"Version": "2012-10-17", "Statement": ALLOW["Statement"] | {"Principal": {"AWS": ALICE}}}  # type: ignore[operator]  # the statement is a dict
    request = {
        "CallerArn": ALICE,
        "ActionNames": ["s3:GetObject"],
        "PolicyInputList": [ALLOW],
        "ResourcePolicy": bucket,
    }
    results: Any = answer(json.dumps(request).encode())["EvaluationResults"]
    assert [statement["SourcePolicyId"] for statement in results[0]["MatchedStatements"]] == ["ResourcePolicy"]


def test_a_denial_ends_with_its_fix() -> None:
    """The verdict is the last reason, and only that of a denial has a fix."""
    request = {"CallerArn": ALICE, "ActionNames": ["s3:GetObject", "ec2:RunInstances"], "PolicyInputList": [ALLOW]}
    results: Any = answer(json.dumps(request).encode())["EvaluationResults"]
    allowed, denied = results
    assert all("Fix" not in reason for reason in allowed["Reasons"])
    assert denied["Reasons"][-1]["Fix"] == f"allow ec2:RunInstances in a policy attached to {ALICE}"


def test_more_reasons_than_memory_holds_are_refused() -> None:
    """A few kilobytes can ask for millions of reasons; that is a fault of the request, beside its others."""
    request = {"ActionNames": ["s3:GetObject"] * 1000, "PolicyInputList": [ALLOW] * 500, "X": 1}
    assert [error["Path"] for error in answer(json.dumps(request).encode())["Errors"]] == ["X", ""]  # type: ignore[attr-defined]  # a list


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case["name"])
def test_every_fault_of_a_request_has_its_path(case: dict[str, Any]) -> None:
    """A malformed request is answered with every fault, none of its actions with a decision."""
    result: Any = answer(case["text"].encode())
    assert [error["Path"] for error in result["Errors"]] == case["paths"]
    assert set(result) == {"Errors"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"actionNames": ["s3:GetObject"]}', "did you mean ActionNames?"),
        (b'{"ActionNames": ["s3:GetObject"], "Zzz": 1}', "is not an input of simulate"),
        (b'\xef\xbb\xbf{"ActionNames": ["s3:GetObject"]}', "save it as UTF-8 without one"),
        (
            b'{"ActionNames": ["a:B"], "ContextEntries": [{"ContextKeyName": "a:b", "ContextKeyValues": ["1"], "ContextKeyType": null}]}',
            "the type is not one of string, numeric",
        ),
    ],
)  # fmt: skip
def test_a_fault_says_what_to_do(text: bytes, words: str) -> None:
    """A misspelt input, a byte order mark and a type of another type are told with what is right."""
    errors: Any = answer(text)["Errors"]
    assert words in errors[0]["Message"]


@pytest.mark.parametrize("text", [b"\xff", b"[" * 20_000])
def test_what_is_no_request_is_told(text: bytes) -> None:
    """Bytes that are no JSON object get one error for the whole request."""
    assert len(answer(text)["Errors"]) == 1  # type: ignore[arg-type]  # a list of errors
