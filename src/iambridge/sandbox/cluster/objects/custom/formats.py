"""The string formats that Kubernetes knows. Source: apiextensions-apiserver pkg/apiserver/validation/formats.go."""

import datetime as dt
import ipaddress
import re
from collections.abc import Callable, Mapping
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

_UUID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?%s-?%s-?[0-9a-f]{12}"
_CREDIT_CARD = (
    r"4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11}"
)
_LABEL = r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"


def _matches(pattern: str) -> Callable[[str], bool]:
    found = re.compile(pattern, re.ASCII | re.IGNORECASE)
    return lambda text: found.fullmatch(text) is not None


def _parses(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _cidr(text: str) -> None:
    if "/" not in text:
        raise ValueError(text)
    ipaddress.ip_interface(text)


def _date(text: str) -> None:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError(text)
    dt.date.fromisoformat(text)


def _date_time(text: str) -> None:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[tT ]\d\d:\d\d:\d\d(\.\d+)?([zZ]|[+-]\d\d:?\d\d)?", text, re.ASCII):
        raise ValueError(text)
    dt.datetime.fromisoformat(text.upper())


def _isbn10(text: str) -> bool:
    digits = re.sub(r"[- ]", "", text)
    if not re.fullmatch(r"\d{9}[\dXx]", digits):
        return False
    return sum((index + 1) * (10 if char in "Xx" else int(char)) for index, char in enumerate(digits)) % 11 == 0


def _isbn13(text: str) -> bool:
    digits = re.sub(r"[- ]", "", text)
    return bool(re.fullmatch(r"\d{13}", digits)) and sum(int(d) * (1, 3)[i % 2] for i, d in enumerate(digits)) % 10 == 0


def _uri(text: str) -> bool:
    try:
        found = urlsplit(text)
    except ValueError:
        return False
    return bool(found.scheme) or text.startswith("/")


def _email(text: str) -> bool:
    address = parseaddr(text)[1]
    return bool(re.fullmatch(r"[^@\s]+@[^@\s]+", address))


_CHECKS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _matches(r"[0-9a-f]{24}"),
    "uri": _uri,
    "email": _email,
    "hostname": lambda text: len(text) <= 255 and _matches(rf"{_LABEL}(\.{_LABEL})*\.?")(text),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "cidr": _parses(_cidr),
    "mac": _matches(r"[0-9a-f]{2}([:-])([0-9a-f]{2}\1){4}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4}"),
    "uuid": _matches(_UUID % ("[0-9a-f]{4}", "[0-9a-f]{4}")),
    "uuid3": _matches(_UUID % ("3[0-9a-f]{3}", "[0-9a-f]{4}")),
    "uuid4": _matches(_UUID % ("4[0-9a-f]{3}", "[89ab][0-9a-f]{3}")),
    "uuid5": _matches(_UUID % ("5[0-9a-f]{3}", "[89ab][0-9a-f]{3}")),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": lambda text: _matches(_CREDIT_CARD)(re.sub(r"\D", "", text)),
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _matches("#?([0-9a-f]{3}|[0-9a-f]{6})"),
    "rgbcolor": _matches(rf"rgb\({_BYTE},{_BYTE},{_BYTE}\)"),
    "byte": _matches(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)"),
    "password": lambda _: True,
    "date": _parses(_date),
    "duration": _matches(r"[-+]?((\d+(\.\d*)?|\.\d+)\s*(ns|us|µs|ms|s|m|h|d|w|\w+))+|0"),
    "datetime": _parses(_date_time),
}
_NUMERIC = {"integer": {"int32", "int64"}, "number": {"float", "double"}}


def known(schema: Mapping[str, Any]) -> str:
    """The schema's format, as spelled; empty when it has none that Kubernetes judges."""
    found, kind = schema.get("format") or "", schema.get("type") or ""
    if kind in _NUMERIC:
        return found if found in _NUMERIC[kind] else ""
    return found if kind in {"", "string"} and _plain(found) in _CHECKS else ""


def _plain(name: str) -> str:
    return name.replace("-", "")


def valid(format_: str, text: str) -> bool:
    """Whether `text` has a format; anything has one that only numbers have."""
    check = _CHECKS.get(_plain(format_))
    return check is None or check(text)
