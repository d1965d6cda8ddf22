"""Whether a value fits a schema, in the words of Kubernetes' own validator.

Source: k8s.io/kube-openapi pkg/validation/validate (the order of the checks, their texts) and apiextensions-apiserver
pkg/apiserver/validation (how they become field errors, and what an update need not mend: "ratcheting").
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from iambridge.sandbox.cluster.objects.custom import formats
from iambridge.sandbox.cluster.objects.custom.patterns import compiled
from iambridge.sandbox.cluster.objects.field_error import FieldError, bad_value, required

Schema = Mapping[str, Any]

ABSENT: Any = object()
_INT_OR_STRING = ("integer", "string")


def validate(value: Any, schema: Schema, *, old: Any = ABSENT, prefix: str = "") -> list[FieldError]:
    """The faults of `value`; `prefix` is the field that it stands at.

    `old` is what stood there before: a part that an update leaves as it was is not judged again.
    """
    return [_placed(error, prefix) for error in _validate(value, schema, "", old).errors]


def _placed(error: FieldError, prefix: str) -> FieldError:
    field = error.field.removeprefix(".")
    if error.field == _NOWHERE:
        field = prefix or _NOWHERE
    elif prefix or not field:
        field = ".".join(filter(None, (prefix, field))) or _NOWHERE
    return FieldError(error.reason, error.message, field)


# Kubernetes prints an unset path so; faults of allOf, anyOf, oneOf and not have none
_NOWHERE = "<nil>"


class _Result:
    """`matches` counts checks as the original does: of several alternatives, the errors of the highest are shown."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []
        self.matches = 0

    def merge(self, other: "_Result") -> None:
        self.errors += other.errors
        self.matches += other.matches

    def check(self, error: FieldError | None, *, passed: int = 0) -> None:
        if error is None:
            self.matches += passed
        else:
            self.errors.append(error)


def _types(schema: Schema) -> tuple[str, ...]:
    if schema.get("x-kubernetes-int-or-string"):
        return _INT_OR_STRING
    return (schema["type"],) if schema.get("type") else ()


