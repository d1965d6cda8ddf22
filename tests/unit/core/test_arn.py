import pytest

from iambridge.core.arn import Arn, canonical_arn


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


@pytest.mark.parametrize(
    ("arn", "canonical"),
    [
        ("arn:aws:sts::111122223333:assumed-role/reader/i-0abc", "arn:aws:iam::111122223333:role/reader"),
        ("arn:aws:sts::111122223333:assumed-role/org/team/x/s", "arn:aws:iam::111122223333:role/org/team/x"),
        ("arn:aws-us-gov:sts::111122223333:assumed-role/x/s", "arn:aws-us-gov:iam::111122223333:role/x"),
        ("arn:aws:iam::111122223333:role/a/reader", "arn:aws:iam::111122223333:role/a/reader"),
        ("arn:aws:iam::111122223333:user/a/alice", "arn:aws:iam::111122223333:user/a/alice"),
        ("arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:root"),
        ("arn:aws:sts::111122223333:federated-user/bob", "arn:aws:sts::111122223333:federated-user/bob"),
    ],
)
def test_canonical_arn(arn: str, canonical: str) -> None:
    """A role session becomes its role; users, roles, root and federated users stay as they are."""
    assert canonical_arn(arn) == canonical


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sts::111122223333:assumed-role/reader",
        "arn:aws:sts::111122223333:assumed-role//s",
        "arn:aws:sts::111122223333:federated-user/",
        "arn:aws:iam::111122223333:group/devs",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::111122223333:root/x",
        "arn:moon:iam::111122223333:role/x",
        "arn:aws:iam::1234:role/x",
        "arn:aws:iam:us-east-1:111122223333:role/x",
        "arn:aws:s3:::bucket",
        "NOT AN ARN",
    ],
)
def test_canonical_arn_refuses_other_things(arn: str) -> None:
    """What is not exactly one of the five identities is refused."""
    with pytest.raises(ValueError, match="`"):
        canonical_arn(arn)
