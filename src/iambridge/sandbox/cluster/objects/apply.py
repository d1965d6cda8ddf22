"""Server-side apply and the tracking of who manages which field.

Source: sigs.k8s.io/structured-merge-diff merge/update.go and apimachinery pkg/util/managedfields/internal, one function
for each of its managers. Versions of a custom kind differ in nothing but their name, so nothing is converted.
"""

import contextlib
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec

from iambridge.errors import BadRequest, Conflict, InternalError
from iambridge.sandbox.cluster.objects import field_set, typed_value
from iambridge.sandbox.cluster.objects.conform import conform, zero
from iambridge.sandbox.cluster.objects.field_set import FieldSet, Path
from iambridge.sandbox.cluster.objects.types import Type

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_BEFORE_FIRST_APPLY = "before-first-apply"
_ANCIENT = "ancient-changes"
_MAX_UPDATE_MANAGERS = 10
_NEVER_OWNED: FieldSet = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    }
)


class Owner(NamedTuple):
    """A manager's identity: an applier is the same whatever version it applied with."""

    manager: str
    operation: str
    api_version: str
    subresource: str

    def __str__(self) -> str:
        shown = f'"{self.manager}"'
        if self.subresource:
            shown += f' with subresource "{self.subresource}"'
        return f"{shown} using {self.api_version}" if self.operation == "Update" else shown


@dataclass(frozen=True, slots=True)
class _Entry:
    fields: FieldSet
    time: str
    api_version: str


_Managed = dict[Owner, _Entry]


def _owner(manager: str, operation: str, api_version: str, subresource: str) -> Owner:
    return Owner(manager, operation, "" if operation == "Apply" else api_version, subresource)


def decode_managed(entries: Sequence[Mapping[str, Any]]) -> _Managed:
    """Entries of managedFields, as sets.

    Raises:
        ValueError: an entry that Kubernetes would not accept.
    """
    managed: _Managed = {}
    for entry in entries:
        operation = entry.get("operation", "")
        if operation not in {"Apply", "Update"} or entry.get("fieldsType", "FieldsV1") != "FieldsV1":
            raise ValueError(f"managedFields: operation {operation!r} or its fieldsType is not valid")
        api_version = entry.get("apiVersion", "")
        owner = _owner(entry.get("manager", ""), operation, api_version, entry.get("subresource", ""))
        managed[owner] = _Entry(field_set.decode(entry.get("fieldsV1") or {}), entry.get("time") or "", api_version)
    return managed


def _encode(managed: _Managed) -> list[dict[str, Any]]:
    rows = []
    for owner, entry in sorted(managed.items(), key=lambda item: (item[0].operation, item[1].time, item[0])):
        row: dict[str, Any] = {"manager": owner.manager, "operation": owner.operation, "apiVersion": entry.api_version}
        row |= {"time": entry.time} if entry.time else {}
        row |= {"fieldsType": "FieldsV1", "fieldsV1": field_set.encode(entry.fields)}
        row |= {"subresource": owner.subresource} if owner.subresource else {}
        rows.append(row)
    return rows


def _split(obj: Mapping[str, Any] | None) -> tuple[dict[str, Any], list[Any] | None]:
    """An object without its managedFields, and those."""
    plain = dict(obj or {})
    metadata = dict(plain.get("metadata") or {})
    entries = metadata.pop("managedFields", None)
    plain["metadata"] = metadata
    return plain, entries


def _join(obj: dict[str, Any], managed: _Managed) -> dict[str, Any]:
    if managed:
        obj["metadata"] = {**obj["metadata"], "managedFields": _encode(managed)}
    return obj


def _live_managed(entries: list[Any] | None) -> _Managed:
    try:
        return decode_managed(entries or [])
    except (ValueError, AttributeError):
        return {}


def _reset_paths(reset: Sequence[tuple[str, ...]]) -> list[Path]:
    return [tuple(f"f:{name}" for name in path) for path in reset]


