"""A pod's volumes on disk: which files each has (pure), and how they are replaced while the pod reads them.

Sources: core/v1 Volume; the swap is the one of kubernetes pkg/volume/util/atomic_writer: files live in a dated
directory, `..data` points to it, and every name in the volume is a symlink through `..data`.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from iambridge.errors import CreateContainerConfigError, FailedMount
from iambridge.sandbox.cluster.kubelet.environment import Object, Sources, decoded, field_value
from iambridge.sandbox.cluster.kubelet.process_user import volume_owner
from iambridge.sandbox.cluster.kubelet.resource_fields import container_named, resource_value

_SUPPORTED = ("configMap", "secret", "downwardAPI", "emptyDir", "projected", "hostPath")
_DATA = "..data"
_Found = tuple[str, Mapping[str, Object]]


@dataclass(frozen=True, slots=True)
class File:
    """`user` and `group` own it, where they are not the kubelet's own."""

    content: bytes
    mode: int
    user: int | None = None
    group: int | None = None


@dataclass(frozen=True, slots=True)
class TokenProjection:
    """A serviceAccountToken source. `seconds` is the life asked for, `audience` empty for the cluster's own."""

    volume: str
    path: str
    audience: str
    seconds: int

    @property
    def key(self) -> tuple[str, int]:
        """What two projections must share to hold the same token."""
        return self.audience, self.seconds


def refuse_unsupported(pod: Object) -> None:
    """Refuse by name every volume that this node cannot give.

    Raises:
        FailedMount: the first volume of a type that is not supported.
    """
    for volume in pod["spec"].get("volumes") or ():
        kinds = [key for key in volume if key != "name"]
        unknown = [kind for kind in kinds if kind not in _SUPPORTED]
        if unknown:
            raise FailedMount(
                f"volume {volume['name']!r} has type {unknown[0]}, which the embedded node does not support",
                fix=f"use {', '.join(_SUPPORTED)}",
            )
        for source in (volume.get("projected") or {}).get("sources") or ():
            for kind in source:
                if kind not in ("serviceAccountToken", "configMap", "secret", "downwardAPI"):
                    raise FailedMount(
                        f"volume {volume['name']!r} projects {kind}, which the embedded node does not support",
                        fix="use serviceAccountToken, configMap, secret or downwardAPI",
                    )


def token_projections(pod: Object) -> list[TokenProjection]:
    """Every serviceAccountToken of the pod's projected volumes."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            token = source.get("serviceAccountToken")
            if token is not None:
                seconds = int(token.get("expirationSeconds") or 3600)
                found.append(TokenProjection(volume["name"], token["path"], token.get("audience") or "", seconds))
    return found


def named_sources(pod: Object) -> tuple[set[str], set[str]]:
    """The names of the ConfigMaps and of the Secrets that the pod's volumes draw on."""
    config_maps: set[str] = set()
    secrets: set[str] = set()
    for volume in pod["spec"].get("volumes") or ():
        if "configMap" in volume:
            config_maps.add(volume["configMap"]["name"])
        if "secret" in volume:
            secrets.add(volume["secret"]["secretName"])
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "configMap" in source:
                config_maps.add(source["configMap"]["name"])
            if "secret" in source:
                secrets.add(source["secret"]["name"])
    return config_maps, secrets


def owned(content: Mapping[str, File], group: int | None) -> dict[str, File]:
    """The files as fsGroup makes them: of that group, and readable by it. Source: volume.SetVolumeOwnership."""
    if group is None:
        return dict(content)
    return {path: replace(file, mode=file.mode | 0o440, group=group) for path, file in content.items()}


def files(
    pod: Object, volume: Object, sources: Sources, tokens: Mapping[tuple[str, int], str]
) -> dict[str, File] | None:
    """The files of a volume by their path in it; None for emptyDir and hostPath, which are as they are.

    Raises:
        FailedMount: an object or key that the volume needs is not there.
    """
    name = volume["name"]
    if "configMap" in volume:
        return _keys(pod, name, volume["configMap"], ("ConfigMap", sources.config_maps), _mode(volume["configMap"]))
    if "secret" in volume:
        reference = {**volume["secret"], "name": volume["secret"]["secretName"]}
        return _keys(pod, name, reference, ("Secret", sources.secrets), _mode(volume["secret"]))
    if "downwardAPI" in volume:
        return _downward(pod, name, volume["downwardAPI"], _mode(volume["downwardAPI"]), sources)
    if "projected" not in volume:
        return None
    result: dict[str, File] = {}
    mode = _mode(volume["projected"])
    for source in volume["projected"].get("sources") or ():
        if "configMap" in source:
            result |= _keys(pod, name, source["configMap"], ("ConfigMap", sources.config_maps), mode)
        if "secret" in source:
            result |= _keys(pod, name, source["secret"], ("Secret", sources.secrets), mode)
        if "downwardAPI" in source:
            result |= _downward(pod, name, source["downwardAPI"], mode, sources)
        token = source.get("serviceAccountToken")
        if token is not None:
            key = (token.get("audience") or "", int(token.get("expirationSeconds") or 3600))
            user, group = volume_owner(pod)
            # private when one user or a group is to own it, KEP-1205
            private = user is not None or group is not None
            result[token["path"]] = File(tokens[key].encode(), 0o600 if private else mode, user)
    return result


