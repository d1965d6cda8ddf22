"""Which names of a CustomResourceDefinition are accepted, and the conditions that say so.

Source: apiextensions-apiserver pkg/controller/status/naming_controller.go and pkg/apihelpers.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

Object = dict[str, Any]

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
APPROVAL = "api-approved.kubernetes.io"
_SEE = "see https://github.com/kubernetes/enhancements/pull/1111"


def protected(group: str) -> bool:
    """Whether a group is the Kubernetes community's own."""
    return any(group == one or group.endswith(f".{one}") for one in ("k8s.io", "kubernetes.io"))


def approval(definition: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """(status, reason, message) of KubernetesAPIApprovalPolicyConformant; None for a group that needs no approval."""
    if not protected((definition.get("spec") or {}).get("group") or ""):
        return None
    found = (definition["metadata"].get("annotations") or {}).get(APPROVAL) or ""
    words = f'protected groups must have approval annotation "{APPROVAL}"'
    if not found:
        return "False", "MissingAnnotation", f"{words}, {_SEE}"
    if found.startswith("unapproved"):
        return "False", "UnapprovedAnnotation", f'not approved: "{found}"'
    url = urlsplit(found)
    if url.scheme and url.netloc:
        return "True", "ApprovedAnnotation", f"approved in {found}"
    return "False", "InvalidAnnotation", f'{words} with either a URL or a reason starting with "unapproved", {_SEE}'


def condition(definition: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == kind), None)


def holds(definition: Mapping[str, Any], kind: str) -> bool:
    found = condition(definition, kind)
    return found is not None and found.get("status") == "True"


def with_condition(definition: Mapping[str, Any], kind: str, told: tuple[str, str, str], now: str) -> Object:
    """The definition with a condition set to (status, reason, message).

    Its lastTransitionTime moves only when its status does.
    """
    status, reason, message = told
    out = copy.deepcopy(dict(definition))
    conditions = out.setdefault("status", {}).get("conditions") or []
    before = condition(definition, kind)
    at = before["lastTransitionTime"] if before and before["status"] == status else now
    new = {"type": kind, "status": status, "lastTransitionTime": at, "reason": reason, "message": message}
    kept = [new if one["type"] == kind else one for one in conditions]
    out["status"]["conditions"] = kept if before is not None else [*kept, new]
    return out


def accepted(definition: Object, others: Iterable[Mapping[str, Any]], now: str) -> Object:
    """The definition with its status brought up to date: acceptedNames, NamesAccepted and Established.

    `others` are the definitions of the same group. A name that one of them holds already is not accepted; once all are,
    the kind is established, and it stays so.
    """
    held = [(one.get("status") or {}).get("acceptedNames") or {} for one in others]
    resources = {name for names in held for name in (names.get("plural"), names.get("singular"), *_short(names))}
    kinds = {name for names in held for name in (names.get("kind"), names.get("listKind"))}
    wanted, own = definition["spec"]["names"], (definition.get("status") or {}).get("acceptedNames") or {}
    names, problems = _judged(wanted, own, resources, kinds)
    out = copy.deepcopy(definition)
    out.setdefault("status", {})["acceptedNames"] = names
    if problems:
        out = with_condition(out, "NamesAccepted", ("False", *problems[-1]), now)
    else:
        out = with_condition(out, "NamesAccepted", ("True", "NoConflicts", "no conflicts found"), now)
    if holds(definition, "Established"):
        return out
    if problems:
        return with_condition(out, "Established", ("False", "NotAccepted", "not all names are accepted"), now)
    message = "the initial names have been accepted"
    return with_condition(out, "Established", ("True", "InitialNamesAccepted", message), now)


def _short(names: Mapping[str, Any]) -> Sequence[str]:
    found: Sequence[str] = names.get("shortNames") or ()
    return found


def _judged(
    wanted: Mapping[str, Any], own: Mapping[str, Any], resources: set[Any], kinds: set[Any]
) -> tuple[Object, list[tuple[str, str]]]:
    """The names in effect, and (reason, message) of each conflict."""
    names = dict(own)
    problems = []
    for field, used in (("plural", resources), ("singular", resources), ("shortNames", resources),
                        ("kind", kinds), ("listKind", kinds)):  # fmt: skip
        asked = _short(wanted) if field == "shortNames" else [wanted.get(field, "")]
        mine = _short(own) if field == "shortNames" else [own.get(field)]
        taken = [name for name in asked if name not in mine and name in used]
        if taken:
            messages = [f'"{name}" is already in use' for name in taken]
            text = messages[0] if len(messages) == 1 else f"[{', '.join(messages)}]"
            problems.append((f"{field[0].upper()}{field[1:]}Conflict", text))
        elif field in wanted:
            names[field] = wanted[field]
        else:
            names.pop(field, None)
    for field in ("categories",):
        if wanted.get(field):
            names[field] = wanted[field]
        else:
            names.pop(field, None)
    return names, problems