def track(
    live: dict[str, Any] | None,
    new: dict[str, Any],
    type: Type,  # noqa: A002  # the field's own word
    *,
    manager: str,
    now: str,
    operation: str = "Update",
    subresource: str = "",
    reset: Sequence[tuple[str, ...]] = (),
) -> dict[str, Any]:
    """`new` with its managedFields after a create, update or patch by `manager`.

    managedFields that the caller wrote into `new` are taken as they are and then brought up to date; `[{}]` wipes them.
    `now` is RFC 3339 in whole seconds. `reset` are the paths that this endpoint does not write.
    """
    old, old_entries = _split(live)
    plain, entries = _split(new)
    if entries == [{}]:
        return plain
    managed = _user_managed(entries) or _live_managed(old_entries)
    if live is not None and not managed:
        return plain
    before = old if live is not None else _zero(type)
    api_version = str(new.get("apiVersion", ""))
    owner = _owner(manager, operation, api_version, subresource)
    # what cannot be walked by its type goes untracked: validation says what is wrong with it
    with contextlib.suppress(typed_value.UntypedValue):
        managed = _update(before, plain, type, managed, owner, now, reset, api_version)
    return _join(plain, _capped(managed))


def _user_managed(entries: list[Any] | None) -> _Managed:
    try:
        return decode_managed(entries or [])
    except (ValueError, AttributeError):
        return {}


def _zero(kind: Type) -> dict[str, Any]:
    empty: dict[str, Any] = {"metadata": {}} if kind.custom else zero(kind)
    return empty


def _conformed(obj: dict[str, Any], kind: Type) -> dict[str, Any]:
    return obj if kind.custom else conform(obj, kind).object


def _update(  # noqa: PLR0917  # one row of facts for each manager of the original
    old: dict[str, Any],
    new: dict[str, Any],
    kind: Type,
    managed: _Managed,
    owner: Owner,
    now: str,
    reset: Sequence[tuple[str, ...]],
    api_version: str,
) -> _Managed:
    change = typed_value.compare(old, new, kind)
    ignored = _reset_paths(reset)
    taken = field_set.without(frozenset(change.added | change.modified), ignored)
    gone = field_set.without(frozenset(change.removed), ignored)
    left = {other: replace(entry, fields=entry.fields - taken - gone) for other, entry in managed.items()}
    taken -= _NEVER_OWNED
    if taken:
        before = left.get(owner)
        left[owner] = _Entry(taken | (before.fields if before else field_set.EMPTY), now, api_version)
    return {other: entry for other, entry in left.items() if entry.fields}


def _capped(managed: _Managed) -> _Managed:
    """At most ten updaters: the oldest fall together into `ancient-changes`."""
    updaters = [owner for owner in managed if owner.operation == "Update"]
    if len(updaters) <= _MAX_UPDATE_MANAGERS:
        return managed
    oldest = sorted(updaters, key=lambda owner: (managed[owner].time, owner))
    out = dict(managed)
    for owner in oldest:
        if sum(one.operation == "Update" for one in out) <= _MAX_UPDATE_MANAGERS:
            break
        if owner.manager == _ANCIENT:
            continue
        entry = out.pop(owner)
        bucket = _owner(_ANCIENT, "Update", entry.api_version, "")
        before = out.get(bucket)
        fields = entry.fields | (before.fields if before else field_set.EMPTY)
        out[bucket] = _Entry(fields, max(entry.time, before.time if before else ""), entry.api_version)
    return out