def write(directory: Path, content: Mapping[str, File], *, dated: Callable[[], str]) -> bool:
    """Make `directory` hold exactly `content`; readers see the old files or the new ones, never a mixture.

    `dated` gives the name of a new dated directory. Returns whether anything changed.
    """
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    link = directory / _DATA
    old = directory / link.readlink() if link.is_symlink() else None
    if old is not None and _holds(old, content):
        return False
    new = directory / f"..{dated()}"
    new.mkdir(mode=0o755)
    for path, file in content.items():
        target = new / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        if (file.user, file.group) != (None, None) and os.getuid() == 0:
            os.chown(target, -1 if file.user is None else file.user, -1 if file.group is None else file.group)
        target.chmod(file.mode)
    temporary = directory / "..data_tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(new.name)
    temporary.replace(link)
    names = {PurePosixPath(path).parts[0] for path in content}
    for name in names:
        visible = directory / name
        if not visible.is_symlink():
            visible.symlink_to(f"{_DATA}/{name}")
    for entry in directory.iterdir():
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    return True


def subpath(source: Path, path: str) -> Path:
    """`path` in a volume, made as a directory when absent, and never outside of it.

    Raises:
        CreateContainerConfigError: the path leads out of the volume.
    """
    place = (source / path).resolve()
    if not place.is_relative_to(source.resolve()):
        raise CreateContainerConfigError(
            f"failed to prepare subPath {path!r}: it leads out of the volume", fix="give a subPath within the volume"
        )
    with contextlib.suppress(FileExistsError):
        place.mkdir(parents=True)
    return place


def _holds(directory: Path, content: Mapping[str, File]) -> bool:
    present = {str(path.relative_to(directory)): path for path in directory.rglob("*") if path.is_file()}
    return present.keys() == content.keys() and all(
        path.read_bytes() == content[name].content and path.stat().st_mode & 0o7777 == content[name].mode
        for name, path in present.items()
    )


def _mode(source: Object) -> int:
    mode = source.get("defaultMode")
    return 0o644 if mode is None else int(mode)


def _keys(pod: Object, volume: str, reference: Object, found: _Found, mode: int) -> dict[str, File]:
    kind, objects = found
    name, optional = reference.get("name") or "", bool(reference.get("optional"))
    place = f"{pod['metadata']['namespace']}/{name}"
    if name not in objects:
        if optional:
            return {}
        raise _not_mounted(volume, f'{kind.lower()} "{name}" not found', f"create {kind} {place}")
    entries = decoded({"kind": kind, **objects[name]})
    items: Iterable[Mapping[str, Any]] = reference.get("items") or ()
    if not items:
        return {key: File(value, mode) for key, value in entries.items()}
    result = {}
    for item in items:
        if item["key"] in entries:
            own = item.get("mode")
            result[_within(volume, item["path"])] = File(entries[item["key"]], mode if own is None else int(own))
        elif not optional:
            raise _not_mounted(
                volume, f"references non-existent config key: {item['key']}", f"add the key to {kind} {place}"
            )
    return result


def _downward(pod: Object, volume: str, source: Object, mode: int, sources: Sources) -> dict[str, File]:
    result = {}
    for item in source.get("items") or ():
        try:
            if "resourceFieldRef" in item:
                selector = item["resourceFieldRef"]
                container = container_named(pod, selector.get("containerName", ""))
                value = resource_value(container, selector, sources.allocatable)
            else:
                value = field_value(pod, (item.get("fieldRef") or {}).get("fieldPath", ""))
        except CreateContainerConfigError as error:
            raise _not_mounted(volume, error.message, error.fix) from error
        own = item.get("mode")
        result[_within(volume, item["path"])] = File(value.encode(), mode if own is None else int(own))
    return result


def _within(volume: str, path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise _not_mounted(volume, f"path {path!r} is not a relative path in the volume", "correct the item's path")
    return str(PurePosixPath(path))


def _not_mounted(volume: str, why: str, fix: str) -> FailedMount:
    return FailedMount(f"MountVolume.SetUp failed for volume {volume!r} : {why}", fix=fix)
