from pathlib import Path

import pytest

from iambridge.errors import FailedMount
from iambridge.sandbox.cluster.kubelet.mounts import Mount, bubblewrap_arguments, plan, rewrite


def test_existing_mount_point_is_bound_directly(tmp_path: Path) -> None:
    """Where the host has the directory nothing is rebuilt."""
    point = tmp_path / "point"
    point.mkdir()
    assert plan([Mount("v", str(point), tmp_path / "source")]) == [["bind", str(tmp_path / "source"), "rw", str(point)]]


def test_missing_mount_point_rebuilds_the_deepest_directory(tmp_path: Path) -> None:
    """The directory that would get the new entry is rebuilt with all it has, links as links."""
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    tmp_path.chmod(0o755)
    steps = plan([Mount("v", f"{tmp_path}/a/b", Path("/source"), read_only=True)])
    assert steps == [
        ["tmpfs", "0755", str(tmp_path)],
        ["keep", f"{tmp_path}/file", f"{tmp_path}/file"],
        ["symlink", "file", f"{tmp_path}/link"],
        ["bind", "/source", "ro", f"{tmp_path}/a/b"],
    ]
    assert "--ro-bind" in bubblewrap_arguments(steps)


def test_links_in_a_mount_path_are_followed(tmp_path: Path) -> None:
    """/var/run is a link to /run on many systems: the volume is mounted where the path really leads."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert plan([Mount("v", f"{tmp_path}/link/new", Path("/s"))])[-1][-1] == f"{tmp_path}/real/new"


@pytest.mark.parametrize("path", ["relative", "/", "/proc/self"])
def test_impossible_mount_point_is_refused_by_name(path: str) -> None:
    """A place that cannot be a mount point is refused with the path in the message."""
    with pytest.raises(FailedMount, match=path):
        plan([Mount("v", path, Path("/s"))])


def test_collisions_are_refused(tmp_path: Path) -> None:
    """Two volumes at one place, a volume inside a read-only one, and a file in the way are refused."""
    (tmp_path / "file").write_text("")
    for first, second in (("/a", "/a"), ("/a", "/a/b")):
        with pytest.raises(FailedMount):
            plan([Mount("v", f"{tmp_path}{p}", Path("/s"), read_only=True) for p in (first, second)])
    with pytest.raises(FailedMount, match="is a file"):
        plan([Mount("v", f"{tmp_path}/file/x", Path("/s"))])


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("/data", "/real"),
        ("/data/x", "/real/x"),
        ("--file=/data/x:/data", "--file=/real/x:/real"),
        ("/database /srv/data /data.old", "/database /srv/data /data.old"),
        ("/data/deep/x", "/other/x"),
    ],
)
def test_rewriting_replaces_whole_paths_only(text: str, rewritten: str) -> None:
    """Only a path that stands by itself is replaced, the longest mountPath first."""
    mounts = [Mount("v", "/data", Path("/real")), Mount("w", "/data/deep", Path("/other"))]
    assert rewrite(text, mounts) == rewritten