def apply(
    live: dict[str, Any] | None,
    applied: dict[str, Any],
    type: Type,  # noqa: A002  # the field's own word
    *,
    manager: str,
    force: bool,
    now: str,
    subresource: str = "",
    reset: Sequence[tuple[str, ...]] = (),
) -> dict[str, Any]:
    """Server-side apply: `applied` merged into `live`, with managedFields. Conform and default the result.

    Raises:
        BadRequest: `applied` holds managedFields, or a field that the type does not declare.
        Conflict: another manager owns a field that would change, and `force` is not set.
        InternalError: `live` does not fit the type, as when a definition has changed since.
    """
    owner = _owner(manager, "Apply", str(applied.get("apiVersion", "")), subresource)
    try:
        return _apply(live, applied, type, owner, force=force, now=now, reset=reset)
    except typed_value.UntypedValue as error:
        raise InternalError(f"failed to create typed live object {_subject(live or applied)}: {error}") from None


def _apply(
    live: dict[str, Any] | None,
    applied: dict[str, Any],
    kind: Type,
    owner: Owner,
    *,
    force: bool,
    now: str,
    reset: Sequence[tuple[str, ...]],
) -> dict[str, Any]:
    if (applied.get("metadata") or {}).get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    refuse_untyped(applied, kind)
    old, entries = _split(live)
    before = old if live is not None else _zero(kind)
    api_version = str(applied.get("apiVersion", ""))
    managed = _live_managed(entries)
    if live is not None and not managed:
        first = _owner(_BEFORE_FIRST_APPLY, "Update", api_version, "")
        managed = _update(_zero(kind), before, kind, managed, first, now, (), api_version)
    applying = _Applying(before, applied, kind, owner, now, _reset_paths(reset))
    try:
        merged, managed = applying.run(managed, force=force)
    except _Conflicting as error:
        allowed = _client_side_applied(before, kind) if owner.manager == "kubectl" else field_set.EMPTY
        left = [(owner, path) for owner, path in error.conflicts if path not in allowed]
        if left:
            raise _conflict(left) from None
        merged, managed = applying.run(managed, force=True)
    if owner.manager == "kubectl" and LAST_APPLIED in (before["metadata"].get("annotations") or {}):
        _sync_last_applied(merged, applied)
    return _join(merged, _capped(managed))


def refuse_untyped(applied: Mapping[str, Any], kind: Type) -> None:
    """Raises BadRequest for an object with a field or a value that the type does not declare."""
    faults = typed_value.check(applied, kind)
    if faults:
        why = faults[0] if len(faults) == 1 else "errors:\n" + "\n".join(f"  {fault}" for fault in faults)
        raise BadRequest(f"failed to create typed patch object {_subject(applied)}: {why}")


def _subject(obj: Mapping[str, Any]) -> str:
    meta = obj.get("metadata")
    meta = meta if isinstance(meta, Mapping) else {}
    name, version = f"{meta.get('namespace', '')}/{meta.get('name', '')}", str(obj.get("apiVersion"))
    return f"({name}; {version if '/' in version else f'/{version}'}, Kind={obj.get('kind')})"


class _Conflicting(Exception):  # caught in this module, never an answer
    def __init__(self, conflicts: list[tuple[Owner, Path]]) -> None:
        super().__init__("conflicts")
        self.conflicts = conflicts


