"""The launcher as a real process: as the current user and, where the test runs as root, also as an unprivileged one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from iambridge.sandbox.cluster.kubelet import launch
from iambridge.sandbox.cluster.kubelet.mount_mode import BUBBLEWRAP
from iambridge.sandbox.cluster.kubelet.mounts import Mount, Steps, bubblewrap_arguments, plan
from iambridge.sandbox.cluster.kubelet.process_user import ProcessUser
from iambridge.sandbox.cluster.kubelet.reach import Given, reach

if sys.platform != "linux":
    pytest.skip("mount namespaces are Linux's", allow_module_level=True)

TOKEN_PATH = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
NOBODY = 65534
USERS = [os.getuid(), NOBODY] if os.getuid() == 0 else [os.getuid()]


class Ended(NamedTuple):
    code: int
    output: str
    status: dict[str, str]


class Launcher:
    """Runs launch.py as `user` on volumes of its own in a directory that the user can reach."""

    def __init__(self, user: int, place: Path) -> None:
        self.user = user
        self.place = place
        self.identity: dict[str, Any] = {} if user == os.getuid() else {"user": user, "group": user, "extra_groups": []}
        self.python = sys.executable if user == os.getuid() else "/usr/bin/python3"
        self.script = place / "launch.py"
        shutil.copy(launch.__file__, self.script)
        for name in ("staging", "token", "data"):
            (place / name).mkdir()
        (place / "token/token").write_text("the token")
        if user != os.getuid():
            for path in (place, *place.rglob("*")):
                os.chown(path, user, user)

    def run(
        self, steps: Steps, *argv: str, environment: dict[str, str] | None = None, cwd: str = "/", **rights: object
    ) -> Ended:
        receive, send = os.pipe()
        specification = {
            "steps": steps,
            "staging": str(self.place / "staging"),
            "argv": argv,
            "env": {"PATH": os.defpath} if environment is None else environment,
            "cwd": cwd,
            "parent": os.getpid(),
            "status": send,
            "user": None,
            "confined": False,
            "powerless": False,
            "read_only": False,
            **rights,
        }
        process = subprocess.Popen(
            [self.python, "-I", "-S", str(self.script)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=(send,), start_new_session=True, env={}, text=True, **self.identity,
        )  # fmt: skip
        os.close(send)
        output, _ = process.communicate(json.dumps(specification), timeout=60)
        with os.fdopen(receive) as stream:
            report = stream.read()
        return Ended(process.returncode, output, json.loads(report) if report else {})

    def sh(self, mounts: list[Mount], script: str) -> Ended:
        return self.run(plan(mounts), "/bin/sh", "-c", script)

    def token(self, path: str = TOKEN_PATH) -> Mount:
        return Mount("aws-iam-token", path, self.place / "token", read_only=True)


@contextmanager
def launching(user: int) -> Iterator[Launcher]:
    with tempfile.TemporaryDirectory(prefix="ib-launch-") as place:
        Path(place).chmod(0o755)
        launcher = Launcher(user, Path(place))
        trial = launcher.sh([launcher.token()], "true")
        if trial.status.get("stage") == "mount":
            pytest.skip(f"this machine forbids private mounts: {trial.status['error']}")
        yield launcher


@pytest.fixture(params=USERS, ids=lambda user: f"uid-{user}")
def launcher(request: pytest.FixtureRequest) -> Iterator[Launcher]:
    if request.param != os.getuid() and not Path("/usr/bin/python3").exists():
        pytest.skip("no python3 that an unprivileged user can start")
    with launching(request.param) as found:
        yield found


@pytest.fixture
def root() -> Iterator[Launcher]:
    if os.getuid() != 0:
        pytest.skip("only root may take on another user, and has capabilities to drop")
    with launching(0) as found:
        yield found


def test_volume_is_at_its_exact_path(launcher: Launcher) -> None:
    """A program that knows only the path that EKS injects finds the token there."""
    ended = launcher.sh([launcher.token()], f"cat {TOKEN_PATH}/token")
    assert ended == (0, "the token", {})


def test_user_is_kept(launcher: Launcher) -> None:
    """The process has the user and group of the kubelet, and an unprivileged one gains no capability."""
    ended = launcher.sh([launcher.token()], "id -u; id -g; grep CapEff /proc/self/status")
    user, group, capabilities = ended.output.split("\n")[:3]
    assert (user, group) == (str(launcher.user), str(launcher.user))
    if launcher.user != 0:
        assert int(capabilities.split()[1], 16) == 0


def test_read_only_mount_refuses_writes(launcher: Launcher) -> None:
    """A readOnly volume cannot be written, and the file on the host is unchanged."""
    ended = launcher.sh([launcher.token()], f"echo forged > {TOKEN_PATH}/token")
    assert ended.code != 0
    assert "Read-only file system" in ended.output
    assert (launcher.place / "token/token").read_text() == "the token"


def test_host_file_system_is_untouched(launcher: Launcher) -> None:
    """Mount points that the host lacks exist for the pod alone: below /run, below /etc and in the root directory."""
    paths = ["/iambridge-unit-test/deep", "/etc/iambridge-unit-test", TOKEN_PATH]
    mounts = [Mount("data", path, launcher.place / "data") for path in paths[:2]] + [launcher.token()]
    ended = launcher.sh(mounts, f"touch {paths[0]}/written && ls -d {' '.join(paths)} && cat {TOKEN_PATH}/token")
    assert ended.code == 0, ended
    assert [path for path in paths if Path(path).exists()] == []
    assert (launcher.place / "data/written").exists()
    assert list((launcher.place / "staging").iterdir()) == []


def test_rest_of_run_and_root_stay_visible(launcher: Launcher) -> None:
    """What the host has in /, /run and /etc is there for the pod too, names resolution included."""
    mounts = [launcher.token(), Mount("data", "/iambridge-unit-test", launcher.place / "data")]
    ended = launcher.sh(mounts, "ls -A /run / && cat /etc/resolv.conf >/dev/null")
    inside = set(ended.output.split())
    assert ended.code == 0
    assert {entry.name for entry in Path("/run").iterdir()} <= inside
    assert {entry.name for entry in Path("/").iterdir()} <= inside


def test_mount_within_a_mount(launcher: Launcher) -> None:
    """A volume can be mounted inside a writable one, whichever is named first."""
    outer = Mount("data", "/iambridge-unit-test", launcher.place / "data")
    ended = launcher.sh([launcher.token("/iambridge-unit-test/token"), outer], "cat /iambridge-unit-test/token/token")
    assert ended == (0, "the token", {})


def test_single_file_mount(launcher: Launcher) -> None:
    """A file, as a subPath gives it, is mounted as a file."""
    mount = Mount("token", "/etc/iambridge-unit-test/one", launcher.place / "token/token", read_only=True)
    assert launcher.sh([mount], "cat /etc/iambridge-unit-test/one") == (0, "the token", {})


def test_swap_is_seen_while_the_process_runs(launcher: Launcher) -> None:
    """A directory that is bound shows what the kubelet later puts into it."""
    (launcher.place / "token/token").unlink()
    (launcher.place / "token/old").write_text("old")
    (launcher.place / "token/token").symlink_to("old")
    script = f"cat {TOKEN_PATH}/token; echo ready > {launcher.place}/data/ready; until [ -e {TOKEN_PATH}/new ]; do :; done; cat {TOKEN_PATH}/token"
    swap = subprocess.Popen(
        ["/bin/sh", "-c", f"cd {launcher.place}; until [ -e data/ready ]; do :; done; echo -n new > token/n; ln -s n token/x; mv -T token/x token/token; touch token/new"]
    )  # fmt: skip
    ended = launcher.sh([launcher.token()], script)
    assert swap.wait() == 0
    assert ended.output == "oldnew"


def test_environment_is_exactly_the_one_given(launcher: Launcher) -> None:
    """The process sees the variables of its specification and no others."""
    ended = launcher.run([], "/usr/bin/env", environment={"PATH": "/usr/bin:/bin", "A": "b c"})
    assert sorted(ended.output.splitlines()) == ["A=b c", "PATH=/usr/bin:/bin"]


@pytest.fixture
def in_the_background() -> Iterator[None]:
    """As after `nohup iambridge up &`."""
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("in_the_background")
def test_signals_and_stdin_are_a_fresh_process_s(launcher: Launcher) -> None:
    """SIGPIPE ends a writer, as it does in a container; stdin is empty; no descriptor of the kubelet is left open."""
    ended = launcher.run([], "/bin/sh", "-c", "cat; ls /proc/self/fd | wc -l; grep -E 'Sig(Blk|Ign)' /proc/self/status")
    descriptors, blocked, ignored = ended.output.split("\n")[:3]
    assert int(descriptors) == 4  # stdin, stdout, stderr and that of `ls` itself
    assert int(blocked.split()[1], 16) == 0
    # 32 and 33 are the C library's own: no program can set them, and an ignored one is inherited from the test's caller
    assert int(ignored.split()[1], 16) & ~(0b11 << 31) == 0


@pytest.mark.parametrize(
    ("argv", "cwd", "stage"),
    [
        (["/no/such/program"], "/", "exec"),
        (["no-such-program"], "/", "exec"),
        (["true"], "/no/such/place", "chdir"),
    ],
)
def test_failed_start_is_reported(launcher: Launcher, argv: list[str], cwd: str, stage: str) -> None:
    """A command or directory that is not there is told on the status descriptor, and the exit code is 128."""
    ended = launcher.run([], *argv, cwd=cwd)
    assert (ended.code, ended.status["stage"]) == (128, stage)
    assert "No such file or directory" in ended.status["error"]


def test_lost_volume_is_reported(launcher: Launcher) -> None:
    """A source that is gone is a failed mount that names it, never a start without the volume."""
    ended = launcher.run(plan([Mount("gone", TOKEN_PATH, launcher.place / "gone")]), "true")
    assert (ended.code, ended.status["stage"]) == (128, "mount")
    assert "gone" in ended.status["error"]


def test_process_dies_with_its_parent(launcher: Launcher) -> None:
    """The kernel kills the process when the one that started it is killed."""
    specification = {
        "steps": plan([launcher.token()]),
        "staging": str(launcher.place / "staging"),
        "argv": ["/bin/sh", "-c", "echo started; exec sleep 60"],
        "env": {"PATH": os.defpath},
        "cwd": "/",
        "status": 2,
        "user": None,
        "confined": False,
        "powerless": False,
        "read_only": False,
    }
    program = (
        "import json, os, subprocess, sys\n"
        f"specification = {specification!r} | {{'parent': os.getpid()}}\n"
        f"command = [sys.executable, '-I', '-S', {str(launcher.script)!r}]\n"
        "child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdin.write(json.dumps(specification).encode())\n"
        "child.stdin.close()\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.run(
        [launcher.python, "-c", program], stdout=subprocess.PIPE, text=True, check=False, env={}, timeout=60,
        **launcher.identity,
    )  # fmt: skip
    child = Path(f"/proc/{int(parent.stdout)}/stat")
    deadline = time.monotonic() + 10
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, f"{child} outlived its parent"
        time.sleep(0.01)


def test_bubblewrap_gives_the_same_view(launcher: Launcher) -> None:
    """The steps as bubblewrap's flags: the token at its path, read-only, with the user kept and the host untouched."""
    if not Path(BUBBLEWRAP).exists():
        pytest.skip(f"no {BUBBLEWRAP}: install Debian's bubblewrap")
    data = Mount("data", "/iambridge-unit-test/deep", launcher.place / "data")
    flags = bubblewrap_arguments(plan([launcher.token(), data], whole_root=True))
    script = (
        f"cat {TOKEN_PATH}/token; echo; id -u; touch /iambridge-unit-test/deep/new; echo x 2>&1 > {TOKEN_PATH}/token"
    )
    ended = launcher.run([], BUBBLEWRAP, *flags, "--chdir", "/", "--", "/bin/sh", "-c", f"exec 2>&1; {script}")
    token, user, refused = ended.output.splitlines()
    assert (token, user) == ("the token", str(launcher.user))
    assert "Read-only file system" in refused
    assert (launcher.place / "data/new").exists()
    assert not Path("/iambridge-unit-test").exists()


