"""More kinds of callers, resources, principals and condition operators than policy_corpus has; the cases have its form.

Left out is what is ruled once and for all and would only repeat itself: callers that iam-simulate spells otherwise,
wildcards at the start of an ARN's last segment, RCPs beside services that they do not touch, empty context lists under Null, ARN patterns of fewer than six segments.
"""

import random
from typing import Any

Case = dict[str, Any]

ACCOUNT, OTHER = "111122223333", "444455556666"
USER, ROLE = f"arn:aws:iam::{ACCOUNT}:user/dev/alice", f"arn:aws:iam::{ACCOUNT}:role/app"
SESSION, FEDERATED = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/pod-1", f"arn:aws:sts::{ACCOUNT}:federated-user/fred"
SERVICE = "lambda.amazonaws.com"
CALLERS = [USER, ROLE, SESSION, FEDERATED, SERVICE]
RESOURCES = {
    "s3:GetObject": ["arn:aws:s3:::reports/alice/1.csv", "arn:aws:s3:::logs/a:b/c"],
    "sqs:SendMessage": ["arn:aws:sqs:us-east-1:{}:jobs", "arn:aws:sqs:eu-west-1:{}:jobs-1"],
    "kms:Decrypt": ["arn:aws:kms:us-east-1:{}:key/k1"],
    "kms:CreateAlias": ["arn:aws:kms:us-east-1:{}:alias/a"],
    "sts:AssumeRole": ["arn:aws:iam::{}:role/target"],
    "ec2:RunInstances": ["arn:aws:ec2:us-east-1:{}:instance/i-1"],
    "secretsmanager:GetSecretValue": ["arn:aws:secretsmanager:us-east-1:{}:secret:x-AbCdEf"],
}
ACTION_PATTERNS = [
    "*",
    "{service}:*",
    "{action}",
    "{service}:{head}*",
    "{service}:?{rest}",
    "S3:*",
    "ec2:*",
    "{shout}",
    "no:At*",
]
RESOURCE_PATTERNS = [
    "*", "{resource}", "{stem}*", "{stem}?", "arn:*:{service}:*:*:*", "arn:aws:{service}:us-*:*:*",
    "arn:aws:s3:::reports/${{aws:username}}/*", "arn:aws:s3:::reports/${{aws:PrincipalTag/team, 'alice'}}/*", "arn:aws:{service}::*:*",
]  # fmt: skip
CONTEXT: dict[str, list[Any]] = {
    "aws:SourceIp": ["10.1.2.3", "192.0.2.7", "2001:db8::1"],
    "aws:PrincipalTag/team": ["alice", "red", "Red", "r*"],
    "aws:SecureTransport": ["true", "false"],
    "aws:TagKeys": [["a"], ["a", "b"], ["b", "c"], ["A"]],
    "aws:MultiFactorAuthAge": ["10", "300", "300.0", "-1", ".5"],
    "aws:CurrentTime": ["2026-01-01T00:00:00Z", "2026-06-01T12:30:00Z"],
    "aws:EpochTime": ["1767225600", "1780317000"],
    "aws:SourceArn": ["arn:aws:s3:::reports", f"arn:aws:sns:us-east-1:{ACCOUNT}:topic", f"arn:aws:sns:us-east-1:{ACCOUNT}:a:b"],
    "s3:prefix": ["", "home/alice/", "home/*"],
    "aws:PrincipalOrgPaths": [["o-1/r-1/ou-1/"], ["o-1/r-1/ou-1/ou-2/", "o-1/r-1/ou-3/"]],
    "ex:Blob": ["QUJD", "AAAA"],
    "ex:Flags": [["true", "false"], ["true"]],
    "ex:Numbers": [["1", "2"], ["5"]],
    "ex:Arns": [["arn:aws:s3:::a", "arn:aws:s3:::b"]],
}  # fmt: skip
TEXT = [
    "StringEquals",
    "StringNotEquals",
    "StringLike",
    "StringNotLike",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
]
ORDER = ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"]
NUMBER, DATE = [f"Numeric{name}" for name in ORDER], [f"Date{name}" for name in ORDER]
ARN = ["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"]


