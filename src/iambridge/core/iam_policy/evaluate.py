"""The policy evaluation logic: every policy in play, one request, one decision.

`judge` finds the outcome and what decided it; reasons are told afterwards and never feed back.
Source: IAM User Guide, "Policy evaluation logic", "Cross-account policy evaluation logic", "Permissions boundaries",
"Session policies"; Organizations User Guide, "SCPs" and "RCPs"; KMS Developer Guide, "Key policies".
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Final

from iambridge.core.decision import Decision, Outcome
from iambridge.core.iam_policy.document import PolicyDocument
from iambridge.core.iam_policy.elements import TRUST_ACTIONS
from iambridge.core.iam_policy.layers import Grant, Layer, Verdict, in_play
from iambridge.core.iam_policy.principals import Naming
from iambridge.core.iam_policy.reasons import decision_of
from iambridge.core.iam_policy.request import (
    UNSIGNED,
    AuthorizationRequest,
    NamedDocument,
    Policies,
    Principal,
    PrincipalKind,
    Question,
)

_SIDELESS: Final = frozenset({PrincipalKind.ANONYMOUS, PrincipalKind.SERVICE, PrincipalKind.FEDERATED})
"""Principals without policies of their own: only the resource's side decides."""

_SERVICE_LINKED: Final = ":role/aws-service-role/"


_BARRED: Final = frozenset({PrincipalKind.FEDERATED_USER, PrincipalKind.ROOT})

_ELSEWHERE: Final = (
    "no resource-based policy allows {0.action}, which one must in the resource's account {0.resource_account}"
)
_AUTHORITATIVE: Final = (
    "no resource-based policy allows {0.action}: a key's or role's own policy must, or leave it to the account"
)
_BOTH: Final = "the resource-based policy alone does not suffice here, and no identity-based policy allows {0.action}"

_RESOURCE_CONTROLLED: Final = frozenset(
    {
        "aoss", "cognito-identity", "cognito-idp", "dynamodb", "ecr", "kms", "logs", "s3", "secretsmanager", "sqs",
        "sts",
    }
)  # fmt: skip
"""Services whose resources RCPs touch.

Source: Organizations User Guide, "List of AWS services that support RCPs". AWS lengthens it: one too many refuses more.
"""

_NOT_RESOURCE_CONTROLLED: Final = frozenset({"kms:retiregrant"})
"""Source: Organizations User Guide, "Resources and entities not restricted by RCPs"."""


def authorize(request: AuthorizationRequest, policies: Policies, *, explain: bool | None = None) -> Decision:
    """Decide one action on one resource.

    The last reason is the verdict. `explain` adds a reason for every statement in play: None does so for a denial only.
    Reasons are told when they are first read, from what was judged here: until then they cost nothing.
    """
    question = Question(request, bounded=bool(policies.boundary))
    aside: Sequence[tuple[Layer, str]] = ()
    if policies.service_control or policies.resource_control:
        policies, aside = _touching(question, policies)
    verdict = judge(question, policies)
    told = verdict.layer is not None if explain is None else explain
    return decision_of(question, verdict, partial(in_play, policies) if told else None, aside)


def _touching(question: Question, policies: Policies) -> tuple[Policies, list[tuple[Layer, str]]]:
    """The policies without the SCPs and RCPs that do not touch this request, and why they do not."""
    aside: list[tuple[Layer, str]] = []
    linked = _SERVICE_LINKED in question.principal.role_arn
    if policies.service_control and (linked or question.principal.kind in _SIDELESS):
        who = "service-linked roles" if linked else "callers that are of no account"
        aside.append((Layer.SERVICE_CONTROL, f"service control policies do not touch {who}"))
        policies = replace(policies, service_control=None)
    if policies.resource_control and (linked or not _resource_controlled(question.action)):
        what = "service-linked roles" if linked else question.request.action
        aside.append((Layer.RESOURCE_CONTROL, f"resource control policies do not touch {what}"))
        policies = replace(policies, resource_control=None)
    return policies, aside


