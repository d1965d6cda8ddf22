"""Watches: events as they come, initial events, bookmarks, selector transitions, 410.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ and apiserver pkg/storage/cacher.
"""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from iambridge.errors import Expired
from iambridge.sandbox.cluster.call import whole_number
from iambridge.sandbox.cluster.codec import boolean
from iambridge.sandbox.cluster.kinds import presented
from iambridge.sandbox.cluster.listing import Selection, version_number
from iambridge.sandbox.cluster.objects import field_error
from iambridge.sandbox.cluster.resources import Resource
from iambridge.sandbox.cluster.store import Event, Store, Subscription

_BOOKMARK_SECONDS = 60.0
_SHORTEST_DEFAULT, _LONGEST_DEFAULT = 1800.0, 3600.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class WatchEvent(NamedTuple):
    """`raw` is the object as JSON. A BOOKMARK has the version alone; `initial` marks the end of the initial events."""

    type: str
    raw: bytes
    version: int
    initial: bool = False


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """`since` is None to start with what there is now; `seconds` is when the watch ends."""

    since: int | None
    bookmarks: bool
    initial_end: bool
    seconds: float

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "WatchOptions":
        """Raises BadRequest or Invalid for parameters that make no sense."""
        initial = query.get("sendInitialEvents", "")
        match = query.get("resourceVersionMatch", "")
        bookmarks = boolean(query, "allowWatchBookmarks")
        version = version_number(query.get("resourceVersion", ""))
        seconds = whole_number(query, "timeoutSeconds")
        errors = _match_errors(initial, match, query.get("continue", ""))
        if errors:
            raise field_error.invalid("meta.k8s.io", "ListOptions", "", errors)
        wants = boolean(query, "sendInitialEvents")
        since = None if wants or (not version and initial == "") else (version or None)
        if initial and not wants and not version:
            since = 0
        lasts = random.uniform(_SHORTEST_DEFAULT, _LONGEST_DEFAULT) if not seconds or seconds < 0 else float(seconds)  # noqa: S311 - spreads reconnects
        return cls(since, bookmarks, wants and bookmarks, lasts)


def _match_errors(initial: str, match: str, token: str) -> list[field_error.FieldError]:
    place, errors = "resourceVersionMatch", []
    if initial:
        if match != "NotOlderThan":
            words = f"sendInitialEvents requires setting {place} to NotOlderThan"
            errors.append(field_error.forbidden(place, words))
        if match not in {"", "NotOlderThan"}:
            errors.append(field_error.not_supported(place, match, ("NotOlderThan",)))
    elif match:
        words = f"{place} is forbidden for watch unless sendInitialEvents is provided"
        errors.append(field_error.forbidden(place, words))
    if token:
        errors.append(field_error.forbidden(place, f"{place} is forbidden when continue is provided"))
    return errors


class Watch:
    """One watch. It ends when `served` says so: the resource has gone, or its definition has changed."""

    def __init__(
        self,
        store: Store,
        resource: Resource,
        namespace: str,
        query: Mapping[str, str],
        selection: Selection,
        *,
        served: Callable[[], bool] = lambda: True,
    ) -> None:
        self._served = served
        self._store = store
        self._resource = resource
        self._namespace = namespace
        self._selection = selection
        self.options = WatchOptions.of(query)

    async def events(self, clock: Any) -> AsyncIterator[WatchEvent]:
        """Events until the time is over, the store closes, or the reader is too slow. `clock()` is monotonic seconds.

        Raises:
            Expired: the version to start from is not kept any more.
        """
        options, store = self.options, self._store
        end = clock() + options.seconds
        with store.subscribe(self._resource.stored_name) as subscription:
            # a version that has not come yet is waited for
            seen = max(store.version, options.since or 0)
            if options.since is None:
                for stored in store.objects(self._resource.stored_name, self._namespace):
                    raw = presented(self._resource, stored.raw, stored.version)
                    if self._selection.everything or self._selection.matches(msgspec.json.decode(raw)):
                        yield WatchEvent("ADDED", raw, stored.version)
                if options.initial_end:
                    yield WatchEvent("BOOKMARK", b"", seen, initial=True)
            else:
                since = options.since or seen
                if since < store.compacted:
                    raise Expired(f"too old resource version: {since} ({store.compacted})")
                for event in store.events(self._resource.stored_name, since):
                    for one in self._shown(event):
                        yield one
            async for one in self._follow(subscription, seen, end, clock):
                yield one

    async def _follow(self, subscription: Subscription, seen: int, end: float, clock: Any) -> AsyncIterator[WatchEvent]:
        bookmark = clock() + _BOOKMARK_SECONDS
        while (now := clock()) < end and not subscription.overflown and not self._store.closed:
            if not self._served() and not subscription.pending:
                return
            if self.options.bookmarks and now >= bookmark:
                bookmark = now + _BOOKMARK_SECONDS
                yield WatchEvent("BOOKMARK", b"", seen)
            await subscription.wait(min(end, bookmark if self.options.bookmarks else end) - now)
            for event in subscription.take():
                if event.version <= seen:
                    continue
                seen = event.version
                for one in self._shown(event):
                    yield one
            seen = max(seen, self._store.version) if not subscription.pending else seen

    def _shown(self, event: Event) -> list[WatchEvent]:
        """The event as this watch sees it: entering the selection is ADDED, leaving it DELETED."""
        if self._namespace and event.key.namespace != self._namespace:
            return []
        shown = presented(self._resource, event.raw, event.version)
        if self._selection.everything:
            return [WatchEvent(event.type, shown, event.version)]
        # of the object before it is not known which schema it was stored under, so it is read anew
        previous = None if event.previous is None else presented(self._resource, event.previous, 0)
        now = event.type != "DELETED" and self._selection.matches(msgspec.json.decode(shown))
        before = previous is not None and self._selection.matches(msgspec.json.decode(previous))
        if now:
            return [WatchEvent("MODIFIED" if before else "ADDED", shown, event.version)]
        if before:
            assert previous is not None
            raw = shown if event.type == "DELETED" else _versioned(previous, event.version)
            return [WatchEvent("DELETED", raw, event.version)]
        return []


def _versioned(raw: bytes, version: int) -> bytes:
    """The object that left the selection, as it was, at the version at which it left."""
    item = msgspec.json.decode(raw)
    item["metadata"]["resourceVersion"] = str(version)
    return msgspec.json.encode(item)
