"""AdmissionReview, v1 and v1beta1: decoded into the fields that are read, answered in the version that came.

Source: k8s.io/api admission/v1 and admission/v1beta1 types.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from iambridge.core.pod_identity import Pod
from iambridge.errors import BadRequest


class GroupVersionKind(msgspec.Struct):
    group: str = ""
    version: str = ""
    kind: str = ""


class AdmissionRequest(msgspec.Struct, rename="camel"):
    uid: str
    kind: GroupVersionKind = msgspec.field(default_factory=GroupVersionKind)
    sub_resource: str | None = None
    namespace: str = ""
    operation: str = ""
    dry_run: bool | None = None
    object: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class AdmissionReview(msgspec.Struct, rename="camel"):
    api_version: Literal["admission.k8s.io/v1", "admission.k8s.io/v1beta1"]
    kind: Literal["AdmissionReview"]
    request: AdmissionRequest


_REVIEW = msgspec.json.Decoder(AdmissionReview)
_POD = msgspec.json.Decoder(Pod)
_ENCODER = msgspec.json.Encoder()


def decode_review(body: bytes) -> AdmissionReview:
    """Raises BadRequest, which names the field and never its value: a review holds a raw pod."""
    try:
        return _REVIEW.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"not an AdmissionReview of v1 or v1beta1: {_without_value(error)}") from None


def decode_pod(raw: msgspec.Raw) -> Pod:
    """Raises BadRequest, which names the field and never its value."""
    try:
        return _POD.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"request.object is not a Pod: {_without_value(error)}") from None


def _without_value(error: Exception) -> str:
    """Only for enumerations does msgspec quote the value; Python's own messages may quote bytes."""
    if not isinstance(error, msgspec.DecodeError):
        return "not decodable"
    text = str(error)
    return f"unsupported value{text[text.rfind(' - at') :]}" if text.startswith("Invalid enum value") else text


def encode_response(
    review: AdmissionReview,
    *,
    patch: list[dict[str, Any]] | None = None,
    warnings: Sequence[str] = (),
    audit_annotations: Mapping[str, str] | None = None,
    denial: str = "",
) -> bytes:
    """The answer to `review`, as JSON. `denial` refuses the object with these words, as Forbidden."""
    response: dict[str, Any] = {"uid": review.request.uid, "allowed": not denial}
    if denial:
        response["status"] = {"status": "Failure", "message": denial, "reason": "Forbidden", "code": 403}
    if patch:
        response["patch"] = _ENCODER.encode(patch)  # bytes are spelled as base64
        response["patchType"] = "JSONPatch"
    if warnings:
        response["warnings"] = warnings
    if audit_annotations:
        response["auditAnnotations"] = audit_annotations
    return _ENCODER.encode({"apiVersion": review.api_version, "kind": review.kind, "response": response})
