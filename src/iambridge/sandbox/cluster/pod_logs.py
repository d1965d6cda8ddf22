"""GET pods/NAME/log, from the source that the kubelet registers. Source: pkg/registry/core/pod/rest/log.go."""

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.call import whole_number
from iambridge.sandbox.cluster.codec import boolean
from iambridge.sandbox.cluster.kubelet.logs import LogOptions
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.objects import field_error
from iambridge.wire.http import Response

LogSource = Callable[[Object, str, LogOptions], Awaitable[AsyncIterator[bytes]]]


class PodLogs:
    def __init__(self) -> None:
        self._source: LogSource | None = None

    def set_source(self, source: LogSource) -> None:
        self._source = source

    async def answer(self, pod: Object, query: Mapping[str, str]) -> Response:
        """The log of one container as text.

        Raises:
            BadRequest: which container is not clear, it has no log yet, or the pod runs nowhere.
            Invalid: an option has a value that it does not take.
        """
        options = _options(query, pod["metadata"]["name"])
        container = _container(pod, query.get("container", ""))
        if not pod["spec"].get("nodeName") or self._source is None:
            return Response(204)  # a pod that no node has yet has no log yet
        chunks = await self._source(pod, container, options)
        return Response(200, (("content-type", "text/plain"),), _started(chunks))


async def _started(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield b""
    async for chunk in chunks:
        yield chunk


def _container(pod: Object, wanted: str) -> str:
    spec, name = pod["spec"], pod["metadata"]["name"]
    main = [each["name"] for each in spec.get("containers") or ()]
    init = [each["name"] for each in spec.get("initContainers") or ()]
    if wanted:
        if wanted not in (*main, *init):
            raise BadRequest(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(main) == 1:
        return str(main[0])
    choices = f"choose one of: [{' '.join(main)}]" + (
        f" or one of the init containers: [{' '.join(init)}]" if init else ""
    )
    raise BadRequest(f"a container name must be specified for pod {name}, {choices}")


def _options(query: Mapping[str, str], name: str) -> LogOptions:
    numbers = {name: whole_number(query, name) for name in ("tailLines", "limitBytes", "sinceSeconds")}
    faults = [
        field_error.bad_value(
            field, value, "must be greater than or equal to 0" if field == "tailLines" else "must be greater than 0"
        )
        for field, value in numbers.items()
        if value is not None and (value < 0 or (value == 0 and field != "tailLines"))
    ]
    since: dt.datetime | None = None
    if query.get("sinceTime"):
        if numbers["sinceSeconds"] is not None:
            faults.append(field_error.forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
        try:
            since = dt.datetime.fromisoformat(query["sinceTime"])
            if since.tzinfo is None:
                raise ValueError("no time zone")  # noqa: TRY301 - one answer for every wrong time
        except ValueError:
            raise BadRequest(f'parsing time "{query["sinceTime"]}": not RFC 3339') from None
    if query.get("stream") not in {None, "", "All"}:
        raise BadRequest("the embedded kubelet keeps standard output and error in one log: stream must be All")
    if faults:
        raise field_error.invalid("", "PodLogOptions", name, faults)
    return LogOptions(
        boolean(query, "follow"),
        boolean(query, "previous"),
        boolean(query, "timestamps"),
        numbers["tailLines"],
        numbers["limitBytes"],
        numbers["sinceSeconds"],
        since,
    )
