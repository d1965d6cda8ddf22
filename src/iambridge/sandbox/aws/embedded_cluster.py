"""The sandbox's own Kubernetes cluster as EKS describes it, so that `aws eks update-kubeconfig` finds it. Pure.

Source: EKS API Reference, DescribeCluster and ListClusters.
"""

import base64
import datetime as dt
import json
from dataclasses import dataclass, field

from iambridge.errors import NotImplementedBySandbox, ResourceInUseException
from iambridge.sandbox.aws.operations import Call
from iambridge.wire.http import Response

_JSON = (("content-type", "application/json"),)


@dataclass(frozen=True, slots=True)
class EmbeddedCluster:
    """`issuer` and `endpoint` are URLs, `ca_pem` the certificate that proves the endpoint."""

    name: str
    issuer: str
    endpoint: str
    ca_pem: str
    version: str = "1.32"
    created: dt.datetime = field(default_factory=lambda: dt.datetime.fromtimestamp(0, dt.UTC))

    def arn(self, region: str, account_id: str) -> str:
        return f"arn:aws:eks:{region}:{account_id}:cluster/{self.name}"

    def described(self, region: str, account_id: str) -> dict[str, object]:
        """The `cluster` of DescribeCluster; times are epoch seconds."""
        return {
            "name": self.name,
            "arn": self.arn(region, account_id),
            "createdAt": self.created.timestamp(),
            "version": self.version,
            "endpoint": self.endpoint,
            "resourcesVpcConfig": {"endpointPublicAccess": True, "endpointPrivateAccess": False},
            "kubernetesNetworkConfig": {"ipFamily": "ipv4"},
            "identity": {"oidc": {"issuer": self.issuer}},
            "status": "ACTIVE",
            "certificateAuthority": {"data": base64.b64encode(self.ca_pem.encode()).decode()},
            "platformVersion": "iambridge",
            "tags": {},
            "health": {"issues": []},
            "accessConfig": {"authenticationMode": "CONFIG_MAP"},
        }


def answer(call: Call, cluster: EmbeddedCluster, account_id: str) -> Response | None:
    """EKS's answer about the embedded cluster; None where moto answers.

    Raises:
        ResourceInUseException: a second cluster of its name.
        NotImplementedBySandbox: anything else that is asked of the embedded cluster.
    """
    if call.operation == "CreateCluster" and call.document.get("name") == cluster.name:
        raise ResourceInUseException(f"Cluster already exists with name: {cluster.name}")
    named = call.flat.get("clusterName") or call.flat.get("name")
    if named != cluster.name:
        return None
    if call.operation == "DescribeCluster":
        body = json.dumps({"cluster": cluster.described(call.region, account_id)})
        return Response(200, _JSON, body.encode())
    raise NotImplementedBySandbox(
        f"eks:{call.operation} is not available for the sandbox's own cluster {cluster.name}.",
        fix="its access is the ConfigMap kube-system/aws-auth; other clusters may be created beside it",
    )


def listed(call: Call, cluster: EmbeddedCluster, response: Response) -> Response:
    """Moto's ListClusters with the embedded cluster before it, on the first page."""
    if call.operation != "ListClusters" or response.status != 200 or call.flat.get("nextToken"):
        return response
    assert isinstance(response.body, bytes)
    found = json.loads(response.body)
    found["clusters"] = [cluster.name, *found.get("clusters", [])]
    return Response(200, _JSON, json.dumps(found).encode())