def sets(operators: list[str]) -> list[str]:
    return [f"{quantifier}:{operator}" for quantifier in ("ForAllValues", "ForAnyValue") for operator in operators]


CONDITIONS: list[tuple[list[str], str, list[Any]]] = [
    (["IpAddress", "NotIpAddress", *sets(["IpAddress"])], "aws:SourceIp", ["10.0.0.0/8", ["192.0.2.7/32", "2001:db8::/32"], "10.1.2.3/32"]),
    (TEXT, "aws:principaltag/Team", ["red", ["alice", "RED"], "r*", "?ed", "${aws:username}", "${aws:PrincipalTag/none, 'red'}"]),
    (TEXT, "aws:username", ["alice", "al*", ["bob", "alice"]]),
    (TEXT, "s3:prefix", ["", ["", "home/${aws:username}/"], "home/*"]),
    (["Bool", "Null"], "aws:SecureTransport", ["true", "false", True, False, ["true", "false"]]),
    (["Null"], "aws:TagKeys", ["true", "false"]),
    ([*sets(TEXT), "StringEquals", "StringNotEquals"], "aws:TagKeys", [["a", "b"], "a", "c", "A", "?"]),
    (sets(TEXT), "aws:PrincipalOrgPaths", ["o-1/r-1/ou-1/*", ["o-1/*"], "o-1/r-1/ou-3/"]),
    (NUMBER, "aws:MultiFactorAuthAge", ["300", 10, ["10", "20"], "0.5", "-1"]),
    (sets(NUMBER), "ex:Numbers", ["1", ["1", "2"], "5"]),
    (DATE, "aws:CurrentTime", ["2026-01-01T00:00:00Z", "2026-06-01T14:30:00+02:00", ["2025-01-01T00:00:00Z", "2027-01-01T00:00:00Z"]]),
    (DATE + NUMBER, "aws:EpochTime", ["1767225600", "1770000000"]),
    (ARN + sets(ARN), "aws:SourceArn", ["arn:aws:s3:::reports", "arn:aws:s3:::*", "arn:aws:sns:*:*:t*", "arn:aws:sns:*:1111*:*", "arn:aws:sns:us-east-?:*:a:*"]),
    (sets(ARN), "ex:Arns", ["arn:aws:s3:::*", "arn:aws:s3:::a"]),
    (ARN + TEXT, "aws:PrincipalArn", [ROLE, "arn:aws:iam::*:user/*", f"arn:aws:iam::{ACCOUNT}:*"]),
    (["BinaryEquals"], "ex:Blob", ["QUJD", ["AAAA", "QUJD"]]),
    (sets(["Bool"]), "ex:Flags", ["true", "false"]),
    (TEXT, "aws:PrincipalAccount", [ACCOUNT, OTHER, ["x", ACCOUNT]]),
    (["Bool"], "aws:PrincipalIsAWSService", ["true", "false"]),
]  # fmt: skip


def wide_case(random_: random.Random) -> Case:
    """One request and its policies, as JSON values."""
    caller = random_.choice(CALLERS)
    # what nothing can allow a federated user is ruled in tests/cases/iam_policy
    action = random_.choice([a for a in RESOURCES if caller != FEDERATED or not a.startswith("sts:")])
    account = random_.choice([ACCOUNT, ACCOUNT, OTHER])
    resource = random_.choice(RESOURCES[action]).format(account)
    writer = _Writer(random_, action, resource)
    made: Case = {
        "principal": caller, "action": action, "resource": resource, "account": account,
        "context": _context(random_, caller),
        "identity": [] if caller == SERVICE else [writer.document() for _ in range(random_.choice([0, 1, 1, 2]))],
    }  # fmt: skip
    if caller != SERVICE:
        for name, chance in (("boundary", 0.2), ("session", 0.25 if caller == SESSION else 0)):
            if random_.random() < chance:
                made[name] = writer.document()
        if random_.random() < 0.2:
            made["service_control"] = [[_everything()], [_everything(), writer.document(denies=0.5)]]
    if random_.random() < 0.1:
        made["endpoint"] = writer.document(["*"])
    if random_.random() < 0.15 and not action.startswith("ec2:"):
        made["resource_control"] = [[_everything("*"), writer.document(["*"], denies=0.8)]]
    if action.startswith("sts:") or random_.random() < 0.65:
        made["resource_policy"] = writer.document(_principals(caller), trust=action.startswith("sts:"))
    return made


