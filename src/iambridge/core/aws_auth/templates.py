"""The placeholders of usernames and groups.

Source: aws-iam-authenticator pkg/server/server.go `renderTemplate`: plain replacement, no spaces inside the braces.
"""

import re

EC2_PRIVATE_DNS_NAME = "{{EC2PrivateDNSName}}"
SESSION_NAMES = frozenset({"{{SessionName}}", "{{SessionNameRaw}}"})
PLACEHOLDERS = frozenset({EC2_PRIVATE_DNS_NAME, "{{AccountID}}", "{{AccessKeyID}}"}) | SESSION_NAMES

_PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_INSTANCE_ID = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")


def placeholders(template: str) -> frozenset[str]:
    """Every `{{...}}` of the template, known or not."""
    return frozenset(_PLACEHOLDER.findall(template)) if "{{" in template else frozenset()


def unknown(template: str) -> tuple[str, ...]:
    return tuple(sorted(placeholders(template) - PLACEHOLDERS))


def instance_id(session_name: str) -> str:
    """The session name if it is an instance id, as EC2 names the sessions of instance profiles; else empty."""
    return session_name if _INSTANCE_ID.fullmatch(session_name) else ""


def render(template: str, values: dict[str, str]) -> str:
    """One pass: a value that looks like a placeholder is not replaced again."""
    if "{{" not in template:
        return template
    return _PLACEHOLDER.sub(lambda found: values.get(found.group(), found.group()), template)
