"""The query parameters of resource requests: what is known, and what is refused instead of ignored."""

from collections.abc import Mapping

from iambridge.errors import BadRequest

_KNOWN = frozenset(
    {
        "allowWatchBookmarks",
        "continue",
        "dryRun",
        "fieldManager",
        "fieldSelector",
        "fieldValidation",
        "force",
        "gracePeriodSeconds",
        "includeObject",
        "labelSelector",
        "limit",
        "orphanDependents",
        "pretty",
        "propagationPolicy",
        "resourceVersion",
        "resourceVersionMatch",
        "sendInitialEvents",
        "timeout",
        "timeoutSeconds",
        "watch",
        # pods/log
        "container",
        "follow",
        "limitBytes",
        "previous",
        "sinceSeconds",
        "sinceTime",
        "stream",
        "tailLines",
        "timestamps",
        "insecureSkipTLSVerifyBackend",
    }
)
_REFUSED = frozenset({"ignoreStoreReadErrorWithClusterBreakingPotential", "shardSelector", "export", "exact"})


def check_parameters(query: Mapping[str, str]) -> list[str]:
    """A warning for each parameter that means nothing; kube-apiserver ignores those without a word.

    Raises:
        BadRequest: a parameter that Kubernetes knows and that is not modelled here.
    """
    for name in _REFUSED & query.keys():
        if query[name] not in {"", "false"}:
            raise BadRequest(f"the query parameter {name} is not supported by the embedded API server")
    return [f'unknown query parameter "{name}" is ignored' for name in query if name not in _KNOWN | _REFUSED]
