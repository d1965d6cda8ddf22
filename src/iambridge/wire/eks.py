"""How Amazon EKS spells a cluster: its API server's endpoint."""

import re
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