@dataclass(frozen=True, slots=True)
class _Applying:
    live: dict[str, Any]
    applied: dict[str, Any]
    kind: Type
    owner: Owner
    now: str
    ignored: list[Path]

    def run(self, managed: _Managed, *, force: bool) -> tuple[dict[str, Any], _Managed]:
        last = managed.get(self.owner)
        fields = field_set.without(typed_value.to_field_set(self.applied, self.kind), self.ignored)
        api_version = str(self.applied.get("apiVersion", ""))
        mine = _Entry(fields, last.time if last else self.now, api_version)
        after = {**managed, self.owner: mine}
        merged = typed_value.merge(self.live, self.applied, self.kind)
        if last is not None:
            merged = self._pruned(merged, last.fields, after)
        after = self._settled(merged, after, force=force)
        result = _without_nulls(merged, self.live, self.kind)
        mine = replace(mine, fields=fields - _NEVER_OWNED)
        # what conforming would drop again is no change, and moves no timestamp
        if last is None or _conformed(result, self.kind) != _conformed(self.live, self.kind):
            mine = replace(mine, time=self.now)
        after[self.owner] = mine
        return result, {owner: entry for owner, entry in after.items() if entry.fields}

    def _pruned(self, merged: Any, last: FieldSet, managed: _Managed) -> Any:
        """Drops what this applier applied last time, not this time, and nobody else owns."""
        kind = self.kind
        last = field_set.with_named_fields(last, kind)
        pruned = typed_value.remove(merged, last, kind)
        owned = frozenset().union(*(entry.fields for entry in managed.values()))
        everything = field_set.with_named_fields(typed_value.to_field_set(merged, kind), kind)
        kept = field_set.with_named_fields(typed_value.to_field_set(pruned, kind), kind)
        owned_too = field_set.with_named_fields(owned, kind)
        pruned = typed_value.remove(merged, everything - kept - owned_too, kind)
        kept = field_set.with_named_fields(typed_value.to_field_set(pruned, kind), kind)
        # what nobody owned stays where its container stays
        return typed_value.remove(merged, (everything - kept) & last, kind)

    def _settled(self, merged: Any, managed: _Managed, *, force: bool) -> _Managed:
        change = typed_value.compare(self.live, merged, self.kind)
        taken = field_set.without(frozenset(change.added | change.modified), self.ignored)
        gone = field_set.without(frozenset(change.removed), self.ignored)
        others = {owner: entry for owner, entry in managed.items() if owner != self.owner}
        conflicts = [(owner, path) for owner, entry in others.items() for path in entry.fields & taken]
        if conflicts and not force:
            raise _Conflicting(conflicts)
        settled = {owner: replace(entry, fields=entry.fields - taken - gone) for owner, entry in others.items()}
        return {**settled, self.owner: managed[self.owner]}


def _without_nulls(merged: Any, live: Any, kind: Type) -> Any:
    """A null means something in an object of a custom kind, but for its metadata."""
    if kind.custom:
        return {**merged, "metadata": typed_value.without_nulls(merged.get("metadata") or {}, live.get("metadata"))}
    return typed_value.without_nulls(merged, live)


def _client_side_applied(live: Mapping[str, Any], kind: Type) -> FieldSet:
    """What the last client-side `kubectl apply` set and still stands: kubectl may take it over without a conflict."""
    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED, "")
    try:
        last = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return field_set.EMPTY
    if not isinstance(last, dict) or last.get("apiVersion") != live.get("apiVersion") or typed_value.check(last, kind):
        return field_set.EMPTY
    change = typed_value.compare(last, live, kind)
    return typed_value.to_field_set(last, kind) - change.modified - change.added - change.removed


def _sync_last_applied(merged: dict[str, Any], applied: Mapping[str, Any]) -> None:
    document = copy.deepcopy(dict(applied))
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    annotations.pop(LAST_APPLIED, None)
    text = msgspec.json.encode(document, order="deterministic").decode() + "\n"
    meta = merged["metadata"]
    merged["metadata"] = {**meta, "annotations": {**(meta.get("annotations") or {}), LAST_APPLIED: text}}


def _conflict(conflicts: list[tuple[Owner, Path]]) -> Conflict:
    """409 as apimachinery's NewConflictError words it."""
    ordered = sorted(conflicts, key=lambda one: (str(one[0]), field_set.order(one[1])))
    rows = [(str(owner), field_set.show(path)) for owner, path in ordered]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": path} for owner, path in rows
    ]
    if len(rows) == 1:
        message = f"Apply failed with 1 conflict: conflict with {rows[0][0]}: {rows[0][1]}"
    else:
        lines = []
        for owner in dict.fromkeys(owner for owner, _ in rows):
            lines.append(f"conflicts with {owner}:")
            lines += [f"- {path}" for other, path in rows if other == owner]
        message = f"Apply failed with {len(rows)} conflicts: " + "\n".join(lines)
    return Conflict(message, details={"causes": causes})
