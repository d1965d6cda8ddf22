"""A proven AWS caller -> a Kubernetes user, or the reason why not.

Sources are asked in order, the first that maps the caller decides, and within one the order is `Mappings.find`'s; so an
account listed in an earlier source goes before an explicit ARN in a later one, as in the original. A match that then
fails (no name, a reserved prefix) is final.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from iambridge.core.aws_auth.entry import Entry, arn_key, sso_key
from iambridge.core.aws_auth.mappings import Mappings, Match
from iambridge.core.aws_auth.near_misses import difference
from iambridge.core.aws_auth.templates import (
    EC2_PRIVATE_DNS_NAME,
    SESSION_NAMES,
    instance_id,
    render,
)
from iambridge.core.decision import Decision, Outcome, Reason

HOP = "aws-auth"
PRINCIPAL_RECREATED = "principal-recreated"
_UID_PREFIX = "aws-iam-authenticator"
_PINNED_FIX = "if the new principal is to get in, write its unique id into the entry's `userid`"


class Identity(Protocol):
    """What `authenticator_token.CallerIdentity` says of a caller."""

    @property
    def account(self) -> str: ...
    @property
    def arn(self) -> str: ...
    @property
    def canonical_arn(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def session_name(self) -> str: ...
    @property
    def access_key_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Source:
    """A backend: its name as `--backend-mode` spells it, what it maps, and the prefixes no username of it may have.

    `from_copy`: some of it is in effect from the persisted copy, since the document itself cannot be had or read.
    """

    name: str
    mappings: Mappings
    reserved_prefixes: tuple[str, ...] = ()
    from_copy: bool = False


@dataclass(frozen=True, slots=True)
class MappedUser:
    """A Kubernetes user, as a TokenReview's status carries it."""

    username: str
    uid: str
    groups: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Mapped:
    """`user` is None for a denial. `source` names the backend that decided, if any matched."""

    decision: Decision
    user: MappedUser | None = None
    entry: Entry | None = None
    source: str = ""


def decisive(identity: Identity, sources: Sequence[Source]) -> tuple[Source, Match] | None:
    """The first source that maps the caller, and by what. With them everything is decided but an instance's name."""
    for source in sources:
        match = source.mappings.find(identity.canonical_arn, identity.account, identity.user_id)
        if match is not None:
            return source, match
    return None


def instance_wanted(identity: Identity, sources: Sequence[Source]) -> str:
    """The EC2 instance whose private DNS name `map_identity` will need, or empty."""
    instance = instance_id(identity.session_name) if identity.session_name else ""
    if not instance:
        return ""
    found = decisive(identity, sources)
    if found is None or found[1].entry is None:
        return ""
    entry = found[1].entry
    wanted = any(EC2_PRIVATE_DNS_NAME in text for text in (entry.username, *entry.groups))
    return instance if wanted else ""


def map_identity(
    identity: Identity,
    sources: Sequence[Source],
    *,
    private_dns_name: str = "",
    scrubbed_accounts: AbstractSet[str] = frozenset(),
) -> Mapped:
    """Decide who `identity` is. `private_dns_name` is that of the instance that `instance_wanted` asked for.

    A caller of a scrubbed account appears without ARN and key id in uid and extra.
    """
    decided_by = decisive(identity, sources)
    if decided_by is None:
        return Mapped(_not_mapped(identity, sources))
    source, match = decided_by
    found = Reason(
        "mapping-found",
        f"`{identity.canonical_arn}` is mapped in {source.name}",
        where=match.where,
        held=True,
        facts={"canonicalArn": identity.canonical_arn},
    )
    if match.entry is None:
        user = _user(identity, identity.canonical_arn, (), scrubbed_accounts)
        return Mapped(_decided(found, user, match), user, None, source.name)
    entry = match.entry
    if entry.refusal:
        return _denied("entry-unusable", entry.refusal, found, match, source, fix="correct the entry: run the lint")
    stranger = _another_principal(entry, identity)
    if stranger is not None:
        return Mapped(
            Decision(HOP, Outcome.IMPLICIT_DENY, (found, stranger), _PINNED_FIX), entry=entry, source=source.name
        )
    username, groups = entry.username, entry.groups
    if used := entry.placeholders:
        values = _values(identity, private_dns_name)
        refusal = _cannot_render(used, identity, values)
        if refusal is not None:
            return _denied(refusal[0], refusal[1], found, match, source, fix=refusal[2])
        username = render(username, values)
        groups = tuple(dict.fromkeys(render(group, values) for group in groups))
    if not username.strip():
        return _denied("username-empty", "the username is empty", found, match, source, fix="give the entry a username")
    reserved = next((prefix for prefix in source.reserved_prefixes if username.startswith(prefix)), "")
    if reserved:
        text = f"the username `{username}` begins with `{reserved}`, which is reserved in {source.name}"
        return _denied("reserved-prefix", text, found, match, source, fix="map the principal to another username")
    user = _user(identity, username, groups, scrubbed_accounts)
    return Mapped(_decided(found, user, match), user, entry, source.name)


