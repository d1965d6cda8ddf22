"""Requests with policies, made from a seed: small vocabularies, so that statements often match and often just do not."""

import random
from typing import Any

from iambridge.core.iam_policy import (
    AuthorizationRequest,
    NamedDocument,
    Policies,
    PolicyDocument,
    PolicyKind,
    Principal,
    PrincipalKind,
)

ACCOUNT, OTHER = "111122223333", "444455556666"
ACTIONS = ["s3:GetObject", "s3:PutObject", "sqs:SendMessage", "kms:Decrypt"]
ACTION_PATTERNS = [*ACTIONS, "s3:*", "s3:Get*", "*", "S3:getobject", "s3:?etObject", "sqs:*", "kms:De*"]
RESOURCES = {
    "s3": ["arn:aws:s3:::reports/alice/1.csv", "arn:aws:s3:::reports/bob/1.csv", "arn:aws:s3:::logs/a:b/c"],
    "sqs": ["arn:aws:sqs:us-east-1:{}:jobs", "arn:aws:sqs:eu-west-1:{}:jobs-1"],
    "kms": ["arn:aws:kms:us-east-1:{}:key/11111111-2222-3333-4444-555555555555"],
}
RESOURCE_PATTERNS = [
    "*", "arn:aws:s3:::reports/*", "arn:aws:s3:::*", "arn:aws:s3:::reports/${aws:username}/*", "arn:aws:s3:::*/*/c",
    "arn:aws:s3:::reports/${aws:PrincipalTag/team, 'alice'}/*", "arn:aws:s3:::reports/????*", "arn:aws:sqs:*:*:jobs",
    "arn:aws:sqs:us-*:*:jobs*", "arn:aws:kms:*:*:key/*", "arn:aws:s3:::logs/a:b/c", "arn:aws:s3:::Reports/*",
]  # fmt: skip
PRINCIPALS = [
    f"arn:aws:iam::{ACCOUNT}:user/alice",
    f"arn:aws:sts::{ACCOUNT}:assumed-role/app/pod-1",
]
PRINCIPAL_ELEMENTS: list[Any] = [
    "*", {"AWS": "*"}, {"AWS": ACCOUNT}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"AWS": OTHER},
    {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}, {"AWS": f"arn:aws:iam::{ACCOUNT}:role/app"},
    {"AWS": [f"arn:aws:sts::{ACCOUNT}:assumed-role/app/pod-1"]}, {"Service": "ec2.amazonaws.com"},
]  # fmt: skip
CONTEXT: dict[str, list[str | list[str]]] = {
    "aws:SourceIp": ["10.1.2.3", "192.0.2.7", "2001:db8::1"],
    "aws:PrincipalTag/team": ["alice", "red", "Red"],
    "aws:SecureTransport": ["true", "false"],
    "aws:TagKeys": [["a"], ["a", "b"], ["b", "c"]],
    "aws:MultiFactorAuthAge": ["10", "300", "300.0"],
    "aws:CurrentTime": ["2026-01-01T00:00:00Z", "2026-06-01T12:30:00Z"],
    "aws:SourceArn": ["arn:aws:s3:::reports", f"arn:aws:sns:us-east-1:{ACCOUNT}:topic"],
}
CONDITIONS: list[tuple[list[str], str, list[Any]]] = [
    (["IpAddress", "NotIpAddress"], "aws:SourceIp", ["10.0.0.0/8", ["192.0.2.7", "2001:db8::/32"], "10.1.2.3/32"]),
    (
        ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
         "StringNotEqualsIgnoreCase"],
        "aws:principaltag/Team", ["red", ["alice", "RED"], "r*", "?ed", "${aws:username}"],
    ),
    (["Bool"], "aws:SecureTransport", ["true", "false", True]),
    (["Null"], "aws:PrincipalTag/team", ["true", "false"]),
    (
        ["ForAllValues:StringEquals", "ForAnyValue:StringEquals", "ForAnyValue:StringLike",
         "ForAllValues:StringNotEquals", "ForAnyValue:StringNotEquals", "StringEquals"],
        "aws:TagKeys", [["a", "b"], "a", "c", []],
    ),
    (
        ["NumericLessThan", "NumericEquals", "NumericNotEquals", "NumericGreaterThanEquals", "NumericLessThanEquals",
         "NumericGreaterThan"],
        "aws:MultiFactorAuthAge", ["300", 10, ["10", "20"]],
    ),
    (
        ["DateGreaterThan", "DateLessThan", "DateEquals", "DateNotEquals", "DateGreaterThanEquals",
         "DateLessThanEquals"],
        "aws:CurrentTime", ["2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-06-01T14:30:00+02:00"],
    ),
    (
        ["ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"],
        "aws:SourceArn", ["arn:aws:s3:::reports", "arn:aws:s3:::*", "arn:aws:sns:*:*:t*", "*", []],
    ),
]  # fmt: skip

