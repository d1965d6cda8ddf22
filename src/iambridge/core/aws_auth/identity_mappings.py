"""IAMIdentityMapping objects -> the mappings in effect, and every fault; as strict as the ConfigMap.

Each object maps one principal. Of several for one principal the oldest wins, by name where they are of one age. An
object with a fault keeps its name and at most those groups that it had before and still names legibly, never more; one
whose ARN cannot be read maps nobody, whatever it mapped before: the original goes on granting to the old one.

Source: aws-iam-authenticator pkg/apis/iamauthenticator/v1alpha1 and pkg/mapper/crd.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from iambridge.core.arn import Arn, canonical_arn
from iambridge.core.aws_auth.document import Fault, Kind, Located
from iambridge.core.aws_auth.entry import Entry, MappingObject
from iambridge.core.aws_auth.entry_reader import EntryReader, Reading
from iambridge.core.aws_auth.load import in_effect
from iambridge.core.aws_auth.mappings import Mappings
from iambridge.core.aws_auth.rules import Rules

KIND = "IAMIdentityMapping"

_RULES = Rules(session_arns=True)
_INDEXED = re.compile(r"^\[\d+\]\.?")


@dataclass(frozen=True, slots=True)
class IdentityMapping:
    """One object. `created` is its creationTimestamp, RFC 3339 in UTC; `spec` has `arn`, `username` and `groups`."""

    name: str
    uid: str
    created: str
    spec: Located

    @property
    def canonical_arn(self) -> str:
        """What `status.canonicalARN` is to say, in lower case as the original writes it; empty for none."""
        arn = _field(self.spec, "arn")
        try:
            return canonical_arn(arn.text.strip()).lower() if arn is not None and arn.is_scalar else ""
        except ValueError:
            return ""


def load_objects(
    objects: Iterable[IdentityMapping], *, previous: Mappings | None = None, rules: Rules = _RULES
) -> Mappings:
    """`previous` is what was in effect; None means that nothing was."""
    before = {entry.object: entry for entry in previous.entries} if previous is not None else {}
    tables: dict[str, dict[str, Entry]] = {"mapRoles": {}, "mapUsers": {}}
    faults: list[Fault] = []
    for index, each in enumerate(sorted(objects, key=lambda one: (one.created, one.name))):
        section = _section(each.spec)
        reading = EntryReader(section, index, _as_entry(each.spec, section), _reporter(each.name, faults), rules).read()
        if reading.entry is None or (reading.entry.has_path and not rules.ignore_role_path):
            continue
        entry = _judged(each, reading.entry, reading, before)
        winner = tables[section].setdefault(entry.key, entry)
        if winner is not entry:
            faults.append(_duplicate(each.name, entry, winner))
    return Mappings(tables["mapRoles"], tables["mapUsers"], faults=faults, rules=rules)


def _judged(
    each: IdentityMapping, entry: Entry, reading: Reading, before: Mapping[MappingObject | None, Entry]
) -> Entry:
    mine = MappingObject(each.name, each.uid)
    had = before.get(mine)
    known = {entry.key: had} if had is not None and had.key == entry.key else {}
    return in_effect(replace(entry, object=mine), reading, known)


def _section(spec: Located) -> str:
    """Whose ARN it is; what is no ARN is told of as a role's."""
    arn = _field(spec, "arn")
    try:
        kind = Arn.parse(arn.text.strip()).resource_type if arn is not None and arn.is_scalar else "role"
    except ValueError:
        kind = "role"
    return "mapRoles" if kind in {"role", "assumed-role"} else "mapUsers"


def _field(spec: Located, name: str) -> Located | None:
    return next((value for key, value in spec.fields if key.text == name), None)


def _as_entry(spec: Located, section: str) -> Located:
    """The spec as an entry of aws-auth: its `arn` is called `rolearn` or `userarn` there."""
    if spec.kind is not Kind.MAPPING:
        return spec
    name = "rolearn" if section == "mapRoles" else "userarn"
    fields = tuple((replace(key, text=name) if key.text == "arn" else key, value) for key, value in spec.fields)
    return replace(spec, fields=fields)


def _reporter(name: str, faults: list[Fault]) -> Callable[[Fault], None]:
    """Tells faults under the object's own name and fields."""

    def told(text: str) -> str:
        return text.replace("rolearn", "arn").replace("userarn", "arn").replace("`- arn: ARN`", "a spec with `arn`")

    def report(fault: Fault) -> None:
        field = told(_INDEXED.sub("", fault.field))
        where = f"spec.{field}" if field else "spec"
        faults.append(
            replace(fault, section=f"{KIND} {name}", field=where, cause=told(fault.cause), fix=told(fault.fix))
        )

    return report


def _duplicate(name: str, loser: Entry, winner: Entry) -> Fault:
    return Fault(
        "duplicate-arn",
        f"{KIND} {name}",
        0,
        0,
        "spec.arn",
        f"`{loser.arn}` is mapped by the older {winner.where}, which wins; groups are not merged",
        "delete one of the two objects",
    )
