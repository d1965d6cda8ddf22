"""Condition operators: how one value of the request is compared with the values of a policy.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators".
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple, TypeVar

from iambridge.core.iam_policy.matching import (
    ArnTemplate,
    LateArn,
    Match,
    Template,
    arn_source,
    compile_sources,
    glob_source,
    split_arn,
)
from iambridge.core.iam_policy.variables import Lookup, Token, VariableError, has_variables, resolve, tokens

Compare = Callable[[str, Lookup], bool | None]
"""Whether a value of the request is among the policy's values; None: cannot be compared, so no operator holds.

A variable without value is null, which is equal to nothing: a positive operator fails and a negated one holds.
Source: IAM User Guide, "Policy variables with no value".
"""

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,64}(?:\.[0-9]{0,64})?|\.[0-9]{1,64})\Z")
_EPOCH: Final = re.compile(r"(?![0-9]{4}\Z)-?[0-9]{1,12}(?:\.[0-9]{1,9})?\Z")
_DATE: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?)?)?\Z"
)
_CIDR: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3})?\Z")
_UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Operator(NamedTuple):
    """`family` decides how values are compared, `negated` whether none or one of them must match."""

    name: str
    family: str
    negated: bool = False
    relation: str = ""

    @property
    def takes_variables(self) -> bool:
        """Policy variables mean something to the string, ARN and Bool operators only."""
        return self.family in ("string", "string-ignore-case", "string-like", "arn", "bool")


OPERATORS: Final = {
    operator.name: operator
    for operator in (
        Operator("StringEquals", "string"),
        Operator("StringNotEquals", "string", negated=True),
        Operator("StringEqualsIgnoreCase", "string-ignore-case"),
        Operator("StringNotEqualsIgnoreCase", "string-ignore-case", negated=True),
        Operator("StringLike", "string-like"),
        Operator("StringNotLike", "string-like", negated=True),
        Operator("NumericEquals", "number", relation="=="),
        Operator("NumericNotEquals", "number", negated=True, relation="=="),
        Operator("NumericLessThan", "number", relation="<"),
        Operator("NumericLessThanEquals", "number", relation="<="),
        Operator("NumericGreaterThan", "number", relation=">"),
        Operator("NumericGreaterThanEquals", "number", relation=">="),
        Operator("DateEquals", "date", relation="=="),
        Operator("DateNotEquals", "date", negated=True, relation="=="),
        Operator("DateLessThan", "date", relation="<"),
        Operator("DateLessThanEquals", "date", relation="<="),
        Operator("DateGreaterThan", "date", relation=">"),
        Operator("DateGreaterThanEquals", "date", relation=">="),
        Operator("Bool", "bool"),
        Operator("BinaryEquals", "binary"),
        Operator("IpAddress", "ip"),
        Operator("NotIpAddress", "ip", negated=True),
        Operator("ArnEquals", "arn"),
        Operator("ArnNotEquals", "arn", negated=True),
        Operator("ArnLike", "arn"),
        Operator("ArnNotLike", "arn", negated=True),
    )
}


class UncomparableValueError(ValueError):
    """A policy's value that the operator cannot compare; the text says what it should be."""


def comparison(operator: Operator, values: Sequence[str], *, variables: bool) -> Compare:
    """Compile the policy's values. Raises UncomparableValueError for a value that could never be compared."""
    try:
        match operator.family:
            case "string" | "string-ignore-case":
                return _equal(values, variables=variables, fold=operator.family == "string-ignore-case")
            case "string-like":
                return _like(values, variables=variables)
            case "arn":
                return _arn(values, variables=variables)
            case "ip":
                return _ip(values)
            case "number":
                return _ordered(values, number, operator.relation, "a number")
            case "date":
                return _ordered(values, date, operator.relation, "an ISO 8601 date or epoch seconds")
            case "bool":
                return _bool(values, variables=variables)
            case _:
                return _members(values, binary, "base64")
    except VariableError as fault:
        raise UncomparableValueError(str(fault)) from None


def _equal(values: Sequence[str], *, variables: bool, fold: bool) -> Compare:
    cuts = [tokens(value, variables=variables, wildcards=False) for value in values]
    literals = frozenset(_text(cut, fold=fold) for cut in cuts if not has_variables(cut))
    templates = tuple(cut for cut in cuts if has_variables(cut))
    if not templates:
        return (lambda value, _: value.lower() in literals) if fold else (lambda value, _: value in literals)

    def compare(value: str, lookup: Lookup) -> bool:
        wanted = value.lower() if fold else value
        if wanted in literals:
            return True
        resolved = (resolve(template, lookup) for template in templates)
        return any(cut is not None and _text(cut, fold=fold) == wanted for cut in resolved)

    return compare


def _bool(values: Sequence[str], *, variables: bool) -> Compare:
    variable = [value for value in values if has_variables(tokens(value, variables=variables, wildcards=False))]
    plain = _members([value for value in values if value not in variable], boolean, "true or false")
    if not variable:
        return plain
    equal = _equal(variable, variables=True, fold=True)

    def compare(value: str, lookup: Lookup) -> bool | None:
        found = plain(value, lookup)
        return equal(value, lookup) if found is False else found

    return compare


