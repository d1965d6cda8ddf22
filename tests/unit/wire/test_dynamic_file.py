"""The dynamic file's JSON as located values, and what is in effect after it: the cases of tests/cases/aws_auth."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iambridge.core.aws_auth import Entry, Located, Mappings, Rules, Unparsable, load_whole
from iambridge.wire.dynamic_file import read_dynamic_file

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases/aws_auth/dynamic_file.yaml").read_text())


def after(text: str, previous: Mappings, rules: Rules) -> Mappings:
    document = read_dynamic_file(text)
    sections = document if isinstance(document, Unparsable) else document.sections
    return load_whole(sections, name="dynamic file", previous=previous, rules=rules)


def shown(entry: Entry) -> str:
    key = entry.key.removeprefix("arn:aws:iam::111122223333:")
    return f"{key}: {entry.username} [{','.join(entry.groups)}]"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_file_counts_as_a_whole_or_not_at_all(case: dict[str, Any]) -> None:
    """The effect and the faults are those that the case names."""
    rules = Rules(session_arns=True, by_principal_id=case.get("strict", False))
    mappings = Mappings(rules=rules)
    if "before" in case:
        mappings = after(case["before"], mappings, rules)
        assert mappings.faults == ()
    mappings = after(case["file"], mappings, rules)
    assert [shown(entry) for entry in mappings.entries] == case.get("entries", [])
    assert [entry.key for entry in mappings.entries if entry.refusal] == case.get("refused", [])
    assert list(mappings.accounts) == case.get("accounts", [])
    assert sorted(mappings.stale) == case.get("stale", [])
    assert [f"{fault.code} {fault.section}:{fault.line} {fault.field}" for fault in mappings.faults] == case.get(
        "faults", []
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def plain(node: Located) -> Any:
    """The JSON value back, numbers as text."""
    if node.fields or node.kind == "map":
        return {key.text: plain(value) for key, value in node.fields}
    if node.kind == "list":
        return [plain(item) for item in node.items]
    return None if node.kind == "null" else node.text


def texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [texts(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else value if value is None or isinstance(value, str) else ""


@given(value=JSON, indent=st.sampled_from([None, 1, "\t"]), ascii_=st.booleans())
def test_values_are_those_that_json_reads_wherever_their_lines_come_from(
    value: Any, indent: Any, *, ascii_: bool
) -> None:
    """Locating a value changes nothing of it, whatever YAML would take it for."""
    text = json.dumps({"mapRoles": [value]}, indent=indent, ensure_ascii=ascii_)
    document = read_dynamic_file(text)
    if isinstance(document, Unparsable):  # half a surrogate pair is the only text that is refused
        assert "\\ud" in text
        return

    def same(found: Any, wanted: Any) -> bool:
        if isinstance(wanted, dict):
            return found.keys() == wanted.keys() and all(same(found[key], wanted[key]) for key in wanted)
        if isinstance(wanted, list):
            return len(found) == len(wanted) and all(map(same, found, wanted))
        return found == wanted or (wanted == "" and isinstance(found, str))

    assert same(plain(document.sections["mapRoles"]), texts([value]))  # type: ignore[arg-type]


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_a_file_or_a_place_where_it_is_not(text: str) -> None:
    """Garbage never raises, and maps nobody."""
    rules = Rules()
    assert after(text, Mappings(rules=rules), rules).entries == ()
