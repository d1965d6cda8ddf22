"""Which strategy each kind has."""

from iambridge.sandbox.cluster.objects import names
from iambridge.sandbox.cluster.objects.kinds.apps import (
    ControllerRevisionStrategy,
    DaemonSetStrategy,
    DeploymentStrategy,
    ReplicaSetStrategy,
)
from iambridge.sandbox.cluster.objects.kinds.base import Strategy
from iambridge.sandbox.cluster.objects.kinds.core import (
    ConfigMapStrategy,
    LeaseStrategy,
    NamespaceStrategy,
    NodeStrategy,
    SecretStrategy,
    ServiceAccountStrategy,
)
from iambridge.sandbox.cluster.objects.kinds.custom_resource_definition import CustomResourceDefinitionStrategy
from iambridge.sandbox.cluster.objects.kinds.events import EventStrategy, NewEventStrategy
from iambridge.sandbox.cluster.objects.kinds.rbac import BindingStrategy, RoleStrategy
from iambridge.sandbox.cluster.objects.kinds.service import ServiceStrategy
from iambridge.sandbox.cluster.objects.kinds.webhooks import WebhookConfigurationStrategy
from iambridge.sandbox.cluster.objects.kinds.workloads import JobStrategy, PodStrategy
from iambridge.sandbox.cluster.objects.types import UnknownKind

_RBAC = "rbac.authorization.k8s.io"
_WEBHOOKS = "admissionregistration.k8s.io"

_STRATEGIES = {
    (one.group, one.kind): one
    for one in (
        NamespaceStrategy("", "Namespace", namespaced=False, has_status=True, name=names.dns_label),
        NodeStrategy("", "Node", namespaced=False, has_status=True),
        PodStrategy("", "Pod", namespaced=True, has_status=True, generation=True),
        ServiceAccountStrategy("", "ServiceAccount", namespaced=True),
        ConfigMapStrategy("", "ConfigMap", namespaced=True),
        SecretStrategy("", "Secret", namespaced=True),
        EventStrategy("", "Event", namespaced=True),
        NewEventStrategy("events.k8s.io", "Event", namespaced=True),
        ServiceStrategy("", "Service", namespaced=True, has_status=True, name=names.dns_label),
        CustomResourceDefinitionStrategy(
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            namespaced=False,
            has_status=True,
            generation=True,
            plain_finalizers=True,
        ),
        LeaseStrategy("coordination.k8s.io", "Lease", namespaced=True),
        JobStrategy("batch", "Job", namespaced=True, has_status=True, generation=True, name=names.dns_subdomain),
        DeploymentStrategy(
            "apps", "Deployment", namespaced=True, has_status=True, generation=True, status_keeps=("labels",)
        ),
        ReplicaSetStrategy("apps", "ReplicaSet", namespaced=True, has_status=True, generation=True),
        DaemonSetStrategy("apps", "DaemonSet", namespaced=True, has_status=True, generation=True),
        ControllerRevisionStrategy("apps", "ControllerRevision", namespaced=True),
        RoleStrategy(_RBAC, "Role", namespaced=True, name=names.path_segment),
        RoleStrategy(_RBAC, "ClusterRole", namespaced=False, name=names.path_segment),
        BindingStrategy(_RBAC, "RoleBinding", namespaced=True, name=names.path_segment),
        BindingStrategy(_RBAC, "ClusterRoleBinding", namespaced=False, name=names.path_segment),
        WebhookConfigurationStrategy(_WEBHOOKS, "MutatingWebhookConfiguration", namespaced=False, generation=True),
        WebhookConfigurationStrategy(_WEBHOOKS, "ValidatingWebhookConfiguration", namespaced=False, generation=True),
    )
}


def strategy(group: str, kind: str) -> Strategy:
    """The rules of a kind.

    Raises:
        UnknownKind: the kind is not served.
    """
    try:
        return _STRATEGIES[group, kind]
    except KeyError:
        raise UnknownKind(f'no kind "{kind}" is registered for group "{group}"') from None
