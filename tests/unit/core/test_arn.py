from pathlib import Path

import pytest
import yaml

from iambridge.core.arn import Arn, canonical_arn

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases/authenticator/arns.yaml").read_text())


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:iam::111122223333:role/team/reader",
        "arn:aws:s3:::bucket/key:with:colons",
        "arn:aws-cn:sts::111122223333:assumed-role/reader/session",
    ],
)
def test_parse_then_str_is_the_same_text(text: str) -> None:
    """An ARN's text survives parsing."""
    assert str(Arn.parse(text)) == text


@pytest.mark.parametrize("text", ["", "arn", "role/reader", "arn:aws:iam::1", "ARN:aws:iam::1:role/x", "arn::iam::1:x"])
def test_parse_refuses_what_is_no_arn(text: str) -> None:
    """Fewer than six parts, or an empty partition, service or resource, is no ARN."""
    with pytest.raises(ValueError, match="not an ARN"):
        Arn.parse(text)


def test_name_leaves_the_path_out() -> None:
    """An entity's name is what follows the last slash, its type what precedes the first."""
    arn = Arn.parse("arn:aws:iam::111122223333:role/a/b/reader")
    assert (arn.resource_type, arn.name) == ("role", "reader")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["arn"])
def test_canonical_arn(case: dict[str, str | None]) -> None:
    """A role session becomes its role; users, roles, root and federated users stay; all else is refused."""
    if case["canonical"] is None:
        with pytest.raises(ValueError, match="`"):
            canonical_arn(str(case["arn"]))
    else:
        assert canonical_arn(str(case["arn"])) == case["canonical"]
