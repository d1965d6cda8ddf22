"""A verdict told as a Decision: what every statement in play said and why, the verdict, and the fix.

INVARIANT: what a statement says is asked of the same compiled elements, and the same frozen values, that `judge`
asked, and the verdict is the one that `judge` came to: reasons told later cannot disagree with the outcome.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.iam_policy.conditions import Condition
from iambridge.core.iam_policy.elements import TRUST_ACTIONS
from iambridge.core.iam_policy.layers import DENIAL_CODES, Layer, Verdict, place, spot
from iambridge.core.iam_policy.reading import VERSIONS
from iambridge.core.iam_policy.request import NamedDocument, PrincipalKind, Question
from iambridge.core.iam_policy.statement import Statement

_VARIABLE: Final = re.compile(r"\$\{\s*([^{}*?$,\s]+)\s*(,?)")
_SHOWN: Final = 8
"""Values of a policy that a reason lists before it says how many more there are."""


def decision_of(
    question: Question,
    verdict: Verdict,
    documents: Callable[[], Sequence[tuple[Layer, NamedDocument]]] | None,
    aside: Sequence[tuple[Layer, str]] = (),
) -> Decision:
    """A decision that tells its reasons when they are first read.

    `documents` gives every document in play; None: only the deciding statements and the verdict are told. `aside` are
    policy types that do not touch the request, and why.
    """

    def tell() -> tuple[tuple[Reason, ...], str]:
        if documents is None:
            reasons = [_matched(grant.layer, grant.document, grant.statement) for grant in verdict.grants]
        else:
            reasons = [
                _statement(layer, named, statement, question)
                for layer, named in documents()
                for statement in named.document.statements
            ]
            reasons += [
                Reason("policy-type-set-aside", why, held=True, facts={"policy": layer._value_}) for layer, why in aside
            ]
        reasons.append(_verdict(question, verdict))
        return tuple(reasons), _fix(question, verdict)

    return Decision.deferred(question.request.action, verdict.outcome, tell)


Mismatch = tuple[str, str, dict[str, str]]
"""The element that fails, a sentence, and the values compared."""


def mismatches(statement: Statement, question: Question) -> list[Mismatch]:
    """Every element that fails; empty when the statement matches.

    When the action fails nothing else is told: the statement is about something else.
    """
    action = statement.action
    if not action.matches(question.action):
        return [_element("Action", action.negated, question.request.action, action.values)]
    found = []
    principal = statement.principal
    denies, bounded = statement.denies, question.bounded
    if principal is not None and not principal.naming(question.principal, denies=denies, bounded=bounded):
        values = tuple(value for _, value in principal.values)
        found.append(_element("Principal", principal.negated, question.principal.arn, values))
    resource, lookup = statement.resource, question.lookup
    if resource is not None and not resource.matches(question.resource, lookup):
        found.append(_element("Resource", resource.negated, question.resource, resource.values))
    found += [_condition(condition, question) for condition in statement.conditions if not condition.holds(lookup)]
    return found


def _statement(layer: Layer, named: NamedDocument, statement: Statement, question: Question) -> Reason:
    failed = mismatches(statement, question)
    if not failed:
        return _matched(layer, named, statement)
    element, text, compared = failed[0]
    for other, sentence, values in failed[1:]:
        element, text = f"{element}, {other}", f"{text}; {sentence}"
        compared = compared | values | compared
    facts = {"policy": layer._value_, "element": element} | compared
    text += _variables(text, named, question)
    # a Deny that does not match speaks for the caller
    return Reason("statement-does-not-match", text, place(named, statement), statement.denies, facts)


def _variables(text: str, named: NamedDocument, question: Question) -> str:
    """What the variables in a statement's failing values stood for."""
    told = ""
    for key, default in dict(_VARIABLE.findall(text)).items():
        if named.document.version == VERSIONS[0]:
            return f"; Version {VERSIONS[0]} has no variables, so `${{{key}}}` is literal text"
        value = question.lookup(key.lower())
        if isinstance(value, str):
            told += f"; `${{{key}}}` is `{value}`"
        elif value is not None:
            told += f"; `${{{key}}}` has several values, so it is no variable"
        elif not default:
            told += f"; `${{{key}}}` has no value in this request"
    return told


