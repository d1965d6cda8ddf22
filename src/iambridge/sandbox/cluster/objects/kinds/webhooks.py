"""Mutating- and ValidatingWebhookConfiguration. Source: kubernetes pkg/apis/admissionregistration."""

import base64
import copy
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.base import Object, Strategy

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_VERSIONS = ("v1", "v1beta1")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----")


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
    for name, allowed in (
        ("failurePolicy", ("Fail", "Ignore")),
        ("matchPolicy", ("Equivalent", "Exact")),
        ("reinvocationPolicy", ("IfNeeded", "Never")),
    ):
        if name in webhook and webhook[name] not in allowed:
            errors.append(field_error.not_supported(f"{field}.{name}", webhook[name], allowed))
    effects = webhook.get("sideEffects")
    if effects is None:
        errors.append(field_error.required(f"{field}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}"))
    elif effects not in _SIDE_EFFECTS:
        errors.append(field_error.not_supported(f"{field}.sideEffects", effects, _SIDE_EFFECTS))
    if not 1 <= webhook.get("timeoutSeconds", 10) <= 30:
        words = "the timeout value must be between 1 and 30 seconds"
        errors.append(field_error.bad_value(f"{field}.timeoutSeconds", webhook["timeoutSeconds"], words))
    versions = webhook.get("admissionReviewVersions") or []
    if not versions:
        errors.append(field_error.required(f"{field}.admissionReviewVersions", "must specify one of v1, v1beta1"))
    elif not set(versions) & set(_VERSIONS):
        words = "must include at least one of v1, v1beta1"
        errors.append(field_error.bad_value(f"{field}.admissionReviewVersions", versions, words))
    if webhook.get("matchConditions"):
        words = "matchConditions (CEL expressions) are not modelled by this cluster"
        errors.append(field_error.forbidden(f"{field}.matchConditions", words))
    for index, rule in enumerate(webhook.get("rules") or ()):
        errors += _rule(rule, f"{field}.rules[{index}]")
    return errors + _client(webhook.get("clientConfig") or {}, f"{field}.clientConfig")


def _rule(rule: Mapping[str, Any], field: str) -> list[FieldError]:
    errors = [
        field_error.required(f"{field}.{name}")
        for name in ("operations", "apiGroups", "apiVersions", "resources")
        if not rule.get(name)
    ]
    errors += [
        field_error.not_supported(f"{field}.operations[{index}]", one, _OPERATIONS)
        for index, one in enumerate(rule.get("operations") or ())
        if one not in _OPERATIONS
    ]
    for name in ("operations", "apiGroups", "apiVersions"):
        if "*" in (rule.get(name) or ()) and len(rule[name]) > 1:
            words = (
                f"if '*' is present, must not specify other {name}"
                if name != "apiGroups"
                else "if '*' is present, must not specify other API groups"
            )
            errors.append(field_error.bad_value(f"{field}.{name}", rule[name], words))
    if rule.get("scope", "*") not in {"*", "Cluster", "Namespaced"}:
        errors.append(field_error.not_supported(f"{field}.scope", rule["scope"], ("*", "Cluster", "Namespaced")))
    return errors


def _client(config: Mapping[str, Any], field: str) -> list[FieldError]:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [field_error.required(field, "exactly one of url or service is required")]
    errors = []
    if url is not None:
        errors += [field_error.bad_value(f"{field}.url", url, fault) for fault in _url(url)]
    else:
        assert service is not None
        errors += [
            field_error.required(f"{field}.service.{name}") for name in ("name", "namespace") if not service.get(name)
        ]
        if not 1 <= service.get("port", 443) <= 65535:
            words = "port is not valid: must be between 1 and 65535, inclusive"
            errors.append(field_error.bad_value(f"{field}.service.port", service["port"], words))
    bundle = config.get("caBundle")
    if bundle and not _CERTIFICATE.search(base64.b64decode(bundle)):
        words = "unable to load root certificates: unable to parse bytes as PEM block"
        errors.append(field_error.bad_value(f"{field}.caBundle", "<CA bundle>", words))
    return errors


def _url(url: str) -> list[str]:
    parts = urlsplit(url)
    faults = []
    if parts.scheme != "https":
        faults.append("'https' is the only allowed URL scheme; desired format: https://host[/path]")
    if not parts.hostname:
        faults.append("host must be specified; desired format: https://host[/path]")
    if parts.username is not None:
        faults.append("user information is not permitted in the URL; desired format: https://host[/path]")
    if parts.fragment:
        faults.append("fragments are not permitted in the URL; desired format: https://host[/path]")
    if parts.query:
        faults.append("query parameters are not permitted in the URL; desired format: https://host[/path]")
    return faults
