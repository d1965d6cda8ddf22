"""Which pods stand behind a Service: how `svc.namespace:port` of a webhook's clientConfig becomes addresses.

There are no Endpoints objects, no proxy and no DNS here: this look-up is all that a Service does. Sources:
kube-aggregator's service resolver for the words; the EndpointSlice controller for which pods count.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from iambridge.sandbox.cluster.admission.call import ServiceUnresolved
from iambridge.sandbox.cluster.store import Event, Key, Store

Object = Mapping[str, Any]


class ServiceEndpoints:
    """Looks up the stored Services and pods. Of several ready pods each look-up begins with the next one.

    From the first look-up on, pods are kept decoded by namespace, so that a call does not read every pod there is.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turns: Counter[tuple[str, str]] = Counter()
        self._pods: dict[str, dict[str, Object]] | None = None
        store.listeners.append(self._on_event)

    def resolve(self, namespace: str, name: str, port: int) -> list[tuple[str, int]]:
        """Host and port of each ready pod, in the order in which to try them.

        Raises:
            ServiceUnresolved: there is no such Service or port, or no pod of it is ready.
        """
        stored = self._store.get(Key("services", namespace, name))
        if stored is None:
            raise ServiceUnresolved(f'service "{name}" not found')
        service = msgspec.json.decode(stored.raw)
        ports = service["spec"].get("ports") or ()
        chosen = next((each for each in ports if each["port"] == port), None)
        if chosen is None:
            raise ServiceUnresolved(f'no service port {port} found for service "{name}"')
        found = list(endpoints(service["spec"], chosen, self._of(namespace)))
        if not found:
            raise ServiceUnresolved(f'no endpoints available for service "{name}"')
        turn = self._turns[namespace, name] % len(found)
        self._turns[namespace, name] += 1
        return found[turn:] + found[:turn]

    def _of(self, namespace: str) -> Iterable[Object]:
        if self._pods is None:
            self._pods = {}
            for stored in self._store.objects("pods"):
                self._keep(msgspec.json.decode(stored.raw))
        return self._pods.get(namespace, {}).values()

    def _on_event(self, event: Event) -> None:
        if event.key.resource != "pods" or self._pods is None:
            return
        if event.type == "DELETED":
            self._pods.get(event.key.namespace, {}).pop(event.key.name, None)
        else:
            self._keep(msgspec.json.decode(event.raw))

    def _keep(self, pod: Object) -> None:
        assert self._pods is not None
        metadata = pod["metadata"]
        self._pods.setdefault(metadata["namespace"], {})[metadata["name"]] = pod


def endpoints(spec: Object, port: Object, pods: Iterable[Object]) -> Iterator[tuple[str, int]]:
    """The addresses of one port of a Service with this spec; without a selector there are none."""
    selector = spec.get("selector")
    if not selector:
        return
    for pod in pods:
        labels, status = pod["metadata"].get("labels") or {}, pod.get("status") or {}
        if any(labels.get(key) != value for key, value in selector.items()):
            continue
        if status.get("phase") in {"Succeeded", "Failed"} or not status.get("podIP"):
            continue
        if not spec.get("publishNotReadyAddresses") and not _ready(pod):
            continue
        number = _target(pod, port)
        if number:
            yield status["podIP"], number


def _ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def _target(pod: Object, port: Object) -> int:
    """The number that a Service's port has in the pod; 0 when no container has a port of that name."""
    target = port.get("targetPort") or port["port"]
    if str(target).isdecimal():
        return int(target)
    spec = pod["spec"]
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    for container in (*(spec.get("containers") or ()), *sidecars):
        for each in container.get("ports") or ():
            if (each.get("name"), each.get("protocol", "TCP")) == (target, port.get("protocol", "TCP")):
                return int(each["containerPort"])
    return 0
