"""How objects end: grace, finalizers, propagation.

Source: apiserver pkg/registry/rest/delete.go and generic/registry/store.go; pkg/registry/core/pod/strategy.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.call import whole_number
from iambridge.sandbox.cluster.codec import boolean
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.objects import field_error
from iambridge.sandbox.cluster.objects.conform import conform
from iambridge.sandbox.cluster.objects.custom.naming import CLEANUP, with_condition
from iambridge.sandbox.cluster.objects.types import type_of
from iambridge.sandbox.cluster.resources import DEFINITIONS, Resource
from iambridge.sandbox.cluster.timestamps import timestamp

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_POLICIES = ("Foreground", "Background", "Orphan")
_KEPT_PODS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set"
    " propagationPolicy=Orphan to suppress this warning"
)


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """`grace` is in seconds, None when the caller left it to the object. `propagation` is empty for the default."""

    grace: int | None = None
    propagation: str = ""
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False

    @classmethod
    def of(cls, body: Mapping[str, Any] | None, query: Mapping[str, str]) -> "DeleteOptions":
        """From the body when there is one, be it `{}`, else from the query, as kube-apiserver reads them.

        Raises:
            BadRequest, Invalid: an option has a value that it does not take.
        """
        if body is not None:
            kind = body.get("kind") or "DeleteOptions"
            if kind != "DeleteOptions":
                version = body.get("apiVersion") or "v1"
                raise BadRequest(
                    f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:111"'
                )
            conditions = body.get("preconditions") or {}
            grace, orphan = body.get("gracePeriodSeconds"), body.get("orphanDependents")
            policy = body.get("propagationPolicy")
            dry_run = body.get("dryRun") or []
            _check_types(body)
            uid, version = conditions.get("uid") or "", conditions.get("resourceVersion") or ""
        else:
            grace, policy = whole_number(query, "gracePeriodSeconds"), query.get("propagationPolicy") or None
            orphan = boolean(query, "orphanDependents") if "orphanDependents" in query else None
            dry_run = [query["dryRun"]] if query.get("dryRun") else []
            uid = version = ""
        return cls(grace, _policy(policy, orphan), uid, version, _dry(dry_run))


def _check_types(body: Mapping[str, Any]) -> None:
    try:
        conform({**body, "apiVersion": "v1", "kind": "DeleteOptions"}, type_of("v1", "DeleteOptions"))
    except BadRequest as error:
        raise BadRequest(error.facts.get("why", error.message)) from None


def _policy(policy: str | None, orphan: bool | None) -> str:  # noqa: FBT001 - a field of DeleteOptions
    if policy and orphan is not None:
        words = "orphanDependents and deletionPropagation cannot be both set"
        raise _invalid([field_error.bad_value("propagationPolicy", policy, words)])
    if policy is not None and policy not in _POLICIES:
        raise _invalid([field_error.not_supported("propagationPolicy", policy, (*_POLICIES, "nil"))])
    if orphan is not None:
        return "Orphan" if orphan else "Background"
    return policy or ""


def _dry(values: list[str]) -> bool:
    if any(value != "All" for value in values):
        raise _invalid([field_error.not_supported("dryRun", values, ("All",))])
    return bool(values)


def _invalid(errors: list[field_error.FieldError]) -> Exception:
    return field_error.invalid("meta.k8s.io", "DeleteOptions", "", errors)


def marked(resource: Resource, live: Object, options: DeleteOptions, now: float, warnings: list[str]) -> Object | None:
    """The object as a DELETE leaves it, still stored until its grace and finalizers are over; None to remove it now."""
    new = {**live, "metadata": {**live["metadata"]}}
    metadata = new["metadata"]
    _set_finalizers(resource, metadata, options, warnings)
    grace = _grace(resource, live, options)
    if resource.name == DEFINITIONS and not metadata.get("deletionTimestamp"):
        new = _begin_cleaning(new, timestamp(now))
        metadata = new["metadata"]
    if metadata.get("deletionTimestamp"):
        if grace < metadata.get("deletionGracePeriodSeconds", 0):
            # a shorter grace may cut a longer one, never the other way round
            metadata["deletionTimestamp"] = timestamp(now + grace)
            metadata["deletionGracePeriodSeconds"] = grace
    elif grace or metadata.get("finalizers") or _has_spec_finalizers(resource, live):
        metadata["deletionTimestamp"] = timestamp(now + grace)
        metadata["deletionGracePeriodSeconds"] = grace
        if "generation" in metadata:
            metadata["generation"] += 1
        if resource.name == "namespaces":
            metadata.pop("deletionGracePeriodSeconds")
            new["status"] = {**(new.get("status") or {}), "phase": "Terminating"}
    if metadata.get("deletionTimestamp") and (
        metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds") or _has_spec_finalizers(resource, live)
    ):
        return new
    return None


def _begin_cleaning(definition: Object, now: str) -> Object:
    """A definition goes after its objects: the finalizer comes with the deletion. Source: apiextensions etcd.go."""
    words = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    new = with_condition(definition, "Terminating", ("True", "InstanceDeletionPending", words), now)
    finalizers = new["metadata"].get("finalizers") or []
    if CLEANUP not in finalizers:
        new["metadata"]["finalizers"] = [*finalizers, CLEANUP]
    return new


def _set_finalizers(resource: Resource, metadata: Object, options: DeleteOptions, warnings: list[str]) -> None:
    policy = options.propagation
    finalizers = [name for name in metadata.get("finalizers") or () if name not in {FOREGROUND, ORPHAN}]
    kept = [name for name in metadata.get("finalizers") or () if name in {FOREGROUND, ORPHAN}]
    if not policy and resource.name == "jobs.batch" and not kept:
        policy = "Orphan"
        warnings.append(_KEPT_PODS)
    if policy == "Foreground":
        kept = [FOREGROUND]
    elif policy == "Orphan":
        kept = [ORPHAN]
    elif policy == "Background":
        kept = []
    if finalizers or kept:
        metadata["finalizers"] = [*finalizers, *kept]
    else:
        metadata.pop("finalizers", None)


def _grace(resource: Resource, live: Object, options: DeleteOptions) -> int:
    if resource.name != "pods":
        return 0
    spec, phase = live["spec"], (live.get("status") or {}).get("phase")
    if options.grace is not None:
        grace = max(options.grace, 0) if options.grace != -1 else 1
    else:
        grace = spec.get("terminationGracePeriodSeconds", 30)
    if not spec.get("nodeName") or phase in {"Succeeded", "Failed"}:
        return 0
    return int(grace)


def _has_spec_finalizers(resource: Resource, obj: Mapping[str, Any]) -> bool:
    return resource.name == "namespaces" and bool((obj.get("spec") or {}).get("finalizers"))


def finished(resource: Resource, obj: Mapping[str, Any]) -> bool:
    """Whether an update has taken the last thing that kept a deleted object."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds") and not _has_spec_finalizers(resource, obj)
