import datetime as dt
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from iambridge.adapters.token_cache import KeptToken, TokenCache, default_directory, identity_facts, key_of
from iambridge.errors import InputError

KEY = key_of("demo")


class Maker:
    """Makes a token a call, each good for `life` seconds from 1000."""

    def __init__(self, life: float = 840) -> None:
        self.made, self.life = 0, life

    def __call__(self) -> KeptToken:
        self.made += 1
        return KeptToken(f"token-{self.made}", 1000 + self.life)


def test_a_token_is_kept_privately_until_its_last_minute(tmp_path: Path) -> None:
    clock = [1000.0]
    cache, make = TokenCache(tmp_path / "cache", now=lambda: clock[0]), Maker()
    old = os.umask(0)
    try:
        assert cache.get(KEY, make) == cache.get(KEY, make) == KeptToken("token-1", 1840)
    finally:
        os.umask(old)
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "cache").iterdir()} == {0o600}
    assert cache.get(key_of("other"), make).token == "token-2"
    clock[0] = 1000 + 840 - 59
    assert cache.get(KEY, make).token == "token-3"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """It is neither believed nor replaced: the person is told."""
    cache = TokenCache(tmp_path / "cache", now=lambda: 1000.0)
    cache.get(KEY, Maker())
    file = tmp_path / f"cache/{KEY}.json"
    file.chmod(mode)
    with pytest.raises(InputError, match="group or others may use") as raised:
        cache.get(KEY, Maker())
    assert "chmod 0600" in raised.value.fix


def test_a_directory_that_others_may_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o750)
    with pytest.raises(InputError, match="group or others may use"):
        TokenCache(tmp_path / "cache").get(KEY, Maker())


def test_a_link_is_refused(tmp_path: Path) -> None:
    """A name in the cache that leads elsewhere is nobody's token."""
    cache = TokenCache(tmp_path / "cache", now=lambda: 1000.0)
    cache.get(KEY, Maker())
    file = tmp_path / f"cache/{KEY}.json"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="not a plain file"):
        cache.get(KEY, Maker())


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"nonsense", b'{"token": "x"}', b'{"token": "x", "expires": "y"}', b"\xff"]
)
def test_a_broken_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    cache = TokenCache(tmp_path / "cache", now=lambda: 1000.0)
    cache.get(KEY, Maker())
    (tmp_path / f"cache/{KEY}.json").write_bytes(content)
    assert cache.get(KEY, Maker()).token == "token-1"


def test_many_at_once_make_one(tmp_path: Path) -> None:
    """The lock is between processes, and so between descriptors: threads stand for them."""
    make = Maker()

    def slowly() -> KeptToken:
        time.sleep(0.1)
        return make()

    found: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(TokenCache(tmp_path / "cache", now=lambda: 1000.0).get(KEY, slowly).token)
        )
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["token-1"] * 12


def test_a_failure_frees_the_lock(tmp_path: Path) -> None:
    cache = TokenCache(tmp_path / "cache", now=lambda: 1000.0)

    def fail() -> KeptToken:
        raise InputError("no credentials")

    with pytest.raises(InputError):
        cache.get(KEY, fail)
    assert cache.get(KEY, Maker()).token == "token-1"


def test_a_disk_that_cannot_be_written_refuses_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert TokenCache(tmp_path / "file/cache", now=lambda: 1000.0).get(KEY, Maker()).token == "token-1"


def test_what_ended_long_ago_is_removed(tmp_path: Path) -> None:
    cache = TokenCache(tmp_path / "cache", now=time.time)
    cache.get(KEY, Maker())
    for file in (tmp_path / "cache").iterdir():
        os.utime(file, (0, 0))
    cache.get(key_of("new"), lambda: KeptToken("t", time.time() + 840))
    assert not (tmp_path / f"cache/{KEY}.json").exists()


def test_everything_that_chooses_the_identity_is_in_the_key(tmp_path: Path) -> None:
    """Another profile, key, secret, session, or a file that changed is another key: a corrected secret counts at once."""
    home = {"HOME": str(tmp_path)}
    (tmp_path / ".aws").mkdir()
    config = tmp_path / ".aws/config"
    config.write_text("[default]")
    plain = identity_facts(home)
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    for name in ("AWS_PROFILE", *keys, "AWS_ROLE_ARN", "AWS_CONFIG_FILE"):
        assert identity_facts({**home, name: "x"}) != plain
    os.utime(config, (1, 1))
    assert identity_facts(home) != plain
    keyed = identity_facts({**home, "AWS_ACCESS_KEY_ID": "x"})
    os.utime(config, (2, 2))
    assert identity_facts({**home, "AWS_ACCESS_KEY_ID": "x"}) == keyed
    assert key_of("a", "b") != key_of("ab") != key_of("a", "", "b")