def _validate(value: Any, schema: Schema, path: str, old: Any) -> _Result:
    result = _Result()
    if old is not ABSENT and _unchanged(value, old, schema):
        result.matches += 1
        return result
    types, format_ = _types(schema), formats.known(schema)
    if types or format_:
        result.check(_type(value, types, format_, nullable=bool(schema.get("nullable")), path=path), passed=1)
    if value is None:
        result.check(_enum(value, schema, path))
        return result
    # each kind of check counts, whatever it finds
    result.matches += 3 + bool(types or format_)
    result.merge(_junctors(value, schema, path))
    if isinstance(value, str):
        result.check(_string(value, schema, path))
        result.matches += 1 + bool(format_)
        if format_ and not formats.valid(format_, value):
            result.check(_wrong_type(path, format_, value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        result.matches += 2
        for error in _number(value, schema, types, format_, path):
            result.check(error)
    elif isinstance(value, list):
        result.matches += 2
        result.merge(_list(value, schema, path, old))
    result.check(_enum(value, schema, path))
    if isinstance(value, Mapping):
        result.matches += 1
        result.merge(_object(value, schema, path, old))
    return result


def equal(one: Any, other: Any) -> bool:
    """JSON's equality: true is not 1."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def _unchanged(value: Any, old: Any, schema: Schema) -> bool:
    """Whether an update left a value as it was, so far as Kubernetes can tell: fields without a schema it cannot.

    Source: apiserver pkg/cel/common/equality.go CachedDeepEqual.
    """
    if isinstance(value, Mapping) and isinstance(old, Mapping):
        return len(value) == len(old) and all(_unchanged_field(name, value, old, schema) for name in value)
    if isinstance(value, list) and isinstance(old, list) and schema.get("x-kubernetes-list-type") == "map":
        before, items = _correlated(schema, old), schema.get("items") or {}
        return len(value) == len(old) and all(
            (was := before(item)) is not ABSENT and _unchanged(item, was, items) for item in value
        )
    return equal(value, old)


def _unchanged_field(name: str, value: Mapping[str, Any], old: Mapping[str, Any], schema: Schema) -> bool:
    below = (schema.get("properties") or {}).get(name, schema.get("additionalProperties"))
    return name in old and isinstance(below, Mapping) and _unchanged(value[name], old[name], below)


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _wrong_type(path: str, wanted: str, found: str) -> FieldError:
    words = f"{path} in body must be of type {wanted}: {_quoted(found)}"
    return FieldError("FieldValueTypeInvalid", f"Invalid value: {_quoted(found)}: {words}", path)


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _type(value: Any, types: tuple[str, ...], format_: str, *, nullable: bool, path: str) -> FieldError | None:
    if value is None:
        return _wrong_type(path, ",".join(types), "null") if types and not nullable else None
    found = _json_type(value)
    numeric = {"number", "integer"} & set(types)
    fits = found in types or (found == "integer" and "number" in types)
    fits = fits or (found == "number" and "integer" in types and float(value).is_integer())
    own = {"integer": "int64", "number": "float64"}.get(found, "")
    if format_ and found not in {"string", "array"} and not fits and own != format_:
        return _wrong_type(path, format_, own)
    if format_ and found in {"string", "array"} and not numeric:
        return None
    return None if fits else _wrong_type(path, ",".join(types), found)


def _enum(value: Any, schema: Schema, path: str) -> FieldError | None:
    allowed = schema.get("enum") or ()
    if not allowed or any(one is not None and equal(one, value) for one in allowed):
        return None
    names = ", ".join(_quoted(one if isinstance(one, str) else _json(one)) for one in allowed)
    message = f"Unsupported value: {_json(value)}: supported values: {names}"
    return FieldError("FieldValueNotSupported", message, path)


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _string(value: str, schema: Schema, path: str) -> FieldError | None:
    longest, shortest, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")
    if longest is not None and len(value) > longest:
        unit = "byte" if longest == 1 else "bytes"
        return FieldError("FieldValueTooLong", f"Too long: may not be more than {longest} {unit}", path)
    if shortest is not None and len(value) < shortest:
        return bad_value(path, value, f"{path} in body should be at least {shortest} chars long")
    if pattern and compiled(pattern).search(value) is None:
        return bad_value(path, value, f"{path} in body should match '{pattern}'")
    return None


def _number(
    value: float, schema: Schema, types: tuple[str, ...], format_: str, path: str
) -> Iterable[FieldError | None]:
    yield _out_of_range(value, types, format_, path)
    factor, most, least = schema.get("multipleOf"), schema.get("maximum"), schema.get("minimum")
    if factor is not None and not _is_multiple(value, factor):
        yield bad_value(path, value, f"{path} in body should be a multiple of {_shown(factor)}")
    if most is not None and (value >= most if schema.get("exclusiveMaximum") else value > most):
        words = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield bad_value(path, value, f"{path} in body should be {words} {_shown(most)}")
    if least is not None and (value <= least if schema.get("exclusiveMinimum") else value < least):
        words = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield bad_value(path, value, f"{path} in body should be {words} {_shown(least)}")


def _out_of_range(value: float, types: tuple[str, ...], format_: str, path: str) -> FieldError | None:
    if types != ("integer",):
        return None
    bits = 31 if format_ == "int32" else 63
    if -(2**bits) <= value < 2**bits and float(value).is_integer():
        return None
    shown = f"with format {format_} in" if format_ else "(default format) in"
    return FieldError(
        "FieldValueInvalid", f'Invalid value: "": Checked value must be of type integer {shown} {path}', _NOWHERE
    )


def _is_multiple(value: float, factor: float) -> bool:
    if factor <= 0:
        return False
    return value % factor == 0 if isinstance(value, int) and isinstance(factor, int) else (value / factor).is_integer()


def _shown(number: float) -> str:
    return str(int(number)) if math.isfinite(number) and float(number).is_integer() else repr(number)


def _too_many(count: int, most: int, path: str) -> FieldError:
    words = f"Too many: {count}: must have at most {most} {'item' if most == 1 else 'items'}"
    return FieldError("FieldValueTooMany", words, path)


def _list(value: list[Any], schema: Schema, path: str, old: Any) -> _Result:
    result = _Result()
    items = schema.get("items")
    before = _correlated(schema, old)
    for index, one in enumerate(value):
        if isinstance(items, Mapping):
            result.merge(_validate(one, items, f"{path}[{index}]", before(one)))
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least is not None and len(value) < least:
        result.errors.append(bad_value(path, len(value), f"{path} in body should have at least {least} items"))
    if most is not None and len(value) > most:
        result.errors.append(_too_many(len(value), most, path))
    return result


def _correlated(schema: Schema, old: Any) -> Any:
    """A function from a list's item to what it was before: only the items of a keyed list can be told apart."""
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list):
        return lambda _: ABSENT
    keys = schema.get("x-kubernetes-list-map-keys") or ()

    def key(item: Any) -> str:
        whole = isinstance(item, Mapping) and all(isinstance(item.get(name), str | int | float) for name in keys)
        return _json([item[name] for name in keys]) if whole else ""

    known = {key(item): item for item in old if key(item)}
    return lambda item: known.get(key(item), ABSENT)


def _object(value: Mapping[str, Any], schema: Schema, path: str, old: Any) -> _Result:
    result = _Result()
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    if least is not None and len(value) < least:
        result.errors.append(bad_value(path, len(value), f"{path} in body should have at least {least} properties"))
    if most is not None and len(value) > most:
        result.errors.append(_too_many(len(value), most, path))
    before = old if isinstance(old, Mapping) else {}
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    for name, one in value.items():
        if name not in properties and isinstance(more, Mapping):
            result.merge(_validate(one, more, f"{path}.{name}", before.get(name, ABSENT)))
        elif name not in properties and more is False:
            result.errors.append(bad_value(path, name, f"{path}.{name} in body is a forbidden property"))
    for name, below in properties.items():
        if name in value:
            here = f"{path}.{name}" if path else name
            result.merge(_validate(value[name], below, here, before.get(name, ABSENT)))
    result.errors += [required(f"{path}.{name}") for name in schema.get("required") or () if name not in value]
    return result


def _junctors(value: Any, schema: Schema, path: str) -> _Result:
    """What allOf, anyOf, oneOf and not say; an update is judged by them like a new object."""
    result = _Result()
    for name in ("anyOf", "oneOf", "allOf"):
        if schema.get(name):
            tried = [_validate(value, one, path, ABSENT) for one in schema[name]]
            result.merge(_judged(name, tried, path))
    if isinstance(schema.get("not"), Mapping) and not _validate(value, schema["not"], path, ABSENT).errors:
        result.errors.append(_of_junctor(f"{_quoted(path)} must not validate the schema (not)"))
    result.matches += 1
    return result


def _of_junctor(words: str) -> FieldError:
    return FieldError("FieldValueInvalid", f'Invalid value: "": {words}', _NOWHERE)


def _judged(junctor: str, tried: list[_Result], path: str) -> _Result:
    result = _Result()
    passed = [one for one in tried if not one.errors]
    where = _quoted(path)
    if junctor == "allOf":
        for one in tried:
            result.merge(one)
        if len(passed) != len(tried):
            more = "" if passed else ". None validated"
            result.errors.append(_of_junctor(f"{where} must validate all the schemas (allOf){more}"))
        return result
    if (passed and junctor == "anyOf") or len(passed) == 1:
        result.merge(passed[0])
        return result
    if junctor == "anyOf":
        result.errors.append(_of_junctor(f"{where} must validate at least one schema (anyOf)"))
    else:
        found = f"Found {len(passed)} valid alternatives" if passed else "Found none valid"
        result.errors.append(_of_junctor(f"{where} must validate one and only one schema (oneOf). {found}"))
    if not passed:
        result.merge(max(tried, key=lambda one: one.matches))
    return result
