"""The text of one entry: what it says legibly, and what is wrong with it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from iambridge.core.arn import PARTITIONS, Arn, canonical_arn
from iambridge.core.aws_auth.document import Fault, Kind, Located, Severity
from iambridge.core.aws_auth.entry import Entry, PermissionSet, arn_key
from iambridge.core.aws_auth.rules import Rules
from iambridge.core.aws_auth.templates import PLACEHOLDERS, SESSION_NAMES, placeholders, unknown

_ARN_FIELD = {"mapRoles": "rolearn", "mapUsers": "userarn"}
_FIELDS = {
    "mapRoles": {"rolearn", "username", "groups", "sso", "userid"},
    "mapUsers": {"userarn", "username", "groups", "userid"},
}
_ACCOUNT = re.compile(r"[0-9]{12}")
# IAM User Guide, "Unique identifiers": AROA is a role's, AIDA a user's; federated users and root have others
_UNIQUE_ID = re.compile(r"(?:AROA|AIDA)[A-Z0-9]{12,124}")
_PERMISSION_SET = re.compile(r"[\w+=,.@-]{1,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an entry's text gave: `usable` is false when something in it was not legible as written."""

    entry: Entry | None
    usable: bool


Report = Callable[[Fault], None]


class EntryReader:
    """Reads one entry of `section`, telling `report` every fault."""

    def __init__(
        self,
        section: str,
        index: int,
        node: Located,
        report: Report,
        rules: Rules,
    ) -> None:
        self._section = section
        self._index = index
        self._node = node
        self._tell = report
        self._rules = rules
        self._usable = True

    def _report(self, code: str, at: Located, field: str, cause: str, fix: str, *, warning: bool = False) -> None:
        if not warning:
            self._usable = False
        path = f"[{self._index}].{field}" if field else f"[{self._index}]"
        severity = Severity.WARNING if warning else Severity.ERROR
        self._tell(Fault(code, self._section, at.line, at.column, path, cause, fix, severity))

    def read(self) -> Reading:
        if self._node.kind is not Kind.MAPPING:
            self._report(
                "entry-not-a-map",
                self._node,
                "",
                f"an entry is a map, this is a {self._node.kind}",
                f"write `- {_ARN_FIELD[self._section]}: ARN` with `username` and `groups` below it",
            )
            return Reading(None, usable=False)
        fields = self._fields()
        sso = self._sso(fields)
        user_id = self._user_id(fields)
        arn, arn_key_ = self._arn(fields, sso)
        by_id, pin = self._rules.by_principal_id, self._rules.pin_principal_ids
        key = user_id if by_id else arn_key_
        if not key:
            return Reading(None, usable=False)
        refusal = ""
        if pin and "userid" in fields and not user_id:
            refusal = "the entry's `userid` cannot be read"
        if (
            by_id
            and not arn_key_
            and any(field in fields and not fields[field].is_empty for field in (_ARN_FIELD[self._section], "sso"))
        ):
            refusal = "the entry's ARN cannot be read"
        entry = Entry(
            section=self._section,
            index=self._index,
            line=self._node.line,
            arn=arn,
            key=key,
            username=self._username(fields),
            groups=self._groups(fields),
            sso=sso,
            user_id=user_id,
            has_path=sso is None and arn.lower().count("/") > 1 and ":role/" in arn.lower(),
            refusal=refusal,
            pinned_id=user_id if pin else "",
            pinned_arn=arn_key_ if by_id else "",
        )
        return Reading(entry, usable=self._usable)

    def _fields(self) -> Mapping[str, Located]:
        """Field names are read without letter case, as the original's decoder does."""
        found: dict[str, Located] = {}
        for name, value in self._node.fields:
            key = name.text.lower()
            if key in found:
                self._report("duplicate-field", name, name.text, f"`{name.text}` stands twice in one entry", "keep one")
            elif key == "<<":
                self._report("merge-key", name, name.text, "merge keys are not read", "write the fields out")
            elif key not in _FIELDS[self._section]:
                self._unknown_field(name, key)
            found[key] = value
        return found

    def _unknown_field(self, name: Located, key: str) -> None:
        wanted = _ARN_FIELD[self._section]
        if key in _ARN_FIELD.values():
            other = next(section for section, field in _ARN_FIELD.items() if field == key)
            self._report(
                "wrong-section",
                name,
                name.text,
                f"`{key}` belongs to {other}, {self._section} has `{wanted}`",
                f"move the entry to {other}",
                warning=True,
            )
            return
        self._report(
            "unknown-field",
            name,
            name.text,
            f"`{name.text}` is not a field of {self._section}, and is ignored",
            f"use {', '.join(sorted(_FIELDS[self._section]))}",
            warning=True,
        )

    def _user_id(self, fields: Mapping[str, Located]) -> str:
        """The unique id that the entry names, where the rules read it; empty for none, or none that can be one."""
        node = fields.get("userid")
        text = node.text if node is not None and node.is_scalar else ""
        if not (self._rules.pin_principal_ids or self._rules.by_principal_id):
            return text
        if node is None or (node.is_empty and self._rules.by_principal_id):
            if self._rules.by_principal_id:
                self._report("user-id-missing", node or self._node, "userid", "the entry has no `userid`",
                    "add the RoleId or UserId that `aws iam get-role` or get-user prints")  # fmt: skip
            return ""
        if _UNIQUE_ID.fullmatch(text) is None:
            self._report("user-id-malformed", node, "userid", f"`{text or node.kind}` is not a principal's unique id",
                "write the RoleId or UserId that `aws iam get-role` or get-user prints: AROA... or AIDA...",
                warning=self._rules.by_principal_id)  # fmt: skip
            return text if self._rules.by_principal_id else ""
        return text

    def _sso(self, fields: Mapping[str, Located]) -> PermissionSet | None:
        node = fields.get("sso")
        if node is None or node.is_empty:
            return None
        values = {name.text.lower(): value for name, value in node.fields}
        name, account, partition = (
            values[field].text if field in values and values[field].is_scalar else ""
            for field in ("permissionsetname", "accountid", "partition")
        )
        partition = partition or "aws"
        if _PERMISSION_SET.fullmatch(name) is None:
            self._report(
                "sso-permission-set",
                node,
                "sso.permissionSetName",
                f"`{name}` is no permission set's name",
                "write the name as IAM Identity Center shows it, without AWSReservedSSO_ and suffix",
            )
            return None
        if _ACCOUNT.fullmatch(account) is None:
            self._report(
                "sso-account",
                node,
                "sso.accountID",
                f"`{account}` is not an account id of 12 digits",
                "write the 12 digits in quotes",
            )
            return None
        if partition not in PARTITIONS:
            self._report(
                "sso-partition",
                node,
                "sso.partition",
                f"`{partition}` is not a partition",
                f"use one of {', '.join(PARTITIONS)}",
            )
            return None
        return PermissionSet(name, account, partition)

    def _arn(self, fields: Mapping[str, Located], sso: PermissionSet | None) -> tuple[str, str]:
        wanted = _ARN_FIELD[self._section]
        node = fields.get(wanted)
        if node is None or node.is_empty:
            if sso is not None:
                return "", sso.key
            if "sso" not in fields and not self._rules.by_principal_id:
                self._report("arn-missing", self._node, wanted, f"the entry has no `{wanted}`", f"add `{wanted}: ARN`")
            return "", ""
        if "sso" in fields:
            self._report("arn-and-sso", node, wanted, "the entry has both an ARN and `sso`", "keep one of them")
            return "", ""
        if not node.is_scalar:
            self._report("arn-malformed", node, wanted, f"an ARN is a string, this is a {node.kind}", "write one ARN")
            return "", ""
        return node.text.strip(), self._arn_key(node, wanted)

    def _arn_key(self, node: Located, field: str) -> str:
        text = node.text.strip()
        try:
            canonical = canonical_arn(text)
            arn = Arn.parse(text)
        except ValueError as error:
            self._report(
                "arn-malformed", node, field, str(error), "write the ARN as `aws iam get-role` or get-user prints it"
            )
            return ""
        if canonical != text and not self._rules.session_arns:
            self._report(
                "session-arn",
                node,
                field,
                f"`{text}` is a session's ARN and matches nobody",
                f"write the role's: {canonical}",
            )
            return ""
        if (arn.resource_type in {"role", "assumed-role"}) != (field == "rolearn"):
            right = "mapUsers" if field == "rolearn" else "mapRoles"
            self._report(
                "wrong-section",
                node,
                field,
                f"`{text}` is a {arn.resource_type}'s ARN",
                f"move it to {right}",
                warning=True,
            )
        elif arn.resource_type == "role" and arn.resource.count("/") > 1:
            stripped = f"arn:{arn.partition}:iam::{arn.account}:role/{arn.name}"
            effect = "read without it" if self._rules.ignore_role_path else "so this entry matches nobody"
            self._report(
                "role-path",
                node,
                field,
                f"a session's ARN leaves the role's path out, {effect}",
                f"write {stripped}",
                warning=self._rules.ignore_role_path,
            )
        by_id = self._rules.by_principal_id  # the original strips the path there
        return arn_key(canonical, ignore_role_path=by_id or self._rules.ignore_role_path)

    def _username(self, fields: Mapping[str, Located]) -> str:
        """The username, or empty when it can't be had; a number's text is legible, and still a fault."""
        node = fields.get("username")
        if node is None or (node.is_scalar and (node.kind is Kind.NULL or not node.text.strip())):
            self._report(
                "username-missing", node or self._node, "username", "the entry names no user", "add `username: NAME`"
            )
            return ""
        if not node.is_scalar:
            cause = f"a username is a string, this is a {node.kind}"
            hint = " (an unquoted template in braces is a YAML map)" if node.kind is Kind.MAPPING else ""
            self._report("username-not-a-string", node, "username", cause + hint, "put the username in quotes")
            return ""
        if node.kind is not Kind.STRING:
            self._report(
                "username-not-a-string",
                node,
                "username",
                f"`{node.text}` is a {node.kind} to YAML",
                f'write username: "{node.text}"',
            )
        if strange := unknown(node.text):
            self._report(
                "unknown-placeholder",
                node,
                "username",
                f"{', '.join(strange)} is not a placeholder",
                f"use {', '.join(sorted(PLACEHOLDERS))}, without spaces",
            )
            return ""
        self._warn_of_session_name(node)
        return node.text

    def _warn_of_session_name(self, node: Located) -> None:
        used = placeholders(node.text) & SESSION_NAMES
        if used and ":" not in node.text[: min(node.text.index(name) for name in used)]:
            self._report(
                "session-name-unprefixed",
                node,
                "username",
                "whoever assumes the role chooses the session name, and so may take any plain user's name",
                "put a prefix with a colon before it, as `team:{{SessionName}}`",
                warning=True,
            )

    def _groups(self, fields: Mapping[str, Located]) -> tuple[str, ...]:
        node = fields.get("groups")
        if node is None or node.is_empty:
            return ()
        if node.kind is not Kind.SEQUENCE:
            self._report(
                "groups-not-a-list",
                node,
                "groups",
                f"groups is a list, this is a {node.kind}",
                f"write `groups: [{node.text.replace(' - ', ', ') or 'NAME'}]`",
            )
            return (node.text,) if node.is_scalar else ()
        names = (self._group(item, f"groups[{number}]") for number, item in enumerate(node.items))
        return tuple(dict.fromkeys(name for name in names if name))

    def _group(self, item: Located, field: str) -> str:
        if not item.is_scalar or item.is_empty:
            self._report(
                "group-not-a-string", item, field, f"a group is a string, this is a {item.kind}", "write its name"
            )
            return ""
        if item.kind is not Kind.STRING:
            self._report(
                "group-not-a-string", item, field, f"`{item.text}` is a {item.kind} to YAML", f'write "{item.text}"'
            )
        if strange := unknown(item.text):
            self._report(
                "unknown-placeholder",
                item,
                field,
                f"{', '.join(strange)} is not a placeholder",
                f"use {', '.join(sorted(PLACEHOLDERS))}, without spaces",
            )
            return ""
        if placeholders(item.text) & SESSION_NAMES and not self._rules.session_name_in_groups:
            self._report(
                "session-name-in-group",
                item,
                field,
                "whoever assumes the role would choose the group",
                "name the group outright, or start the server with --allow-session-name-in-groups",
            )
            return ""
        if any(character.isspace() for character in item.text):
            self._report(
                "group-with-space",
                item,
                field,
                f"`{item.text}` has a space in it: two list items on one line?",
                "give each group its own line with the same indentation",
                warning=True,
            )
        return item.text
