"""aws-auth as aws-iam-authenticator reads it, and EKS with it: for judging an edit of a ConfigMap that they serve.

Where `load` keeps what was good, the original takes what it can read now: a section that it cannot read maps nobody,
nodes included; groups that are no list are none; an ARN is compared as it is written, with path or session.

Source: aws-iam-authenticator pkg/mapper/configmap/configmap.go ParseMap, pkg/config/mapper.go.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from iambridge.core.arn import canonical_arn
from iambridge.core.aws_auth.document import Fault, Kind, Located, Section
from iambridge.core.aws_auth.entry import Entry
from iambridge.core.aws_auth.load import load
from iambridge.core.aws_auth.mappings import Mappings
from iambridge.core.aws_auth.rules import Rules

_RULES = Rules(ignore_role_path=False, session_name_in_groups=True)
_ARN_FIELD = {"mapRoles": "rolearn", "mapUsers": "userarn"}
_KEPT = "until then the last good version of the section is in effect"
_DROPPED = "until then nobody of the section gets in"


def load_as_original(sections: Mapping[str, Section]) -> Mappings:
    """The faults are those of `load`, for the effect is what differs."""
    faults = [_told(fault) for fault in load(sections, rules=_RULES).faults]
    faults += _patterns(sections.get("mapRoles"))
    tables = {name: _entries(name, sections.get(name)) for name in _ARN_FIELD}
    accounts = {
        item.text: item.line for item in _items(sections.get("mapAccounts")) if item.is_scalar and not item.is_empty
    }
    return Mappings(tables["mapRoles"], tables["mapUsers"], accounts, faults=faults, rules=_RULES)


def _patterns(section: Section | None) -> Iterator[Fault]:
    for index, item in enumerate(_items(section)):
        fields = {key.text.lower(): value for key, value in item.fields}
        if "sso" in fields and not _string(fields.get("rolearn")):
            yield Fault(
                "sso-not-read", "mapRoles", item.line, item.column, f"[{index}].sso",
                "the original reads permission sets with the feature gate SSORoleMatch only, and EKS never",
                "map the role itself: arn:aws:iam::ACCOUNT:role/AWSReservedSSO_NAME_suffix, without its path",
            )  # fmt: skip


def _told(fault: Fault) -> Fault:
    return replace(fault, fix=fault.fix.replace(_KEPT, _DROPPED))


def _items(section: Section | None) -> tuple[Located, ...]:
    return section.items if isinstance(section, Located) and section.kind is Kind.SEQUENCE else ()


def _entries(name: str, section: Section | None) -> dict[str, Entry]:
    """By the ARN as it is written, without letter case; the last of several wins."""
    found: dict[str, Entry] = {}
    for index, item in enumerate(_items(section)):
        fields = {key.text.lower(): value for key, value in item.fields}
        arn = _string(fields.get(_ARN_FIELD[name])).strip()
        if not arn:
            continue
        has_path = ":role/" in arn.lower() and arn.partition(":role/")[2].count("/") > 0
        refusal = "no caller has this ARN: it matches nobody" if has_path or not _may_match(arn) else ""
        found[arn.lower()] = Entry(
            name, index, item.line, arn, arn.lower(), _string(fields.get("username")), _groups(fields.get("groups")),
            has_path=has_path, refusal=refusal,
        )  # fmt: skip
    return found


def _may_match(arn: str) -> bool:
    try:
        return canonical_arn(arn.lower()) == arn.lower()  # letter case does not count
    except ValueError:
        return False


def _string(node: Located | None) -> str:
    return node.text if node is not None and node.kind is Kind.STRING else ""


def _groups(node: Located | None) -> tuple[str, ...]:
    if node is None or node.kind is not Kind.SEQUENCE:
        return ()
    return tuple(dict.fromkeys(text for text in map(_string, node.items) if text))
