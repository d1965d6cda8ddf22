"""JSON patch (RFC 6902), by the jsonpatch library, with Kubernetes' answers to a patch that does not fit.

Source: apiserver endpoints/handlers/patch.go (jsonPatcher) and api/errors.NewGenericServerResponse.
"""

import copy
from typing import Any

import jsonpatch
import jsonpointer

from iambridge.errors import BadRequest, Invalid

_MAX_OPERATIONS = 10_000
_WORDS = "the server rejected our request due to an error in our request"


def apply(document: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """`document` with the operations of `patch` applied in order; neither is changed.

    Raises:
        BadRequest: `patch` has too many operations.
        Invalid: an operation does not apply: a failed test, a missing path, an index out of range.
    """
    if len(patch) > _MAX_OPERATIONS:
        raise BadRequest(f"The allowed maximum operations in a JSON patch is {_MAX_OPERATIONS}, got {len(patch)}")
    try:
        patched: Any = copy.deepcopy(document)
        for operation in patch:
            patched = jsonpatch.JsonPatch([_as_go(operation, patched)]).apply(patched, in_place=True)
    except (
        jsonpatch.JsonPatchException,
        jsonpointer.JsonPointerException,
        TypeError,
        KeyError,
        IndexError,
        ValueError,
    ) as error:
        raise Invalid(_WORDS, cause=f"the JSON patch does not apply: {error}", details={}) from None
    if not isinstance(patched, dict):
        raise BadRequest("invalid JSON document")
    return patched


def _as_go(operation: dict[str, Any], document: Any) -> dict[str, Any]:
    """A copy of what an object does not have is a null to Go's library, and no fault. Source: evanphx/json-patch."""
    if operation.get("op") != "copy" or not isinstance(operation.get("from"), str):
        return operation
    parent, _, key = operation["from"].rpartition("/")
    holder = jsonpointer.resolve_pointer(document, parent, None)
    if not isinstance(holder, dict) or jsonpointer.unescape(key) in holder:
        return operation
    return {"op": "add", "path": operation.get("path"), "value": None}