def _matched(layer: Layer, named: NamedDocument, statement: Statement) -> Reason:
    return _match(layer._value_, named.name, statement.index, statement.sid, statement.denies)


@lru_cache(maxsize=1024)
def _match(layer: str, document: str, index: int, sid: str, denies: bool) -> Reason:  # noqa: FBT001  # a cache is quickest by position
    return Reason(
        "statement-denies" if denies else "statement-allows",
        f"the {layer} matches with effect {'deny' if denies else 'allow'}",
        where=spot(document, index, sid),
        held=not denies,
        facts=MappingProxyType({"policy": layer, "document": document, "statement": str(index), "sid": sid}),
    )


def _element(name: str, negated: bool, asked: str, values: tuple[str, ...]) -> tuple[str, str, dict[str, str]]:  # noqa: FBT001  # the element's own flag
    element = f"Not{name}" if negated else name
    shown = _listing(values)
    verb = "is excluded by" if negated else "is not among"
    return element, f"{element}: `{asked}` {verb} {shown}", {"asked": asked, "policy_values": shown}


def _condition(condition: Condition, question: Question) -> tuple[str, str, dict[str, str]]:
    actual = question.lookup(condition.key.lower())
    shown = _listing(condition.values)
    if actual is None:
        said = "the request has no such key"
    elif isinstance(actual, str):
        said = f"the request has `{actual}`"
    else:
        said = f"the request has {_listing(actual)}" if actual else "the request has no value"
        if actual and not condition.operator.quantifier:
            said += ", and a multi-valued key needs ForAllValues or ForAnyValue"
    element = f"Condition.{condition.name}.{condition.key}"
    facts = {"key": condition.key, "operator": condition.name, "policy_values": shown, "request": said}
    return element, f"{element}: {said}, the policy {shown}", facts


@lru_cache(maxsize=1024)
def _listing(values: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{value}`" for value in values[:_SHOWN])
    return shown + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")


def _verdict(question: Question, verdict: Verdict) -> Reason:
    action = question.request.action
    if verdict.layer is None:
        text = verdict.note or "every policy type in play allows it"
        return _allowed(text, ", ".join(grant.where for grant in verdict.grants))
    facts = {"policy": verdict.layer._value_}
    if verdict.outcome is Outcome.EXPLICIT_DENY:
        text = f"an explicit deny of {action} in {verdict.layer.article} {verdict.layer._value_} ends the evaluation"
        return Reason("explicit-deny", text, where=verdict.grants[0].where, facts=facts)
    text = verdict.note.format(question.request) or f"no {verdict.layer._value_} allows {action}"
    return Reason("no-policy-can-allow" if verdict.barred else DENIAL_CODES[verdict.layer], text, facts=facts)


@lru_cache(maxsize=1024)
def _allowed(text: str, where: str) -> Reason:
    return Reason("allowed", text, where, held=True)


def _fix(question: Question, verdict: Verdict) -> str:
    request = question.request
    if verdict.layer is None:
        return ""
    if verdict.outcome is Outcome.EXPLICIT_DENY:
        return f"remove or narrow {verdict.grants[0].where}, {verdict.layer.article} {verdict.layer._value_}"
    if verdict.barred:
        return "call as a user or a role session"
    asked = f"{request.action} on {request.resource}" if request.resource != "*" else request.action
    who = request.principal.arn
    match verdict.layer:
        case Layer.RESOURCE if question.principal.kind == PrincipalKind.FEDERATED:
            return f"allow {request.action} to {who} in the role's trust policy, with conditions that this token meets"
        case Layer.RESOURCE if question.action in TRUST_ACTIONS:
            return f"allow {request.action} to {who} in the role's trust policy"
        case Layer.RESOURCE:
            return f"allow {asked} to {who} in the resource's policy"
        case Layer.IDENTITY:
            entity = request.principal.role_arn or who
            return f"allow {asked} in a policy attached to {entity}" if entity else f"allow {asked} in a policy"
        case Layer.SERVICE_CONTROL:
            return f"allow {asked} in a service control policy at every level above account {request.principal.account}"
        case Layer.RESOURCE_CONTROL:
            return f"allow {asked} in a resource control policy at every level above the resource's account"
        case _:
            return f"allow {asked} in the {verdict.layer._value_} of {who}"
