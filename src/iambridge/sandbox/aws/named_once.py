"""Parameters that name a resource by a text in which two readers could find two names: only AWS's own forms pass. Pure.

moto takes what comes after the last slash or the first `:key/`; what is decided on was found otherwise.
Sources: the services' API references, for the forms of TableName, StreamARN, KeyId, FunctionName, logGroupIdentifier.
"""

import re
from typing import NamedTuple

from iambridge.errors import ValidationError

_OWN = "arn:[a-z-]+:{}:[^:/]*:[^:/]*:"


class _Form(NamedTuple):
    names: frozenset[str]
    pattern: re.Pattern[str]


def _form(names: str, pattern: str) -> _Form:
    return _Form(frozenset(names.split()), re.compile(pattern))


# parameters in lower case
_FORMS = {
    "dynamodb": _form("tablename tablearn resourcearn", rf"(?:{_OWN.format('dynamodb')}table/)?[^:/]+"),
    "kinesis": _form("streamname streamarn resourcearn", rf"(?:{_OWN.format('kinesis')}stream/)?[^:/]+"),
    "kms": _form("keyid targetkeyid", rf"(?:{_OWN.format('kms')}(?:key/|(?=alias/)))?(?:alias/[^:]+|[^:/]+)"),
    "lambda": _form(
        "functionname", rf"(?:{_OWN.format('lambda')}function:|(?:\d{{12}}:)?function:)?[\w-]+(?::(?:\$LATEST|[\w-]+))?"
    ),
    "logs": _form(
        "loggroupname loggroupnames loggroupidentifier loggroupidentifiers",
        rf"(?:{_OWN.format('logs')}log-group:)?[^:]+(?::\*)?",
    ),
    "sqs": _form("queueurl", r"(?:https?://[^/?#]+/(?:[^/?#]+/)*)?[\w.-]+"),
}


def check(prefix: str, values: dict[str, list[str]]) -> None:
    """Raises:
    ValidationError: a name in none of its forms.
    """
    form = _FORMS.get(prefix)
    if form is None:
        return
    for name in form.names & values.keys():
        for value in values[name]:
            if form.pattern.fullmatch(value) is None:
                raise ValidationError(f"Value at '{name}' failed to satisfy constraint: {value[:128]} names nothing")
