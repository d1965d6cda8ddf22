"""A number or a percentage of one, as maxSurge and maxUnavailable are given. Source: apimachinery pkg/util/intstr."""

import re

from iambridge.sandbox.cluster.objects import field_error
from iambridge.sandbox.cluster.objects.field_error import FieldError

_PERCENT = re.compile(r"^[0-9]+%$")
_WORDS = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for"
    " validation is '[0-9]+%')"
)


def scaled(value: int | str, total: int, *, up: bool) -> int:
    """`value`, or that percentage of `total`, rounded up or down.

    Raises:
        ValueError: neither a number nor a percentage.
    """
    if isinstance(value, int):
        return value
    if not _PERCENT.match(value):
        raise ValueError(f"invalid value for IntOrString: {value}")
    parts = int(value[:-1]) * total
    return -(-parts // 100) if up else parts // 100


def figure(value: int | str | None) -> int:
    """The number, or the percentage as a number; 0 for what is neither."""
    if isinstance(value, int):
        return value
    digits = (value or "").removesuffix("%")
    return int(digits) if re.fullmatch(r"[0-9]+", digits) else 0


def validate(value: int | str | None, field: str) -> list[FieldError]:
    """A non-negative number or a percentage."""
    if isinstance(value, str):
        return [] if _PERCENT.match(value) else [field_error.bad_value(field, value, _WORDS)]
    return field_error.non_negative(value, field)


def at_most_all(value: int | str | None, field: str) -> list[FieldError]:
    """A percentage of no more than 100."""
    if isinstance(value, str) and _PERCENT.match(value) and int(value[:-1]) > 100:
        return [field_error.bad_value(field, value, "must not be greater than 100%")]
    return []