def test_there_is_no_cache_without_a_home() -> None:
    assert default_directory({}) is None
    assert default_directory({"HOME": "/home/me"}) == Path("/home/me/.kube/cache/iambridge")


def test_the_command_keeps_and_takes(tmp_path: Path) -> None:
    """Two runs print one token; another cluster, role, region, key, or --no-cache print another."""
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "x" * 40,
    }

    def token(*words: str, **more: str) -> str:
        command = [sys.executable, "-m", "iambridge", "token", "--token-only", *words]
        return subprocess.run(
            command, env={**environment, **more}, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    first = token("-i", "demo")
    time.sleep(1.1)  # a token's time has whole seconds
    assert token("-i", "demo") == first
    assert (tmp_path / ".kube/cache/iambridge").is_dir()
    for words, more in (
        (("-i", "other"), {}),
        (("-i", "demo", "--region", "eu-west-1"), {}),
        (("-i", "demo", "--no-cache"), {}),
        (("-i", "demo"), {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPL2"}),
        (("-i", "demo"), {"AWS_SECRET_ACCESS_KEY": "y" * 40}),
        (("-i", "demo"), {"IAMBRIDGE_TOKEN_CACHE": "off"}),
        (("-i", "demo"), {"IAMBRIDGE_TOKEN_CACHE": str(tmp_path / "elsewhere")}),
    ):
        assert token(*words, **more) != first
    assert token("-i", "demo") == first


def test_a_process_credential_is_asked_once(tmp_path: Path) -> None:
    """By botocore, for profiles only; again when the profile's file changes. A token ends with its credentials."""
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=20)
    count = tmp_path / "count"
    script = tmp_path / "credentials.sh"

    def write(ends: dt.datetime) -> None:
        found = {
            "Version": 1,
            "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "SecretAccessKey": "x",
            "SessionToken": "y",
            "Expiration": ends.isoformat(),
        }
        script.write_text(f"echo run >> {count}\ncat <<EOF\n{json.dumps(found)}\nEOF\n")

    write(ends)
    config = tmp_path / "config"
    config.write_text(f"[profile work]\ncredential_process = sh {script}\n")
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "AWS_CONFIG_FILE": str(config),
        "AWS_PROFILE": "work",
    }

    def expires() -> dt.datetime:
        done = subprocess.run(
            [sys.executable, "-m", "iambridge", "token", "-i", "demo"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return dt.datetime.fromisoformat(json.loads(done.stdout)["status"]["expirationTimestamp"])

    assert expires() == expires()
    assert expires() < ends
    assert count.read_text().count("run") == 1
    soon = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(minutes=5)
    write(soon)
    config.write_text(config.read_text() + "\n")
    assert expires() == soon
    assert count.read_text().count("run") > 1  # botocore asks a second time for what ends soon


def test_the_originals_variables_are_read(tmp_path: Path) -> None:
    """The cluster id and the role, where its users keep them."""
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    command = [sys.executable, "-m", "iambridge", "token", "--token-only"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "--cluster-name" in done.stderr) == (2, True)
    environment["KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID"] = "demo"
    assert subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout.startswith("k8s-aws-v1.")
    environment |= {"DEFAULT_ROLE": "arn:aws:iam::111122223333:role/a", "AWS_ENDPOINT_URL_STS": "https://127.0.0.1:1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "could not be reached" in done.stderr) == (1, True)


def test_a_kept_token_needs_no_signature(tmp_path: Path) -> None:
    """kubectl runs the plugin for each command: what is kept is printed without loading what makes it."""
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    program = "import sys\nfrom iambridge.cli.main import main\nmain(['token', '-i', 'demo'])\nprint('iambridge.core.sigv4' in sys.modules, file=sys.stderr)"
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        for _ in range(2)
    ]
    assert [run.stderr.strip() for run in runs] == ["True", "False"]
    assert runs[0].stdout == runs[1].stdout
    assert "k8s-aws-v1." not in repr(KeptToken("k8s-aws-v1.x", 1.0))
