"""Nothing is created in a namespace that is gone or going, and three namespaces stay.

Source: apiserver pkg/admission/plugin/namespace/lifecycle/admission.go.
"""

from collections.abc import Mapping
from typing import Any

from iambridge.errors import Forbidden, NotFound
from iambridge.sandbox.cluster.admission.attributes import AdmissionAttributes

_IMMORTAL = frozenset({"default", "kube-system", "kube-public"})
_REVIEWS = frozenset({"localsubjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"})


def namespace_lifecycle(attributes: AdmissionAttributes, namespace: Mapping[str, Any] | None) -> None:
    """Judge one write by its namespace's object, None when there is none.

    Raises:
        NotFound: the namespace does not exist.
        Forbidden: it is being deleted, or it is one of those that may not be.
    """
    subject = f'{attributes.group_resource} "{attributes.name}"' if attributes.name else attributes.group_resource
    details = {"name": attributes.name, "group": attributes.resource[0], "kind": attributes.resource[2]}
    details = {key: value for key, value in details.items() if value}
    if attributes.group_resource == "namespaces":
        if attributes.operation == "DELETE" and not attributes.subresource and attributes.name in _IMMORTAL:
            raise Forbidden(f"{subject} is forbidden: this namespace may not be deleted", details=details)
        return
    if not attributes.namespace or attributes.operation == "DELETE" or attributes.resource[2] in _REVIEWS:
        return
    name = attributes.namespace
    if namespace is None:
        raise NotFound(f'namespaces "{name}" not found', details={"name": name, "kind": "namespaces"})
    if attributes.operation == "CREATE" and (namespace.get("status") or {}).get("phase") == "Terminating":
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {name} is being terminated",
            "field": "metadata.namespace",
        }
        words = f"unable to create new content in namespace {name} because it is being terminated"
        raise Forbidden(f"{subject} is forbidden: {words}", details={**details, "causes": [cause]})
