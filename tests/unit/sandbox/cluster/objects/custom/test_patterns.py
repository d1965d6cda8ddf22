"""Go's regular expressions by Python's."""

import pytest

from iambridge.sandbox.cluster.objects.custom.patterns import compiled, pattern_fault


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("^a$", "a\n", False),
        ("a", "xay", True),
        (r"^\d+$", "٣", False),
        (r"^\w$", "é", False),
        ("^[[:alpha:]]+$", "abc", True),
        ("^[[:alpha:]]+$", "ab1", False),
        ("^[]a]+$", "]a", True),
        ("^[^]a]+$", "b", True),
        ("^[$]$", "$", True),
        (r"^a\z", "a", True),
        ("(?i)^ABC$", "abc", True),
        (r"^[a\]]+$", "a]", True),
        ("^[a[]+$", "a[", True),
        ("^(?P<x>a)$", "a", True),
    ],
)
def test_as_in_go(pattern: str, text: str, *, matches: bool) -> None:
    """A pattern finds what it finds in Go."""
    assert (compiled(pattern).search(text) is not None) is matches


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "(?=a)", "(?<!a)b", r"(a)\1", "[[:nope:]]", r"\pL", "a{2,1}"])
def test_what_go_or_we_do_not_know_is_refused(pattern: str) -> None:
    """Look-arounds and back references are none of RE2's; classes of Unicode are not told here."""
    assert pattern_fault(pattern).startswith("error parsing regexp: ")
