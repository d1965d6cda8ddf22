"""What is being done, as admission sees it."""

from dataclasses import dataclass, field, replace
from typing import Any

from iambridge.core.rbac import User

GroupVersionName = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class AdmissionAttributes:
    """One write. `kind` and `resource` are (group, version, name); `operation` is CREATE, UPDATE, DELETE or CONNECT.

    `object` is absent on DELETE, `old_object` on CREATE. `options` is the request's CreateOptions or the like.
    `versions` are those in which the resource is served; `asked_kind` and `asked_resource` are what the request named,
    where this is another version's view of it.
    """

    operation: str
    kind: GroupVersionName
    resource: GroupVersionName
    user: User
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    object: dict[str, Any] | None = None
    old_object: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    versions: tuple[str, ...] = ()
    asked_kind: GroupVersionName | None = None
    asked_resource: GroupVersionName | None = None

    def at(self, version: str) -> "AdmissionAttributes":
        """The same write as another version shows it: conversion is `None`, so only the apiVersion differs."""
        kind, resource = ((each[0], version, each[2]) for each in (self.kind, self.resource))

        def shown(obj: dict[str, Any] | None) -> dict[str, Any] | None:
            return None if obj is None else {**obj, "apiVersion": f"{kind[0]}/{version}"}

        return replace(
            self,
            kind=kind,
            resource=resource,
            object=shown(self.object),
            old_object=shown(self.old_object),
            asked_kind=self.kind,
            asked_resource=self.resource,
        )

    @property
    def group_resource(self) -> str:
        """`jobs.batch`, as error messages name a resource."""
        group, _, name = self.resource
        return f"{name}.{group}" if group else name
