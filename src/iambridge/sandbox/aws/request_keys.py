"""Condition keys of single services that a call's own parameters answer. Pure.

A key that is not here, and that the reference lists for an action, is refused by name where a decision hangs on it.
Source: Service Authorization Reference, condition keys of each service; for the spelling of values, each guide.
"""

from collections.abc import Callable, Mapping
from typing import Any

from iambridge.sandbox.aws.operations import Call

Keys = dict[str, str | tuple[str, ...]]

_PLAIN_IN_DNS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.\\")


def of(call: Call, account_id: str) -> Keys:
    """Keys without a value are not in the request's context at AWS either."""
    rule = _RULES.get(call.service.prefix)
    return rule(call, account_id) if rule is not None else {}


def _parameter(call: Call, name: str) -> str:
    value = call.document.get(name, call.flat.get(name))
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


def _given(call: Call, parameters: Mapping[str, str]) -> Keys:
    """`parameters` by condition key."""
    return {key: value for key, name in parameters.items() if (value := _parameter(call, name))}


def _cloudwatch(call: Call, account_id: str) -> Keys:
    del account_id
    return _given(call, {"cloudwatch:namespace": "Namespace"}) if call.operation == "PutMetricData" else {}


def _dynamodb(call: Call, account_id: str) -> Keys:
    del account_id
    names = ("Select", "ReturnValues", "ReturnConsumedCapacity")
    return _given(call, {f"dynamodb:{name}": name for name in names})


def _ecs(call: Call, account_id: str) -> Keys:
    cluster = (_parameter(call, "cluster") or "default").rpartition("/")[2]
    return {"ecs:cluster": f"arn:aws:ecs:{call.region}:{account_id}:cluster/{cluster}"}


def _lambda(call: Call, account_id: str) -> Keys:
    function = _parameter(call, "FunctionName").rpartition("function:")[2]
    keys = _given(call, {"lambda:Principal": "Principal"})
    if "EventSourceMapping" in call.operation and function:
        keys["lambda:FunctionArn"] = f"arn:aws:lambda:{call.region}:{account_id}:function:{function}"
    return keys


def _secretsmanager(call: Call, account_id: str) -> Keys:
    del account_id
    names = ("BlockPublicPolicy", "Description", "ForceDeleteWithoutRecovery", "KmsKeyId", "Name", "VersionId")
    keys = _given(call, {f"secretsmanager:{name}": name for name in names})
    longer = {"secretsmanager:RecoveryWindowInDays": "RecoveryWindowInDays"}
    return keys | _given(call, longer | {"secretsmanager:VersionStage": "VersionStage"})


def _sns(call: Call, account_id: str) -> Keys:
    del account_id
    return _given(call, {"sns:Endpoint": "Endpoint", "sns:Protocol": "Protocol"})


def _ssm(call: Call, account_id: str) -> Keys:
    del account_id
    keys = _given(call, {"ssm:Overwrite": "Overwrite"})
    if call.operation == "GetParametersByPath":
        keys["ssm:Recursive"] = _parameter(call, "Recursive") or "false"
    return keys


def _route53(call: Call, account_id: str) -> Keys:
    """Each of the three has the values of all changes of a request.

    Source: Route 53 Developer Guide, "Using IAM policy conditions for fine-grained access control".
    """
    del account_id
    found: dict[str, list[str]] = {"Actions": [], "NormalizedRecordNames": [], "RecordTypes": []}
    for change in _all(call.document, "ChangeBatch", "Changes", "Change"):
        found["Actions"] += _texts(change, "Action")
        for record in _all(change, "ResourceRecordSet"):
            found["NormalizedRecordNames"] += [normalized_name(name) for name in _texts(record, "Name")]
            found["RecordTypes"] += _texts(record, "Type")
    return {
        f"route53:ChangeResourceRecordSets{name}": tuple(dict.fromkeys(values))
        for name, values in found.items()
        if values
    }


def normalized_name(name: str) -> str:
    r"""A record's name as Route 53 compares it: lower case, no last dot, `\052` for `*` and whatever is not plain.

    An escape that the client wrote itself stays one.
    """
    return "".join(c if c in _PLAIN_IN_DNS else _octal(c) for c in name.removesuffix(".").lower())


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode())


