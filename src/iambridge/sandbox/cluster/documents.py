"""JSON and YAML text as objects, with every duplicate field named."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster import go_words
from iambridge.sandbox.cluster.objects import go_json

_TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
_ANY_MAP = "map[string]interface {}"
_NO_KIND = "couldn't get version/kind; json parse error: json: "
_OPERATION = {"op", "path", "from", "value"}
_MAX_DEPTH = 200
_MOST_CONTAINERS = 200_000

Read = tuple[Any, tuple[str, ...]]


def json_value(body: bytes) -> Read:
    """Any JSON value, and a fault for each duplicate key.

    Raises:
        BadRequest: not JSON, or nested too deep.
    """
    repeated: list[tuple[dict[str, Any], str]] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            seen: set[str] = set()
            for key, _ in items:
                if key in seen:
                    repeated.append((found, key))
                seen.add(key)
        return found

    try:
        value = json.loads(body.decode(), object_pairs_hook=pairs, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"couldn't get version/kind; json parse error: {go_json.of_json_error(error)}") from None
    _check_depth(value)
    return value, tuple(_faults(value, repeated)) if repeated else ()


def json_object(body: bytes) -> Read:
    """A JSON object; `null` is an empty one."""
    value, faults = json_value(body)
    return typed_object({} if value is None else value), faults


def json_patch(body: bytes, kind: str) -> Read:
    """The patch of a `json`, `merge` or `strategic` PATCH: a list of operations, or an object.

    Raises:
        BadRequest: not JSON, or not of that form.
    """
    try:
        value, faults = json_value(body)
    except BadRequest as error:
        raise BadRequest("invalid JSON patch", cause=error.message) from None
    if kind == "json":
        operations = _operations(value)
        unknown = (
            f'unknown field "[{index}].{name}"'
            for index, operation in enumerate(operations)
            for name in operation
            if name not in _OPERATION
        )
        return operations, tuple(f"json patch {fault}" for fault in (*faults, *unknown))
    if value is None and kind == "merge":
        raise BadRequest("Invalid JSON Patch")
    if not isinstance(value, dict | None):
        start = "error decoding patch: " if kind == "merge" else ""
        raise BadRequest(f"{start}json: cannot unmarshal {go_words.json_kind(value)} into Go value of type {_ANY_MAP}")
    return value or {}, faults


def _operations(value: Any) -> list[Any]:
    if not isinstance(value, list | None):
        raise _no_operations(value, "value of type []handlers.jsonPatchOp")
    for operation in value or ():
        if not isinstance(operation, dict):
            raise _no_operations(operation, "value of type handlers.jsonPatchOp")
        for name in ("op", "path", "from"):
            if not isinstance(operation.get(name), str | None):
                raise _no_operations(operation[name], f"struct field jsonPatchOp.{name} of type string")
    return value or []


def _no_operations(value: Any, into: str) -> BadRequest:
    return BadRequest(f"error decoding patch: json: cannot unmarshal {go_words.json_kind(value)} into Go {into}")


def apply_patch(body: bytes) -> Read:
    """The object of a server-side apply, in YAML or JSON.

    Raises:
        BadRequest: neither, or no object.
    """
    try:
        value, faults = _yaml_value(body)
    except BadRequest as error:
        looks_json = body.lstrip()[:1] == b"{"
        start = "error decoding patch: error converting YAML to JSON" if looks_json else "error encoding patch"
        raise BadRequest(f"{start}: {error.message}") from None
    if not isinstance(value, dict | None):
        raise BadRequest(
            "error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal"
            f" {go_words.json_kind(value)} into Go value of type {_ANY_MAP}"
        )
    return value or {}, faults


def yaml_object(body: bytes) -> Read:
    """A YAML (or JSON) object.

    Raises:
        BadRequest: not YAML, several documents, too large once aliases are followed, or not an object.
    """
    value, faults = _yaml_value(body)
    return typed_object({} if value is None else value), faults


def _yaml_value(body: bytes) -> Read:
    if body.lstrip()[:1] == b"{":
        with contextlib.suppress(BadRequest):
            return json_value(body)
    try:
        loader = _Loader(body)
        try:
            value = loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadRequest(go_words.of_yaml_error(error)) from None
    _check_depth(value)
    faults = "\n  ".join(("yaml: unmarshal errors:", *loader.faults)) if loader.faults else ""
    return value, (faults,) if faults else ()


def typed_object(value: Any) -> dict[str, Any]:
    """`value`, when it is an object whose apiVersion and kind are texts."""
    found = go_words.json_kind(value)
    if not isinstance(value, dict):
        raise BadRequest(f"{_NO_KIND}cannot unmarshal {found} into Go value of type {_TYPE_META}")
    check_type_meta(value)
    if (value.get("apiVersion") or "").count("/") > 1:
        raise BadRequest(f"unexpected GroupVersion string: {value['apiVersion']}")
    return value


def check_type_meta(body: Mapping[str, Any]) -> None:
    """Raises BadRequest where apiVersion or kind is no text."""
    for name in ("apiVersion", "kind"):
        if not isinstance(body.get(name), str | None):
            found = go_words.json_kind(body[name])
            why = f"json: cannot unmarshal {found} into Go struct field .{name} of type string"
            raise BadRequest(f"couldn't get version/kind; json parse error: {why}")


def _no_constant(name: str) -> Any:
    raise ValueError(f"invalid character {name!r}")


def _check_depth(value: Any) -> None:
    """Bounds depth and size as walked, so that YAML aliases cannot grow a small body into a huge object."""
    level, seen = [value], 0
    for _ in range(_MAX_DEPTH):
        level = [inner for each in level for inner in _inner(each)]
        seen += len(level)
        if not level:
            return
        if seen > _MOST_CONTAINERS:
            break
    raise BadRequest("the body is nested too deep, or has too many objects")


def _inner(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [each for each in value.values() if isinstance(each, dict | list)]
    if isinstance(value, list):
        return [each for each in value if isinstance(each, dict | list)]
    return []


def _faults(value: Any, repeated: list[tuple[dict[str, Any], str]]) -> Iterator[str]:
    names = {id(found): key for found, key in repeated}
    for path, found in _walk(value, ""):
        key = names.get(id(found))
        if key is not None:
            yield f'duplicate field "{path}.{key}"' if path else f'duplicate field "{key}"'


def _walk(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from _walk(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{path}[{index}]")


class _Loader(yaml.CSafeLoader):
    """YAML 1.1 as sigs.k8s.io/yaml reads it: no timestamps, string keys, duplicate keys named."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.faults: list[str] = []

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: a key must be a scalar")
            if key.value in seen:
                self.faults.append(f'line {key.start_mark.line + 1}: key "{key.value}" already set in map')
            seen.add(key.value)
        return {_text(key): value for key, value in super().construct_mapping(node, deep=deep).items()}


def _text(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def to_yaml(value: Mapping[str, Any]) -> bytes:
    plain = msgspec.json.decode(msgspec.json.encode(value))
    text: bytes = yaml.dump(plain, Dumper=yaml.CSafeDumper, sort_keys=True, encoding="utf-8", allow_unicode=True)
    return text
