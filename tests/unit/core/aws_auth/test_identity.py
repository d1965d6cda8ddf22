"""A proven caller becomes the user that the mapping names, or a reason why not."""

from dataclasses import dataclass

import pytest

from iambridge.core.aws_auth import Mapped, Mappings, Rules, Source, break_glass, instance_wanted, load, map_identity
from iambridge.errors import InputError
from iambridge.wire.aws_auth_yaml import read_sections

ACCOUNT = "111122223333"


@dataclass(frozen=True)
class Caller:
    """A caller as STS describes it."""

    canonical_arn: str
    arn: str = "arn:aws:sts::111122223333:assumed-role/any/any"
    account: str = ACCOUNT
    user_id: str = "AROAEXAMPLE"
    session_name: str = ""
    access_key_id: str = "ASIAEXAMPLE"


def role(name: str, session: str = "alice@example.com", account: str = ACCOUNT) -> Caller:
    return Caller(f"arn:aws:iam::{account}:role/{name}", session_name=session, account=account)


def mapped(caller: Caller, mappings: Mappings, *, name: str = "", prefixes: tuple[str, ...] = ()) -> Mapped:
    return map_identity(caller, (Source("EKSConfigMap", mappings, prefixes),), private_dns_name=name)


def roles(text: str) -> Mappings:
    return load(read_sections({"mapRoles": text}))


@pytest.mark.parametrize(
    ("template", "username"),
    [
        ("u:{{SessionName}}", "u:alice-example.com"),
        ("u:{{SessionNameRaw}}", "u:alice@example.com"),
        ("u:{{AccountID}}:{{AccessKeyID}}", "u:111122223333:ASIAEXAMPLE"),
        ("plain", "plain"),
    ],
)
def test_placeholders_are_rendered(template: str, username: str) -> None:
    """Each placeholder becomes the value that it names."""
    user = mapped(role("a"), roles(f"- {{rolearn: 'arn:aws:iam::{ACCOUNT}:role/a', username: '{template}'}}")).user
    assert user is not None
    assert user.username == username


def test_a_session_name_that_looks_like_a_placeholder_stays_text() -> None:
    """What a caller chose is never rendered again."""
    text = f"- {{rolearn: 'arn:aws:iam::{ACCOUNT}:role/a', username: 'u:{{{{SessionNameRaw}}}}'}}"
    user = mapped(role("a", "{{AccessKeyID}}"), roles(text)).user
    assert user is not None
    assert user.username == "u:{{AccessKeyID}}"


NODE = f"""
- rolearn: arn:aws:iam::{ACCOUNT}:role/node
  username: system:node:{{{{EC2PrivateDNSName}}}}
  groups: [system:nodes]
"""


def test_a_node_is_named_by_its_instance() -> None:
    """The instance of the session is asked for, and its name is the node's."""
    caller = role("node", "i-0123456789abcdef0")
    assert instance_wanted(caller, (Source("s", roles(NODE)),)) == "i-0123456789abcdef0"
    user = mapped(caller, roles(NODE), name="ip-10-0-0-1.ec2.internal").user
    assert user is not None
    assert user.username == "system:node:ip-10-0-0-1.ec2.internal"


@pytest.mark.parametrize(
    ("session", "name", "code"),
    [
        ("i-0123456789abcdef0", "", "private-dns-name-empty"),
        ("alice", "ip-10-0-0-1.ec2.internal", "not-an-instance"),
        ("i-0123456789ABCDEF0", "ip-10-0-0-1.ec2.internal", "not-an-instance"),
    ],
)
def test_a_node_without_a_name_stays_out(session: str, name: str, code: str) -> None:
    """An empty name or a session that is no instance never becomes `system:node:`."""
    answer = mapped(role("node", session), roles(NODE), name=name)
    assert answer.user is None
    assert answer.decision.reasons[-1].code == code
    assert answer.decision.fix


@pytest.mark.parametrize(
    ("session", "text", "accounts", "wanted"),
    [
        ("i-0123456789abcdef0", NODE, "[]", True),
        ("alice", NODE, "[]", False),
        ("", NODE, "[]", False),
        ("i-0123456789abcdef0", NODE.replace("role/node", "role/other"), "[]", False),
        ("i-0123456789abcdef0", "[]", f"['{ACCOUNT}']", False),
        ("i-0123456789abcdef0", NODE.replace("{{EC2PrivateDNSName}}", "{{SessionName}}"), "[]", False),
        ("i-0123456789abcdef0", NODE.replace("[system:nodes]", "['{{EC2PrivateDNSName}}']"), "[]", True),
    ],
)
def test_ec2_is_asked_only_for_an_instance_whose_entry_needs_its_name(
    session: str, text: str, accounts: str, *, wanted: bool
) -> None:
    sources = (Source("s", load(read_sections({"mapRoles": text, "mapAccounts": accounts}))),)
    assert bool(instance_wanted(role("node", session), sources)) is wanted


