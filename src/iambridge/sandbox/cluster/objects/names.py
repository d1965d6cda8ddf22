"""Names, labels and keys, and Kubernetes' words for wrong ones. Source: apimachinery pkg/util/validation."""

import re

_DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_SUBDOMAIN = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = rf"({_QUALIFIED})?"
_DNS_1035_LABEL = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_HTTP_HEADER = r"[-A-Za-z0-9]+"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"

_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_DNS_SUBDOMAIN}')"
)
_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_DNS_LABEL}')"
)
_1035_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    f"'{_DNS_1035_LABEL}')"
)
_QUALIFIED_WORDS = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_LABEL_VALUE}')"
)
_KEY_WORDS = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    f"'key-name', regex used for validation is '{_CONFIG_KEY}')"
)

_PORT_WORDS = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
_HTTP_HEADER_WORDS = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
    f"validation is '{_HTTP_HEADER}')"
)


def _too_long(limit: int, unit: str = "bytes") -> str:
    return f"must be no more than {limit} {unit}"


def dns_subdomain(name: str, unit: str = "characters") -> list[str]:
    """`unit` is what the words count, which differs between a name and a label key's prefix."""
    faults = [_too_long(253, unit)] if len(name) > 253 else []
    return faults + ([] if re.fullmatch(_DNS_SUBDOMAIN, name) else [_SUBDOMAIN_WORDS])


def dns_label(name: str) -> list[str]:
    faults = [_too_long(63, "characters")] if len(name) > 63 else []
    if re.fullmatch(_DNS_LABEL, name):
        return faults
    return [*faults, "must not contain dots" if re.fullmatch(_DNS_SUBDOMAIN, name) else _LABEL_WORDS]


def dns_1035_label(name: str) -> list[str]:
    """A Service's name, which becomes a host name."""
    faults = [_too_long(63, "characters")] if len(name) > 63 else []
    return faults + ([] if re.fullmatch(_DNS_1035_LABEL, name) else [_1035_WORDS])


def path_segment(name: str) -> list[str]:
    """RBAC names: anything that is one segment of a path."""
    if name in {".", ".."}:
        return [f"may not be '{name}'"]
    return [f"may not contain '{one}'" for one in "/%" if one in name]


def qualified(name: str) -> list[str]:
    """Label and annotation keys: an optional DNS prefix and a name."""
    prefix, slash, part = name.rpartition("/")
    faults = []
    if slash and not prefix:
        faults.append("prefix part must be non-empty")
    elif slash and prefix:
        if "/" in prefix:
            optional = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            return [f"a qualified name {_QUALIFIED_WORDS} {optional}"]
        faults += [f"prefix part {fault}" for fault in dns_subdomain(prefix, "bytes")]
    if not part:
        faults.append("name part must be non-empty")
    elif len(part) > 63:
        faults.append(f"name part {_too_long(63)}")
    if not re.fullmatch(_QUALIFIED, part):
        faults.append(f"name part {_QUALIFIED_WORDS}")
    return faults


def label_value(value: str) -> list[str]:
    faults = [_too_long(63)] if len(value) > 63 else []
    return faults + ([] if re.fullmatch(_LABEL_VALUE, value) else [_VALUE_WORDS])


def config_key(key: str) -> list[str]:
    if len(key) > 253:
        return [_too_long(253)]
    if key in {".", ".."} or key.startswith(".."):
        return [f"must not be '{key}'" if key in {".", ".."} else "must not start with '..'"]
    return [] if re.fullmatch(_CONFIG_KEY, key) else [_KEY_WORDS]


def port_name(name: str) -> list[str]:
    """A container port's name."""
    faults = ["must be no more than 15 characters"] if len(name) > 15 else []
    faults += [] if re.fullmatch(r"[-a-z0-9]+", name) else [_PORT_WORDS]
    faults += [] if re.search(r"[a-z]", name) else ["must contain at least one letter (a-z)"]
    faults += ["must not contain consecutive hyphens"] if "--" in name else []
    return faults + (["must not begin or end with a hyphen"] if name.startswith("-") or name.endswith("-") else [])


def environment_name(name: str) -> list[str]:
    if not name or any(one == "=" or not 0x20 <= ord(one) <= 0x7E for one in name):
        return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
    return []


def http_header(name: str) -> list[str]:
    return [] if re.fullmatch(_HTTP_HEADER, name) else [_HTTP_HEADER_WORDS]
