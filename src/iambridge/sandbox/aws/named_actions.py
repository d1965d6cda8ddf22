"""The actions that an operation is decided by, where they are not one action of its own name. Pure.

An operation becomes the calls it stands for, each named as its action is and holding only what that one decision is
about; `resources.arns` reads those. Source: Service Authorization Reference, and each service's "API permissions".
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from iambridge.errors import NotImplementedBySandbox, ValidationError
from iambridge.sandbox.aws import partiql
from iambridge.sandbox.aws.catalogue import Service
from iambridge.sandbox.aws.operations import Call

# one action of another name
_RENAMED = {
    "lambda:Invoke": "InvokeFunction",
    "lambda:InvokeAsync": "InvokeFunction",
    "lambda:InvokeWithResponseStream": "InvokeFunction",
    "sns:PublishBatch": "Publish",
    "sqs:ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "DeleteMessage",
    "sqs:SendMessageBatch": "SendMessage",
}
_TRANSACTED = {"Get": "GetItem", "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"} | {
    "ConditionCheck": "ConditionCheckItem"
}
_SECRET_REFERENCE = "/aws/reference/secretsmanager/"  # noqa: S105 - a path
_KEY_ID = re.compile(rb"[A-Za-z0-9-]{36}")  # which moto's ciphertexts begin with


def decided(call: Call) -> list[Call]:
    """What is decided instead of `call`: mostly the call itself.

    Raises:
        NotImplementedBySandbox: what the call would touch cannot be read from it.
    """
    rule = _RULES.get(call.action)
    if rule is not None:
        return rule(call)
    renamed = _RENAMED.get(call.action)
    return [replace(call, operation=renamed)] if renamed else [call]


def _each_table(call: Call) -> list[Call]:
    """BatchGetItem and BatchWriteItem: `RequestItems` is a map by table."""
    items = call.document.get("RequestItems")
    if not isinstance(items, Mapping) or not items:
        return [call]
    return [replace(call, document={"TableName": table, "Requested": given}) for table, given in items.items()]


def _each_transacted(call: Call) -> list[Call]:
    found = []
    for item in _structures(call.document.get("TransactItems")):
        for kind, given in item.items():
            if kind not in _TRANSACTED or not isinstance(given, Mapping):
                raise ValidationError(f"{kind[:32]} is not an action of a transaction.")
            found.append(replace(call, operation=_TRANSACTED[kind], document=given))
    if not found:
        raise ValidationError("TransactItems must hold at least one action.")
    return found


def _statement(call: Call) -> list[Call]:
    return _statements(call, [call.document])


def _each_statement(call: Call) -> list[Call]:
    member = "Statements" if call.operation == "BatchExecuteStatement" else "TransactStatements"
    return _statements(call, _structures(call.document.get(member)))


def _statements(call: Call, given: Iterable[Mapping[str, Any]]) -> list[Call]:
    found = []
    for item in given:
        read = partiql.read(str(item.get("Statement", "")))
        document = {"TableName": read.table} | ({"IndexName": read.secondary} if read.secondary else {})
        found.append(replace(call, operation=f"PartiQL{read.verb}", document=document))
    if not found:
        raise ValidationError("The request holds no statement.")
    return found


def _re_encrypted(call: Call) -> list[Call]:
    document = call.document
    sides = [("ReEncryptFrom", "Source", key) for key in _source_keys(document, "SourceKeyId")]
    return [
        replace(
            call,
            operation=action,
            document={
                "KeyId": key,
                "EncryptionContext": document.get(f"{side}EncryptionContext") or {},
                "GrantTokens": document.get("GrantTokens") or [],
            },
        )
        for action, side, key in (*sides, ("ReEncryptTo", "Destination", document.get("DestinationKeyId")))
    ]


def _decrypted(call: Call) -> list[Call]:
    return [replace(call, document={**call.document, "KeyId": key}) for key in _source_keys(call.document, "KeyId")]


def _source_keys(document: Mapping[str, Any], parameter: str) -> list[str]:
    """The key that the ciphertext names, and before it the one that the request names: moto does not compare them."""
    stated = str(document.get(parameter) or "")
    return [*([stated] if stated else []), _key_of_ciphertext(document)]


def _key_of_ciphertext(document: Mapping[str, Any]) -> str:
    """The id is moto's own way to begin a ciphertext; without one there is nothing to decrypt.

    Raises:
        ValidationError: no base64; moto would leave out what is none.
    """
    try:
        blob = base64.b64decode(str(document.get("CiphertextBlob", "")), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValidationError("CiphertextBlob is not valid base64.") from error
    found = _KEY_ID.match(blob)
    return found[0].decode() if found is not None else "-"


def _alias_and_keys(call: Call) -> list[Call]:
    """The alias, the key it stands for now, and (of UpdateAlias) the one that it shall stand for."""
    named = str(call.document.get("AliasName", ""))
    now = replace(call, document={"AliasName": named, "KeyId": named})
    return [now, call] if call.document.get("TargetKeyId") else [now]


def _each_bus(call: Call) -> list[Call]:
    buses = {str(item.get("EventBusName") or "default"): item for item in _structures(call.document.get("Entries"))}
    return [replace(call, document={"EventBusName": bus}) for bus in buses] or [call]


def _secrets_too(call: Call) -> list[Call]:
    """A parameter under /aws/reference/secretsmanager is a secret, whose own action is needed as well.

    Source: Systems Manager User Guide, "Referencing AWS Secrets Manager secrets from Parameter Store parameters".
    """
    document = call.document
    names = [document.get("Name"), *(document.get("Names") or [])]
    paths = [str(name).partition(":parameter")[2] or str(name) for name in names if name]
    secrets = [path.removeprefix(_SECRET_REFERENCE) for path in paths if path.startswith(_SECRET_REFERENCE)]
    service = Service("secretsmanager", "secretsmanager")
    return [call] + [
        replace(call, service=service, operation="GetSecretValue", document={"SecretId": name}) for name in secrets
    ]


def _listed_secrets(call: Call) -> list[Call]:
    """With filters it lists, and needs that action too; each secret it finds is decided with the answer."""
    listing = [replace(call, operation="ListSecrets", document={})] if call.document.get("Filters") else []
    return [call, *listing]


def _mount_target(call: Call) -> list[Call]:
    """EFS API Reference, CreateMountTarget: the network interface is made with the caller's own rights."""
    ec2 = replace(call, service=Service("ec2", "ec2"), protocol="ec2", document={})
    subnet = {"SubnetId": str(call.document.get("SubnetId", ""))}
    looks = [replace(ec2, operation=name) for name in ("DescribeSubnets", "DescribeNetworkInterfaces")]
    return [call, *looks, replace(ec2, operation="CreateNetworkInterface", flat=subnet)]


