"""Which principals may do something, by which entry, policy or binding; and who is, or can become, cluster-admin."""

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from iambridge.core.aws_auth.lint import MASTERS
from iambridge.core.cluster_access.access_policies import authorize_by_access_policies
from iambridge.core.cluster_access.principals import Principal
from iambridge.core.rbac import Attributes, Binding, Policy, User, authorize

_AUTHENTICATED = "system:authenticated"
_RBAC = "rbac.authorization.k8s.io"
_SYSTEM = "kube-system"
_EVERYTHING = Attributes("*", "*", "*")
# What a placeholder can become. Session names: IAM API Reference, RoleSessionName.
_PLACEHOLDERS = {
    "{{SessionName}}": r"[\w+=,.-]{2,64}",
    "{{SessionNameRaw}}": r"[\w+=,.@-]{2,64}",
    "{{AccessKeyID}}": r"[A-Z0-9]{16,128}",
    "{{EC2PrivateDNSName}}": r"[a-z0-9.-]+",
}


class Step(NamedTuple):
    """A right, and how its holder makes himself cluster-admin with it; `config_map`: only where aws-auth is read."""

    attributes: Attributes
    how: str
    config_map: bool = False


def _kube_system(verb: str, resource: str, subresource: str = "", group: str = "") -> Attributes:
    return Attributes(verb, group, resource, subresource, namespace=_SYSTEM)


