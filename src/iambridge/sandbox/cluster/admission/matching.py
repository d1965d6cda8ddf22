"""Which webhooks a write goes to. Source: apiserver admission/plugin/webhook/predicates (rules, namespace, object)."""

from collections.abc import Mapping
from typing import Any

from iambridge.core import label_selector
from iambridge.sandbox.cluster.admission.attributes import AdmissionAttributes

_NEVER = frozenset(
    {
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    }
)


def is_exempt(attributes: AdmissionAttributes) -> bool:
    """Webhook configurations are never sent to webhooks, so that a broken one can be mended."""
    return (attributes.resource[0], attributes.resource[2]) in _NEVER


def matches(webhook: Mapping[str, Any], attributes: AdmissionAttributes, namespace_labels: Mapping[str, str]) -> bool:
    """Whether `webhook` asks for this write. `namespace_labels` are those of the object's namespace.

    Each kind is served in one version here, so matchPolicy Equivalent has nothing to add to Exact.
    """
    return (
        any(_rule(rule, attributes) for rule in webhook.get("rules") or ())
        and _namespace(webhook.get("namespaceSelector"), attributes, namespace_labels)
        and _object(webhook.get("objectSelector"), attributes)
    )


def _rule(rule: Mapping[str, Any], attributes: AdmissionAttributes) -> bool:
    group, version, resource = attributes.resource
    scope = rule.get("scope") or "*"
    namespaced = bool(attributes.namespace) and resource != "namespaces"
    return (
        _has(rule, "operations", attributes.operation)
        and _has(rule, "apiGroups", group)
        and _has(rule, "apiVersions", version)
        and (scope == "*" or (scope == "Namespaced") == namespaced)
        and any(_resource(pattern, resource, attributes.subresource) for pattern in rule.get("resources") or ())
    )


def _has(rule: Mapping[str, Any], name: str, value: str) -> bool:
    values = rule.get(name) or ()
    return "*" in values or value in values


def _resource(pattern: str, resource: str, subresource: str) -> bool:
    wanted, slash, sub = pattern.partition("/")
    if wanted not in {"*", resource}:
        return False
    return sub in {"*", subresource} if slash else not subresource


def _namespace(selector: Mapping[str, Any] | None, attributes: AdmissionAttributes, labels: Mapping[str, str]) -> bool:
    if attributes.resource[2] == "namespaces" and not attributes.resource[0]:
        own = attributes.object if attributes.object is not None else attributes.old_object
        return label_selector.matches(selector or {}, _labels(own))
    return not attributes.namespace or label_selector.matches(selector or {}, labels)


def _object(selector: Mapping[str, Any] | None, attributes: AdmissionAttributes) -> bool:
    objects = [one for one in (attributes.object, attributes.old_object) if one is not None]
    if not selector:
        return True
    return any(label_selector.matches(selector, _labels(one)) for one in objects)


def _labels(obj: Mapping[str, Any] | None) -> Mapping[str, str]:
    found: Mapping[str, str] = ((obj or {}).get("metadata") or {}).get("labels") or {}
    return found