def _refused(call: Call) -> list[Call]:
    raise NotImplementedBySandbox(
        f"{call.action} is not available in this sandbox: it would act on other services' resources without deciding"
        " whether the caller may.",
        fix="make the resources by their own services' calls, or report what needs it",
    )


def _structures(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


_RULES: dict[str, Callable[[Call], list[Call]]] = {
    "dynamodb:BatchGetItem": _each_table,
    "dynamodb:BatchWriteItem": _each_table,
    "dynamodb:TransactGetItems": _each_transacted,
    "dynamodb:TransactWriteItems": _each_transacted,
    "dynamodb:ExecuteStatement": _statement,
    "dynamodb:BatchExecuteStatement": _each_statement,
    "dynamodb:ExecuteTransaction": _each_statement,
    "elasticfilesystem:CreateMountTarget": _mount_target,
    "events:PutEvents": _each_bus,
    "kms:Decrypt": _decrypted,
    "kms:DeleteAlias": _alias_and_keys,
    "kms:ReEncrypt": _re_encrypted,
    "kms:UpdateAlias": _alias_and_keys,
    "secretsmanager:BatchGetSecretValue": _listed_secrets,
    **{
        f"ssm:{name}": _secrets_too
        for name in ("GetParameter", "GetParameters", "GetParameterHistory", "LabelParameterVersion")
    },
    "servicediscovery:CreatePrivateDnsNamespace": _refused,
    "servicediscovery:CreatePublicDnsNamespace": _refused,
    "tag:TagResources": _refused,
    "tag:UntagResources": _refused,
}
