"""The line reader reads what YAML reads, place by place, or leaves it to YAML."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from iambridge.core.aws_auth import Kind
from iambridge.wire.aws_auth_lines import read_lines
from iambridge.wire.aws_auth_yaml import _read_yaml

SCALARS = st.sampled_from(
    [
        "arn:aws:iam::111122223333:role/team/node", "system:node:{{EC2PrivateDNSName}}", "{{SessionName}}", "a", "yes", "No", "on", "y", "null",
        "true", "~", "=", "<<", "12", "0x1f", "1e5", ".inf", "a:", "a: b", "a #b", "a#b", "#a", "'a b'", '"a: b"', '"a\\nb"', "''", '""', "'it''s'",
        "[a]", "{a: b}", "a,b", "a]", "a}", "*a", "&a", "!a", "|", ">", "- a", "-a", "a-", "@a", "`a", "%a", "a\tb", "ä", "\u2028", "---", "...",
        "2026-01-01", "a" * 513, "'", '"', "a:b:c", "a::b", "a:b:", "a/b@c.d+e=f_g", "\x7f", "\x00", "\r", "a\\b", '"a\\"b"',
    ]
)  # fmt: skip
KEYS = st.sampled_from(
    ["rolearn", "username", "groups", "GROUPS", "on", "y", "k1", "sso", "'q'", '"q"', "a b", "<<", "k" * 65]
)
BLANK = st.sampled_from(["", "", "", "", " ", "  ", "# c", "\t"])


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Mostly the common form, with every indentation and spelling that is nearly of it."""
    found: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        lead = draw(st.sampled_from(["- ", "- ", "- ", "-  ", " - ", "-"]))
        for number in range(draw(st.integers(1, 3))):
            head = lead if number == 0 else draw(st.sampled_from(["  ", "  ", "  ", "   ", " ", "", "- "]))
            colon = draw(st.sampled_from([": ", ": ", ": ", ":", ":  "]))
            if draw(st.booleans()):
                found.append(head + draw(KEYS) + colon + draw(SCALARS) + draw(BLANK))
                continue
            found.append(head + draw(KEYS) + ":" + draw(st.sampled_from(["", "", "", " "])))
            dash = draw(st.sampled_from(["  - ", "  - ", "    - ", "      - ", " - ", "- ", "  -"]))
            found += [dash + draw(SCALARS) for _ in range(draw(st.integers(0, 3)))]
            found += [draw(BLANK)] if draw(st.integers(0, 9)) == 0 else []
    return "\n".join(found) + draw(st.sampled_from(["\n", "\n", "\n", "", "\n\n", "\n...\n"]))


PLAIN = "- rolearn: arn:aws:iam::1:role/a\n  username: a\n  groups:\n  - g\n"


@settings(max_examples=1500)
@given(lines())
@example(PLAIN)
@example(PLAIN.replace("  - g", "    - g"))
@example("- groups:\n  - g\n  - h\n  rolearn: a\n- rolearn: b\n")
@example("- a: b\n  c: d\n\n- e: f\n")
@example("- a: b\n- c\n")
@example("- a: b\n  - c\n")
@example("- a:\n  - b\n    - c\n")
def test_it_reads_what_yaml_reads_or_leaves_it(text: str) -> None:
    """Never another value, never another place."""
    found = read_lines(text)
    assert found is None or found == _read_yaml(text)


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{2,8}", fullmatch=True), st.booleans()), min_size=1, max_size=5))
def test_the_common_form_is_read_here(entries: list[tuple[str, bool]]) -> None:
    """What kubectl, eksctl and Terraform write does not go to YAML, or nothing would be gained."""
    text = "".join(
        f"- groups:\n{'  ' if deep else ''}  - system:x{name}\n  rolearn: arn:aws:iam::111122223333:role/{name}\n  username: 'u {name}'\n"
        for name, deep in entries
    )
    found = read_lines(text)
    assert found is not None
    assert found.kind is Kind.SEQUENCE
    assert found == _read_yaml(text)
