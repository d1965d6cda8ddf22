"""Role, ClusterRole and their bindings. Source: kubernetes pkg/apis/rbac (validation, v1/defaults.go)."""

from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, names
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.base import Object, Strategy
from iambridge.sandbox.cluster.objects.kinds.selectors import validate_selector

_GROUP = "rbac.authorization.k8s.io"


class RoleStrategy(Strategy):
    def validate(self, obj: Object) -> list[FieldError]:
        errors = []
        rules = obj.get("rules") or ()
        for index, rule in enumerate(rules):
            errors += _rule(rule, f"rules[{index}]", namespaced=self.namespaced)
        aggregation = obj.get("aggregationRule")
        if aggregation is not None and not aggregation.get("clusterRoleSelectors"):
            words = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            errors.append(field_error.required("aggregationRule.clusterRoleSelectors", words))
        for index, selector in enumerate((aggregation or {}).get("clusterRoleSelectors") or ()):
            errors += validate_selector(selector, f"aggregationRule.clusterRoleSelectors[{index}]")
        idle = (f"rules[{index}].verbs" for index, rule in enumerate(rules) if not rule.get("verbs"))
        return errors + [field_error.required(field) for field in idle]


def _rule(rule: Mapping[str, Any], field: str, *, namespaced: bool) -> list[FieldError]:
    errors = []
    if rule.get("nonResourceURLs"):
        if namespaced:
            words = "namespaced rules cannot apply to non-resource URLs"
            errors.append(field_error.bad_value(f"{field}.nonResourceURLs", rule["nonResourceURLs"], words))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            words = "rules cannot apply to both regular resources and non-resource URLs"
            errors.append(field_error.bad_value(f"{field}.nonResourceURLs", rule["nonResourceURLs"], words))
        return errors
    if not rule.get("apiGroups"):
        errors.append(field_error.required(f"{field}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errors.append(field_error.required(f"{field}.resources", "resource rules must supply at least one resource"))
    return errors


class BindingStrategy(Strategy):
    def default(self, obj: Object) -> Object:
        reference = {**(obj.get("roleRef") or {})}
        reference["apiGroup"] = reference.get("apiGroup") or _GROUP
        subjects = [
            subject if subject.get("kind") == "ServiceAccount" else {"apiGroup": _GROUP, **subject}
            for subject in obj.get("subjects") or ()
        ]
        out = {**obj, "roleRef": reference}
        return {**out, "subjects": subjects} if subjects else out

    def validate(self, obj: Object) -> list[FieldError]:
        reference = obj.get("roleRef") or {}
        errors = []
        if reference.get("apiGroup") != _GROUP:
            errors.append(field_error.not_supported("roleRef.apiGroup", reference.get("apiGroup", ""), (_GROUP,)))
        allowed = ("Role", "ClusterRole") if self.namespaced else ("ClusterRole",)
        if reference.get("kind") not in allowed:
            errors.append(field_error.not_supported("roleRef.kind", reference.get("kind", ""), allowed))
        errors += [
            field_error.bad_value("roleRef.name", reference.get("name", ""), fault)
            for fault in names.path_segment(reference.get("name", ""))
        ]
        subjects = obj.get("subjects") or ()
        for index, subject in enumerate(subjects):
            errors += self._subject(subject, f"subjects[{index}]")
        nameless = [f"subjects[{index}].name" for index, subject in enumerate(subjects) if not subject.get("name")]
        nameless += [] if reference.get("name") else ["roleRef.name"]
        return errors + [field_error.required(field) for field in nameless]

    def _subject(self, subject: Mapping[str, Any], field: str) -> list[FieldError]:
        errors = []
        kind, group = subject.get("kind", ""), subject.get("apiGroup", "")
        if kind == "ServiceAccount":
            if subject.get("name"):
                faults = names.dns_subdomain(subject["name"])
                errors += [field_error.bad_value(f"{field}.name", subject["name"], fault) for fault in faults]
            if group:
                errors.append(field_error.not_supported(f"{field}.apiGroup", group, ("",)))
            if not self.namespaced and not subject.get("namespace"):
                errors.append(field_error.required(f"{field}.namespace"))
        elif kind in {"User", "Group"}:
            if group != _GROUP:
                errors.append(field_error.not_supported(f"{field}.apiGroup", group, (_GROUP,)))
        else:
            errors.append(field_error.not_supported(f"{field}.kind", kind, ("ServiceAccount", "User", "Group")))
        return errors

    def immutable(self, new: Object, old: Object) -> list[FieldError]:
        if new.get("roleRef") != old.get("roleRef"):
            reference = new.get("roleRef") or {}
            shown = {name: reference.get(name[0].lower() + name[1:], "") for name in ("Kind", "Name")}
            shown = {"APIGroup": reference.get("apiGroup", ""), **shown}
            return [field_error.bad_value("roleRef", shown, "field is immutable")]
        return []
