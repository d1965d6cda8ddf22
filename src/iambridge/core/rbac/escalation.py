"""No one grants what they do not hold; and ClusterRoles that aggregate others.

Source: kubernetes pkg/registry/rbac/validation (ConfirmNoEscalation, Covers) and the clusterroleaggregation controller.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from iambridge.core import label_selector
from iambridge.core.rbac.authorize import rules_for
from iambridge.core.rbac.policy import Policy, User
from iambridge.core.rbac.rules import Rule, path_covers


def escalation(user: User, namespace: str, wanted: Iterable[Rule | Mapping[str, Any]], policy: Policy) -> str:
    """Empty when the user holds all of `wanted` already, else the reason in Kubernetes' words.

    Whether the user may `escalate` or `bind` is asked of `authorize` first; this is the check for all others.
    """
    held = rules_for(user, namespace, policy)
    missing = uncovered(held.rules, [rule if isinstance(rule, Rule) else Rule.of(rule) for rule in wanted])
    if not missing:
        return ""
    groups = " ".join(f'"{group}"' for group in user.groups)
    shown = "\n".join(sorted(map(str, missing)))
    text = (
        f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{shown}'
    )
    return f"{text}; resolution errors: [{held.evaluation_error}]" if held.evaluation_error else text


def uncovered(held: Sequence[Rule], wanted: Iterable[Rule]) -> tuple[Rule, ...]:
    """What of `wanted` no rule of `held` covers, one rule for each resource or path with all its missing verbs."""
    verbs: dict[Rule, list[str]] = {}
    for rule in wanted:
        for single in _singles(rule):
            if not any(_covers(own, single) for own in held):
                key = Rule((), single.api_groups, single.resources, single.resource_names, single.non_resource_urls)
                verbs.setdefault(key, []).append(single.verbs[0])
    return tuple(
        Rule(tuple(dict.fromkeys(names)), key.api_groups, key.resources, key.resource_names, key.non_resource_urls)
        for key, names in verbs.items()
    )


def _singles(rule: Rule) -> Iterator[Rule]:
    names: list[tuple[str, ...]] = [(name,) for name in rule.resource_names] or [()]
    for group, resource, verb in product(rule.api_groups, rule.resources, rule.verbs):
        for name in names:
            yield Rule((verb,), (group,), (resource,), name)
    for path, verb in product(rule.non_resource_urls, rule.verbs):
        yield Rule((verb,), non_resource_urls=(path,))


def _covers(own: Rule, single: Rule) -> bool:
    if not own.matches_verb(single.verbs[0]):
        return False
    if single.non_resource_urls:
        return any(path_covers(pattern, single.non_resource_urls[0]) for pattern in own.non_resource_urls)
    resource, _, subresource = single.resources[0].partition("/")
    if not own.matches_group(single.api_groups[0]) or not own.matches_resource(resource, subresource):
        return False
    return not own.resource_names or (bool(single.resource_names) and single.resource_names[0] in own.resource_names)


def aggregated_rules(
    cluster_role: Mapping[str, Any], cluster_roles: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]] | None:
    """The rules that a ClusterRole with an aggregationRule must have now, or None when it has none."""
    aggregation = cluster_role.get("aggregationRule")
    if not aggregation:
        return None
    selectors = aggregation.get("clusterRoleSelectors") or []
    own = cluster_role["metadata"]["name"]
    rules: list[dict[str, Any]] = []
    for role in sorted(cluster_roles, key=lambda one: str(one["metadata"]["name"])):
        labels = role["metadata"].get("labels") or {}
        if role["metadata"]["name"] == own or not any(
            label_selector.matches(selector, labels) for selector in selectors
        ):
            continue
        rules += [rule for rule in role.get("rules") or [] if rule not in rules]
    return rules
