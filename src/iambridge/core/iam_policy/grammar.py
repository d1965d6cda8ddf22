"""The grammar of policy documents, and every way a document breaks it, each with its path.

Where AWS's own one-line message for a fault is known it is kept beside ours, for the wire.
Source: IAM User Guide, "Grammar of the IAM JSON policy language"; quotas: "IAM and STS quotas", "Quotas and service
limits for AWS Organizations", and the limits of S3 bucket and VPC endpoint policies.
"""

import re
from collections.abc import Mapping
from typing import Final

from iambridge.core.iam_policy import elements
from iambridge.core.iam_policy.json_text import JsonError, JsonObject, load
from iambridge.core.iam_policy.reading import LIMITS, SYNTAX, VERSIONS, PolicyKind, Reading, is_text
from iambridge.core.iam_policy.statement import Statement

_DOCUMENT: Final = ("Version", "Id", "Statement")
_STATEMENT: Final = (
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
)  # fmt: skip
_FREE_SID: Final = frozenset({PolicyKind.RESOURCE, PolicyKind.ENDPOINT})
_SID: Final = re.compile(r"[A-Za-z0-9]*\Z")


def size(text: str) -> int:
    """A document's size as IAM counts it: characters without white space."""
    return sum(not character.isspace() for character in text)


def read(document: str | bytes | Mapping[str, object], kind: PolicyKind, *, limit: int | None = None) -> Reading:
    """Read and compile; the faults are in the Reading, nothing is raised."""
    reading = Reading(kind)
    try:
        reading.text, value = load(document)
    except JsonError as fault:
        reading.fault("", str(fault), SYNTAX)
        return reading
    limit = LIMITS[kind] if limit is None else limit
    if size(reading.text) > limit:
        reading.fault("", f"{size(reading.text)} characters without white space; a {kind} policy has at most {limit}")
    if not isinstance(value, JsonObject):
        reading.fault("", "a policy document is a JSON object", SYNTAX)
        return reading
    reading.repeated(value, "")
    for name in value:
        if name not in _DOCUMENT:
            reading.unknown_name("", name, _DOCUMENT)
    _version(reading, value)
    if "Id" in value and not is_text(value["Id"]):
        reading.fault("Id", "is not a string", SYNTAX)
    _statements(reading, value)
    return reading


def _version(reading: Reading, value: JsonObject) -> None:
    version = value.get("Version", VERSIONS[0])
    if version in VERSIONS and is_text(version):
        reading.version = str(version)
    else:
        reading.version = VERSIONS[-1]  # so that the rest is read for every fault it may have
        reading.fault("Version", "is neither 2012-10-17 nor 2008-10-17", SYNTAX)


def _statements(reading: Reading, value: JsonObject) -> None:
    if "Statement" not in value:
        reading.fault("Statement", "is missing", SYNTAX)
        return
    given = value["Statement"]
    listed = given if isinstance(given, list) else [given]
    if not listed:
        reading.fault("Statement", "is empty", SYNTAX)
    sids: dict[str, int] = {}
    for index, entry in enumerate(listed):
        path = f"Statement[{index}]"
        if not isinstance(entry, JsonObject):
            reading.fault(path, "is not an object", SYNTAX)
            continue
        sid = _sid(reading, entry, path)
        if sid and sid in sids:
            reading.fault(
                f"{path}.Sid", f"`{sid}` is also the Sid of Statement[{sids[sid]}]",
                "Statement IDs (SID) in a single policy must be unique.",
            )  # fmt: skip
        sids.setdefault(sid, index)
        statement = _statement(reading, entry, index, sid)
        if statement is not None:
            reading.statements.append(statement)


def _statement(reading: Reading, entry: JsonObject, index: int, sid: str) -> Statement | None:
    path = f"Statement[{index}]"
    before = len(reading.faults)
    reading.repeated(entry, path)
    for name in entry:
        if name not in _STATEMENT:
            reading.unknown_name(path, name, _STATEMENT)
    effect = entry.get("Effect")
    if "Effect" not in entry:
        reading.fault(f"{path}.Effect", "is missing", SYNTAX)
    elif not is_text(effect) or effect not in ("Allow", "Deny"):
        reading.fault(f"{path}.Effect", "is neither Allow nor Deny", SYNTAX)
    principal = elements.principal(reading, entry, path)
    action = elements.action(reading, entry, path)
    resource = elements.resource(reading, entry, path)
    conditions = elements.conditions(reading, entry, path)
    if action is None or len(reading.faults) > before:
        return None
    return Statement(index, sid, effect == "Deny", action, resource, principal, conditions)


def _sid(reading: Reading, entry: JsonObject, path: str) -> str:
    sid = entry.get("Sid", "")
    if not is_text(sid):
        reading.fault(f"{path}.Sid", "is not a string", SYNTAX)
        return ""
    if reading.kind not in _FREE_SID and not _SID.match(str(sid)):
        reading.fault(
            f"{path}.Sid", "holds more than letters and digits",
            "Statement IDs (SID) must be alpha-numeric. "
            "Check that your input satisfies the regular expression [0-9A-Za-z]*",
        )  # fmt: skip
    return str(sid)
