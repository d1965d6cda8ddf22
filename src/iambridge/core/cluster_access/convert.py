"""The same access as aws-auth, IAMIdentityMapping objects or EKS access entries; and all that changes by it.

Sources: EKS User Guide, "Create access entries", "Migrating existing aws-auth ConfigMap entries to access entries";
aws-iam-authenticator pkg/mapper/crd.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from iambridge.core.arn import Arn
from iambridge.core.aws_auth import Entry, Mappings
from iambridge.core.aws_auth.lint import MASTERS
from iambridge.core.aws_auth.templates import EC2_PRIVATE_DNS_NAME, SESSION_NAMES, placeholders
from iambridge.core.cluster_access.access_entries import AccessEntry
from iambridge.core.cluster_access.access_policies import CLUSTER_ADMIN, AccessPolicy

RESERVED = ("system:", "eks:", "aws:", "amazon:", "iam:")
_NODE_GROUPS = frozenset({"system:bootstrappers", "system:nodes"})
_FARGATE_GROUPS = _NODE_GROUPS | {"system:node-proxier"}
_WINDOWS_GROUP = "eks:kube-proxy-windows"


class Kind(StrEnum):
    """`lost` and `gained` change who may do what; `changed` is said another way and comes to the same."""

    LOST = "lost"
    GAINED = "gained"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the other form cannot say, or says otherwise; `where` is the entry."""

    kind: Kind
    code: str
    where: str
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class PlainMapping:
    """What aws-auth and an IAMIdentityMapping both can say."""

    arn: str
    username: str
    groups: tuple[str, ...] = ()
    where: str = ""


@dataclass(slots=True)
class Converted:
    """The new form, as `entries` or as `mappings`, and every finding in the order of the old one."""

    entries: list[AccessEntry] = field(default_factory=list)
    mappings: list[PlainMapping] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def tell(self, kind: Kind, code: str, where: str, text: str, fix: str = "") -> None:
        self.findings.append(Finding(kind, code, where, text, fix))

    @property
    def differing(self) -> tuple[Finding, ...]:
        """Those that change who may do what."""
        return tuple(finding for finding in self.findings if finding.kind is not Kind.CHANGED)


def plain_mappings(aws_auth: Mappings) -> Converted:
    """What a ConfigMap maps that an IAMIdentityMapping can say, too; the rest is lost and named."""
    found = Converted()
    for fault in aws_auth.errors:
        if fault.code == "duplicate-arn":
            found.tell(Kind.CHANGED, "duplicate", fault.where, fault.cause, "the one that wins is kept")
        else:
            found.tell(Kind.LOST, fault.code, fault.where, fault.cause, fault.fix)
    for entry in aws_auth.entries:
        if entry.refusal:
            found.tell(Kind.LOST, "unusable", entry.where, entry.refusal)
        elif entry.sso is not None:
            text = f"permission set {entry.sso.name} is a pattern, and here each role is named"
            found.tell(Kind.LOST, "permission-set", entry.where, text, "map its AWSReservedSSO_ roles by ARN")
        elif _kind(entry.arn) not in {"user", "role"}:
            text = f"`{entry.arn}` is no user's or role's ARN"
            found.tell(Kind.LOST, "not-a-user-or-role", entry.where, text, "map users and roles")
        else:
            found.mappings.append(PlainMapping(entry.arn, entry.username, entry.groups, entry.where))
            if entry.has_path:
                _path_comes_alive(found, entry)
    for account, line in aws_auth.accounts.items():
        text = f"every principal of account {account} is let in, which can be said in mapAccounts only"
        found.tell(Kind.LOST, "map-accounts", f"mapAccounts line {line}", text, "map the principals that need it")
    return found


def _path_comes_alive(found: Converted, entry: Entry) -> None:
    text = f"`{entry.arn}` has a path and matches nobody in EKS's or the original's aws-auth: here it lets the role in"
    found.tell(Kind.GAINED, "path-comes-alive", entry.where, text, "remove the entry first if the role is not meant")


