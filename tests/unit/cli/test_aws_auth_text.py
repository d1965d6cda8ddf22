import pytest

from iambridge.cli.aws_auth_text import added, place, removed
from iambridge.errors import InputError

A = "arn:aws:iam::111122223333"
TEXT = f"""# who gets in
- rolearn: {A}:role/a  # first
  username: one
# kept
- rolearn: {A}:role/b
  username: b
- rolearn: {A}:role/a
  username: two
"""


def test_every_duplicate_is_removed() -> None:
    """Of several entries the last wins: taken out alone, the one before it would let the principal in again."""
    found = removed({"mapRoles": TEXT, "mapUsers": "[]\n"}, f"{A}:role/a")
    assert found == {"mapRoles": f"# who gets in\n# kept\n- rolearn: {A}:role/b\n  username: b\n", "mapUsers": "[]\n"}
    assert removed(found, f"{A}:role/a") == found


def test_replacing_replaces_every_duplicate() -> None:
    found = added({"mapRoles": TEXT}, f"{A}:role/a", username="three", groups=["g"], replacing=True)
    assert found["mapRoles"].count("role/a") == 1
    assert "username: three" in found["mapRoles"]
    assert "# kept" in found["mapRoles"]
    assert added(found, f"{A}:role/a", username="three", groups=["g"], replacing=False) == found
    with pytest.raises(InputError, match="is mapped to three already"):
        added(found, f"{A}:role/a", username="four", groups=[], replacing=False)


def test_a_role_is_written_without_its_path() -> None:
    """With one it matches nobody where the original reads it; a user keeps his."""
    assert place(f"{A}:role/team/a") == ("mapRoles", f"{A}:role/a")
    assert place(f"{A}:user/team/a") == ("mapUsers", f"{A}:user/team/a")
    found = added({}, f"{A}:role/team/a", username="u", groups=[], replacing=False)
    assert found == {"mapRoles": f"- rolearn: {A}:role/a\n  username: u\n"}


@pytest.mark.parametrize(
    "arn", ["nonsense", "arn:aws:sts::111122223333:assumed-role/a/s", f"{A}:root", "arn:aws:s3:::b"]
)
def test_what_no_entry_is_for_is_refused(arn: str) -> None:
    with pytest.raises(InputError) as raised:
        place(arn)
    assert raised.value.fix
