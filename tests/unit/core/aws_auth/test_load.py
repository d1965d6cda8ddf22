"""What is in effect after a document, good or bad: the cases of tests/cases/aws_auth."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from iambridge.core.aws_auth import Entry, Mappings, Rules, load
from iambridge.wire.aws_auth_yaml import read_sections

CASES = yaml.safe_load((Path(__file__).parents[3] / "cases/aws_auth/faults.yaml").read_text())


def short(key: str) -> str:
    return key.removeprefix("arn:aws:iam::111122223333:")


def shown(entry: Entry) -> str:
    return f"{short(entry.key)}: {entry.username} [{','.join(entry.groups)}]"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_document_has_the_effect_and_the_faults_that_its_case_names(case: dict[str, Any]) -> None:
    """Every fault is found with its line and field, and the effect is at most what the text legibly says."""
    before = load(read_sections(case["before"])) if "before" in case else None
    mappings = load(read_sections(case["data"]), previous=before)
    assert [shown(entry) for entry in mappings.entries] == case.get("entries", [])
    assert [short(entry.key) for entry in mappings.entries if entry.refusal] == case.get("refused", [])
    assert list(mappings.accounts) == case.get("accounts", [])
    assert sorted(mappings.stale) == case.get("stale", [])
    faults = [f"{fault.code} {fault.section}:{fault.line} {fault.field}" for fault in mappings.faults]
    assert faults == case.get("faults", [])
    for fault in mappings.faults:
        assert fault.cause
        assert fault.fix


def test_an_empty_config_map_maps_nobody() -> None:
    """No section at all clears what was in effect."""
    before = load(read_sections({"mapUsers": "- {userarn: 'arn:aws:iam::111122223333:user/a', username: a}"}))
    assert load({}, previous=before).entries == ()


def test_compatibility_with_the_original_makes_paths_match_nobody() -> None:
    """With path matching off an entry with a path is an error and is in no table."""
    text = "- {rolearn: 'arn:aws:iam::111122223333:role/team/a', username: a}"
    mappings = load(read_sections({"mapRoles": text}), rules=Rules(ignore_role_path=False))
    assert mappings.entries == ()
    assert [fault.code for fault in mappings.errors] == ["role-path"]


def test_lookup_finds_one_among_fifty_thousand() -> None:
    """A large map is a table: the entry is found by key, whatever stands around it."""
    entries = {
        f"arn:aws:iam::111122223333:role/r{n}": Entry(
            "mapRoles", n, n, "", f"arn:aws:iam::111122223333:role/r{n}", f"u{n}"
        )
        for n in range(50_000)
    }
    match = Mappings(entries).find("arn:aws:iam::111122223333:role/R49999", "111122223333")
    assert match is not None
    assert match.entry is not None
    assert match.entry.username == "u49999"


def test_a_mapping_without_some_sections_is_the_rest() -> None:
    """Accounts are no entries: a mapping of accounts alone is empty."""
    whole = load(
        read_sections(
            {
                "mapRoles": "[{rolearn: 'arn:aws:iam::111122223333:role/a', username: a}]",
                "mapUsers": "[{userarn: 'arn:aws:iam::111122223333:user/b', username: b}]",
                "mapAccounts": "['111122223333']",
            }
        )
    )
    assert [entry.username for entry in whole.without({"mapRoles"}).entries] == ["b"]
    assert [entry.username for entry in whole.without({"mapUsers"}).entries] == ["a"]
    assert whole.without({"mapAccounts"}).accounts == {}
    accounts_only = whole.without({"mapRoles", "mapUsers"})
    assert (whole.empty, accounts_only.empty, list(accounts_only.accounts)) == (False, True, ["111122223333"])


def test_found_by_unique_id_an_entry_without_one_is_none() -> None:
    """It is told where it is to be written; an empty one is as none."""
    text = (
        "- {rolearn: 'arn:aws:iam::111122223333:role/a', username: a}\n"
        "- {userid: '', username: b}\n- {userid: AROAEXAMPLE123456789, username: c}\n"
    )
    mappings = load(read_sections({"mapRoles": text}), rules=Rules(by_principal_id=True))
    assert [(entry.key, entry.username) for entry in mappings.entries] == [("AROAEXAMPLE123456789", "c")]
    assert [(fault.code, fault.where) for fault in mappings.faults] == [
        ("user-id-missing", "mapRoles line 1, [0].userid"), ("user-id-missing", "mapRoles line 2, [1].userid"),
    ]  # fmt: skip
