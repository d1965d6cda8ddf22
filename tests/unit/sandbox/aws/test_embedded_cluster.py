"""EKS's answers about the sandbox's own cluster, with boto3 and the AWS CLI."""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import refusal

from iambridge.core.authenticator_token import PREFIX
from iambridge.sandbox.aws.embedded_cluster import EmbeddedCluster

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

CLUSTER = EmbeddedCluster("iambridge", "https://127.0.0.1:1111", "https://127.0.0.1:2222", "a certificate\n")


@pytest.fixture(scope="module")
def eks(running: "RunningAccount") -> Iterator[Any]:
    running.account.embedded_cluster = CLUSTER
    yield running.client("eks")
    running.account.embedded_cluster = None


def test_the_cluster_is_described_as_eks_describes_one(eks: Any) -> None:
    """DescribeCluster gives issuer, endpoint, CA, status and the access mode of aws-auth."""
    found = eks.describe_cluster(name="iambridge")["cluster"]
    assert found["identity"]["oidc"]["issuer"] == CLUSTER.issuer
    assert (found["endpoint"], found["status"]) == (CLUSTER.endpoint, "ACTIVE")
    assert base64.b64decode(found["certificateAuthority"]["data"]).decode() == CLUSTER.ca_pem
    assert found["accessConfig"]["authenticationMode"] == "CONFIG_MAP"
    assert found["arn"] == "arn:aws:eks:us-east-1:111122223333:cluster/iambridge"


def test_the_cluster_is_listed_once_and_its_name_is_taken(eks: Any) -> None:
    """ListClusters has the cluster, another of its name cannot be made, and other names are not there."""
    assert eks.list_clusters()["clusters"] == ["iambridge"]
    arguments = {"roleArn": "arn:aws:iam::111122223333:role/r", "resourcesVpcConfig": {}}
    assert refusal(eks.create_cluster, name="iambridge", **arguments)[0] == "ResourceInUseException"
    found = refusal(eks.describe_cluster, name="other")
    assert found == ("ResourceNotFoundException", "No cluster found for name: other.", 404)
    assert refusal(eks.delete_cluster, name="iambridge")[0] == "NotImplemented"


def test_the_aws_cli_writes_a_kubeconfig_and_a_token(running: "RunningAccount", eks: Any, tmp_path: Path) -> None:
    """`aws eks update-kubeconfig` and `aws eks get-token` work unmodified."""
    admin = running.account.admin
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": running.url,
        "AWS_CA_BUNDLE": running.ca,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": admin.id,
        "AWS_SECRET_ACCESS_KEY": admin.secret,
        "KUBECONFIG": str(tmp_path / "config"),
    }

    def aws(*arguments: str) -> str:
        command = [str(Path(sys.executable).parent / "aws"), "eks", *arguments]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    aws("update-kubeconfig", "--name", "iambridge")
    assert f"server: {CLUSTER.endpoint}" in (tmp_path / "config").read_text()
    assert PREFIX in aws("get-token", "--cluster-name", "iambridge")
