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


def matched(
    webhook: Mapping[str, Any], attributes: AdmissionAttributes, namespace_labels: Mapping[str, str]
) -> AdmissionAttributes | None:
    """The write as `webhook` asks for it; None when it does not. `namespace_labels` are of the object's namespace.

    With matchPolicy Equivalent a rule for one version of a resource also gets writes that come by another.
    """
    shown = _by_rules(webhook, attributes)
    if shown is None or not _namespace(webhook.get("namespaceSelector"), shown, namespace_labels):
        return None
    return shown if _object(webhook.get("objectSelector"), shown) else None


def _by_rules(webhook: Mapping[str, Any], attributes: AdmissionAttributes) -> AdmissionAttributes | None:
    rules = webhook.get("rules") or ()
    if any(_rule(rule, attributes) for rule in rules):
        return attributes
    # a subresource with a kind of its own, as /scale, is the same in every version
    if webhook.get("matchPolicy") == "Exact" or attributes.kind[0] != attributes.resource[0]:
        return None
    others = (attributes.at(version) for version in attributes.versions if version != attributes.resource[1])
    return next((other for other in others if any(_rule(rule, other) for rule in rules)), None)


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
