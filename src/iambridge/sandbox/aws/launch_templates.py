"""Launch templates that a call names: what they launch with is decided on as if the request itself had said it.

Sources: EC2 User Guide, "Control access to launch templates"; EC2 Fleet prerequisites; Amazon EC2 Auto Scaling User
Guide, "Launch template support" (a group or a fleet needs what RunInstances with the template would need).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple
from xml.etree import ElementTree as ET

from iambridge.sandbox.aws import moto_calls
from iambridge.sandbox.aws.catalogue import Service
from iambridge.sandbox.aws.moto_backend import MotoBackend
from iambridge.sandbox.aws.operations import Call

_NAMED = re.compile(r"((?:.+\.)?)LaunchTemplate(Id|Name)")
_USERS = frozenset(
    {"ec2:RunInstances", "ec2:CreateFleet", "autoscaling:CreateAutoScalingGroup", "autoscaling:UpdateAutoScalingGroup"}
)
# numbers that no request reaches, so that a template's lists stand beside the request's own
_FIRST = 1000


class Template(NamedTuple):
    """`flat` holds the template's data as RunInstances would spell it."""

    id: str
    flat: Mapping[str, str]


async def named(moto: MotoBackend, call: Call) -> list[Template]:
    """The templates that a call launches from. One that is not there is left for moto to refuse."""
    if call.action not in _USERS:
        return []
    found = []
    for key, value in call.flat.items():
        if (match := _NAMED.fullmatch(key)) is not None:
            version = call.flat.get(f"{match[1]}Version", "$Default")
            root = await moto_calls.launch_template(moto, call.region, {f"LaunchTemplate{match[2]}": value}, version)
            if root is not None:
                flat: dict[str, str] = {}
                _flatten(root.find("launchTemplateData"), "", flat)
                found.append(Template(root.findtext("launchTemplateId") or "", flat))
    return found


def _flatten(element: ET.Element | None, prefix: str, flat: dict[str, str]) -> None:
    """EC2's XML as EC2's form parameters: `tagSet/item/key` is `Tag.1000.Key`."""
    if element is None:
        return
    for number, child in enumerate(element, _FIRST):
        name = child.tag[:1].upper() + child.tag[1:].removesuffix("Set")
        at = f"{prefix}{number}" if child.tag in {"item", "groupId"} else f"{prefix}{name}"
        if len(child):
            _flatten(child, f"{at}.", flat)
        elif child.text:
            flat[at] = child.text


def launches(call: Call, templates: list[Template]) -> tuple[Call, list[Call]]:
    """The call with its template's data, and the RunInstances that it stands for besides."""
    if not templates:
        return call, []
    if call.action == "ec2:RunInstances":
        return _filled(call, call.flat, templates[0]), []
    overrides = {key: value for key, value in call.flat.items() if not _NAMED.fullmatch(key)}
    # the groups of an Auto Scaling request are not EC2's parameters: only what the template says counts
    own = overrides if call.service.prefix == "ec2" else {}
    run = replace(call, service=Service("ec2", "ec2"), operation="RunInstances", document={})
    ids = {f"{key}.LaunchTemplateId": template.id for key, template in enumerate(templates)}
    return replace(call, flat={**call.flat, **ids}), [_filled(run, own, template) for template in templates]


def without_requests_tags(call: Call) -> Call:
    """A call of `launches` with the template's TagSpecifications alone."""
    gone = {
        key for key in call.flat if key.startswith("TagSpecification.") and len(key.split(".")[1]) < len(str(_FIRST))
    }
    return replace(call, flat={key: value for key, value in call.flat.items() if key not in gone})


def _filled(call: Call, own: Mapping[str, str], template: Template) -> Call:
    """What a request says wins over its template."""
    said = {key.partition(".")[0] for key in own if not key.startswith("TagSpecification")}
    kept = {key: value for key, value in template.flat.items() if key.partition(".")[0] not in said}
    return replace(call, flat={**kept, **own, "LaunchTemplate.LaunchTemplateId": template.id})
