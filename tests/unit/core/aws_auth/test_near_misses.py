import pytest

from iambridge.core.aws_auth import alike, load_as_original
from iambridge.core.aws_auth.entry import Entry
from iambridge.core.aws_auth.near_misses import difference
from iambridge.wire.aws_auth_yaml import read_sections

CALLER = "arn:aws:iam::111122223333:role/a"


@pytest.mark.parametrize(
    ("arn", "how"),
    [
        ("arn:aws:iam::111122223333:role/team/a", "path present"),
        ("arn:aws:iam::444455556666:role/a", "other account: 444455556666"),
        ("arn:aws-cn:iam::111122223333:role/a", "other partition: aws-cn"),
        ("arn:aws:iam::111122223333:user/a", "a user's ARN, the caller is a role"),
        ("arn:aws:sts::111122223333:assumed-role/x/a", "session ARN"),
        ("arn:aws:iam::111122223333:role/A", "it is spelled otherwise"),
        ("nonsense", "another principal of the same name"),
    ],
)
def test_how_a_namesake_differs(arn: str, how: str) -> None:
    assert how in difference(CALLER, Entry("mapRoles", 0, 1, arn, arn.lower(), "u"))


@pytest.mark.parametrize(
    ("caller", "mapped", "how"),
    [
        ("role/administrator", "arn:aws:iam::111122223333:role/adminstrator", "misspelt"),
        (
            "role/AWSReservedSSO_Admin_0123456789abcdef",
            "arn:aws:iam::111122223333:role/AWSReservedSSO_Admin_fedcba9876543210",
            "made anew",
        ),
        ("role/a", "arn:aws:sts::111122223333:assumed-role/a/me", "session ARN"),
        ("role/alpha", "arn:aws:iam::111122223333:role/omega", ""),
        ("role/AWSReservedSSO_Admin_0123456789abcdef", "AWSReservedSSO_Admin_0123456789abcdee", "misspelt"),
        (
            "role/AWSReservedSSO_Admin_0123456789abcdef",
            "arn:aws:iam::111122223333:role/AWSReservedSSO_Admin_0123456789abcdee",
            "made anew",
        ),
        ("role/alpha", "arn:aws:sts::1:assumed-role/alpha/me", ""),
    ],
)
def test_almost_the_same_name_is_told(caller: str, mapped: str, how: str) -> None:
    """A slip of the pen, a permission set that was made anew, a session where its role belongs; no stranger.

    Each is told once: a permission set's new suffix is no misspelling, however near it is.
    """
    mappings = load_as_original(read_sections({"mapRoles": f"- {{rolearn: '{mapped}', username: u}}"}))
    reasons = list(alike(f"arn:aws:iam::111122223333:{caller}", mappings))
    assert [how in reason.text for reason in reasons] == ([True] if how else [])
