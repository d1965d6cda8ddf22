"""RBAC over the stored objects: gathers the facts for `core.rbac`, and judges.

Source: kube-apiserver with --authorization-mode=Node,RBAC; the group system:masters is let through before it.
"""

from typing import Any

import msgspec

from iambridge.core import rbac
from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.rbac import Attributes, Policy, User
from iambridge.errors import Forbidden, NotFound
from iambridge.sandbox.cluster.node_authorization import NodeAuthorizer, node_of
from iambridge.sandbox.cluster.store import Event, Key, Store

GROUP = "rbac.authorization.k8s.io"
MASTERS = "system:masters"
_KINDS = tuple(f"{plural}.{GROUP}" for plural in ("roles", "rolebindings", "clusterroles", "clusterrolebindings"))


class Authorizer:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._policy: Policy | None = None
        self._nodes = NodeAuthorizer(lambda: self._objects("pods"), self._node_role)
        store.listeners.append(self._on_event)

    def _on_event(self, event: Event) -> None:
        if event.key.resource in _KINDS:
            self._policy = None

    @property
    def policy(self) -> Policy:
        """All roles and bindings as stored now."""
        if self._policy is None:
            self._policy = Policy.of(*(self._objects(kind) for kind in _KINDS))
        return self._policy

    def _objects(self, kind: str) -> list[dict[str, Any]]:
        return [msgspec.json.decode(stored.raw) for stored in self._store.objects(kind)]

    def decide(self, user: User, attributes: Attributes) -> Decision:
        if MASTERS in user.groups:
            reason = Reason("superuser", f"the user is in the group {MASTERS}", held=True)
            return Decision("rbac", Outcome.ALLOWED, (reason,))
        found = rbac.authorize(user, attributes, self.policy)
        if found.allowed or not node_of(user):
            return found
        by_node = self._nodes.decide(user, attributes)
        if by_node is None:
            return found
        if by_node.allowed:
            return by_node
        return Decision(by_node.hop, by_node.outcome, (*by_node.reasons, *found.reasons), by_node.fix)

    def _node_role(self) -> dict[str, Any] | None:
        stored = self._store.get(Key(f"clusterroles.{GROUP}", "", "system:node"))
        return msgspec.json.decode(stored.raw) if stored is not None else None

    def require(self, user: User, attributes: Attributes) -> None:
        """Raises Forbidden, in kube-apiserver's words, when the request is not allowed."""
        decision = self.decide(user, attributes)
        if not decision.allowed:
            raise forbidden(user, attributes, decision)

    def check_escalation(self, user: User, namespace: str, obj: dict[str, Any], old: dict[str, Any] | None) -> None:
        """Nobody grants what he does not hold, unless he may `escalate` the role or `bind` it.

        Raises:
            Forbidden: naming the rules that are not held.
            NotFound: a binding's role is not there, so nobody can tell what it grants.
        """
        kind, name = obj["kind"], obj["metadata"].get("name", "")
        plural = f"{kind.lower()}s"
        if MASTERS in user.groups:
            return
        if kind.endswith("Binding"):
            if old is not None and (old["roleRef"], old.get("subjects")) == (obj["roleRef"], obj.get("subjects")):
                return
            self._check_bind(user, namespace, obj, plural)
            return
        unchanged = old is not None and (old.get("rules"), old.get("aggregationRule")) == (
            obj.get("rules"),
            obj.get("aggregationRule"),
        )
        if unchanged or self.decide(user, Attributes("escalate", GROUP, plural, "", namespace, name)).allowed:
            return
        wanted = obj.get("rules") or []
        if obj.get("aggregationRule"):
            everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
            wanted = [everything, {"nonResourceURLs": ["*"], "verbs": ["*"]}]
        _refuse(plural, name, rbac.escalation(user, namespace, wanted, self.policy))

    def _check_bind(self, user: User, namespace: str, binding: dict[str, Any], plural: str) -> None:
        reference = binding["roleRef"]
        role = f"{reference['kind'].lower()}s"
        if self.decide(user, Attributes("bind", GROUP, role, "", namespace, reference["name"])).allowed:
            return
        where = namespace if reference["kind"] == "Role" else ""
        stored = self._store.get(Key(f"{role}.{GROUP}", where, reference["name"]))
        if stored is None:
            details = {"name": reference["name"], "group": GROUP, "kind": plural}
            raise NotFound(f'{plural}.{GROUP} "{reference["name"]}" not found', details=details)
        rules = msgspec.json.decode(stored.raw).get("rules") or ()
        _refuse(plural, binding["metadata"].get("name", ""), rbac.escalation(user, namespace, rules, self.policy))


def _refuse(plural: str, name: str, why: str) -> None:
    if why:
        details = {"name": name, "group": GROUP, "kind": plural}
        raise Forbidden(f'{plural}.{GROUP} "{name}" is forbidden: {why}', details=details)


def forbidden(user: User, attributes: Attributes, decision: Decision) -> Forbidden:
    """The 403 of a denied decision; an RBAC error such as a missing role is told, as kube-apiserver does."""
    message = rbac.forbidden_message(user, attributes)
    unrelated = [reason.text for reason in decision.reasons if reason.code == "node-unrelated"]
    if unrelated:
        message = f"{message}: node: {unrelated[0]}"
    missing = [reason.text for reason in decision.reasons if reason.code == "role-not-found"]
    if missing:
        listed = missing[0] if len(missing) == 1 else f"[{', '.join(missing)}]"
        message = f"{message}: {listed}"
    details = {} if attributes.path else rbac.forbidden_details(attributes)
    return Forbidden(message, details=details, fix=decision.fix)