def _context(random_: random.Random, caller: str) -> Case:
    context: Case = {"aws:PrincipalIsAWSService": "true" if caller == SERVICE else "false"}
    if caller != SERVICE:
        context |= {"aws:PrincipalAccount": ACCOUNT, "aws:PrincipalArn": ROLE if caller == SESSION else caller}
    if caller == USER:
        context["aws:username"] = "alice"
    return context | {key: random_.choice(values) for key, values in CONTEXT.items() if random_.random() < 0.6}


def _principals(caller: str) -> list[Any]:
    me = USER if caller == SERVICE else caller
    return [
        "*", {"AWS": "*"}, {"AWS": ACCOUNT}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"AWS": OTHER}, {"AWS": me}, {"AWS": ROLE},
        {"AWS": [me, ROLE, ACCOUNT]}, {"Service": SERVICE}, {"Service": ["ec2.amazonaws.com", SERVICE], "AWS": me},
    ]  # fmt: skip


def _everything(principal: Any = None) -> Case:
    statement: Case = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement | ({"Principal": principal} if principal else {})]}


class _Writer:
    """Documents about one action on one resource."""

    def __init__(self, random_: random.Random, action: str, resource: str) -> None:
        self._random = random_
        service, _, name = action.partition(":")
        self._words = {
            "service": service, "action": action, "shout": action.upper(), "head": name[:3], "rest": name[1:],
            "resource": resource, "stem": resource[:-1],
        }  # fmt: skip

    def document(self, principals: list[Any] | None = None, *, denies: float = 0.15, trust: bool = False) -> Case:
        count = self._random.randint(1, 3)
        return {
            "Version": "2012-10-17",
            "Statement": [self._statement(principals, denies=denies, trust=trust) for _ in range(count)],
        }

    def _statement(self, principals: list[Any] | None, *, denies: float, trust: bool) -> Case:
        random_ = self._random
        statement: Case = {"Effect": "Deny" if random_.random() < denies else "Allow"}
        if principals:
            named = random_.choice(principals)
            spares = statement["Effect"] == "Deny" and named not in ("*", {"AWS": "*"}) and not trust
            negated = spares and random_.random() < 0.3
            statement["NotPrincipal" if negated else "Principal"] = named
        if trust:
            statement["Action"] = random_.choice(["sts:AssumeRole", "sts:*", ["sts:AssumeRole", "sts:TagSession"]])
        else:
            statement[self._maybe_not("Action")] = self._patterns(ACTION_PATTERNS)
            statement[self._maybe_not("Resource")] = self._patterns(RESOURCE_PATTERNS)
        if random_.random() < 0.45:
            statement["Condition"] = self._condition()
        return statement

    def _maybe_not(self, name: str) -> str:
        return f"Not{name}" if self._random.random() < 0.1 else name

    def _patterns(self, patterns: list[str]) -> list[str]:
        return [pattern.format(**self._words) for pattern in self._random.sample(patterns, self._random.randint(1, 3))]

    def _condition(self) -> Case:
        block: dict[str, dict[str, Any]] = {}
        for operators, key, values in self._random.sample(CONDITIONS, self._random.randint(1, 2)):
            operator = self._random.choice(operators)
            if operator != "Null" and self._random.random() < 0.15:
                operator += "IfExists"
            block.setdefault(operator, {})[key] = self._random.choice(values)
        return block