Case = dict[str, Any]


def case(random_: random.Random) -> Case:
    """One request and its policies, as JSON values."""
    action = random_.choice(ACTIONS)
    account = random_.choice([ACCOUNT, ACCOUNT, OTHER])
    principal = random_.choice(PRINCIPALS)
    context: dict[str, Any] = {"aws:PrincipalAccount": ACCOUNT, "aws:PrincipalArn": principal}
    if principal.endswith("alice"):
        context["aws:username"] = "alice"
    if "assumed-role" in principal:
        context["aws:PrincipalArn"] = f"arn:aws:iam::{ACCOUNT}:role/app"
    for key, values in CONTEXT.items():
        if random_.random() < 0.6:
            context[key] = random_.choice(values)
    made: Case = {
        "principal": principal,
        "action": action,
        "resource": random_.choice(RESOURCES[action.split(":")[0]]).format(account),
        "account": account,
        "context": context,
        "identity": [_document(random_) for _ in range(random_.randint(0, 2))],
    }
    for name, chance in (("boundary", 0.2), ("session", 0.2), ("endpoint", 0.1)):
        if random_.random() < chance and not (name == "session" and "assumed-role" not in principal):
            made[name] = _document(random_, principal="*" if name == "endpoint" else None)
    if random_.random() < 0.6:
        made["resource_policy"] = _document(random_, principal=random_.choice(PRINCIPAL_ELEMENTS))
    for name, who in (("service_control", None), ("resource_control", "*")):
        if random_.random() < 0.15:
            made[name] = [[_everything(who)], [_everything(who), _document(random_, principal=who)]]
    return made


def _everything(principal: Any) -> Case:
    statement: Case = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement | ({"Principal": principal} if principal else {})]}


def _document(random_: random.Random, *, principal: Any = None) -> Case:
    version = "2012-10-17" if random_.random() < 0.95 else "2008-10-17"
    return {
        "Version": version,
        "Statement": [_statement(random_, principal) for _ in range(random_.randint(1, 3))],
    }


def _statement(random_: random.Random, principal: Any) -> Case:
    statement: Case = {"Effect": "Allow" if random_.random() < 0.85 else "Deny"}
    if principal is not None:
        statement["Principal"] = principal
    negated = "Not" if random_.random() < 0.1 else ""
    statement[f"{negated}Action"] = random_.sample(ACTION_PATTERNS, random_.randint(1, 4))
    negated = "Not" if random_.random() < 0.1 else ""
    statement[f"{negated}Resource"] = random_.sample(RESOURCE_PATTERNS, random_.randint(1, 4))
    if random_.random() < 0.5:
        condition: dict[str, dict[str, Any]] = {}
        for operators, key, values in random_.sample(CONDITIONS, random_.randint(1, 2)):
            operator = random_.choice(operators)
            if operator != "Null" and random_.random() < 0.2:
                operator += "IfExists"
            condition.setdefault(operator, {})[key] = random_.choice(values)
        statement["Condition"] = condition
    return statement


def compiled(made: Case) -> tuple[AuthorizationRequest, Policies]:
    """The same case as our values."""

    def one(name: str, kind: PolicyKind) -> tuple[NamedDocument, ...]:
        return (NamedDocument(name, PolicyDocument.parse(made[name], kind=kind, limit=10**6)),) if name in made else ()

    def levels(name: str, kind: PolicyKind) -> tuple[tuple[NamedDocument, ...], ...]:
        return tuple(
            tuple(NamedDocument(name, PolicyDocument.parse(document, kind=kind)) for document in level)
            for level in made.get(name, ())
        )

    context = {key: tuple(value) if isinstance(value, list) else value for key, value in made["context"].items()}
    trust = made["action"].startswith("sts:")
    named = made["principal"]
    principal = Principal.from_arn(named) if named.startswith("arn:") else Principal(named, "", PrincipalKind.SERVICE)
    request = AuthorizationRequest(principal, made["action"], made["resource"], made["account"], context)
    return request, Policies(
        identity=tuple(
            NamedDocument(f"identity{i}", PolicyDocument.parse(document, kind=PolicyKind.IDENTITY))
            for i, document in enumerate(made["identity"])
        ),
        boundary=one("boundary", PolicyKind.BOUNDARY),
        session=one("session", PolicyKind.SESSION),
        resource=one("resource_policy", PolicyKind.TRUST if trust else PolicyKind.RESOURCE),
        endpoint=one("endpoint", PolicyKind.ENDPOINT),
        service_control=levels("service_control", PolicyKind.SERVICE_CONTROL),
        resource_control=levels("resource_control", PolicyKind.RESOURCE_CONTROL),
    )
