"""Judges a request by RBAC and says which binding, role and rule decided, or what came near."""

from dataclasses import dataclass
from typing import Any

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.rbac.policy import Attributes, Binding, Policy, User
from iambridge.core.rbac.rules import Rule

_HOP = "rbac"


def authorize(user: User, attributes: Attributes, policy: Policy) -> Decision:
    """Allowed by the first rule that matches; denied with one reason for each binding of the user that did not."""
    reasons = []
    for binding in policy.bound(user, attributes.namespace):
        rules = policy.role_rules(binding)
        where = f'{binding} of {binding.role_kind} "{binding.role_name}" to {binding.subject}'
        if rules is None:
            text = f'RBAC: {binding.role_kind.lower()}.rbac.authorization.k8s.io "{binding.role_name}" not found'
            reasons.append(Reason("role-not-found", text, where))
            continue
        for index, rule in enumerate(rules):
            if not _gap(rule, attributes):
                text = f"RBAC: allowed by {where}"
                return Decision(
                    _HOP, Outcome.ALLOWED, (Reason("rule-matched", text, f"{where}, rules[{index}]", held=True),)
                )
        reasons.append(_nearest(rules, attributes, where))
    if not reasons:
        names = ", ".join((user.name, *user.groups))
        reasons.append(Reason("no-binding", f"no binding names any of {names} in reach of this request"))
    return Decision(_HOP, Outcome.IMPLICIT_DENY, tuple(reasons), fix=_fix(user, attributes))


def _gap(rule: Rule, attributes: Attributes) -> tuple[str, ...]:
    """What of the rule does not match: empty when it allows."""
    if attributes.path:
        checks = {"nonResourceURLs": rule.matches_path(attributes.path)}
    else:
        checks = {
            "apiGroups": rule.matches_group(attributes.group),
            "resources": rule.matches_resource(attributes.resource, attributes.subresource),
            "resourceNames": rule.matches_name(attributes.name),
        }
    checks["verbs"] = rule.matches_verb(attributes.verb)
    return tuple(name for name, held in checks.items() if not held)


def _nearest(rules: tuple[Rule, ...], attributes: Attributes, where: str) -> Reason:
    if not rules:
        return Reason("role-empty", "the role has no rules", where)
    index, gap = min(
        ((index, _gap(rule, attributes)) for index, rule in enumerate(rules)), key=lambda item: len(item[1])
    )
    text = f"no rule matches; the nearest, rules[{index}] {rules[index]}, differs in {', '.join(gap)}"
    return Reason("no-rule-matched", text, where, facts={"rule": str(index), "differs": ",".join(gap)})


def _fix(user: User, attributes: Attributes) -> str:
    if attributes.path:
        return (
            f"bind a ClusterRole with nonResourceURLs [{attributes.path}] and verbs [{attributes.verb}] to {user.name}"
        )
    kind = "Role" if attributes.namespace else "ClusterRole"
    place = f" in namespace {attributes.namespace}" if attributes.namespace else ""
    return (
        f"bind a {kind}{place} with apiGroups [{attributes.group!r}], resources [{_resource(attributes)}] and verbs "
        f"[{attributes.verb}] to {user.name} or one of its groups"
    )


def _resource(attributes: Attributes) -> str:
    return f"{attributes.resource}/{attributes.subresource}" if attributes.subresource else attributes.resource


def forbidden_message(user: User, attributes: Attributes) -> str:
    """The 403's message. Source: apiserver responsewriters.Forbidden and api/errors.NewForbidden."""
    if attributes.path:
        return f'forbidden: User "{user.name}" cannot {attributes.verb} path "{attributes.path}"'
    group_resource = f"{attributes.resource}.{attributes.group}" if attributes.group else attributes.resource
    named = f' "{attributes.name}"' if attributes.name else ""
    scope = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    return (
        f'{group_resource}{named} is forbidden: User "{user.name}" cannot {attributes.verb} resource '
        f'"{_resource(attributes)}" in API group "{attributes.group}" {scope}'
    )


def forbidden_details(attributes: Attributes) -> dict[str, object]:
    """The 403's Status details."""
    details = {"name": attributes.name, "group": attributes.group, "kind": attributes.resource}
    return {key: value for key, value in details.items() if value}


@dataclass(frozen=True, slots=True)
class RulesStatus:
    """All that a user may do in a namespace, for SelfSubjectRulesReview."""

    rules: tuple[Rule, ...]
    evaluation_error: str = ""

    @property
    def resource_rules(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.resources)

    @property
    def non_resource_rules(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.non_resource_urls)

    @property
    def incomplete(self) -> bool:
        return bool(self.evaluation_error)

    def status(self) -> dict[str, Any]:
        """SubjectRulesReviewStatus."""
        resource = ("verbs", "apiGroups", "resources", "resourceNames")
        resource_rules = [
            {key: value for key, value in rule.to_json().items() if key in resource} for rule in self.resource_rules
        ]
        paths = [
            {"verbs": list(rule.verbs), "nonResourceURLs": list(rule.non_resource_urls)}
            for rule in self.non_resource_rules
        ]
        out: dict[str, Any] = {
            "resourceRules": resource_rules,
            "nonResourceRules": paths,
            "incomplete": self.incomplete,
        }
        if self.evaluation_error:
            out["evaluationError"] = self.evaluation_error
        return out


def _missing(binding: Binding) -> str:
    return f'{binding.role_kind.lower()}.rbac.authorization.k8s.io "{binding.role_name}" not found'


def rules_for(user: User, namespace: str, policy: Policy) -> RulesStatus:
    """Every rule that reaches the user in `namespace` (empty: cluster-wide ones only), and the roles that are gone."""
    rules: list[Rule] = []
    missing: list[str] = []
    for binding in policy.bound(user, namespace):
        found = policy.role_rules(binding)
        if found is None:
            missing.append(_missing(binding))
        else:
            # a namespaced binding grants no access to paths
            rules += [rule for rule in found if not binding.namespace or rule.resources]
    return RulesStatus(tuple(rules), ", ".join(dict.fromkeys(missing)))
