"""The partition key's values that a DynamoDB call names, for `dynamodb:LeadingKeys`. Pure.

Source: DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control".
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from iambridge.sandbox.aws.operations import Call

LEADING_KEYS = "dynamodb:LeadingKeys"

_EQUALS = re.compile(r"(?:^|[\s(])(#?[A-Za-z_][\w.-]*)\s*=\s*(:\w+)")


def leading_keys(call: Call, table: Mapping[str, Any]) -> tuple[str, ...]:
    """Every value, each once; empty where the call names none that can be read. `table` is DescribeTable's `Table`."""
    name = _partition_key(call, table)
    found = [_text(value) for value in _values(call.operation, call.document, name)] if name else []
    # one value that is not seen would leave a Deny unheard
    return tuple(dict.fromkeys(found)) if all(found) else ()


def _partition_key(call: Call, table: Mapping[str, Any]) -> str:
    schema = table.get("KeySchema") or []
    if index := call.document.get("IndexName"):
        indexes = [*(table.get("GlobalSecondaryIndexes") or []), *(table.get("LocalSecondaryIndexes") or [])]
        schema = next((item["KeySchema"] for item in indexes if item.get("IndexName") == index), [])
    return next((str(item["AttributeName"]) for item in schema if item.get("KeyType") == "HASH"), "")


def _values(operation: str, document: Mapping[str, Any], name: str) -> Iterator[Any]:
    requested = document.get("Requested")
    if operation == "BatchGetItem" and isinstance(requested, Mapping):
        yield from (key.get(name) for key in requested.get("Keys") or [])
    elif operation == "BatchWriteItem" and isinstance(requested, list):
        for item in requested:
            write = item.get("PutRequest", {}).get("Item") or item.get("DeleteRequest", {}).get("Key") or {}
            yield write.get(name)
    elif operation == "Query":
        yield _queried(document, name)
    elif isinstance(key := document.get("Key") or document.get("Item"), Mapping):
        yield key.get(name)


def _queried(document: Mapping[str, Any], name: str) -> Any:
    if isinstance(conditions := document.get("KeyConditions"), Mapping):
        values = conditions.get(name, {}).get("AttributeValueList") or [None]
        return values[0]
    names = document.get("ExpressionAttributeNames") or {}
    values = document.get("ExpressionAttributeValues") or {}
    found = [
        values.get(value)
        for left, value in _EQUALS.findall(str(document.get("KeyConditionExpression", "")))
        if names.get(left, left) == name
    ]
    return found[0] if len(found) == 1 else None


def _text(value: Any) -> str:
    """A key is a string, a number or bytes, each spelled as text."""
    if not isinstance(value, Mapping):
        return ""
    return next((str(value[kind]) for kind in ("S", "N", "B") if kind in value), "")
