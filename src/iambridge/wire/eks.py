"""How Amazon EKS spells a cluster: its API server's endpoint, and what kubeconfigs call it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_REGION = r"([a-z]{2,4}(?:-[a-z]+)+-\d)"
_ENDPOINTS = (
    re.compile(rf"[^.]+\.[^.]+\.{_REGION}\.eks\.amazonaws\.com(?:\.cn)?"),
    re.compile(rf"[^.]+\.[^.]+\.eks-cluster\.{_REGION}\.(?:api\.aws|api\.amazonwebservices\.com\.cn)"),
)


def region_of_endpoint(server: str) -> str:
    """The region of an EKS cluster's API server, or empty for any other.

    Source: EKS User Guide "Cluster API server endpoint": the IPv4 and the dual-stack form.
    """
    host = urlsplit(server).hostname or ""
    found = next((found for form in _ENDPOINTS if (found := form.fullmatch(host))), None)
    return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class EksCluster:
    """A cluster as EKS knows it; `region` is empty where the kubeconfig does not say it."""

    name: str
    region: str = ""


def cluster_of_kubeconfig(server: str, cluster_name: str, plugin: Mapping[str, Any] | None) -> EksCluster | None:
    """The EKS cluster that a kubeconfig's context means, or None when nothing in it says EKS.

    An endpoint of EKS whose name is nowhere gives an empty name. Sources: `aws eks update-kubeconfig` (clusters are
    called by their ARN; `aws --region R eks get-token --cluster-name N`), eksctl (`NAME.REGION.eksctl.io`).
    """
    region = region_of_endpoint(server)
    words = [str(word) for word in (plugin or {}).get("args") or ()]
    told = word_after(words, "--region")
    if "get-token" in words:
        return EksCluster(
            word_after(words, "--cluster-name", "--cluster-id"), told or region or _arn(cluster_name).region
        )
    named = _arn(cluster_name)
    if named.name:
        return EksCluster(named.name, named.region)
    if cluster_name.endswith(".eksctl.io") and cluster_name.count(".") == 3:
        name, of, _, _ = cluster_name.split(".")
        return EksCluster(name, of)
    return EksCluster(word_after(words, "--cluster-name", "--cluster-id", "-i"), region) if region else None


def _arn(text: str) -> EksCluster:
    parts = text.split(":", 5)
    if len(parts) == 6 and parts[2] == "eks" and parts[5].startswith("cluster/"):
        return EksCluster(parts[5].removeprefix("cluster/"), parts[3])
    return EksCluster("")


def word_after(words: list[str], *flags: str) -> str:
    """The value of the first of `flags` in a plugin's arguments, or empty."""
    for index, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag in flags:
            return value if equals else (words[index + 1] if index + 1 < len(words) else "")
    return ""
