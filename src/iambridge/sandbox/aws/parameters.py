"""Validation of an operation's input against its service model, in AWS's wording. Pure.

Constraints are the model's own: required, length, range, pattern, enum.
"""

import re
from collections.abc import Mapping
from functools import cache

from iambridge.errors import ValidationError
from iambridge.sandbox.aws.service_models import Operation, ServiceModel, Shape

_SHOWN = 256
# stands for a value that is not to be shown
_SECRET = object()
# patterns whose violation IAM words for people
_NAME_PATTERN = r"[\w+=,.@-]+"
_PATH_PATTERN = r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)"


def validate(model: ServiceModel, operation: Operation, parameters: Mapping[str, object]) -> None:
    """Check everything and report every fault.

    Raises:
        ValidationError: `N validation error(s) detected: Value ... at ... failed to satisfy constraint: ...`
    """
    if operation.input is None:
        return
    faults: list[str] = []
    _structure(model, model.shapes[operation.input.shape], parameters, "", faults)
    if not faults:
        return
    if len(faults) == 1 and faults[0].startswith("The specified value"):
        raise ValidationError(faults[0])
    plural = "error" if len(faults) == 1 else "errors"
    raise ValidationError(f"{len(faults)} validation {plural} detected: {'; '.join(faults)}")


def _structure(model: ServiceModel, shape: Shape, value: Mapping[str, object], prefix: str, faults: list[str]) -> None:
    for name, member in shape.members.items():
        at = prefix + name[:1].lower() + name[1:]
        if name in value:
            _value(model, member.shape, value[name], at, faults)
        elif name in shape.required:
            faults.append(_fault("null", at, "Member must not be null"))


def _value(model: ServiceModel, shape_name: str, value: object, at: str, faults: list[str]) -> None:
    shape = model.shapes[shape_name]
    if isinstance(value, Mapping):
        _structure(model, shape, value, at + ".", faults)
    elif isinstance(value, list):
        _bounds(shape, len(value), "length", value, at=at, faults=faults)
        assert shape.member is not None
        for index, item in enumerate(value, 1):
            _value(model, shape.member.shape, item, f"{at}.{index}.member", faults)
    elif isinstance(value, str):
        shown = _SECRET if shape.sensitive else value
        _bounds(shape, len(value), "length", shown, at=at, faults=faults)
        _text(shape, value, at, faults)
    elif not isinstance(value, bool):
        assert isinstance(value, int | float)
        _bounds(shape, value, "value", value, at=at, faults=faults)


def _bounds(shape: Shape, size: float, what: str, value: object, *, at: str, faults: list[str]) -> None:
    if shape.minimum is not None and size < shape.minimum:
        faults.append(_fault(value, at, f"Member must have {what} greater than or equal to {shape.minimum:g}"))
    if shape.maximum is not None and size > shape.maximum:
        faults.append(_fault(value, at, f"Member must have {what} less than or equal to {int(shape.maximum)}"))


def _text(shape: Shape, value: str, at: str, faults: list[str]) -> None:
    if shape.enum and value not in shape.enum:
        faults.append(_fault(value, at, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"))
    if not shape.pattern or not value or _compiled(shape.pattern).fullmatch(value):
        return
    if shape.pattern == _NAME_PATTERN:
        faults.append(
            f"The specified value for {at} is invalid. It must contain only alphanumeric characters and/or the"
            " following: +=,.@_-"
        )
    elif shape.pattern == _PATH_PATTERN and at == "path":
        faults.append(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric"
            " characters and/or / characters."
        )
    else:
        shown = _SECRET if shape.sensitive else value
        faults.append(_fault(shown, at, f"Member must satisfy regular expression pattern: {shape.pattern}"))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Java's \p{L}\p{Z}\p{N} has no spelling in `re`; \w and \s cover the same letters, digits and separators
    if r"\p" in pattern:
        return re.compile(re.sub(r"\\p\{[LN]\}", r"\\w", pattern).replace(r"\p{Z}", r"\s"))
    return re.compile(pattern, re.ASCII)


def _fault(value: object, at: str, constraint: str) -> str:
    shown = "null" if value == "null" and constraint.endswith("null") else f"'{str(value)[:_SHOWN]}'"
    if value is _SECRET:
        return f"Value at '{at}' failed to satisfy constraint: {constraint}"
    return f"Value {shown} at '{at}' failed to satisfy constraint: {constraint}"
