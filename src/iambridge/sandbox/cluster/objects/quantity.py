"""Resource quantities in canonical form. Source: apimachinery pkg/api/resource/quantity.go."""

import re
from decimal import ROUND_UP, Decimal, localcontext

_GRAMMAR = re.compile(
    r"^([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?[0-9]+)?$"
)
WORDS = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def amount(text: str) -> Decimal:
    """The quantity's value.

    Raises:
        ValueError: not a quantity; the words are Kubernetes'.
    """
    match = _GRAMMAR.match(text)
    if match is None:
        raise ValueError(WORDS)
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * Decimal(1024 ** _BINARY[suffix])
    power = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    if abs(power) > 64:
        raise ValueError("unable to parse quantity's suffix")
    return number.scaleb(power)


def canonical(text: str) -> str:
    """`text` as Kubernetes writes it back: no fraction, the largest suffix that keeps it whole, never below nano."""
    with localcontext() as context:
        context.prec = 60
        value = amount(text).quantize(Decimal(10) ** -9, rounding=ROUND_UP)
        match = _GRAMMAR.match(text)
        assert match is not None
        suffix = match[2] or ""
        if suffix in _BINARY and value == value.to_integral_value() and abs(value) >= 1024:
            return _binary(int(value))
        if value == 0:
            return "0"
        exponent_form = suffix[:1] in {"e", "E"} and len(suffix) > 1
        return _decimal(value, exponent_form=exponent_form)


def _binary(value: int) -> str:
    power = 0
    while value % 1024 == 0 and power < 6:
        value //= 1024
        power += 1
    return f"{value}{['', *_BINARY][power]}"


def _decimal(value: Decimal, *, exponent_form: bool) -> str:
    for suffix, power in sorted(_DECIMAL.items(), key=lambda item: -item[1]):
        scaled = value.scaleb(-power)
        if scaled == scaled.to_integral_value():
            if exponent_form:
                return f"{int(scaled)}e{power}" if power else str(int(scaled))
            return f"{int(scaled)}{suffix}"
    return f"{int(value.scaleb(9))}n"