def evaluate_trust(
    document: PolicyDocument,
    *,
    action: str,
    principal: Principal,
    context: Mapping[str, str | tuple[str, ...]],
    explain: bool | None = None,
) -> Decision:
    """What a role's trust policy alone says of a caller: explicit deny first.

    For a signed AssumeRole the caller's own policies count too: use `authorize` with the trust policy as `resource`.
    """
    question = Question(AuthorizationRequest(principal, action, "*", context=context))
    policies = trust_alone(document)
    trust = policies.resource or ()
    grant = _deny(Layer.RESOURCE, trust, question)
    if grant:
        verdict = Verdict(Outcome.EXPLICIT_DENY, Layer.RESOURCE, (grant,))
    else:
        _, grant = _named_by(trust, question)
        verdict = (
            Verdict(Outcome.ALLOWED, None, (grant,)) if grant else Verdict(Outcome.IMPLICIT_DENY, Layer.RESOURCE, ())
        )
    told = verdict.layer is not None if explain is None else explain
    return decision_of(question, verdict, partial(in_play, policies) if told else None)


@lru_cache(maxsize=1024)
def trust_alone(document: PolicyDocument) -> Policies:
    """A role's trust policy as the one policy in play."""
    return Policies(resource=(NamedDocument("trust policy", document),))


def judge(question: Question, policies: Policies) -> Verdict:
    """The outcome and the statements that decided it."""
    if question.action == "sts:getcalleridentity" and question.principal.kind not in UNSIGNED:
        return Verdict(Outcome.ALLOWED, None, (), "sts:GetCallerIdentity needs no permission, and none can deny it")
    denied = _first_deny(question, policies)
    if denied:
        return Verdict(Outcome.EXPLICIT_DENY, denied.layer, (denied,))
    if question.principal.kind in _BARRED and (barred := _barred(question)):
        return Verdict(Outcome.IMPLICIT_DENY, Layer.IDENTITY, (), barred, barred=True)
    grants: list[Grant] = []
    fence = _fenced(question, policies, grants)
    if fence is not None:
        return fence
    sideless = question.principal.kind in _SIDELESS
    naming, grant = _named_by(policies.resource, question) if policies.resource else (Naming.NOT, None)
    if grant:
        grants.append(grant)
    request = question.request
    if sideless or (request.resource_account and request.resource_account != question.principal.account):
        if not naming:
            return _implicit(Layer.RESOURCE, "" if sideless else _ELSEWHERE)
        return Verdict(Outcome.ALLOWED, None, tuple(grants)) if sideless else _own_side(question, policies, grants)
    if naming >= Naming.EVERYONE:
        return _direct(question, policies, grants, naming)
    if not naming and _resource_policy_rules(question):
        return _implicit(Layer.RESOURCE, _AUTHORITATIVE)
    return _own_side(question, policies, grants, granted=naming is Naming.ENTITY)


def _barred(question: Question) -> str:
    """Why no policy can allow this to this caller, or empty.

    Source: IAM User Guide, "Compare AWS STS credentials"; AssumeRole's own words for the root user.
    """
    kind = question.principal.kind
    if kind == PrincipalKind.FEDERATED_USER and question.action.startswith(("iam:", "sts:")):
        return "a session of GetFederationToken cannot call IAM, nor STS but for GetCallerIdentity"
    if kind == PrincipalKind.ROOT and question.action == "sts:assumerole":
        return "roles may not be assumed by root accounts"
    return ""


def _fenced(question: Question, policies: Policies, grants: list[Grant]) -> Verdict | None:
    """A denial by the first of the policy types around an account or network that does not allow; every level must."""
    for layer, levels in (
        (Layer.RESOURCE_CONTROL, policies.resource_control),
        (Layer.SERVICE_CONTROL, policies.service_control),
    ):
        for index, level in enumerate(levels or ()):
            if not _pass(layer, level, question, grants):
                return _implicit(layer, f"no {layer} of level [{index}] allows {{0.action}}")
    if policies.endpoint and not _pass(Layer.ENDPOINT, policies.endpoint, question, grants):
        return _implicit(Layer.ENDPOINT)
    return None


