"""The query parameters of resource requests: what is refused instead of ignored."""

from collections.abc import Mapping

from iambridge.errors import BadRequest

_REFUSED = frozenset({"ignoreStoreReadErrorWithClusterBreakingPotential", "shardSelector", "export", "exact"})


def check_parameters(query: Mapping[str, str]) -> None:
    """Parameters that nobody knows are ignored, as kube-apiserver does it.

    Raises:
        BadRequest: a parameter that Kubernetes knows and that is not modelled here.
    """
    for name in _REFUSED & query.keys():
        if query[name] not in {"", "false"}:
            raise BadRequest(f"the query parameter {name} is not supported by the embedded API server")
