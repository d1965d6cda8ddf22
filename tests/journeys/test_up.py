"""`iambridge up` as a person meets it: start, second start, taken ports, scripts, drain, and death at any moment."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from iambridge.sandbox.client_environment import client_environment
from iambridge.sandbox.data_dir import read_ports

UP = [sys.executable, "-m", "iambridge", "up"]


@contextmanager
def running(*arguments: str, expect_ready: bool = True) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A real `iambridge up`; ready when it says so; stopped by SIGTERM at the end."""
    process = subprocess.Popen([*UP, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdout is not None
    stream = process.stdout

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    printed: list[str] = []
    try:
        while (line := lines.get(timeout=60)) is not None:
            printed.append(line)
            if "iambridge is ready" in line:
                break
        if expect_ready:
            assert line is not None, "".join(printed)
        yield process, printed
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)
        reader.join(60)
        stream.close()


def client(service: str, data_dir: Path) -> Any:
    environment = client_environment(data_dir)
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        verify=environment["AWS_CA_BUNDLE"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 0}, connect_timeout=60, read_timeout=60),
    )


def refused(*arguments: str, **environment: str) -> str:
    """The output of an `up` that must not start; it must end by itself, on one screen, with exit code 2."""
    done = subprocess.run(
        [*UP, *arguments], capture_output=True, text=True, timeout=90, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") < 24
    return done.stderr


def test_it_says_what_it_is_and_drains(tmp_path: Path) -> None:
    """The banner names endpoints, what is enforced, what is in memory; SIGTERM ends it with 0."""
    with running("--aws-only", "--data-dir", str(tmp_path)) as (process, printed):
        text = "".join(printed)
        assert read_ports(tmp_path).url("aws") in text
        for words in ("Enforced:", "In memory:", "iambridge env --data-dir"):
            assert words in text
        for words in ("Kubernetes", "RBAC", "pods"):
            assert words not in text, "an account alone has no cluster to speak of"
        assert client("sts", tmp_path).get_caller_identity()["Account"] == "111122223333"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_env_points_a_client_at_it(tmp_path: Path) -> None:
    """Every line of `iambridge env` is an export or an unset that a POSIX shell takes."""
    with running("--aws-only", "--data-dir", str(tmp_path)):
        lines = subprocess.run(
            [sys.executable, "-m", "iambridge", "env", "--data-dir", str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert all(line.startswith(("export ", "unset ")) for line in lines.splitlines())
        assert "unset AWS_PROFILE" in lines
        names = {line.split()[1].partition("=")[0] for line in lines.splitlines()}
        assert names >= {"AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "AWS_REGION"}
        assert "KUBECONFIG" not in names, "the user's own cluster stays the user's"
        aws = Path(sys.executable).parent / "aws"
        identity = subprocess.run(
            ["sh", "-c", f"{lines}\n{aws} sts get-caller-identity"], capture_output=True, text=True, check=True
        ).stdout
        assert json.loads(identity)["Arn"] == "arn:aws:iam::111122223333:user/iambridge-admin"


def env(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "iambridge", "env", *arguments]
    own = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=own)


def test_env_waits_for_all_of_the_start(tmp_path: Path) -> None:
    """`env --wait`, started before `up`, returns when the start scripts have run; after SIGKILL there is none again."""
    scripts, data_dir = tmp_path / "init", tmp_path / "d"
    scripts.mkdir()
    (scripts / "slow").write_text(f"#!/bin/sh\nsleep 1\ntouch {tmp_path}/done\n")
    (scripts / "slow").chmod(0o755)
    command = [sys.executable, "-m", "iambridge", "env", "--data-dir", str(data_dir), "--wait", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        up = ("--aws-only", "--data-dir", str(data_dir), "--init-dir", str(scripts))
        with running(*up, expect_ready=False) as (process, _):
            assert "export AWS_ENDPOINT_URL=" in waiting.communicate(timeout=60)[0]
            assert (tmp_path / "done").exists()
            process.kill()
            process.wait(60)
            gone = env("--data-dir", str(data_dir), "--wait", "0")
            assert gone.returncode == 2
            assert "no sandbox came up" in gone.stderr
    told = env("--data-dir", str(data_dir))
    assert told.returncode == 0
    assert f"nothing runs on {data_dir}" in told.stderr


def test_env_leads_past_a_proxy(tmp_path: Path) -> None:
    """Where a proxy is set, loopback is excepted, beside what is excepted already; else nothing is said of it."""
    with running("--aws-only", "--data-dir", str(tmp_path)):
        proxy = {"HTTPS_PROXY": "http://127.0.0.1:1", "no_proxy": "intranet.example"}
        lines = env("--data-dir", str(tmp_path), **proxy).stdout
        assert "export no_proxy=intranet.example,127.0.0.1\n" in lines
        aws = Path(sys.executable).parent / "aws"
        identity = subprocess.run(
            ["sh", "-c", f"{lines}\n{aws} sts get-caller-identity"],
            capture_output=True, text=True, timeout=90, check=False, env={**os.environ, **proxy},
        )  # fmt: skip
        assert identity.returncode == 0, identity.stderr
        values = json.loads(env("--data-dir", str(tmp_path), "--json", **proxy).stdout)
        assert (values["no_proxy"], values["AWS_PROFILE"]) == ("intranet.example,127.0.0.1", None)
        for excepted in ({}, {"HTTPS_PROXY": proxy["HTTPS_PROXY"], "NO_PROXY": "*"}):
            assert "no_proxy" not in env("--data-dir", str(tmp_path), **excepted).stdout


def test_two_sandboxes_live_side_by_side(tmp_path: Path) -> None:
    """A second data directory is a second sandbox; the same one is refused with its holder's process id."""
    with (
        running("--aws-only", "--data-dir", str(tmp_path / "a")) as (first, _),
        running("--aws-only", "--data-dir", str(tmp_path / "b")),
    ):
        assert client("sts", tmp_path / "b").get_caller_identity()["Account"] == "111122223333"
        message = refused("--aws-only", "--data-dir", str(tmp_path / "a"))
        assert f"another iambridge (process {first.pid}) runs on {tmp_path / 'a'}" in message
        assert "--data-dir" in message


def test_a_kept_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """The port is an identity: taken, it is refused with the process that has it."""
    with running("--aws-only", "--data-dir", str(tmp_path)):
        pass
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", read_ports(tmp_path).aws))
        thief.listen()
        message = refused("--aws-only", "--data-dir", str(tmp_path))
        assert f"in use by process {os.getpid()}" in message
        assert "for good" in message


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """An unwritable data directory is one clear error."""
    (tmp_path / "file").write_text("")
    assert "cannot write to the data directory" in refused("--data-dir", str(tmp_path / "file/below"))
    assert "HOME is not set" in refused(HOME="", XDG_DATA_HOME="", IAMBRIDGE_DATA_DIR="")


def test_an_unknown_flag_is_named() -> None:
    """argparse's own words, exit code 2."""
    assert "unrecognized arguments: --frobnicate" in refused("--frobnicate")


def test_a_key_without_a_cluster_is_refused(tmp_path: Path) -> None:
    """The flags of service account keys mean nothing with --aws-only, and say so instead of doing nothing."""
    for words in (["--rotate-service-account-key"], ["--service-account-signing-algorithm", "ES256"]):
        assert "no service account key to choose or rotate" in refused(
            "--aws-only", "--data-dir", str(tmp_path), *words
        )
    assert not list(tmp_path.iterdir())


def test_start_scripts_run_at_every_start(tmp_path: Path) -> None:
    """--init-dir runs executables in order with clients pointed at the sandbox; a failure ends `up` with its output."""
    scripts = tmp_path / "init"
    scripts.mkdir()
    aws = Path(sys.executable).parent / "aws"
    first = scripts / "1-bucket"
    first.write_text(f"#!/bin/sh\nexec {aws} s3 mb s3://put-back\n")
    first.chmod(0o755)
    (scripts / "notes.txt").write_text("not executable")
    (scripts / "forgotten").write_text("#!/bin/sh\nexit 9\n")
    arguments = ("--aws-only", "--data-dir", str(tmp_path / "d"), "--init-dir", str(scripts))
    for _ in range(2):
        with running(*arguments) as (_, printed):
            assert f"{scripts / 'forgotten'} is a script and not executable" in "".join(printed)
            assert "notes.txt" not in "".join(printed)
            buckets = client("s3", tmp_path / "d").list_buckets()["Buckets"]
            assert [bucket["Name"] for bucket in buckets] == ["put-back"]
    second = scripts / "2-fails"
    second.write_text("#!/bin/sh\necho because of this >&2\nexit 7\n")
    second.chmod(0o755)
    message = refused(*arguments)
    assert "2-fails failed with exit code 7" in message
    assert "because of this" in message


def test_an_ephemeral_sandbox_leaves_nothing(tmp_path: Path) -> None:
    """--ephemeral removes its directory at the end."""
    with running("--aws-only", "--ephemeral") as (_, printed):
        path = Path(printed[0].split(" on ", 1)[1].strip())
        assert path.is_dir()
    assert not path.exists()


def test_death_at_any_moment_loses_no_acknowledged_write(tmp_path: Path) -> None:
    """kill -9 under IAM writes, five times: every acknowledged user is there, and an issued session still works."""
    acknowledged: list[str] = []
    session: dict[str, str] = {}
    for life in range(5):
        with running("--aws-only", "--data-dir", str(tmp_path)) as (process, _):
            iam = client("iam", tmp_path)
            known = {user["UserName"] for page in iam.get_paginator("list_users").paginate() for user in page["Users"]}
            assert set(acknowledged) <= known
            if not session:
                session = client("sts", tmp_path).get_session_token()["Credentials"]
            _works(session, tmp_path)
            killer = threading.Timer(0.1 + 0.07 * life, process.kill)
            killer.start()
            for number in range(10_000):
                name = f"user-{life}-{number}"
                try:
                    iam.create_user(UserName=name)
                except Exception:  # noqa: BLE001 - whatever the client says when its server dies
                    break
                acknowledged.append(name)
            killer.join()
            process.wait(60)
    assert acknowledged


def _works(session: dict[str, str], data_dir: Path) -> None:
    environment = client_environment(data_dir)
    sts = boto3.client(
        "sts",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        verify=environment["AWS_CA_BUNDLE"],
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
        region_name="us-east-1",
    )
    assert sts.get_caller_identity()["Arn"].endswith(":user/iambridge-admin")
