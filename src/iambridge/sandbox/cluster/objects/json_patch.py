"""JSON patch (RFC 6902), by the jsonpatch library, with Kubernetes' answers to a patch that does not fit.

Source: apiserver endpoints/handlers/patch.go (jsonPatcher) and api/errors.NewGenericServerResponse.
"""

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
        patched = jsonpatch.JsonPatch(patch).apply(document, in_place=False)
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
