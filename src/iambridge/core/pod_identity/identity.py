"""What a ServiceAccount's annotations, the ConfigMap and the container credentials file ask for.

Parsed when they change and not when a pod arrives. Source: the original's pkg/cache and pkg/containercredentials.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from iambridge.core.pod_identity.settings import MAX_EXPIRATION, MIN_EXPIRATION, Settings

_ROLE_ARN = re.compile(r"arn:aws[a-z0-9-]*:iam::\d{12}:role/[\w\-/.@+=,]+", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_TRUE, _FALSE = {"1", "t", "T", "TRUE", "true", "True"}, {"0", "f", "F", "FALSE", "false", "False"}


@dataclass(frozen=True, slots=True)
class Identity:
    """What is asked for. `role_arn` is empty when no role is.

    `invalid_role` is a role ARN that is none, shortened: it is asked for and not given. `faults` are values that were
    ignored, a sentence each. `where` names the source for people.
    """

    role_arn: str
    audience: str
    regional_sts: bool
    token_expiration: int
    where: str = ""
    invalid_role: str = ""
    faults: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        return bool(self.role_arn or self.invalid_role)


class ConfigMapFault(NamedTuple):
    """`key` is empty when the whole document is wrong."""

    key: str
    text: str


class ParsedConfigMap(NamedTuple):
    """`entries` by "namespace/name"; a key in `faults` keeps what it had before."""

    entries: dict[str, Identity]
    faults: tuple[ConfigMapFault, ...]


def expiration_of(text: str) -> int | None:
    """Seconds, raised to the API's minimum; None for what the API or Go's ParseInt would not take."""
    if not _INTEGER.fullmatch(text):
        return None
    seconds = int(text)
    return max(seconds, MIN_EXPIRATION) if seconds <= MAX_EXPIRATION else None


def _role(value: str, settings: Settings) -> tuple[str, str]:
    """The role ARN and "", or "" and the invalid value."""
    if not value:
        return "", ""
    compose = settings.compose_role_arn
    if compose is not None and "arn:" not in value:
        value = f"arn:{compose.partition}:iam::{compose.account}:role/{value}"
    return (value, "") if _ROLE_ARN.fullmatch(value) else ("", value[:100])


def nobody(settings: Settings) -> Identity:
    """What a ServiceAccount without any annotation asks for: no role, and the flags' defaults."""
    return Identity("", settings.audience, settings.regional_sts, settings.token_expiration)


def identity_of_annotations(annotations: Mapping[str, str], settings: Settings) -> Identity:
    """What the annotations of a ServiceAccount ask for."""
    faults = []
    regional = settings.regional_sts
    text = annotations.get(settings.regional_sts_key)
    if text in _TRUE or text in _FALSE:
        regional = text in _TRUE
    elif text is not None:
        faults.append(f"annotation {settings.regional_sts_key} is not a boolean and is ignored")
    expiration = settings.token_expiration
    text = annotations.get(settings.expiration_key)
    if text is not None:
        seconds = expiration_of(text)
        if seconds is None:
            faults.append(f"annotation {settings.expiration_key} is not a number of seconds and is ignored")
        else:
            expiration = seconds
    role_arn, invalid = _role(annotations.get(settings.role_arn_key, ""), settings)
    return Identity(
        role_arn=role_arn,
        audience=annotations.get(settings.audience_key) or settings.audience,
        regional_sts=regional,
        token_expiration=expiration,
        where=f"ServiceAccount annotation {settings.role_arn_key}",
        invalid_role=invalid,
        faults=tuple(faults),
    )


class _Entry(msgspec.Struct):
    """Go's encoding/json matches field names in any case; the ConfigMap's documentation spells them like this."""

    RoleARN: str | None = None
    Audience: str | None = None
    UseRegionalSTS: bool | None = None
    TokenExpiration: int | None = None


_ENTRY_FIELDS = {name.lower(): name for name in _Entry.__struct_fields__}


def parse_config_map(config: str, settings: Settings) -> ParsedConfigMap:
    """The `config` key of the ConfigMap: JSON, `{"namespace/name": {"RoleARN", "Audience", ...}}`; "*" is any."""
    try:
        document = msgspec.json.decode(config, type=dict[str, msgspec.Raw]) if config.strip() else {}
    except msgspec.DecodeError as error:
        return ParsedConfigMap({}, (ConfigMapFault("", f"data.config is not a JSON object: {error}"),))
    entries: dict[str, Identity] = {}
    faults = []
    for key, raw in document.items():
        namespace, slash, name = key.partition("/")
        if not (namespace and slash and name) or "/" in name:
            faults.append(ConfigMapFault(key, "the key is not namespace/name"))
            continue
        try:
            fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
            spelled = {_ENTRY_FIELDS.get(field.lower(), field): value for field, value in fields.items()}
            entry = msgspec.json.decode(msgspec.json.encode(spelled), type=_Entry)
        except msgspec.DecodeError as error:
            faults.append(ConfigMapFault(key, str(error)))
            continue
        if (entry.TokenExpiration or 0) > MAX_EXPIRATION:
            faults.append(ConfigMapFault(key, "TokenExpiration is more than the API takes"))
            continue
        entries[key] = _identity_of_entry(key, entry, settings)
    return ParsedConfigMap(entries, tuple(faults))


def _identity_of_entry(key: str, entry: _Entry, settings: Settings) -> Identity:
    role_arn = entry.RoleARN or ""
    valid = _ROLE_ARN.fullmatch(role_arn) is not None
    expiration = entry.TokenExpiration or settings.token_expiration
    return Identity(
        role_arn=role_arn if valid else "",
        audience=entry.Audience or settings.audience,
        regional_sts=bool(entry.UseRegionalSTS),
        token_expiration=max(expiration, MIN_EXPIRATION),
        where=f"ConfigMap pod-identity-webhook entry {key}",
        invalid_role="" if valid else role_arn[:100],
    )


class _CredentialsIdentity(msgspec.Struct, rename="camel"):
    namespace: str = ""
    service_account: str = ""


class _CredentialsFile(msgspec.Struct):
    identities: list[_CredentialsIdentity] | None = None


def parse_container_credentials(content: bytes) -> frozenset[tuple[str, str]]:
    """(namespace, ServiceAccount) pairs of the container credentials file; an empty file holds none.

    Raises:
        msgspec.DecodeError: the file is not `{"identities": [{"namespace", "serviceAccount"}]}`.
    """
    if not content.strip():
        return frozenset()
    document = msgspec.json.decode(content, type=_CredentialsFile)
    return frozenset((entry.namespace, entry.service_account) for entry in document.identities or ())