def test_a_read_only_root_leaves_only_writable_volumes(launcher: Launcher) -> None:
    """readOnlyRootFilesystem: no write anywhere but to writable volumes, devices, /proc and shared memory."""
    data = Mount("data", "/iambridge-unit-test", launcher.place / "data")
    places = ["/tmp", "/var/tmp", str(launcher.place / "data"), TOKEN_PATH]
    script = "; ".join(
        [
            *(f"touch {place}/new 2>&1" for place in places),
            "touch /iambridge-unit-test/new && echo null > /dev/null && echo 0 > /proc/self/oom_score_adj && echo fine",
            "touch /dev/shm/ib-unit-test-$$ && rm /dev/shm/ib-unit-test-$$ && echo shared",
        ]
    )
    ended = launcher.run(plan([launcher.token(), data]), "/bin/sh", "-c", script, read_only=True)
    assert ended.output.count("Read-only file system") == len(places), ended
    assert ended.output.splitlines()[-2:] == ["fine", "shared"]
    assert (launcher.place / "data/new").exists()
    without = launcher.run([], "/bin/sh", "-c", "touch /tmp/new", read_only=True)
    assert "Read-only file system" in without.output


def test_a_set_user_id_program_gains_nothing_when_forbidden(launcher: Launcher) -> None:
    """allowPrivilegeEscalation: false is the kernel's no_new_privs, kept over exec."""
    ended = launcher.run([], "grep", "NoNewPrivs", "/proc/self/status", confined=True)
    assert ended.output.split() == ["NoNewPrivs:", "1"]


