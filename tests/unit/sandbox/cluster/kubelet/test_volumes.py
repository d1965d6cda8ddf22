import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iambridge.errors import CreateContainerConfigError, FailedMount
from iambridge.sandbox.cluster.kubelet.environment import Sources
from iambridge.sandbox.cluster.kubelet.host_path import host_path
from iambridge.sandbox.cluster.kubelet.memory_volumes import MemoryVolumes
from iambridge.sandbox.cluster.kubelet.volumes import (
    File,
    files,
    refuse_unsupported,
    subpath,
    token_projections,
    write,
)

TOKEN = {"serviceAccountToken": {"audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token"}}
SOURCES = Sources(
    config_maps={"c": {"data": {"a": "1", "b": "2"}}},
    secrets={"s": {"data": {"x": base64.b64encode(b"\x00\xff").decode()}}},
)


def pod(*volumes: dict[str, Any], **security: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "n", "labels": {"app": "a"}},
        "spec": {"volumes": list(volumes), "securityContext": security, "containers": [{"name": "c"}]},
    }


@pytest.fixture
def dated() -> Callable[[], str]:
    names = iter(f"2026_01_01_00_00_0{number}.x" for number in range(9))
    return lambda: next(names)


def test_projected_volume_gathers_its_sources() -> None:
    """A projected volume holds the token, the keys and the fields that its sources name, at their paths."""
    volume = {
        "name": "v",
        "projected": {
            "defaultMode": 0o440,
            "sources": [
                TOKEN,
                {"configMap": {"name": "c", "items": [{"key": "a", "path": "deep/a", "mode": 0o400}]}},
                {"secret": {"name": "s"}},
                {
                    "downwardAPI": {
                        "items": [
                            {"path": "ns", "fieldRef": {"fieldPath": "metadata.namespace"}},
                            {"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "requests.cpu"}},
                        ]
                    }
                },
            ],
        },
    }
    found = files(pod(volume), volume, SOURCES, {("sts.amazonaws.com", 86400): "jwt"})
    assert found == {
        "token": File(b"jwt", 0o440),
        "deep/a": File(b"1", 0o400),
        "x": File(b"\x00\xff", 0o440),
        "ns": File(b"n", 0o440),
        "cpu": File(b"0", 0o440),
    }


@pytest.mark.parametrize(("security", "mode"), [({}, 0o644), ({"fsGroup": 1}, 0o600), ({"runAsUser": 1}, 0o600)])
def test_token_mode(security: dict[str, int], mode: int) -> None:
    """A token is for its owner alone when the pod names an owner or a group, else as the volume says (KEP-1205)."""
    volume = {"name": "v", "projected": {"sources": [TOKEN]}}
    found = files(pod(volume, **security), volume, SOURCES, {("sts.amazonaws.com", 86400): "jwt"})
    assert found == {"token": File(b"jwt", mode, security.get("runAsUser"))}


def test_missing_object_is_named() -> None:
    """A ConfigMap that is not there fails the mount by its name; an optional one is an empty volume."""
    volume = {"name": "v", "configMap": {"name": "gone"}}
    with pytest.raises(FailedMount, match='configmap "gone" not found'):
        files(pod(volume), volume, SOURCES, {})
    volume["configMap"]["optional"] = True  # type: ignore[index]  # a literal of mixed values
    assert files(pod(volume), volume, SOURCES, {}) == {}


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../b", "..data", ""])
def test_path_stays_in_the_volume(path: str) -> None:
    """An item cannot write outside of its volume, nor over the links that swap it."""
    volume = {"name": "v", "configMap": {"name": "c", "items": [{"key": "a", "path": path}]}}
    with pytest.raises(FailedMount):
        files(pod(volume), volume, SOURCES, {})


@pytest.mark.parametrize(
    ("volume", "named"),
    [
        ({"name": "v", "persistentVolumeClaim": {"claimName": "c"}}, "persistentVolumeClaim"),
        ({"name": "v", "projected": {"sources": [{"clusterTrustBundle": {}}]}}, "clusterTrustBundle"),
    ],
)
def test_unsupported_volume_is_refused_by_name(volume: dict[str, Any], named: str) -> None:
    """A volume that this node cannot give is refused, and the refusal names its type."""
    with pytest.raises(FailedMount, match=named):
        refuse_unsupported(pod(volume))


def test_token_projections() -> None:
    """Each serviceAccountToken is found, with Kubernetes' default life of an hour."""
    found = token_projections(pod({"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}))
    assert [(each.volume, each.path, each.audience, each.seconds) for each in found] == [("v", "t", "", 3600)]


def test_write_swaps_in_one_step(tmp_path: Path, dated: Callable[[], str]) -> None:
    """A reader that holds the directory open sees all old or all new files, and what is gone is gone."""
    assert write(tmp_path, {"a": File(b"1", 0o644), "d/x": File(b"2", 0o600)}, dated=dated)
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "d/x").stat().st_mode & 0o777 == 0o600
    old = (tmp_path / "..data").resolve()
    assert write(tmp_path, {"a": File(b"new", 0o644)}, dated=dated)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert not (tmp_path / "d").is_symlink()
    assert not old.exists()


def test_write_of_the_same_changes_nothing(tmp_path: Path, dated: Callable[[], str]) -> None:
    """Content that is there already is left as it is, so that watchers of the file are not woken."""
    write(tmp_path, {"a": File(b"1", 0o644)}, dated=dated)
    before = (tmp_path / "..data").readlink()
    assert not write(tmp_path, {"a": File(b"1", 0o644)}, dated=dated)
    assert (tmp_path / "..data").readlink() == before


def test_subpath_stays_in_the_volume(tmp_path: Path) -> None:
    """A subPath is made where it is missing, and refused where it leads out, also through a link."""
    assert subpath(tmp_path, "new/dir").is_dir()
    (tmp_path / "out").symlink_to("/etc")
    for path in ("..", "out", "out/x"):
        with pytest.raises(CreateContainerConfigError):
            subpath(tmp_path, path)


@pytest.mark.parametrize(
    ("kind", "made"),
    [("", False), ("Directory", False), ("File", False), ("DirectoryOrCreate", True), ("FileOrCreate", True)],
)
def test_a_host_path_is_made_only_where_its_type_says_so(tmp_path: Path, kind: str, made: bool) -> None:  # noqa: FBT001 - a parameter of the case
    """A path that is absent is made for the OrCreate types, and is a failed mount that names it for the others."""
    place = tmp_path / "place"
    volume = {"name": "v", "hostPath": {"path": str(place), "type": kind}}
    if made:
        assert host_path(volume) == place
        assert place.is_dir() == (kind == "DirectoryOrCreate")
    else:
        with pytest.raises(FailedMount, match="place: No such file"):
            host_path(volume)
        assert not place.exists()


@pytest.mark.parametrize(("kind", "words"), [("File", "a file"), ("Socket", "a socket file"), ("CharDevice", "a char")])
def test_a_host_path_of_another_type_is_refused(tmp_path: Path, kind: str, words: str) -> None:
    """The type is checked, in the kubelet's words."""
    with pytest.raises(FailedMount, match=f"hostPath type check failed: {tmp_path} is not {words}"):
        host_path({"name": "v", "hostPath": {"path": str(tmp_path), "type": kind}})
    assert host_path({"name": "v", "hostPath": {"path": str(tmp_path), "type": ""}}) == tmp_path


def test_memory_volumes_are_private_and_end_with_the_node(tmp_path: Path) -> None:
    """They lie on the machine's memory file system, closed to others; nothing is left after the node's end or start."""
    memory = MemoryVolumes.of(tmp_path)
    if memory.root is None:
        pytest.skip("this machine has no /dev/shm to write to")
    place = memory.place("uid", "v")
    assert place is not None
    place.mkdir(parents=True)
    assert memory.root.stat().st_mode & 0o777 == 0o700
    memory.remove("uid")
    assert not place.exists()
    place.mkdir(parents=True)
    assert MemoryVolumes.of(tmp_path).root == memory.root
    assert not place.exists()
    memory.close()
    assert not memory.root.exists()
    assert MemoryVolumes(None).place("uid", "v") is None