def _text(cut: Sequence[Token], *, fold: bool) -> str:
    text = "".join(str(token) for token in cut)
    return text.lower() if fold else text


def _like(values: Sequence[str], *, variables: bool) -> Compare:
    cuts = [tokens(value, variables=variables) for value in values]
    plain = _either([glob_source(cut) for cut in cuts if not has_variables(cut)])
    return _with_templates(plain, [Template(cut) for cut in cuts if has_variables(cut)])


def _arn(values: Sequence[str], *, variables: bool) -> Compare:
    """ArnEquals and ArnLike are one operator.

    A value with fewer than six segments, `*` too, has nothing to compare segment by segment: it makes neither the
    operator nor its negation hold, unless another value matches.
    """
    plain: list[str] = []
    templates: list[ArnTemplate | LateArn] = []
    short = False
    for value in values:
        cut = tokens(value, variables=variables)
        segments = split_arn(cut)
        if has_variables(cut):
            tail_only = segments is not None and not has_variables(
                tuple(token for one in segments[:-1] for token in one)
            )
            templates.append(ArnTemplate(segments) if segments is not None and tail_only else LateArn(cut))
        elif segments is None:
            short = True
        else:
            plain.append(arn_source(segments))
    compare = _with_templates(_either(plain), templates)
    return (lambda value, lookup: compare(value, lookup) or None) if short else compare


def _either(sources: Sequence[str]) -> Match:
    return compile_sources(sources) if sources else (lambda _: False)


def _with_templates(plain: Match, templates: Sequence[Template | ArnTemplate | LateArn]) -> Compare:
    if not templates:
        return lambda value, _: plain(value)
    return lambda value, lookup: plain(value) or any(template.matches(value, lookup) for template in templates)


def _ordered(values: Sequence[str], read: Callable[[str], Decimal | None], relation: str, wanted: str) -> Compare:
    limits = [_readable(value, read, wanted) for value in values]
    # several values are alternatives, so only the easiest one matters
    low, high = min(limits, default=Decimal(0)), max(limits, default=Decimal(0))

    def compare(value: str, _: Lookup) -> bool | None:
        actual = read(value)
        if actual is None or not limits:
            return None if actual is None else False
        match relation:
            case "<":
                return actual < high
            case "<=":
                return actual <= high
            case ">":
                return actual > low
            case ">=":
                return actual >= low
            case _:
                return actual in limits

    return compare


def _members(values: Sequence[str], read: Callable[[str], object], wanted: str) -> Compare:
    members = frozenset(_readable(value, read, wanted) for value in values)

    def compare(value: str, _: Lookup) -> bool | None:
        actual = read(value)
        return None if actual is None else actual in members

    return compare


def _ip(values: Sequence[str]) -> Compare:
    networks = tuple(_readable(value, network, "an IP address or CIDR block") for value in values)

    def compare(value: str, _: Lookup) -> bool | None:
        actual = network(value)
        if actual is None:
            return None
        version, address, mask = actual
        return any(
            version == family and mask & wanted_mask == wanted_mask and address & wanted_mask == wanted
            for family, wanted, wanted_mask in networks
        )

    return compare


_T = TypeVar("_T")


def _readable(value: str, read: Callable[[str], _T | None], wanted: str) -> _T:
    known = read(value)
    if known is None:
        raise UncomparableValueError(f"`{value}` is not {wanted}")
    return known


def number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.match(text) else None


def date(text: str) -> Decimal | None:
    """Seconds since 1970. Four digits are a year, fewer or more are epoch seconds; a time without a zone is UTC."""
    if _EPOCH.match(text):
        return Decimal(text)
    found = _DATE.match(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    zone = "+00:00" if zone in (None, "Z") else zone
    base = f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}{zone}"
    try:
        whole = (datetime.fromisoformat(base) - _UNIX) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
    return Decimal(f"{whole}") + Decimal(f"0.{fraction or 0}")


def boolean(text: str) -> str | None:
    lowered = text.lower()
    return lowered if lowered in ("true", "false") else None


def binary(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def network(text: str) -> tuple[int, int, int] | None:
    """(4 or 6, network address, mask) of an address or a CIDR block; host bits are ignored."""
    if not _CIDR.match(text):
        return None
    try:
        if "/" not in text:
            address = ipaddress.ip_address(text)
            return address.version, int(address), (1 << address.max_prefixlen) - 1
        block = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return block.version, int(block.network_address), int(block.netmask)


CONTEXT_KEY_TYPES: Final[Mapping[str, Callable[[str], object]]] = {
    "string": str, "numeric": number, "boolean": boolean, "ip": network, "binary": binary, "date": date,
}  # fmt: skip
"""The types of a simulated context key, without `List`; each gives None for what is no value of it.

Source: IAM API Reference, ContextEntry.
"""