@pytest.mark.parametrize(
    ("template", "session", "key", "code"),
    [
        ("t:{{SessionName}}", "", "ASIAEXAMPLE", "session-name-empty"),
        ("t:{{SessionNameRaw}}", "", "ASIAEXAMPLE", "session-name-empty"),
        ("{{AccessKeyID}}", "s", "", "username-empty"),
        ("t:{{AccessKeyID}}", "s", "", "user-rendered"),
    ],
)
def test_what_a_template_lacks_makes_no_user(template: str, session: str, key: str, code: str) -> None:
    """A user or the root has no session, and an empty name is nobody's."""
    caller = Caller(f"arn:aws:iam::{ACCOUNT}:role/a", session_name=session, access_key_id=key)
    answer = mapped(caller, roles(f"- {{rolearn: 'arn:aws:iam::{ACCOUNT}:role/a', username: '{template}'}}"))
    assert answer.decision.reasons[-1].code == code
    assert (answer.user is not None) is (code == "user-rendered")


def test_order_is_roles_then_permission_sets_then_accounts() -> None:
    """An explicit role goes before the permission set behind it, and both before the account."""
    data = {
        "mapRoles": (
            f"- sso: {{permissionSetName: Admin, accountID: '{ACCOUNT}'}}\n  username: set\n"
            f"- rolearn: arn:aws:iam::{ACCOUNT}:role/AWSReservedSSO_Admin_0123456789abcdef\n  username: explicit\n"
        ),
        "mapAccounts": f"['{ACCOUNT}']",
    }
    mappings = load(read_sections(data))
    for name, username in (
        ("AWSReservedSSO_Admin_0123456789abcdef", "explicit"),
        ("AWSReservedSSO_Admin_fedcba9876543210", "set"),
        (
            "AWSReservedSSO_Admin_Other_fedcba9876543210",
            f"arn:aws:iam::{ACCOUNT}:role/AWSReservedSSO_Admin_Other_fedcba9876543210",
        ),
    ):
        user = mapped(role(name), mappings).user
        assert user is not None
        assert user.username == username


def test_uid_and_extra_are_the_originals() -> None:
    """What a TokenReview carries of the caller is spelled as aws-iam-authenticator spells it."""
    user = mapped(role("a", "s"), roles(f"- {{rolearn: 'arn:aws:iam::{ACCOUNT}:role/a', username: u}}")).user
    assert user is not None
    assert user.uid == f"aws-iam-authenticator:{ACCOUNT}:AROAEXAMPLE"
    assert sorted(user.extra) == [
        "accessKeyId", "arn", "canonicalArn", "principalId", "sessionName", "sigs.k8s.io/aws-iam-authenticator/principalId",
    ]  # fmt: skip


def test_a_scrubbed_account_leaves_no_trace_of_the_caller() -> None:
    """The uid is the username's, and extra is empty."""
    source = Source("s", roles(f"- {{rolearn: 'arn:aws:iam::{ACCOUNT}:role/a', username: u}}"))
    user = map_identity(role("a"), (source,), scrubbed_accounts={ACCOUNT}).user
    assert user is not None
    assert (user.uid, dict(user.extra)) == ("aws-iam-authenticator:administrative:u", {})


def test_a_reserved_prefix_is_final_on_every_source() -> None:
    """A rendered username with a reserved prefix is refused, and no later source is asked."""
    text = f"- {{rolearn: 'arn:aws:iam::{ACCOUNT}:role/a', username: 'system:x'}}"
    later = Source("later", roles(f"- {{rolearn: 'arn:aws:iam::{ACCOUNT}:role/a', username: y}}"))
    answer = map_identity(role("a"), (Source("first", roles(text), ("system:",)), later))
    assert answer.user is None
    assert answer.decision.reasons[-1].code == "reserved-prefix"


