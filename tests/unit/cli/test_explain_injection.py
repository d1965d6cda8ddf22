"""`iambridge explain injection` offline."""

import json
from pathlib import Path

import pytest

from iambridge.cli.main import main

ROLE = "arn:aws:iam::111122223333:role/app"


def files(directory: Path, annotation: str) -> list[str]:
    (directory / "pod.yaml").write_text(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: echo, namespace: team}\n"
        "spec: {template: {spec: {serviceAccountName: app, containers: [{name: main, image: x}]}}}\n"
    )
    (directory / "sa.yaml").write_text(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: app, namespace: team, "
        f"annotations: {{eks.amazonaws.com/role-arn: '{annotation}'}}}}\n"
    )
    return ["explain", "injection", "-f", str(directory / "pod.yaml"), "-f", str(directory / "sa.yaml")]


def test_healthy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A Job whose ServiceAccount names a role exits 0 and shows reasons and patch."""
    assert main(files(tmp_path, ROLE)) == 0
    shown = capsys.readouterr().out
    assert "pod team/echo- is given its identity" in shown
    assert f"roleArn={ROLE}" in shown
    assert '"path": "/spec/volumes"' in shown


def test_finding_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid role exits 1, and --json holds outcome, reason and fix."""
    assert main([*files(tmp_path, "app"), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["outcome"], document["reasons"][-1]["code"]) == ("explicitDeny", "role-arn-invalid")
    assert document["fix"]
    assert document["patch"] == []


def test_the_webhooks_own_flags_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the cluster's webhook has them: region, audience, and its container credentials file."""
    assert (
        main(
            [
                *files(tmp_path, ROLE),
                "--webhook-flag=--aws-default-region=eu-west-1",
                "--webhook-flag=--token-audience=x",
            ]
        )
        == 0
    )
    shown = capsys.readouterr().out
    assert '"eu-west-1"' in shown
    assert '"audience": "x"' in shown
    identities = tmp_path / "identities.json"
    identities.write_text(json.dumps({"identities": [{"namespace": "team", "serviceAccount": "app"}]}))
    assert main([*files(tmp_path, ROLE), f"--webhook-flag=--watch-container-credentials-config={identities}"]) == 0
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flag", "word"),
    [
        ("--nope", "write --webhook-flag=--NAME=VALUE"),
        ("--token-expiration=x", "--token-expiration"),
        ("--in-cluster=true", "--in-cluster=true cannot work"),
        ("--watch-container-credentials-config=/nowhere", "/nowhere"),
    ],
)
def test_a_wrong_webhook_flag_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, word: str
) -> None:
    """Said by name, with exit code 2."""
    assert main([*files(tmp_path, ROLE), f"--webhook-flag={flag}"]) == 2
    assert word in capsys.readouterr().err


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not YAML exits 2 and names file and line; no file at all exits 2 too."""
    (tmp_path / "bad.yaml").write_text("a: [\n")
    assert main(["explain", "injection", "-f", str(tmp_path / "bad.yaml")]) == 2
    assert "bad.yaml:2" in capsys.readouterr().err
    assert main(["explain", "injection"]) == 2


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--in-cluster=true"], "--in-cluster=true"),
        (["--tls-min-version", "1.1"], "1.1"),
        (["--tls-cipher-suites", "TLS_RSA_WITH_AES_128_CBC_SHA"], "TLS_RSA_WITH_AES_128_CBC_SHA"),
        (["--tls-cipher-suites", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"], "always offered"),
        (["--log_file=/x"], "--log_file"),
        (["--in-cluster=false", "-v", "4", "--logtostderr", "--vmodule=a=1", "--tls-cert=/nowhere"], "/nowhere"),
    ],
)
def test_serve_webhook_refuses_by_name(flags: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be honoured is refused by name; klog's flags are taken, and the next fault is reached."""
    assert main(["serve", "webhook", *flags]) == 2
    assert word in capsys.readouterr().err
