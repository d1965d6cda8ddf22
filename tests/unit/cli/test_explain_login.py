"""`iambridge explain login`: each hop that can be judged offline, and the fix."""

import datetime as dt
import io
import json
from pathlib import Path

import pytest

from iambridge.cli.main import main
from iambridge.core import sigv4
from iambridge.core.authenticator_token import CLUSTER_ID_HEADER, encode

EXAMPLE = str(Path(__file__).parents[3] / "examples/aws-auth/aws-auth.yaml")
ACCOUNT = "111122223333"


def token(age: float = 0) -> str:
    return encode(
        sigv4.presign(
            sigv4.Credentials("AKIAIOSFODNN7EXAMPLE", "secret"), method="GET", region="us-east-1", service="sts", expires=60,
            url="https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
            headers={CLUSTER_ID_HEADER: "demo"}, now=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age),
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arn", "code", "shown"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/pod-reader", 0, "let in as pod-reader, groups pod-readers"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/karpenter/me", 0, "let in as karpenter"),
        (
            f"arn:aws:sts::{ACCOUNT}:assumed-role/node/i-0123456789abcdef0",
            0,
            "system:node:PRIVATE-DNS-NAME-OF-i-0123456789abcdef0",
        ),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/node/me", 1, "is not an instance id"),
        ("arn:aws:iam::444455556666:user/pod-reader", 1, "is another principal of the same name"),
        (f"arn:aws:iam::{ACCOUNT}:user/outsider", 1, f"userarn: arn:aws:iam::{ACCOUNT}:user/outsider"),
    ],
)
def test_a_principal_is_told_who_it_is_or_what_to_add(
    arn: str, code: int, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is the verdict, and the text names the hop that refused."""
    assert main(["explain", "login", arn, "-f", EXAMPLE]) == code
    assert shown in capsys.readouterr().out


def test_a_token_from_stdin_is_judged_as_far_as_it_goes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A good token without a cluster id is unknown, an expired one refused; the token itself is never printed."""
    for age, code, text in ((0, 3, "STS was not asked"), (901, 1, "lives 15 minutes")):
        secret = token(age)
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"status": {"token": secret}})))
        assert main(["explain", "login", "-", "-f", EXAMPLE]) == code
        shown = capsys.readouterr().out
        assert text in shown
        assert secret not in shown


def test_a_token_on_the_command_line_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The argument list is no place for a secret."""
    assert main(["explain", "login", token()]) == 2
    assert "every user of this machine" in capsys.readouterr().err


def test_without_a_mapping_the_answer_is_unknown() -> None:
    """Nothing is called denied that was not looked at."""
    assert main(["explain", "login", f"arn:aws:iam::{ACCOUNT}:user/a"]) == 3


@pytest.mark.parametrize("words", [[], ["nonsense"], ["arn:aws:s3:::bucket"]])
def test_bad_input_is_two(words: list[str]) -> None:
    """What is neither an ARN nor a file is the person's to mend."""
    assert main(["explain", "login", *words, "-f", EXAMPLE]) == 2
