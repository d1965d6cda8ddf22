"""What is being done, as admission sees it."""

from dataclasses import dataclass, field
from typing import Any

from iambridge.core.rbac import User

GroupVersionName = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class AdmissionAttributes:
    """One write. `kind` and `resource` are (group, version, name); `operation` is CREATE, UPDATE, DELETE or CONNECT.

    `object` is absent on DELETE, `old_object` on CREATE. `options` is the request's CreateOptions or the like.
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

    @property
    def group_resource(self) -> str:
        """`jobs.batch`, as error messages name a resource."""
        group, _, name = self.resource
        return f"{name}.{group}" if group else name
