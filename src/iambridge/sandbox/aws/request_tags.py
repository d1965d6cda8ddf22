"""The tags that a request gives or takes away, as condition keys. Pure.

Source: IAM User Guide, "AWS global condition context keys": aws:RequestTag, aws:TagKeys.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from iambridge.sandbox.aws.operations import Call

_TAG = re.compile(r"Tags?(?:\.(?:member|Tag))?\.(\d+)\.(Key|Value)")
_SPECIFICATION = re.compile(r"TagSpecification\.(\d+)\.(?:ResourceType|Tags?\.(\d+)\.(Key|Value))")
_TAG_KEYS = re.compile(r"TagKeys?(?:\.member)?\.\d+|[Tt]agKeys(?:\.\d+)?")
_LISTS = ("Tags", "tags", "TagList", "tagList", "BackupPlanTags", "BackupVaultTags", "IdentityPoolTags", "UserPoolTags")


def request_tags(call: Call) -> dict[str, str]:
    """Tags that apply to the call's resource itself."""
    tags = _paired({(found[1], found[2]): value for key, value in call.flat.items() if (found := _TAG.fullmatch(key))})
    for name in _LISTS:
        tags |= _listed(call.document.get(name))
    if header := call.headers.get("x-amz-tagging"):
        tags |= dict(parse_qsl(header, keep_blank_values=True))
    return tags


def specified_tags(call: Call) -> dict[str, dict[str, str]]:
    """EC2's TagSpecifications: tags by the resource type that they are for."""
    kinds: dict[str, str] = {}
    parts: dict[str, dict[tuple[str, str], str]] = {}
    for key, value in call.flat.items():
        if (found := _SPECIFICATION.fullmatch(key)) is None:
            continue
        if found[2] is None:
            kinds[found[1]] = value
        else:
            parts.setdefault(found[1], {})[found[2], found[3]] = value
    return {kinds[number]: _paired(pairs) for number, pairs in parts.items() if number in kinds}


def tag_context(tags: Mapping[str, str], call: Call) -> dict[str, str | tuple[str, ...]]:
    """aws:RequestTag and aws:TagKeys; the latter also for calls that remove tags by key."""
    keys: dict[str, str | tuple[str, ...]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    names = list(tags)
    names += [value for key, value in call.flat.items() if _TAG_KEYS.fullmatch(key)]
    for name in ("TagKeys", "tagKeys"):
        found = call.document.get(name)
        names += [str(key) for key in found] if isinstance(found, list) else []
    if names:
        keys["aws:TagKeys"] = tuple(dict.fromkeys(names))
    return keys


def _paired(parts: Mapping[tuple[str, str], str]) -> dict[str, str]:
    return {value: parts.get((number, "Value"), "") for (number, part), value in parts.items() if part == "Key"}


def _listed(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {str(key): str(item) for key, item in value.items()}
    if not isinstance(value, list):
        return {}
    tags: dict[str, str] = {}
    for item in value:
        if isinstance(item, dict):
            key = item.get("Key") or item.get("key") or item.get("TagKey")
            if isinstance(key, str):
                tags[key] = str(item.get("Value") or item.get("value") or item.get("TagValue") or "")
    return tags