def _all(value: Any, *path: str) -> list[Any]:
    """Every dictionary at a path of `xml_documents`' lists."""
    found = [value]
    for name in path:
        found = [item for each in found if isinstance(each, Mapping) for item in each.get(name, [])]
    return [item for item in found if isinstance(item, Mapping)]


def _texts(value: Mapping[str, Any], name: str) -> list[str]:
    return [item for item in value.get(name, []) if isinstance(item, str)]


def _kms(call: Call, account_id: str) -> Keys:
    """Source: KMS Developer Guide, "Condition keys for AWS KMS". Nobody calls KMS on a caller's behalf here."""
    keys: Keys = {"kms:CallerAccount": account_id}
    keys |= _given(
        call,
        {
            "kms:BypassPolicyLockoutSafetyCheck": "BypassPolicyLockoutSafetyCheck",
            "kms:GranteePrincipal": "GranteePrincipal",
            "kms:KeyOrigin": "Origin",
            "kms:KeySpec": "KeySpec",
            "kms:KeyUsage": "KeyUsage",
            "kms:MacAlgorithm": "MacAlgorithm",
            "kms:MessageType": "MessageType",
            "kms:MultiRegion": "MultiRegion",
            "kms:RetiringPrincipal": "RetiringPrincipal",
            "kms:ScheduleKeyDeletionPendingWindowInDays": "PendingWindowInDays",
            "kms:SigningAlgorithm": "SigningAlgorithm",
        },
    )
    context = call.document.get("EncryptionContext")
    if isinstance(context, Mapping) and context:
        keys |= {f"kms:EncryptionContext:{name}": str(value) for name, value in context.items()}
        keys["kms:EncryptionContextKeys"] = tuple(str(name) for name in context)
    alias = _parameter(call, "KeyId").rpartition(":")[2]
    if alias.startswith("alias/"):
        keys["kms:RequestAlias"] = alias
    if call.operation == "CreateGrant":
        keys |= _grant(call)
    return keys


def _grant(call: Call) -> Keys:
    keys: Keys = {"kms:GrantIsForAWSResource": "false"}
    if isinstance(operations := call.document.get("Operations"), list):
        keys["kms:GrantOperations"] = tuple(str(item) for item in operations)
    constraints = call.document.get("Constraints")
    if isinstance(constraints, Mapping) and constraints:
        keys["kms:GrantConstraintType"] = tuple(str(name) for name in constraints)
    return keys


_RULES: dict[str, Callable[[Call, str], Keys]] = {
    "cloudwatch": _cloudwatch,
    "dynamodb": _dynamodb,
    "ecs": _ecs,
    "kms": _kms,
    "lambda": _lambda,
    "route53": _route53,
    "secretsmanager": _secretsmanager,
    "sns": _sns,
    "ssm": _ssm,
}
# what these say by their absence is said too
ANSWERED = frozenset(
    {
        "cloudwatch:namespace",
        "dynamodb:returnconsumedcapacity",
        "dynamodb:returnvalues",
        "ecs:cluster",
        "kms:bypasspolicylockoutsafetycheck",
        "kms:calleraccount",
        "kms:encryptioncontextkeys",
        "kms:grantconstrainttype",
        "kms:granteeprincipal",
        "kms:grantisforawsresource",
        "kms:grantoperations",
        "kms:requestalias",
        "kms:retiringprincipal",
        "kms:viaservice",
        "lambda:functionarn",
        "lambda:principal",
        "route53:changeresourcerecordsetsactions",
        "route53:changeresourcerecordsetsnormalizedrecordnames",
        "route53:changeresourcerecordsetsrecordtypes",
        "secretsmanager:description",
        "secretsmanager:forcedeletewithoutrecovery",
        "secretsmanager:name",
        "secretsmanager:recoverywindowindays",
        "secretsmanager:versionid",
        "secretsmanager:versionstage",
        "sns:endpoint",
        "sns:protocol",
        "ssm:recursive",
    }
)
ANSWERED_FAMILIES = ("kms:encryptioncontext:", "s3:requestobjecttag/", "s3:requestobjecttagkeys")
