"""Lists: selection, pages with a snapshot token, and the resourceVersion rules.

Source: apiserver pkg/storage/etcd3/store.go, pkg/storage/continue.go, meta/v1 validation of ListOptions.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from iambridge.errors import BadRequest, Expired, Timeout
from iambridge.sandbox.cluster.call import whole_number
from iambridge.sandbox.cluster.kinds import presented
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.objects import field_error
from iambridge.sandbox.cluster.resources import Resource
from iambridge.sandbox.cluster.selectors import FieldSelector, LabelSelector
from iambridge.sandbox.cluster.store import Key, Store, Stored

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without"
    " the continue parameter, or use the continue token in this response to retrieve the remainder of the results."
    " Continuing with the provided token results in an inconsistent list - objects that were created, modified, or"
    " deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects a list or watch is about."""

    labels: LabelSelector = field(default_factory=LabelSelector)
    fields: FieldSelector = field(default_factory=FieldSelector)

    @classmethod
    def of(cls, query: Mapping[str, str], resource: Resource) -> "Selection":
        """Raises BadRequest for a selector that cannot be read."""
        selectable = resource.custom.selectable if resource.custom is not None else None
        fields = FieldSelector.parse(query.get("fieldSelector", ""), resource.name, selectable)
        return cls(LabelSelector.parse(query.get("labelSelector", "")), fields)

    @property
    def everything(self) -> bool:
        return not self.labels.terms and not self.fields.terms

    def matches(self, item: Mapping[str, Any]) -> bool:
        return self.labels.matches(item) and self.fields.matches(item)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: `remaining` is None when it is not known."""

    items: list[Stored]
    version: int
    token: str = ""
    remaining: int | None = None

    def metadata(self) -> Object:
        found: Object = {"resourceVersion": str(self.version)}
        if self.token:
            found["continue"] = self.token
        if self.remaining:
            found["remainingItemCount"] = self.remaining
        return found


def page(store: Store, resource: Resource, namespace: str, query: Mapping[str, str], selection: Selection) -> Page:
    """The objects that `query` asks for.

    Raises:
        BadRequest, Invalid: parameters that make no sense.
        Expired: a snapshot that is not kept any more.
        Timeout: a resourceVersion that is in the future.
    """
    limit = max(whole_number(query, "limit") or 0, 0)
    token, exact = query.get("continue", ""), _exact_version(query)
    if token:
        version, after = _read_token(token)
        _check_kept(store, version, after)
    else:
        version, after = exact or store.version, None
        check_not_future(store, query)
        if exact and exact < store.compacted:
            raise Expired(f"too old resource version: {exact} ({store.compacted})")
    if version in (-1, store.version):
        version = store.version
        items = store.objects(resource.stored_name, namespace)
    else:
        items = store.objects_at(resource.stored_name, namespace, version)
    if after is not None:
        items = [item for item in items if (item.key.namespace, item.key.name) > after]
    if not selection.everything:
        shown = _presented(resource, items)
        items = [item for item in shown if selection.matches(msgspec.json.decode(item.raw))]
    more = bool(limit) and len(items) > limit
    kept = items[:limit] if more else items
    # what was selected was presented before, as selectors go by what is seen
    found = _presented(resource, kept) if selection.everything else kept
    if not more:
        return Page(found, version)
    remaining = len(items) - limit if selection.everything else None
    return Page(found, version, _token(version, kept[-1].key), remaining)


def _presented(resource: Resource, items: list[Stored]) -> list[Stored]:
    if resource.custom is None and not resource.stored_as:
        return items
    return [item._replace(raw=presented(resource, item.raw, item.version)) for item in items]


def _exact_version(query: Mapping[str, str]) -> int:
    match, version, token = (query.get(name, "") for name in ("resourceVersionMatch", "resourceVersion", "continue"))
    errors = []
    if query.get("sendInitialEvents"):
        errors.append(field_error.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if match:
        errors += _match_errors(match, version, token)
    if errors:
        raise field_error.invalid("meta.k8s.io", "ListOptions", "", errors)
    if token and version not in {"", "0"}:
        raise BadRequest("specifying resource version is not allowed when using continue")
    try:
        number = version_number(version)
    except BadRequest as error:
        raise BadRequest(f"invalid resource version: {error.message}") from None
    # a limit with a version and no match is answered at exactly that version
    if match == "Exact" or (not match and number and (whole_number(query, "limit") or 0)):
        return number
    return 0


def _match_errors(match: str, version: str, token: str) -> list[field_error.FieldError]:
    place, errors = "resourceVersionMatch", []
    if not version:
        errors.append(field_error.forbidden(place, f"{place} is forbidden unless resourceVersion is provided"))
    if token:
        errors.append(field_error.forbidden(place, f"{place} is forbidden when continue is provided"))
    if match not in {"Exact", "NotOlderThan"}:
        errors.append(field_error.not_supported(place, match, ("Exact", "NotOlderThan", "")))
    if match == "Exact" and version == "0":
        errors.append(field_error.forbidden(place, f'{place} "exact" is forbidden for resourceVersion "0"'))
    return errors


def version_number(text: str) -> int:
    """A resourceVersion parameter; empty is 0.

    Raises:
        BadRequest: not a number.
    """
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        words = f"strconv.ParseUint: parsing {field_error.quoted(text)}: invalid syntax"
        raise BadRequest(str(field_error.bad_value("resourceVersion", text, words)))
    return int(text)


def check_not_future(store: Store, query: Mapping[str, str]) -> None:
    """Raises Timeout for a resourceVersion that has not come yet."""
    wanted = version_number(query.get("resourceVersion", ""))
    if wanted > store.version:
        words = f"Timeout: Too large resource version: {wanted}, current: {store.version}"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise Timeout(words, details={"causes": [cause], "retryAfterSeconds": 1})


def _token(version: int, last: Key) -> str:
    content = {"v": "meta.k8s.io/v1", "rv": version, "start": f"{last.namespace}/{last.name}"}
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        content = msgspec.json.decode(base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True))
        namespace, _, name = content["start"].partition("/")
        version = int(content["rv"])
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError, msgspec.DecodeError):
        raise BadRequest(
            "continue key is not valid: the token is not one of this server's",
            fix="list again without continue",
        ) from None
    return version, (namespace, name)


def _check_kept(store: Store, version: int, after: tuple[str, str]) -> None:
    if version > store.version:
        raise BadRequest("continue key is not valid: its version has not been reached")
    if version != -1 and version < store.compacted:
        # -1: go on from the same key, in whatever there is then
        inconsistent = _token(-1, Key("", *after))
        raise ExpiredPage(_TOO_OLD, inconsistent)


class ExpiredPage(Expired):
    """410 on a page whose snapshot is gone; `token` goes on without consistency."""

    code = "Expired"

    def __init__(self, message: str, token: str) -> None:
        super().__init__(message, fix="list again, or go on with the token in metadata.continue")
        self.token = token
