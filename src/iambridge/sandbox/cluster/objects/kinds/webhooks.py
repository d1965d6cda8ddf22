"""Mutating- and ValidatingWebhookConfiguration. Source: kubernetes pkg/apis/admissionregistration."""

import copy
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.base import Object, Strategy
from iambridge.sandbox.cluster.objects.kinds.selectors import validate_selector

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_VERSIONS = ("v1", "v1beta1")


class WebhookConfigurationStrategy(Strategy):
    def changed(self, new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
        return new.get("webhooks") != old.get("webhooks")

    def default(self, obj: Object) -> Object:
        out = copy.deepcopy(obj)
        for webhook in out.get("webhooks") or ():
            webhook.setdefault("failurePolicy", "Fail")
            webhook.setdefault("matchPolicy", "Equivalent")
            webhook.setdefault("namespaceSelector", {})
            webhook.setdefault("objectSelector", {})
            webhook.setdefault("timeoutSeconds", 10)
            if self.kind.startswith("Mutating"):
                webhook.setdefault("reinvocationPolicy", "Never")
            for rule in webhook.get("rules") or ():
                rule.setdefault("scope", "*")
            service = (webhook.get("clientConfig") or {}).get("service")
            if service is not None:
                service.setdefault("port", 443)
        return out

    def validate(self, obj: Object) -> list[FieldError]:
        errors = []
        seen: set[str] = set()
        for index, webhook in enumerate(obj.get("webhooks") or ()):
            field = f"webhooks[{index}]"
            name = webhook.get("name", "")
            if not name:
                errors.append(field_error.required(f"{field}.name"))
            else:
                faults = names.dns_subdomain(name)
                if not faults and name.count(".") < 2:
                    faults = ["should be a domain with at least three segments separated by dots"]
                errors += [field_error.bad_value(f"{field}.name", name, fault) for fault in faults]
                if name in seen:
                    errors.append(field_error.duplicate(f"{field}.name", name))
                seen.add(name)
            errors += _webhook(webhook, field)
        return errors


def _webhook(webhook: Mapping[str, Any], field: str) -> list[FieldError]:
    errors = []
    for index, rule in enumerate(webhook.get("rules") or ()):
        errors += _rule(rule, f"{field}.rules[{index}]")
    errors += _one_of(webhook, field, "failurePolicy", ("Fail", "Ignore"))
    errors += _one_of(webhook, field, "matchPolicy", ("Equivalent", "Exact"))
    if webhook.get("sideEffects") is None:
        errors.append(field_error.required(f"{field}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}"))
    errors += _one_of(webhook, field, "sideEffects", _SIDE_EFFECTS)
    if not 1 <= webhook.get("timeoutSeconds", 10) <= 30:
        words = "the timeout value must be between 1 and 30 seconds"
        errors.append(field_error.bad_value(f"{field}.timeoutSeconds", webhook["timeoutSeconds"], words))
    for name in ("namespaceSelector", "objectSelector"):
        errors += validate_selector(webhook.get(name), f"{field}.{name}")
    errors += _one_of(webhook, field, "reinvocationPolicy", ("IfNeeded", "Never"))
    errors += _client(webhook.get("clientConfig") or {}, f"{field}.clientConfig")
    errors += _versions(webhook.get("admissionReviewVersions") or [], f"{field}.admissionReviewVersions")
    if webhook.get("matchConditions"):
        words = "matchConditions (CEL expressions) are not modelled by this cluster"
        errors.append(field_error.forbidden(f"{field}.matchConditions", words))
    return errors


def _one_of(webhook: Mapping[str, Any], field: str, name: str, allowed: tuple[str, ...]) -> list[FieldError]:
    value = webhook.get(name)
    return [] if value is None or value in allowed else [field_error.not_supported(f"{field}.{name}", value, allowed)]


def _versions(versions: list[str], field: str) -> list[FieldError]:
    if not versions:
        return [field_error.required(field, "must specify one of v1, v1beta1")]
    if not set(versions) & set(_VERSIONS):
        return [field_error.bad_value(field, versions, "must include at least one of v1, v1beta1")]
    return []


def _rule(rule: Mapping[str, Any], field: str) -> list[FieldError]:
    errors = []
    for name in ("operations", "apiGroups", "apiVersions", "resources"):
        given = rule.get(name) or []
        if not given:
            errors.append(field_error.required(f"{field}.{name}"))
        elif name == "operations":
            errors += [
                field_error.not_supported(f"{field}.{name}[{index}]", one, _OPERATIONS)
                for index, one in enumerate(given)
                if one not in _OPERATIONS
            ]
        elif name != "apiGroups":
            errors += [field_error.required(f"{field}.{name}[{n}]") for n, one in enumerate(given) if not one]
        if name == "resources":
            errors += _resources(given, f"{field}.{name}")
        elif "*" in given and len(given) > 1:
            what = {"apiGroups": "API groups", "apiVersions": "API versions"}.get(name, name)
            words = f"if '*' is present, must not specify other {what}"
            errors.append(field_error.bad_value(f"{field}.{name}", given, words))
    return errors + _one_of(rule, field, "scope", ("*", "Cluster", "Namespaced"))


def _resources(given: list[str], field: str) -> list[FieldError]:
    if "*/*" in given and len(given) > 1:
        return [field_error.bad_value(field, given, "if '*/*' is present, must not specify other resources")]
    if "*" in given and any("/" not in one for one in given if one != "*"):
        words = "if '*' is present, must not specify other resources without subresources"
        return [field_error.bad_value(field, given, words)]
    return []


def _client(config: Mapping[str, Any], field: str) -> list[FieldError]:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [field_error.required(field, "exactly one of url or service is required")]
    if url is not None:
        return [field_error.bad_value(f"{field}.url", part, fault) for part, fault in _url(url)]
    assert service is not None
    errors = [
        field_error.required(f"{field}.service.{name}") for name in ("name", "namespace") if not service.get(name)
    ]
    if not 1 <= service.get("port", 443) <= 65535:
        words = "port is not valid: must be between 1 and 65535, inclusive"
        errors.append(field_error.bad_value(f"{field}.service.port", service["port"], words))
    return errors


def _url(url: str) -> list[tuple[str, str]]:
    """The part at fault, and its fault."""
    parts, form = urlsplit(url), "; desired format: https://host[/path]"
    faults = []
    if parts.scheme != "https":
        faults.append((parts.scheme, f"'https' is the only allowed URL scheme{form}"))
    if not parts.hostname:
        faults.append((parts.netloc, f"host must be specified{form}"))
    if parts.username is not None:
        faults.append((parts.netloc.rpartition("@")[0], "user information is not permitted in the URL"))
    if parts.fragment:
        faults.append((parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        faults.append((parts.query, "query parameters are not permitted in the URL"))
    return faults
