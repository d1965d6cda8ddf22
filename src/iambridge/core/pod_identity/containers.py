"""Environment and mounts, container by container, in the original's order and with its rules of suppression."""

import csv
from collections.abc import Mapping
from typing import Any

from iambridge.core.decision import Reason
from iambridge.core.pod_identity.pod import Container, Pod
from iambridge.core.pod_identity.settings import Settings, TokenPlace

_REGIONAL_STS = "AWS_STS_REGIONAL_ENDPOINTS"
_REGIONS = ("AWS_DEFAULT_REGION", "AWS_REGION")
_STATIC_KEY = "AWS_ACCESS_KEY_ID"
_SESSION_NAME = "AWS_ROLE_SESSION_NAME"


class Injection:
    """What is to be injected into every container of one pod, and what was found on the way. Lives for one decision."""

    __slots__ = (
        "audience",
        "considered",
        "expiration",
        "file",
        "included",
        "injected",
        "pair",
        "place",
        "reasons",
        "refused",
        "region",
        "regional_sts",
        "session_name",
        "skipped",
        "volume_name",
        "warnings",
    )

    def __init__(self, place: TokenPlace, file: str, reasons: list[Reason]) -> None:
        self.place = place
        self.file = file
        self.reasons = reasons
        self.pair: tuple[tuple[str, str], tuple[str, str]] = (("", ""), ("", ""))
        self.audience = ""
        self.expiration = 0
        self.region = ""
        self.regional_sts = False
        self.session_name: dict[str, Any] | None = None
        self.volume_name = place.volume_name
        self.skipped: frozenset[str] = frozenset()
        self.included: frozenset[str] | None = None
        self.injected: list[str] = []
        self.considered = 0
        self.refused = 0
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def choose_containers(self, settings: Settings, annotations: Mapping[str, str]) -> None:
        """The pod's skip-containers, and include-containers where the settings honour it."""
        text = annotations.get(settings.skip_key)
        if text is not None:
            self.skipped = self._names(settings.skip_key, text) or frozenset()
        if settings.include_containers:
            text = annotations.get(settings.include_key)
            if text is not None:
                self.included = self._names(settings.include_key, text)

    def _names(self, key: str, text: str) -> frozenset[str] | None:
        """One CSV record, names trimmed; None (and nobody is chosen) when it is not CSV."""
        try:
            record = next(csv.reader(text.strip().splitlines(), strict=True, skipinitialspace=True), [])
        except csv.Error:
            record = ['"']
        if any('"' in name for name in record):
            self.warn(f"annotation {key} is not a comma-separated list and is ignored")
            return None
        return frozenset(name.strip() for name in record)


def containers_patch(pod: Pod, injection: Injection, patch: list[dict[str, Any]]) -> None:
    """Append the operations for containers and initContainers; ephemeral containers cannot be in a new pod."""
    for field, containers in (("containers", pod.spec.containers), ("initContainers", pod.spec.init_containers)):
        for index, container in enumerate(containers or ()):
            name = container.name
            if name in injection.skipped:
                injection.reasons.append(Reason("container-skipped", "skip-containers names it", name))
            elif injection.included is not None and name not in injection.included:
                injection.reasons.append(Reason("container-not-included", "include-containers does not name it", name))
            else:
                injection.considered += 1
                _inject(container, f"/spec/{field}/{index}", injection, patch)


def _inject(container: Container, path: str, injection: Injection, patch: list[dict[str, Any]]) -> None:
    name = container.name
    names = {variable.name for variable in container.env or ()}
    (first, _), (second, _) = injection.pair
    has_first, has_second = first in names, second in names
    region_set = not names.isdisjoint(_REGIONS)
    if has_first and has_second and region_set and _REGIONAL_STS in names:
        # the original's early exit: all three groups are present, so neither environment nor mount is added
        injection.reasons.append(Reason("container-configured", "its environment is complete", name, True))
        return
    mount = _mount_needed(container, injection)
    if mount is None:
        text = f"something else is mounted at {injection.place.mount_path}"
        injection.reasons.append(Reason("token-path-taken", text, name))
        injection.warn(f"container {name} gets no AWS identity: {text}")
        injection.refused += 1
        return
    added = _environment(injection, names, region_set=region_set)
    if added:
        _append(patch, f"{path}/env", container.env, added)
    if mount:
        entry = {"name": injection.volume_name, "readOnly": True, "mountPath": injection.place.mount_path}
        _append(patch, f"{path}/volumeMounts", container.volume_mounts, [entry])
    if has_first or has_second:
        injection.reasons.append(_kept(name, first if has_first else second, second if has_first else first, names))
    if added or mount:
        injection.reasons.append(Reason("container-injected", "it gets the identity", name, True))
    if _STATIC_KEY in names:
        injection.warn(f"container {name} sets {_STATIC_KEY}, which wins over the injected identity")
    injection.injected.append(name)


def _environment(injection: Injection, names: set[str], *, region_set: bool) -> list[dict[str, Any]]:
    """The variables to append: regional STS, region, the pair, session name; one that is set is kept."""
    added: list[dict[str, Any]] = []
    if injection.regional_sts and _REGIONAL_STS not in names:
        added.append({"name": _REGIONAL_STS, "value": "regional"})
    if injection.region and not region_set:
        added += [{"name": key, "value": injection.region} for key in _REGIONS]
    added += [{"name": key, "value": value} for key, value in injection.pair if key not in names]
    if injection.session_name is not None and _SESSION_NAME not in names:
        added.append(injection.session_name)
    return added


def _kept(container: str, kept: str, other: str, names: set[str]) -> Reason:
    if other in names:
        return Reason("env-kept", f"{kept} and {other} were set and are kept", container, True)
    return Reason("env-completed", f"{kept} was set and is kept; {other} is added beside it", container, True)


def _mount_needed(container: Container, injection: Injection) -> bool | None:
    """True: add it. False: it is there. None: the token's path, or a place in it, belongs to another mount."""
    wanted = injection.place.mount_path.rstrip("/")
    needed = True
    for mount in container.volume_mounts or ():
        path = mount.mount_path.rstrip("/")
        if path == wanted:
            if mount.name != injection.volume_name or mount.sub_path or mount.sub_path_expr:
                return None
            needed = False
        elif path.startswith(f"{wanted}/"):
            return None
    return needed


def _append(patch: list[dict[str, Any]], path: str, there: list[Any] | None, entries: list[dict[str, Any]]) -> None:
    """A missing or null list is created; a list, also an empty one, is appended to."""
    if there is None:
        patch.append({"op": "add", "path": path, "value": entries})
    else:
        patch += [{"op": "add", "path": f"{path}/-", "value": entry} for entry in entries]
