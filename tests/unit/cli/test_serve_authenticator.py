"""`iambridge serve authenticator` as a process, with a configuration file of aws-iam-authenticator."""

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from tests.ports import free_port

from iambridge.cli.serve_authenticator import backends, check_feature_gates
from iambridge.errors import InputError

CONFIGURATION = """
clusterID: demo
server:
  backendMode: [MountedFile]
  mapRoles:
    - roleARN: arn:aws:sts::111122223333:assumed-role/admin/alice
      username: admin
      groups: [system:masters]
  mapAccounts: [012345678901]
  scrubbedAccounts: ["111122223333"]
  reservedPrefixConfig:
    - backendMode: MountedFile
      usernamePrefixReserveList: ["system:"]
"""


@contextmanager
def serving(directory: Path, configuration: str, *flags: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    (directory / "config.yaml").write_text(configuration)
    port = free_port()
    command = [
        sys.executable, "-m", "iambridge", "serve", "authenticator", "-c", str(directory / "config.yaml"), "--port", str(port),
        "--state-dir", str(directory / "state"), "--hostname", "127.0.0.1", *flags,
    ]  # fmt: skip
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield port, process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def fetch(port: int, path: str, tls: ssl.SSLContext, body: bytes | None = None) -> bytes:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{port}{path}", data=body, context=tls) as answer:
                return bytes(answer.read())
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_the_original_configuration_file_starts_a_server_that_its_kubeconfig_reaches(tmp_path: Path) -> None:
    """The generated kubeconfig names the server and pins the authority that its certificate is under."""
    with serving(tmp_path, CONFIGURATION) as (port, process):
        file = tmp_path / "state/kubeconfig.yaml"
        for _ in range(1200):
            if file.exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        cluster = yaml.safe_load(file.read_text())["clusters"][0]["cluster"]
        assert cluster["server"] == f"https://127.0.0.1:{port}/authenticate"
        assert file.stat().st_mode & 0o777 == 0o644
        tls = ssl.create_default_context(cafile=tmp_path / "state/ca.crt")
        assert fetch(port, "/healthz", tls) == b"ok"
        assert fetch(port, "/readyz", tls) == b"ok"
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "x"}}
        answer = json.loads(fetch(port, "/authenticate", tls, json.dumps(review).encode()))
        assert answer["status"] == {"authenticated": False}
        assert b'mapping_entries{source="MountedFile"} 2' in fetch(port, "/metrics", tls)


@pytest.mark.parametrize(
    ("configuration", "text"),
    [
        ("clusterID: demo\nserver:\n  mapRoles:\n  - rolearn: nonsense\n    username: x\n", "mapRoles line 4"),
        ("clusterID: demo\nserver:\n  dynamicfilepath: /x\n", "DynamicFile is no backend"),
        ("clusterID: demo\nserver:\n  backendMode: [DynamicFile]\n", "backend DynamicFile has no file"),
        ("clusterID: demo\nserver:\n  dynamicBackendModePath: /x\n", "swaps the backends of a running server"),
        ("clusterID: demo\nserver:\n  sourceARN: nonsense\n", "is not an ARN with an account"),
        ("clusterID: demo\nserver:\n  ec2DescribeInstancesRoleARN: nonsense\n", "is not a role's ARN"),
        (
            "clusterID: demo\nserver:\n  reservedPrefixConfig:\n  - backendMode: Nonsense\n    usernamePrefixReserveList: [a]\n",
            "nothing would be reserved",
        ),
        ("clusterID: demo\nserver:\n  prot: 1\n", "line 3"),
        ("clusterID: demo\nserver: [\n", "is not YAML"),
        ("server: {}\n", "no cluster id"),
        ("clusterID: demo\nserver:\n  backendMode: [Nonsense]\n", "`Nonsense` is not a backend"),
    ],
    ids=[
        "mapping",
        "dynamic-file-alone",
        "dynamic-file-missing",
        "backend-mode-path",
        "source-arn",
        "ec2-role",
        "reserved-prefix",
        "unknown-key",
        "yaml",
        "cluster-id",
        "backend",
    ],
)
def test_a_wrong_configuration_ends_the_start_on_one_screen(tmp_path: Path, configuration: str, text: str) -> None:
    """What cannot be honoured is named with its line, and the process ends with 2."""
    (tmp_path / "config.yaml").write_text(configuration)
    done = subprocess.run(
        [sys.executable, "-m", "iambridge", "serve", "authenticator", "-c", str(tmp_path / "config.yaml"), "--state-dir", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert text in done.stderr
    assert len(done.stderr.splitlines()) < 12


DYNAMIC = """
clusterID: demo
server:
  backendMode: [DynamicFile]
  dynamicfilepath: {file}
"""


def test_a_dynamic_file_is_followed_while_the_server_runs(tmp_path: Path) -> None:
    """An edit counts without a restart, a broken one changes nothing, a removed file maps nobody; each shows in /metrics."""
    file = tmp_path / "map.json"
    entry = {"userarn": "arn:aws:iam::111122223333:user/a", "username": "a"}
    file.write_text(json.dumps({"mapUsers": [entry]}))

    def until(expected: str) -> None:
        for _ in range(1200):
            text = fetch(port, "/metrics", tls).decode()
            if expected in text:
                return
            time.sleep(0.05)
        raise AssertionError(text)

    with serving(tmp_path, DYNAMIC.format(file=file)) as (port, process):
        for _ in range(1200):
            if (tmp_path / "state/kubeconfig.yaml").exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        tls = ssl.create_default_context(cafile=tmp_path / "state/ca.crt")
        until('mapping_entries{source="DynamicFile"} 1\n')
        file.write_text(json.dumps({"mapUsers": [entry, {**entry, "userarn": "arn:aws:iam::111122223333:user/b"}]}))
        until('mapping_entries{source="DynamicFile"} 2\n')
        file.write_text('{"mapUsers": [')
        until("aws_iam_authenticator_dynamicfile_failures_total 1\n")
        until('mapping_entries{source="DynamicFile"} 2\n')
        file.unlink()
        until('mapping_entries{source="DynamicFile"} 0\n')


def test_backends_keep_their_order_and_old_names() -> None:
    """Order is as given, deprecated names are read, and repetition is refused."""
    assert backends(["ConfigMap,File"]) == ("EKSConfigMap", "MountedFile")
    assert backends([]) == ("MountedFile",)
    for wrong in (["File", "MountedFile"], ["Nonsense"], ["CRD", "CRD"]):
        with pytest.raises(InputError):
            backends(wrong)


def test_only_the_gates_that_are_always_on_may_be_on() -> None:
    """A feature gate that would change something here is refused by name."""
    check_feature_gates("SSORoleMatch=true,IAMIdentityMappingCRD=true,ConfiguredInitDirectories=false")
    with pytest.raises(InputError, match="ConfiguredInitDirectories"):
        check_feature_gates("ConfiguredInitDirectories=true")