def test_a_root_that_drops_all_capabilities_has_none(root: Launcher) -> None:
    """capabilities.drop ALL leaves uid 0 without a right that its files do not give it."""
    ended = root.run([], "grep", "-E", "Cap(Eff|Prm|Bnd)", "/proc/self/status", powerless=True)
    assert [int(line.split()[1], 16) for line in ended.output.splitlines()] == [0, 0, 0]


def test_root_becomes_the_pod_s_user_for_good(root: Launcher) -> None:
    """The process has the ids it was given, no capability, still its volumes, and /dev/stdout is its own."""
    script = f"cat {TOKEN_PATH}/token; echo; id -u; id -g; id -G; grep CapEff /proc/self/status; echo out > /dev/stdout"
    ended = root.run(plan([root.token()]), "/bin/sh", "-c", script, user=[4321, 4322, [4323]])
    token, user, group, groups, capabilities, out = ended.output.splitlines()
    assert (token, user, group, groups, out) == ("the token", "4321", "4322", "4322 4323", "out")
    assert int(capabilities.split()[1], 16) == 0


def test_what_is_given_is_reached_in_a_closed_directory_and_nothing_else(root: Launcher) -> None:
    """A directory that only root may enter holds, for a pod's user, what it needs at its own path and no more."""
    closed = root.place / "closed"
    (closed / "deep/home").mkdir(parents=True)
    (closed / "key").write_text("secret")
    (closed / "ca.crt").write_text("certificate")
    closed.chmod(0o700)
    os.chown(closed / "deep/home", 4321, 4321)
    given = reach([Given(closed / "deep/home", writable=True), Given(closed / "ca.crt")], ProcessUser(4321, 4321))
    steps = plan([Mount("data", "/iambridge-unit-test", root.place / "data")], before=given)
    script = f"cat {closed}/ca.crt; echo kept > {closed}/deep/home/file; cat {closed}/key; echo >> {closed}/ca.crt"
    ended = root.run(steps, "/bin/sh", "-c", script, user=[4321, 4321, []])
    assert ended.output.startswith("certificate")
    assert "key: No such file" in ended.output
    assert "ca.crt: Read-only file system" in ended.output or "ca.crt: Permission denied" in ended.output
    assert (closed / "deep/home/file").read_text() == "kept\n"
    assert reach([Given(root.place / "data")], ProcessUser(4321, 4321)) == []
