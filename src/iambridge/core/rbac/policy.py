"""Roles and bindings, compiled for lookup by subject."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from iambridge.core.rbac.rules import Rule


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated user, with every group including `system:authenticated` or `system:unauthenticated`."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked: a resource request, or a path (then `path` is set and the verb is a lower-case HTTP method)."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Binding:
    """A RoleBinding (`namespace` set) or a ClusterRoleBinding, for one of its subjects.

    `subject` is as Kubernetes' describeSubject prints it: `Group "devs"`, `ServiceAccount "web/default"`.
    """

    name: str
    namespace: str
    role_kind: str
    role_name: str
    subject: str

    @property
    def kind(self) -> str:
        return "RoleBinding" if self.namespace else "ClusterRoleBinding"

    def __str__(self) -> str:
        return f'{self.kind} "{self.name}{"/" + self.namespace if self.namespace else ""}"'


Subject = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Policy:
    """All roles and bindings of a cluster. Immutable: build a new one when an RBAC object changes."""

    rules: Mapping[tuple[str, str], tuple[Rule, ...]]
    bindings: Mapping[Subject, tuple[Binding, ...]]

    @classmethod
    def of(
        cls,
        roles: Iterable[Mapping[str, Any]],
        role_bindings: Iterable[Mapping[str, Any]],
        cluster_roles: Iterable[Mapping[str, Any]],
        cluster_role_bindings: Iterable[Mapping[str, Any]],
    ) -> "Policy":
        """Compile RBAC objects as the API serves them."""
        rules = {}
        for role in (*roles, *cluster_roles):
            meta = role["metadata"]
            rules[meta.get("namespace", ""), meta["name"]] = tuple(map(Rule.of, role.get("rules") or ()))
        by_subject: dict[Subject, list[Binding]] = {}
        for document in (*cluster_role_bindings, *role_bindings):
            meta, ref = document["metadata"], document["roleRef"]
            namespace = meta.get("namespace", "")
            for subject in document.get("subjects") or ():
                key, described = _subject(subject, namespace)
                binding = Binding(meta["name"], namespace, ref["kind"], ref["name"], described)
                by_subject.setdefault(key, []).append(binding)
        return cls(MappingProxyType(rules), MappingProxyType({key: tuple(value) for key, value in by_subject.items()}))

    def role_rules(self, binding: Binding) -> tuple[Rule, ...] | None:
        """The rules of a binding's role, or None when the role is gone."""
        namespace = binding.namespace if binding.role_kind == "Role" else ""
        return self.rules.get((namespace, binding.role_name))

    def bound(self, user: User, namespace: str) -> Iterator[Binding]:
        """Bindings that name the user or one of its groups and hold in `namespace`: cluster-wide ones first."""
        subjects = [("User", user.name), *(("Group", group) for group in user.groups)]
        for wanted in ("", namespace) if namespace else ("",):
            for subject in subjects:
                for binding in self.bindings.get(subject, ()):
                    if binding.namespace == wanted:
                        yield binding


def _subject(subject: Mapping[str, Any], namespace: str) -> tuple[Subject, str]:
    """Whom a binding's subject means, and how it is printed."""
    kind, name = subject["kind"], subject["name"]
    if kind == "ServiceAccount":
        home = subject.get("namespace") or namespace
        return ("User", f"system:serviceaccount:{home}:{name}"), f'{kind} "{name}/{home}"'
    return (kind, name), f'{kind} "{name}"'