def test_who_is_not_mapped_reads_what_to_add_and_what_is_near() -> None:
    """The denial names the entry to write, and entries for a namesake in another account."""
    answer = mapped(role("a"), roles("- {rolearn: 'arn:aws:iam::444455556666:role/a', username: u}"))
    assert answer.user is None
    assert [reason.code for reason in answer.decision.reasons] == ["not-mapped", "near-miss"]
    assert f"rolearn: arn:aws:iam::{ACCOUNT}:role/a" in answer.decision.fix


def test_a_session_arn_stands_for_its_role_in_a_configuration_file() -> None:
    """The original's file backend takes an assumed-role ARN; the ConfigMap does not."""
    text = f"- {{rolearn: 'arn:aws:sts::{ACCOUNT}:assumed-role/a/s', username: u}}"
    mappings = load(read_sections({"mapRoles": text}), rules=Rules(session_arns=True))
    assert mapped(role("a"), mappings).user is not None
    assert mapped(role("a"), roles(text)).user is None


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:role/*",
        "x",
        "arn:aws:sts::111122223333:assumed-role/a/b",
    ],
)
def test_break_glass_takes_one_principal_by_its_exact_arn(arn: str) -> None:
    """No wildcard, no root, no session opens the glass."""
    with pytest.raises(InputError):
        break_glass([arn])
    user = mapped(role("rescue"), break_glass([f"arn:aws:iam::{ACCOUNT}:role/rescue"])).user
    assert user is not None
    assert user.groups == ("system:masters",)


PINNED = f"""
- rolearn: arn:aws:iam::{ACCOUNT}:role/a
  username: a
  userid: %s
"""


@pytest.mark.parametrize(
    ("user_id", "pin", "code"),
    [
        ("AROAEXAMPLEEXAMPLE01", True, "user-rendered"),
        ("AROAEXAMPLEEXAMPLE02", True, "principal-recreated"),
        ("nonsense", True, "entry-unusable"),
        ('""', True, "entry-unusable"),
        ("AROAEXAMPLEEXAMPLE02", False, "user-rendered"),
    ],
    ids=["same", "another", "illegible", "empty", "off"],
)
def test_a_pinned_entry_is_for_one_principal(user_id: str, *, pin: bool, code: str) -> None:
    """With pinning on a role that was deleted and made again stays out, and so does everybody if the id is illegible."""
    mappings = load(read_sections({"mapRoles": PINNED % user_id}), rules=Rules(pin_principal_ids=pin))
    caller = Caller(f"arn:aws:iam::{ACCOUNT}:role/a", user_id="AROAEXAMPLEEXAMPLE01", session_name="s")
    found = mapped(caller, mappings)
    assert found.decision.reasons[-1].code == code
    assert (found.user is not None) is (code == "user-rendered")


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/path/A", "user-rendered"),
        ("", "user-rendered"),
        (f"arn:aws:iam::{ACCOUNT}:role/b", "principal-renamed"),
        ("x", "entry-unusable"),
    ],
    ids=["path-and-case", "none", "another", "illegible"],
)
def test_by_unique_id_an_arn_must_agree_where_it_is_given(arn: str, code: str) -> None:
    """A strict dynamic file finds entries by unique id; a renamed principal stays out, an illegible ARN lets nobody in."""
    text = f"- {{userid: AROAEXAMPLEEXAMPLE01, rolearn: '{arn}', username: a}}"
    mappings = load(read_sections({"mapRoles": text}), rules=Rules(by_principal_id=True))
    caller = Caller(f"arn:aws:iam::{ACCOUNT}:role/a", user_id="AROAEXAMPLEEXAMPLE01", session_name="s")
    assert mapped(caller, mappings).decision.reasons[-1].code == code
    stranger = Caller(f"arn:aws:iam::{ACCOUNT}:role/a", user_id="AROAEXAMPLEEXAMPLE02", session_name="s")
    assert mapped(stranger, mappings).decision.reasons[0].code == "not-mapped"


def test_where_ids_are_pinned_an_entry_without_one_is_for_any() -> None:
    """Pinning is asked for entry by entry."""
    text = f"- {{rolearn: 'arn:aws:iam::{ACCOUNT}:role/a', username: a}}"
    mappings = load(read_sections({"mapRoles": text}), rules=Rules(pin_principal_ids=True))
    assert mappings.faults == ()
    for user_id in ("AROAEXAMPLEEXAMPLE01", "AROAEXAMPLEEXAMPLE02"):
        assert mapped(Caller(f"arn:aws:iam::{ACCOUNT}:role/a", user_id=user_id, session_name="s"), mappings).user