# Source: Kubernetes, "Role Based Access Control Good Practices", privilege escalation risks. ServiceAccounts of
# kube-system hold such rights themselves, so whoever can act as each of them is counted.
BECOMING_ADMIN = (
    Step(_EVERYTHING, ""),
    Step(Attributes("escalate", _RBAC, "clusterroles"), "may give himself any rule"),
    Step(Attributes("bind", _RBAC, "clusterroles"), "may bind himself to cluster-admin"),
    Step(Attributes("impersonate", "", "users"), "may act as an admin"),
    Step(Attributes("impersonate", "", "groups"), "may act as system:masters, if he may impersonate some user"),
    Step(_kube_system("impersonate", "serviceaccounts"), "may act as a controller"),
    Step(_kube_system("create", "serviceaccounts", "token"), "may mint a controller's token"),
    Step(_kube_system("create", "secrets"), "may have a controller's token put in a Secret"),
    Step(_kube_system("list", "secrets"), "may read tokens kept in Secrets"),
    Step(_kube_system("get", "secrets"), "may read tokens kept in Secrets"),
    Step(_kube_system("create", "pods"), "may run a pod as a controller's ServiceAccount"),
    Step(_kube_system("create", "pods", "exec"), "may run commands in a controller's pod"),
    Step(_kube_system("patch", "pods", "ephemeralcontainers"), "may run commands in a controller's pod"),
    *(
        Step(_kube_system(verb, resource, group=group), "may run pods as a controller's ServiceAccount")
        for group, resource in (
            ("apps", "deployments"), ("apps", "daemonsets"), ("apps", "statefulsets"), ("apps", "replicasets"),
            ("batch", "jobs"), ("batch", "cronjobs"), ("", "replicationcontrollers"),
        )
        for verb in ("create", "update", "patch")
    ),
    Step(Attributes("get", "", "nodes", "proxy"), "may run commands in any pod, by the kubelet"),
    Step(Attributes("create", "", "nodes", "proxy"), "may run commands in any pod, by the kubelet"),
    Step(Attributes("update", "certificates.k8s.io", "certificatesigningrequests", "approval"),
         "may approve a client certificate"),
    *(
        Step(Attributes(verb, "admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
             "may change what others create")
        for verb in ("create", "update", "patch")
    ),
    Step(Attributes("update", "", "configmaps", namespace=_SYSTEM, name="aws-auth"), "may map himself", True),
    Step(Attributes("patch", "", "configmaps", namespace=_SYSTEM, name="aws-auth"), "may map himself", True),
    Step(Attributes("create", "iamauthenticator.k8s.aws", "iamidentitymappings"),
         "may map himself, where the authenticator reads IAMIdentityMappings", True),
    Step(Attributes("update", "iamauthenticator.k8s.aws", "iamidentitymappings"),
         "may map himself, where the authenticator reads IAMIdentityMappings", True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Can:
    """`by` says by what: system:masters, an access policy, or a binding with its role."""

    principal: Principal
    by: str


@dataclass(frozen=True, slots=True)
class Undetermined:
    """A principal of which it cannot be told, and why."""

    principal: Principal
    why: str


_Known = dict[tuple[str, tuple[str, ...]], str]


def who_can(
    found: Iterable[Principal],
    asked: Sequence[Step],
    policy: Policy | None,
    *,
    missing_roles: AbstractSet[str] = frozenset(),
) -> Iterator[Can | Undetermined]:
    """Each principal that may do one of `asked`, once. `policy` is None when RBAC is not visible.

    What a binding to one of `missing_roles` gives is not known, either.
    """
    known: _Known = {}
    for principal in found:
        verdict = _judge(principal, asked, policy, known)
        if verdict is None and policy is not None and missing_roles:
            roles = {one.role_name for user in _users(principal, policy) for one in _bindings(user, policy)}
            lacking = sorted(roles & missing_roles)
            verdict = Undetermined(principal, f"role {', '.join(lacking)} is in no file") if lacking else None
        if verdict is not None:
            yield verdict


def _bindings(user: User, policy: Policy) -> Iterator[Binding]:
    for subject in (("User", user.name), *(("Group", group) for group in user.groups)):
        yield from policy.bindings.get(subject, ())


def is_cluster_admin(principal: Principal, policy: Policy | None) -> bool | None:
    """Every verb on everything, and not by detours; None when it cannot be told."""
    verdict = _judge(principal, BECOMING_ADMIN[:1], policy, {})
    return None if isinstance(verdict, Undetermined) else verdict is not None


def other_admins(asked: Sequence[Step], policy: Policy, mapped: Sequence[Principal] = ()) -> Iterator[Can]:
    """Users, groups and ServiceAccounts that bindings name, whatever proves them.

    Kubernetes' own bindings are left out, and so are the names that `mapped` principals have.
    """
    known = {("User", one.username) for one in mapped} | {("Group", name) for one in mapped for name in one.groups}
    for kind, name in sorted(policy.bindings.keys() - known):
        user = User(name, _groups_of_account(name)) if kind == "User" else User("", (name,))
        for step in asked:
            decision = authorize(user, step.attributes, policy)
            if not decision.allowed or ' "system:' in decision.reasons[-1].where.partition(" of ")[0]:
                continue
            username, groups = (name, ()) if kind == "User" else ("", (name,))
            yield Can(Principal(f'{kind} "{name}"', "", username, groups), _said(step, decision.reasons[-1].text))
            break


def _groups_of_account(name: str) -> tuple[str, ...]:
    prefix = "system:serviceaccount:"
    if not name.startswith(prefix):
        return ()
    namespace = name.removeprefix(prefix).partition(":")[0]
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")


def _judge(
    principal: Principal, asked: Sequence[Step], policy: Policy | None, known: dict[tuple[str, tuple[str, ...]], str]
) -> Can | Undetermined | None:
    """`known` keeps what bindings give to a user, since most principals share their groups."""
    if principal.unknown:
        return Undetermined(principal, principal.unknown)
    if MASTERS in principal.groups:
        return Can(principal, "system:masters: goes past RBAC")
    open_question = "its access policies could not be read" if principal.policies is None else ""
    for step in asked:
        decision = authorize_by_access_policies(principal.policies or (), step.attributes)
        if decision.allowed:
            return Can(principal, _said(step, decision.reasons[-1].text))
        unmodelled = next((one.text for one in decision.reasons if one.code == "policy-not-modelled"), "")
        open_question = open_question or unmodelled
    if policy is None:
        return Undetermined(principal, open_question or "roles and bindings are not visible")
    for user in _users(principal, policy):
        by = known.get((user.name, user.groups))
        if by is None:
            by = known[user.name, user.groups] = _by_binding(user, asked, policy)
        if by:
            return Can(principal, by)
    return Undetermined(principal, open_question) if open_question else None


def _by_binding(user: User, asked: Sequence[Step], policy: Policy) -> str:
    for step in asked:
        decision = authorize(user, step.attributes, policy)
        if decision.allowed:
            return _said(step, decision.reasons[-1].text)
    return ""


def _said(step: Step, text: str) -> str:
    asked = step.attributes
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    place = f" in {asked.namespace}" if step.how and asked.namespace else ""
    how = f" ({step.how})" if step.how else ""
    return f"may {asked.verb} {resource}{place}{how}: {text}"


def _users(principal: Principal, policy: Policy) -> Iterator[User]:
    """The user, or each that a binding names and that the username's template can become."""
    groups = tuple(group.replace("{{AccountID}}", principal.account) for group in principal.groups)
    groups = (*(group for group in groups if "{{" not in group), _AUTHENTICATED)
    username = principal.username.replace("{{AccountID}}", principal.account)
    # a name that no binding has is like any other such name
    yield User(username if ("User", username) in policy.bindings else "", groups)
    if principal.every_arn:
        pattern = rf"arn:[a-z-]+:(?:iam|sts)::{principal.account}:.+"
    elif "{{" in username:
        pattern = re.escape(username)
    else:
        return
    for placeholder, values in _PLACEHOLDERS.items():
        pattern = pattern.replace(re.escape(placeholder), values)
    for kind, name in policy.bindings:
        if kind == "User" and re.fullmatch(pattern, name):
            yield User(name, groups)
