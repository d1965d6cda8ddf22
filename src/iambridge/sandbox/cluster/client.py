"""In-process access for controllers and the kubelet: the path of an HTTP request after its authentication."""

import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from iambridge.core.rbac import User
from iambridge.errors import NotFound
from iambridge.sandbox.cluster.api import Answer, Api, Asked
from iambridge.sandbox.cluster.call import Call
from iambridge.sandbox.cluster.codec import Body
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.paths import RequestInfo
from iambridge.sandbox.cluster.registry import decoded

# service accounts of programs of their own
_PROGRAMS = {"pod-identity-webhook", "aws-iam-authenticator"}


def _manager(username: str) -> str:
    """The field manager, which is the program's name: the controllers share one."""
    parts = username.split(":")
    if parts[:3] == ["system", "serviceaccount", "kube-system"] and parts[-1] not in _PROGRAMS:
        return "kube-controller-manager"
    if parts[:2] == ["system", "node"]:
        return "kubelet"
    if username == "system:apiserver":
        return "kube-apiserver"
    return parts[-1] if parts[0] == "system" else username


class SystemClient:
    """Speaks as `username` in `groups`; RBAC, admission and validation apply to it as to everybody.

    `resource` is `pods` or `jobs.batch`; `namespace` is empty for what has none, and to list everywhere. Every method
    raises KubernetesError as an HTTP client would get it.
    """

    def __init__(self, api: Api, username: str, groups: tuple[str, ...]) -> None:
        self._api = api
        self._user = User(username, groups)
        self._manager = _manager(username)

    def _asked(self, verb: str, resource: str, namespace: str, name: str = "", subresource: str = "") -> Asked:
        try:
            found = self._api.resources.named(resource)
        except KeyError:
            raise NotFound(f"the server could not find the requested resource ({resource})") from None
        namespace = namespace if found.namespaced else (name if resource == "namespaces" else "")
        info = RequestInfo(verb, "", found.group, found.version, namespace, found.plural, name, subresource)
        asked = self._api.find(info)
        self._api.require(self._user, info)
        return asked

    def _call(self) -> Call:
        return Call(self._user, manager=self._manager, explicit_manager=False, validation="Ignore")

    async def get(self, resource: str, namespace: str, name: str) -> Object:
        return decoded(self._api.get(self._asked("get", resource, namespace, name)))

    async def list(
        self, resource: str, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> tuple[list[Object], str]:
        """The objects and the resourceVersion of the list."""
        asked = self._asked("list", resource, namespace)
        page = self._api.list(asked, {"labelSelector": labels, "fieldSelector": fields})
        return [decoded(stored) for stored in page.items], str(page.version)

    async def create(self, resource: str, namespace: str, obj: Object, *, subresource: str = "") -> Object:
        """With a subresource, the name is that of `obj`."""
        name = obj["metadata"]["name"] if subresource else ""
        asked = self._asked("create", resource, namespace, name, subresource)
        return (await self._write(asked, Body(obj))).value

    async def update(self, resource: str, namespace: str, obj: Object, *, subresource: str = "") -> Object:
        asked = self._asked("update", resource, namespace, obj["metadata"]["name"], subresource)
        return (await self._write(asked, Body(obj))).value

    async def patch(
        self, resource: str, namespace: str, name: str, patch: Any, *, kind: str, subresource: str = ""
    ) -> Object:
        """`kind` is merge, strategic, json or apply."""
        asked = self._asked("patch", resource, namespace, name, subresource)
        return (await self._write(asked, Body(patch, (), kind))).value

    async def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        grace_seconds: int | None = None,
        propagation: str = "Background",
    ) -> None:
        options: dict[str, Any] = {"kind": "DeleteOptions", "propagationPolicy": propagation}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if uid:
            options["preconditions"] = {"uid": uid}
        await self._write(self._asked("delete", resource, namespace, name), Body(options))

    async def watch(self, resource: str, *, since: str, namespace: str = "") -> AsyncIterator[tuple[str, Object]]:
        """(type, object) for each change after the resourceVersion `since`, until the server ends the watch.

        Raises:
            Expired: `since` is too old.
        """
        watch = self._api.watch(self._asked("watch", resource, namespace), {"resourceVersion": since})
        async for event in watch.events(time.monotonic):
            yield event.type, msgspec.json.decode(event.raw)

    async def _write(self, asked: Asked, body: Body) -> Answer:
        return await self._api.write(asked, self._call(), body, {})
