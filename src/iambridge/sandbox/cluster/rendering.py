"""Lists and watch streams as bytes: straight from the store where the client wants plain JSON."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec

from iambridge.errors import KubernetesError
from iambridge.sandbox.cluster import codec, tables
from iambridge.sandbox.cluster.codec import Accepted
from iambridge.sandbox.cluster.columns import columns_of
from iambridge.sandbox.cluster.listing import Page
from iambridge.sandbox.cluster.resources import Resource
from iambridge.sandbox.cluster.watching import INITIAL_EVENTS_END, Watch, WatchEvent


def list_body(resource: Resource, page: Page, accepted: Accepted, query: Mapping[str, str], now: float) -> bytes:
    """A list in the form that was accepted."""
    pretty = codec.boolean(query, "pretty")
    if not accepted.kind and accepted.media == codec.JSON and not pretty:
        return _joined(resource, page)
    items = [msgspec.json.decode(stored.raw) for stored in page.items]
    value: dict[str, Any]
    if accepted.kind == "Table":
        value = tables.table(
            columns_of(resource),
            items,
            metadata=page.metadata(),
            now=now,
            include=query.get("includeObject", ""),
            version=accepted.version,
        )
    elif accepted.kind:
        value = tables.partial_list(items, page.metadata(), accepted.version)
    else:
        value = {
            "kind": resource.list_kind,
            "apiVersion": resource.api_version,
            "metadata": page.metadata(),
            "items": [_plain(resource, item) for item in items],
        }
    return codec.encode(value, accepted, pretty=pretty)


def _plain(resource: Resource, item: dict[str, Any]) -> dict[str, Any]:
    return item if resource.custom else {key: value for key, value in item.items() if key not in {"kind", "apiVersion"}}


def _joined(resource: Resource, page: Page) -> bytes:
    """A plain JSON list without decoding its items; those of built-in kinds go without kind and apiVersion."""
    head = msgspec.json.encode(
        {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": page.metadata()}
    )
    prefix = f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",'.encode()
    if resource.custom:
        items = [stored.raw for stored in page.items]
    else:
        items = [b"{" + stored.raw.removeprefix(prefix) for stored in page.items]
    return head[:-1] + b',"items":[' + b",".join(items) + b"]}\n"


async def watch_lines(
    watch: Watch,
    resource: Resource,
    accepted: Accepted,
    query: Mapping[str, str],
    *,
    now: Callable[[], float],
    clock: Callable[[], float],
) -> AsyncIterator[bytes]:
    """One JSON line for each event. An error after the start is an ERROR event."""
    headers = True
    # a first empty chunk sends the headers at once: clients wait for them before anything else
    yield b""
    try:
        async for event in watch.events(clock):
            if not accepted.kind:
                yield _line(event, resource)
                continue
            yield _converted(event, resource, accepted, query, now=now(), headers=headers)
            headers = False
    except KubernetesError as error:
        yield msgspec.json.encode({"type": "ERROR", "object": codec.status_of(error)}) + b"\n"


def _line(event: WatchEvent, resource: Resource) -> bytes:
    raw = event.raw if event.type != "BOOKMARK" else msgspec.json.encode(_bookmark(event, resource))
    return b'{"type":"' + event.type.encode() + b'","object":' + raw + b"}\n"


def _bookmark(event: WatchEvent, resource: Resource) -> dict[str, Any]:
    metadata: dict[str, Any] = {"resourceVersion": str(event.version)}
    if event.initial:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}


def _converted(
    event: WatchEvent,
    resource: Resource,
    accepted: Accepted,
    query: Mapping[str, str],
    *,
    now: float,
    headers: bool,
) -> bytes:
    bookmark = event.type == "BOOKMARK"
    item = _bookmark(event, resource) if bookmark else msgspec.json.decode(event.raw)
    value: dict[str, Any]
    if accepted.kind != "Table":
        value = tables.partial(item, accepted.version)
    else:
        value = tables.table(
            columns_of(resource),
            [] if bookmark else [item],
            metadata={"resourceVersion": str(event.version)},
            now=now,
            include=query.get("includeObject", ""),
            version=accepted.version,
            headers=headers,
        )
        if bookmark:
            value["rows"] = [tables.bookmark_row(str(event.version), item["metadata"].get("annotations") or {})]
    return msgspec.json.encode({"type": event.type, "object": value}) + b"\n"
