"""What a node may do: the rules of `system:node`, and only for the objects that its own pods need.

Without this, every node could read every Secret and ask for a token of every ServiceAccount, and so of every IAM role.
Sources: plugin/pkg/auth/authorizer/node and plugin/pkg/admission/noderestriction of Kubernetes, in one place here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from iambridge.core import rbac
from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.rbac import Attributes, Policy, User

NODES = "system:nodes"
_PREFIX = "system:node:"
_LEASES = "kube-node-lease"
Object = Mapping[str, Any]


def node_of(user: User) -> str:
    """The node's name, empty when the user is no node."""
    return user.name.removeprefix(_PREFIX) if user.name.startswith(_PREFIX) and NODES in user.groups else ""


class NodeAuthorizer:
    """`pods()` gives all pods as stored, `role()` the ClusterRole `system:node`, None when it is gone."""

    def __init__(self, pods: Callable[[], Iterable[Object]], role: Callable[[], Object | None]) -> None:
        self._pods = pods
        self._role = role

    def decide(self, user: User, attributes: Attributes) -> Decision | None:
        """Allowed, denied with the reason, or None when the rules of `system:node` say nothing of it."""
        node, role = node_of(user), self._role()
        if not node or role is None or attributes.path:
            return None
        binding = {
            "metadata": {"name": "node-authorizer"},
            "roleRef": {"kind": "ClusterRole", "name": "system:node"},
            "subjects": [{"kind": "User", "name": user.name}],
        }
        if not rbac.authorize(user, attributes, Policy.of([], [], [role], [binding])).allowed:
            return None
        why = self._objection(node, attributes)
        if why:
            reason = Reason("node-unrelated", why, facts={"node": node})
            return Decision("node", Outcome.IMPLICIT_DENY, (reason,), fix="ask as a user that RBAC allows this")
        return Decision("node", Outcome.ALLOWED, (Reason("node-related", "allowed by the node authorizer", held=True),))

    def _objection(self, node: str, attributes: Attributes) -> str:
        resource, name, namespace = attributes.resource, attributes.name, attributes.namespace
        related = f"no relationship found between node '{node}' and this object"
        match resource, attributes.subresource:
            case ("secrets" | "configmaps" as kind, _):
                held = bool(name) and any(name in referenced(pod, kind) for pod in self._of(node, namespace))
            case ("serviceaccounts", _):
                held = any(pod["spec"].get("serviceAccountName") == name for pod in self._of(node, namespace))
            case ("nodes", _) if attributes.verb in {"patch", "update", "delete"}:
                held, related = name == node, f"node '{node}' is not allowed to modify node '{name}'"
            case ("nodes", _) if attributes.verb in {"get", "list", "watch"}:
                what = f"'{name}'" if name else "all nodes"
                held, related = name == node, f"node '{node}' cannot read {what}, only its own Node object"
            case ("leases", _):
                # a create carries no name here: the object's own is checked by whoever reads the Lease
                held = namespace == _LEASES and (name == node or attributes.verb == "create")
            case ("pods", "status" | "eviction") | ("pods", "") if attributes.verb in {"delete", "patch", "update"}:
                held = any(pod["metadata"]["name"] == name for pod in self._of(node, namespace))
            case ("pods", "") if attributes.verb == "create":
                held, related = False, "mirror pods are not supported, and a node may create no others"
            case _:
                held = True
        return "" if held else related

    def _of(self, node: str, namespace: str) -> Iterator[Object]:
        for pod in self._pods():
            if pod["spec"].get("nodeName") == node and pod["metadata"].get("namespace") == namespace:
                yield pod


def referenced(pod: Object, kind: str) -> set[str]:
    """The names of the `secrets` or `configmaps` that a pod's volumes, environment and pull secrets name."""
    spec = pod["spec"]
    source, key, environment = ("secret", "secretKeyRef", "secretRef")
    if kind == "configmaps":
        source, key, environment = ("configMap", "configMapKeyRef", "configMapRef")
    found: list[Any] = []
    for volume in spec.get("volumes") or ():
        direct = volume.get(source) or {}
        found.append(direct.get("secretName") if kind == "secrets" else direct.get("name"))
        projections = (volume.get("projected") or {}).get("sources") or ()
        found += [(projection.get(source) or {}).get("name") for projection in projections]
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        sources = [variable.get("valueFrom") or {} for variable in container.get("env") or ()]
        found += [(one.get(key) or {}).get("name") for one in sources]
        found += [(whole.get(environment) or {}).get("name") for whole in container.get("envFrom") or ()]
    if kind == "secrets":
        found += [each.get("name") for each in spec.get("imagePullSecrets") or ()]
    return {name for name in found if name}