def _direct(question: Question, policies: Policies, grants: list[Grant], naming: Naming) -> Verdict:
    """A grant in the same account that needs no identity policy and no boundary.

    Only naming the session itself frees it from its session policy too; `*` does not.
    """
    limited = naming is Naming.EVERYONE and policies.session
    if limited and not _pass(Layer.SESSION, limited, question, grants):
        return _implicit(Layer.SESSION)
    return Verdict(Outcome.ALLOWED, None, tuple(grants))


def _own_side(question: Question, policies: Policies, grants: list[Grant], *, granted: bool = False) -> Verdict:
    """The principal's own policies; `granted`: the resource policy names the role, so identity policies need not."""
    root = question.principal.kind == PrincipalKind.ROOT
    if not granted and not root and not _pass(Layer.IDENTITY, policies.identity, question, grants):
        return _implicit(Layer.IDENTITY, _BOTH if grants and grants[-1].layer is Layer.RESOURCE else "")
    for layer, documents in ((Layer.BOUNDARY, policies.boundary), (Layer.SESSION, policies.session)):
        if documents and not _pass(layer, documents, question, grants):
            return _implicit(layer)
    note = "the account's root user needs no identity-based policy" if root else ""
    return Verdict(Outcome.ALLOWED, None, tuple(grants), note)


def _implicit(layer: Layer, note: str = "") -> Verdict:
    return Verdict(Outcome.IMPLICIT_DENY, layer, (), note)


def _first_deny(question: Question, policies: Policies) -> Grant | None:
    """The first explicit deny, in the order of evaluation."""
    for layer, levels in (
        (Layer.RESOURCE_CONTROL, policies.resource_control),
        (Layer.SERVICE_CONTROL, policies.service_control),
    ):
        for level in levels or ():
            grant = _deny(layer, level, question)
            if grant:
                return grant
    for layer, documents in (
        (Layer.RESOURCE, policies.resource),
        (Layer.IDENTITY, policies.identity),
        (Layer.BOUNDARY, policies.boundary),
        (Layer.SESSION, policies.session),
        (Layer.ENDPOINT, policies.endpoint),
    ):
        if documents:
            grant = _deny(layer, documents, question)
            if grant:
                return grant
    return None


def _deny(layer: Layer, documents: Sequence[NamedDocument], question: Question) -> Grant | None:
    for named in documents:
        document = named.document
        if document.has_denies:
            for statement in document.for_action(question.action)[0]:
                if statement.naming(question):
                    return Grant(layer, named, statement)
    return None


def _pass(layer: Layer, documents: Sequence[NamedDocument], question: Question, grants: list[Grant]) -> bool:
    """Whether one of the documents allows; the statement that does is added to `grants`."""
    for named in documents:
        for statement in named.document.for_action(question.action)[1]:
            if statement.naming(question):
                grants.append(Grant(layer, named, statement))
                return True
    return False


def _named_by(documents: Sequence[NamedDocument], question: Question) -> tuple[Naming, Grant | None]:
    """The closest that the Allow statements of a resource policy name the principal, and the statement that does."""
    best, grant = Naming.NOT, None
    for named in documents:
        for statement in named.document.for_action(question.action)[1]:
            naming = statement.naming(question)
            if naming > best:
                best, grant = naming, Grant(Layer.RESOURCE, named, statement)
    return best, grant


def _resource_controlled(action: str) -> bool:
    return action.partition(":")[0] in _RESOURCE_CONTROLLED and action not in _NOT_RESOURCE_CONTROLLED


def _resource_policy_rules(question: Question) -> bool:
    """Whether an identity policy alone never suffices: KMS keys, and roles to be assumed."""
    if question.action.startswith("kms:"):
        parts = question.resource.split(":", 5)
        return len(parts) == 6 and parts[5].startswith("key/")
    return question.action in TRUST_ACTIONS and ":role/" in question.resource
