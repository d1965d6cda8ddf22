"""What a session tag may hold, and how much room tags take."""

import pytest

from iambridge.core.session_tags import is_tag_text, packed_tags


@pytest.mark.parametrize("text", ["", "cost-centre", "a b", "_.:/=+-@", "Größe", "東京", "١٢", "a\u00a0b", "Ⅷ"])
def test_letters_separators_and_digits_of_any_script_are_tags(text: str) -> None:
    """`[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*`."""
    assert is_tag_text(text)


@pytest.mark.parametrize(
    "text", ["a*", "a#b", "${aws:username}", "a\n", "a\tb", "é!", "東京*", "😀", "a,b", "[bot]", "a\x00"]
)
def test_all_else_is_no_tag(text: str) -> None:
    """Marks that mean something to policies, control characters, and symbols."""
    assert not is_tag_text(text)


def test_space_is_what_sts_was_seen_to_say() -> None:
    """Nine tags of 2 and 250 characters are 498 %: aws-actions/configure-aws-credentials issue 1898."""
    assert packed_tags({f"T{number}": "a" * 250 for number in range(1, 10)}) == 498
    assert packed_tags({}) == 0
    assert packed_tags({"k" * 128: "v" * 256, "a": "b" * 70}) == 100
    assert packed_tags({"k" * 128: "v" * 256, "a": "b" * 75}) == 101
