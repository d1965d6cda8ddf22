from pathlib import Path

import pytest
import yaml

from iambridge.cli.main import main


def test_kubeconfig_runs_the_plugin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The printed kubeconfig is YAML whose one user logs in by `iambridge token` for the cluster."""
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    words = [
        "kubeconfig",
        "--cluster-name",
        "demo",
        "--server",
        "https://h:1",
        "--certificate-authority",
        str(tmp_path / "ca.crt"),
    ]
    assert (
        main(
            [
                *words,
                "--role-arn",
                "arn:aws:iam::111122223333:role/a",
                "--profile",
                'p"q',
                "--env",
                "AWS_REGION=eu-west-1",
            ]
        )
        == 0
    )
    document = yaml.safe_load(capsys.readouterr().out)
    plugin = document["users"][0]["user"]["exec"]
    assert plugin["args"] == ["token", "--cluster-name", "demo", "--role-arn", "arn:aws:iam::111122223333:role/a"]
    assert plugin["env"] == [{"name": "AWS_PROFILE", "value": 'p"q'}, {"name": "AWS_REGION", "value": "eu-west-1"}]
    assert document["clusters"][0]["cluster"]["server"] == "https://h:1"
    assert document["current-context"] == document["contexts"][0]["name"] == "demo"


@pytest.mark.parametrize(
    "words",
    [
        ["--server", "http://h"],
        ["--server", "https://h", "--env", "X"],
        ["--server", "https://h", "--certificate-authority", "/none"],
    ],
)
def test_wrong_flags_are_said(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A plain-http server, a broken --env and an unreadable authority exit with 2 and a fix."""
    assert main(["kubeconfig", "--cluster-name", "demo", *words]) == 2
    assert "fix:" in capsys.readouterr().err
