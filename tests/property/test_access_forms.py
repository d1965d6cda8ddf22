"""Laws of access in its three forms: nobody is lost, gained or changed without a finding that names his entry."""

from hypothesis import given
from hypothesis import strategies as st

from iambridge.core.aws_auth import Mappings, load
from iambridge.core.aws_auth.lint import MASTERS
from iambridge.core.cluster_access import CLUSTER_ADMIN, AccessPolicy
from iambridge.core.cluster_access.convert import access_entries, of_access_entries, plain_mappings, without_path
from iambridge.wire.access_forms import config_map, identity_mapping, read_identity_mapping
from iambridge.wire.aws_auth_file import AwsAuthFile, read_file

ACCOUNT = "111122223333"
_NAMES = st.sampled_from(["a", "b", "team/a", "AWSReservedSSO_X_0123456789abcdef", "AWSServiceRoleForX", "node"])
_ARNS = st.builds(lambda kind, name: f"arn:aws:iam::{ACCOUNT}:{kind}/{name}", st.sampled_from(["role", "user"]), _NAMES)
_USERNAMES = st.sampled_from(
    ["u", "system:u", "eks:x", "t:{{SessionName}}", "{{SessionName}}", "n-{{AccountID}}", "k:{{AccessKeyID}}",
     "system:node:{{EC2PrivateDNSName}}", "system:node:{{SessionName}}", "it's: #1", "yes", "1"]
)  # fmt: skip
_GROUPS = st.lists(
    st.sampled_from(
        [MASTERS, "system:nodes", "system:bootstrappers", "system:node-proxier", "g", "h-{{AccountID}}", "on"]
    ),
    max_size=5,
    unique=True,
)
_ENTRIES = st.lists(st.tuples(_ARNS, _USERNAMES, _GROUPS), max_size=6)


def document(entries: list[tuple[str, str, list[str]]]) -> Mappings:
    from iambridge.core.cluster_access.convert import PlainMapping

    return read_back(config_map(PlainMapping(arn, username, tuple(groups)) for arn, username, groups in entries))


def read_back(text: str) -> Mappings:
    source = read_file(text)
    assert isinstance(source, AwsAuthFile)
    return load(source.sections)


@given(entries=_ENTRIES)
def test_nobody_changes_without_a_finding(entries: list[tuple[str, str, list[str]]]) -> None:
    """To access entries: who is missing, is called or grouped otherwise, has a finding at his entry."""
    mappings = document(entries)
    found = plain_mappings(mappings)
    converted = access_entries(list(found.mappings), found)
    told = {finding.where for finding in converted.findings}
    by_key = {entry.key: entry for entry in converted.entries}
    for entry in mappings.entries:
        other = by_key.get(entry.key)
        same = other is not None and (other.username, set(other.groups), other.policies) == (
            entry.username.replace("{{AccountID}}", ACCOUNT),
            {group.replace("{{AccountID}}", ACCOUNT) for group in entry.groups},
            (),
        )
        assert same or entry.where in told


@given(entries=_ENTRIES)
def test_what_eks_refuses_is_never_asked_of_it(entries: list[tuple[str, str, list[str]]]) -> None:
    """No group that begins with system:, no reserved username, no colonless session name, admin by policy only."""
    found = plain_mappings(document(entries))
    for entry in access_entries(list(found.mappings), found).entries:
        assert not any(group.startswith("system:") or "{{" in group for group in entry.groups)
        assert not entry.username.startswith(("system:", "eks:", "aws:", "amazon:", "iam:"))
        assert ":" in entry.username.partition("{{")[0] or "{{" not in entry.username
        assert entry.type == "STANDARD" or (not entry.username and not entry.groups and not entry.policies)
        assert entry.policies in {(), (AccessPolicy(CLUSTER_ADMIN),)}


@given(entries=_ENTRIES)
def test_identity_mappings_say_the_same(entries: list[tuple[str, str, list[str]]]) -> None:
    """There and back: every entry that an object can be made of is the same after."""
    found = plain_mappings(document(entries))
    back = [read_identity_mapping(identity_mapping(mapping)) for mapping in found.mappings]
    assert [(one.arn, one.username, one.groups) for one in back] == [
        (one.arn, one.username, one.groups) for one in found.mappings
    ]


@given(entries=_ENTRIES)
def test_access_entries_come_back(entries: list[tuple[str, str, list[str]]]) -> None:
    """aws-auth made access entries and aws-auth again gives nobody more than he had."""
    mappings = document(entries)
    there = plain_mappings(mappings)
    access_entries(list(there.mappings), there)
    back = of_access_entries(there.entries)
    again = read_back(config_map(without_path(back.mappings, back)))
    for entry in again.entries:
        before = mappings.find(entry.arn, ACCOUNT)
        assert before is not None
        assert before.entry is not None
        assert {*entry.groups} <= {group.replace("{{AccountID}}", ACCOUNT) for group in before.entry.groups}