def access_entries(mappings: Iterable[PlainMapping], found: Converted, *, account: str = "") -> Converted:
    """`found` with its mappings made access entries. `account` is the cluster's own, when known."""
    for mapping in mappings:
        entry = _node_entry(mapping, found, account) or _standard_entry(mapping, found)
        if "AWSServiceRoleFor" in mapping.arn or "/aws-service-role/" in mapping.arn:
            text = f"`{mapping.arn}` is a service-linked role's, and access entries take none"
            found.tell(Kind.LOST, "service-linked-role", mapping.where, text, "keep aws-auth for it")
            continue
        found.entries.append(entry)
        if "role/AWSReservedSSO_" in mapping.arn:
            text = f"`{mapping.arn}` has a path that aws-auth leaves out, and its access entry wants it"
            found.tell(Kind.CHANGED, "path-wanted", mapping.where, text, "the shell form asks iam get-role for it")
    found.mappings.clear()
    return found


def _node_entry(mapping: PlainMapping, found: Converted, account: str) -> AccessEntry | None:
    """An entry of a node's type, whose username and groups EKS sets itself; only roles have such."""
    if _kind(mapping.arn) != "role":
        return None
    groups = set(mapping.groups)
    if mapping.username == f"system:node:{EC2_PRIVATE_DNS_NAME}" and groups >= _NODE_GROUPS:
        kind = "EC2_WINDOWS" if _WINDOWS_GROUP in groups else "EC2_LINUX"
        rest = groups - _NODE_GROUPS - {_WINDOWS_GROUP}
    elif mapping.username == "system:node:{{SessionName}}" and groups >= _FARGATE_GROUPS:
        kind, rest = "FARGATE_LINUX", groups - _FARGATE_GROUPS
    else:
        return None
    for group in sorted(rest):
        text = f"an entry of type {kind} has no group `{group}`"
        found.tell(Kind.LOST, "node-group", mapping.where, text, "bind the rights to system:nodes")
    if account and Arn.parse(mapping.arn).account != account:
        text = f"`{mapping.arn}` is not of the cluster's account, and only STANDARD entries may be"
        found.tell(Kind.LOST, "node-of-other-account", mapping.where, text, "EKS will refuse it: keep aws-auth for it")
    text = f"type {kind}; EKS makes such an entry itself for a managed node group or a Fargate profile"
    found.tell(Kind.CHANGED, "node-type", mapping.where, text, "skip it where `aws eks list-access-entries` has it")
    return AccessEntry(mapping.arn, kind)


def _standard_entry(mapping: PlainMapping, found: Converted) -> AccessEntry:
    account = Arn.parse(mapping.arn).account
    policies: tuple[AccessPolicy, ...] = ()
    groups = []
    for group in mapping.groups:
        name = group.replace("{{AccountID}}", account)
        if name == MASTERS:
            text = f"system:masters becomes access policy {CLUSTER_ADMIN}, which no binding shows"
            found.tell(Kind.CHANGED, "masters", mapping.where, text)
            policies = (AccessPolicy(CLUSTER_ADMIN),)
        elif name.startswith("system:"):
            text = f"an access entry takes no group that begins with system:, as `{name}`"
            found.tell(Kind.LOST, "system-group", mapping.where, text, "bind its rights to a group of your own")
        elif "{{" in name:
            text = f"an access entry's groups are no templates, as `{name}`"
            found.tell(Kind.LOST, "group-template", mapping.where, text, "name the group outright")
        else:
            groups.append(name)
    username = _username(mapping, account, found)
    return AccessEntry(mapping.arn, "STANDARD", username, tuple(groups), policies)


def _username(mapping: PlainMapping, account: str, found: Converted) -> str:
    """The username, or empty for the one that EKS makes up."""
    name = mapping.username.replace("{{AccountID}}", account)
    text = ""
    used = placeholders(name)
    prefix = next((one for one in RESERVED if name.startswith(one)), "")
    if prefix:
        text = f"a username may not begin with {prefix}"
    elif used - SESSION_NAMES:
        text = f"{', '.join(sorted(used - SESSION_NAMES))} is no placeholder of access entries"
    elif used and _kind(mapping.arn) == "user":
        text = "a user has no session name"
    elif used and ":" not in name[: min(name.index(one) for one in used)]:
        text = "a colon must stand before {{SessionName}}"
    if not text:
        return name
    found.tell(Kind.LOST, "username", mapping.where, f"username `{mapping.username}`: {text}; EKS makes up its own",
               "bind to a group, or give the entry another username")  # fmt: skip
    return ""


