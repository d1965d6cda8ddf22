"""What an encoded authorization failure message says once it is decoded.

Source: STS API Reference, DecodeAuthorizationMessage; the members are those of its documented answers. `reasons`
and `fix` are ours: AWS says less.
"""

import json
from collections.abc import Iterable, Mapping

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.iam_policy import AuthorizationRequest

MAX_ENCODED = 10_240
_MAX_REASONS = 50
_MATCHED = "statement-denies"


def authorization_message(request: AuthorizationRequest, decision: Decision) -> str:
    """The denial as JSON text, with AWS's `allowed`, `explicitDeny`, `matchedStatements`, `failures` and `context`.

    A long decision keeps its last reasons, among them the verdict.
    """
    who = request.principal
    name = who.arn.rpartition("/")[2]
    message = {
        "allowed": decision.allowed,
        "explicitDeny": decision.outcome is Outcome.EXPLICIT_DENY,
        "matchedStatements": _items(_statement(one, request) for one in decision.reasons if one.code == _MATCHED),
        "failures": _items(()),
        "context": {
            "principal": {"id": who.user_id, "name": name, "arn": who.arn},
            "action": request.action,
            "resource": request.resource,
            "conditions": _items(_conditions(request.context)),
        },
        "reasons": [_reason(one) for one in decision.reasons[-_MAX_REASONS:]],
        "fix": decision.fix,
    }
    return json.dumps(message, separators=(",", ":"))


def _statement(reason: Reason, request: AuthorizationRequest) -> dict[str, object]:
    """A statement that denied, by its Sid and, in our `policy`, its document and index."""
    return {
        "statementId": reason.facts.get("sid", ""),
        "effect": "DENY",
        "principals": _items([{"value": request.principal.user_id}]),
        "principalGroups": _items(()),
        "actions": _items([{"value": request.action}]),
        "resources": _items([{"value": request.resource}]),
        "conditions": _items(()),
        "policy": reason.where,
    }


def _conditions(context: Mapping[str, str | tuple[str, ...]]) -> list[dict[str, object]]:
    return [
        {"key": key, "values": _items({"value": one} for one in ((value,) if isinstance(value, str) else value))}
        for key, value in context.items()
    ]


def _reason(reason: Reason) -> dict[str, object]:
    return {"code": reason.code, "text": reason.text, "where": reason.where, "held": reason.held}


def _items(found: Iterable[dict[str, object]] | Iterable[dict[str, str]]) -> dict[str, object]:
    return {"items": list(found)}