def _another_principal(entry: Entry, identity: Identity) -> Reason | None:
    """A pinned entry is for one principal, not for whoever bears its name today."""
    if entry.pinned_id and entry.pinned_id != identity.user_id:
        text = (
            f"the entry is pinned to `{entry.pinned_id}` and `{identity.canonical_arn}` is now `{identity.user_id}`:"
            " the principal was deleted and made again"
        )
        return Reason(PRINCIPAL_RECREATED, text, entry.where, facts={"pinned": entry.pinned_id, "is": identity.user_id})
    if entry.pinned_arn:
        key = arn_key(identity.canonical_arn, ignore_role_path=True)
        if entry.pinned_arn not in {key, sso_key(identity.canonical_arn)}:
            text = f"`{identity.user_id}` is now `{identity.canonical_arn}`, and the entry names `{entry.arn}`"
            return Reason("principal-renamed", text, entry.where, facts={"canonicalArn": identity.canonical_arn})
    return None


def _values(identity: Identity, private_dns_name: str) -> dict[str, str]:
    return {
        "{{AccountID}}": identity.account,
        "{{SessionName}}": identity.session_name.replace("@", "-"),
        "{{SessionNameRaw}}": identity.session_name,
        "{{AccessKeyID}}": identity.access_key_id,
        EC2_PRIVATE_DNS_NAME: private_dns_name,
    }


def _cannot_render(
    used: AbstractSet[str], identity: Identity, values: Mapping[str, str]
) -> tuple[str, str, str] | None:
    if EC2_PRIVATE_DNS_NAME in used:
        if not instance_id(identity.session_name):
            text = (
                f"the session name `{identity.session_name}` is not an instance id, and the entry is for EC2 instances"
            )
            return (
                "not-an-instance",
                text,
                "log in with the instance's own credentials, or map the role without EC2PrivateDNSName",
            )
        if not values[EC2_PRIVATE_DNS_NAME]:
            text = f"instance `{identity.session_name}` has no private DNS name"
            return "private-dns-name-empty", text, "check the instance and its VPC's enableDnsHostnames"
    if used & SESSION_NAMES and not identity.session_name:
        return "session-name-empty", f"`{identity.arn}` has no session name", "use {{SessionName}} for roles only"
    return None


def _user(identity: Identity, username: str, groups: tuple[str, ...], scrubbed: AbstractSet[str]) -> MappedUser:
    """The uid and extra as aws-iam-authenticator gives them (pkg/server/server.go)."""
    if identity.account in scrubbed:
        return MappedUser(username, f"{_UID_PREFIX}:administrative:{username}", groups, {})
    extra = {
        "arn": identity.arn,
        "canonicalArn": identity.canonical_arn,
        "sessionName": identity.session_name,
        "accessKeyId": identity.access_key_id,
        "principalId": identity.user_id,
        "sigs.k8s.io/aws-iam-authenticator/principalId": identity.user_id,
    }
    uid = f"{_UID_PREFIX}:{identity.account}:{identity.user_id}"
    return MappedUser(username, uid, groups, {name: (value,) for name, value in extra.items()})


def _decided(found: Reason, user: MappedUser, match: Match) -> Decision:
    text = f"the user is `{user.username}` in groups {', '.join(user.groups) or 'none'}"
    facts = {"username": user.username, "groups": ",".join(user.groups)}
    return Decision(HOP, Outcome.ALLOWED, (found, Reason("user-rendered", text, match.where, held=True, facts=facts)))


def _denied(code: str, text: str, found: Reason, match: Match, source: Source, *, fix: str) -> Mapped:
    decision = Decision(HOP, Outcome.IMPLICIT_DENY, (found, Reason(code, text, match.where)), fix)
    return Mapped(decision, entry=match.entry, source=source.name)


def _not_mapped(identity: Identity, sources: Sequence[Source]) -> Decision:
    names = ", ".join(source.name for source in sources) or "no source"
    text = f"`{identity.canonical_arn}` is in no mapRoles, mapUsers or mapAccounts ({names})"
    reasons = [Reason("not-mapped", text, facts={"canonicalArn": identity.canonical_arn, "account": identity.account})]
    for source in sources:
        reasons += [
            Reason("near-miss", difference(identity.canonical_arn, entry), entry.where)
            for entry in source.mappings.near_misses(identity.canonical_arn)
        ]
    section, field = ("mapRoles", "rolearn") if ":role/" in identity.canonical_arn else ("mapUsers", "userarn")
    fix = f"add `{field}: {identity.canonical_arn}` with a username to {section} of ConfigMap kube-system/aws-auth"
    return Decision(HOP, Outcome.IMPLICIT_DENY, tuple(reasons), fix)