def of_access_entries(entries: Iterable[AccessEntry]) -> Converted:
    """What access entries say that aws-auth can say, too; the rest is lost and named."""
    found = Converted()
    for index, entry in enumerate(entries):
        where = f"access-entries [{index}]"
        if not entry.described:
            found.tell(Kind.LOST, "not-described", where, f"`{entry.principal_arn}` could not be read")
            continue
        mapping = _of_entry(entry, where, found)
        if mapping is not None:
            found.mappings.append(mapping)
    return found


def _of_entry(entry: AccessEntry, where: str, found: Converted) -> PlainMapping | None:
    arn = entry.principal_arn
    if entry.type in {"EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX"}:
        groups = _FARGATE_GROUPS if entry.type == "FARGATE_LINUX" else _NODE_GROUPS
        windows = {_WINDOWS_GROUP} if entry.type == "EC2_WINDOWS" else set()
        name = EC2_PRIVATE_DNS_NAME if entry.type.startswith("EC2_") else "{{SessionName}}"
        return PlainMapping(arn, f"system:node:{name}", tuple(sorted(groups | windows)), where)
    if entry.type != "STANDARD":
        found.tell(Kind.LOST, "type", where, f"`{arn}` is of type {entry.type}, which works with access entries only")
        return None
    groups_of = list(entry.groups)
    if entry.policies is None:
        found.tell(Kind.LOST, "policies-not-visible", where, f"the access policies of `{arn}` could not be read")
    for policy in entry.policies or ():
        if policy == AccessPolicy(CLUSTER_ADMIN):
            groups_of.append(MASTERS)
            found.tell(Kind.CHANGED, "masters", where, f"{policy} becomes group system:masters")
        else:
            found.tell(Kind.LOST, "policy", where, f"`{arn}` loses {policy}: aws-auth has none", _binding(policy, arn))
    return PlainMapping(arn, entry.username, tuple(groups_of), where)


def _binding(policy: AccessPolicy, arn: str) -> str:
    alike = {"AmazonEKSAdminPolicy": "admin", "AmazonEKSEditPolicy": "edit", "AmazonEKSViewPolicy": "view"}
    role = alike.get(policy.name)
    if role is None:
        return f"write a ClusterRole with its rules, and bind it to a group of {Arn.parse(arn).name}"
    kind = "rolebinding -n NAMESPACE" if policy.namespaces else "clusterrolebinding"
    return f"kubectl create {kind} NAME --clusterrole={role} --group=GROUP, with GROUP added to the mapping"


def without_path(mappings: Iterable[PlainMapping], found: Converted) -> Iterator[PlainMapping]:
    """For aws-auth, which compares sessions: a role's ARN without its path."""
    seen: dict[str, str] = {}
    for mapping in mappings:
        arn = Arn.parse(mapping.arn)
        plain = replace(arn, resource=f"role/{arn.name}") if arn.resource_type == "role" else arn
        if str(plain) != mapping.arn:
            found.tell(Kind.CHANGED, "path-left-out", mapping.where, f"`{mapping.arn}` is written without its path")
        if str(plain) in seen:
            text = f"`{plain}` is mapped at {seen[str(plain)]}, too, and the last wins"
            found.tell(Kind.LOST, "duplicate", mapping.where, text, "keep one of the two")
        seen[str(plain)] = mapping.where
        yield replace(mapping, arn=str(plain))


def _kind(arn: str) -> str:
    """Empty for no ARN: an entry that is found by its principal's unique id may have none."""
    try:
        return Arn.parse(arn).resource_type
    except ValueError:
        return ""
