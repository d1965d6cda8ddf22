"""AdmissionReview out and in. Source: k8s.io/api/admission/v1 and apiserver webhook/request/admissionreview.go."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from iambridge.sandbox.cluster.admission.attributes import AdmissionAttributes

_GROUP = "admission.k8s.io"
VERSIONS = ("v1", "v1beta1")


class InvalidReview(ValueError):  # noqa: RUF100, N818  # becomes part of a sentence, never an answer of its own
    """The webhook's answer is no valid AdmissionReview; the words are Kubernetes'."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a webhook answered. `result` is its Status, absent when it gave none."""

    allowed: bool
    result: Mapping[str, Any] | None = None
    patch: list[Any] | None = None
    warnings: tuple[str, ...] = ()
    audit_annotations: Mapping[str, str] = field(default_factory=dict)


def build(attributes: AdmissionAttributes, *, version: str, uid: str) -> bytes:
    """The request body for one webhook, `version` being v1 or v1beta1."""
    kind = dict(zip(("group", "version", "kind"), attributes.kind, strict=True))
    resource = dict(zip(("group", "version", "resource"), attributes.resource, strict=True))
    request: dict[str, Any] = {"uid": uid, "kind": kind, "resource": resource}
    if attributes.subresource:
        request["subResource"] = attributes.subresource
    asked_kind, asked_resource = (
        attributes.asked_kind or attributes.kind,
        attributes.asked_resource or attributes.resource,
    )
    request |= {
        "requestKind": dict(zip(("group", "version", "kind"), asked_kind, strict=True)),
        "requestResource": dict(zip(("group", "version", "resource"), asked_resource, strict=True)),
    }
    if attributes.subresource:
        request["requestSubResource"] = attributes.subresource
    for name in ("name", "namespace"):
        if getattr(attributes, name):
            request[name] = getattr(attributes, name)
    request |= {
        "operation": attributes.operation,
        "userInfo": _user(attributes),
        "object": attributes.object,
        "oldObject": attributes.old_object,
        "dryRun": attributes.dry_run,
        "options": attributes.options or None,
    }
    review = {"kind": "AdmissionReview", "apiVersion": f"{_GROUP}/{version}", "request": request}
    return msgspec.json.encode(review)


def _user(attributes: AdmissionAttributes) -> dict[str, Any]:
    user = attributes.user
    info: dict[str, Any] = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def parse(body: bytes, *, version: str, uid: str, mutating: bool) -> Verdict:
    """The webhook's verdict.

    Raises:
        InvalidReview: not JSON, another kind or version, another uid, or a patch that is not announced as one.
    """
    try:
        review = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise InvalidReview(f"couldn't get version/kind; json parse error: {error}") from None
    if not isinstance(review, dict):
        raise InvalidReview("couldn't get version/kind; json parse error: an object was expected")
    wanted = f"{_GROUP}/{version}, Kind=AdmissionReview"
    got = f"{review.get('apiVersion', '')}, Kind={review.get('kind', '')}"
    if got != wanted:
        raise InvalidReview(f"expected webhook response of {wanted}, got {got}")
    response = review.get("response")
    if not isinstance(response, dict):
        raise InvalidReview("webhook response was absent")
    if response.get("uid") != uid and (version == "v1" or response.get("uid")):
        raise InvalidReview(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    return _verdict(response, version=version, mutating=mutating)


def _verdict(response: Mapping[str, Any], *, version: str, mutating: bool) -> Verdict:
    allowed, result, warnings = response.get("allowed", False), response.get("status"), response.get("warnings") or []
    annotations = response.get("auditAnnotations") or {}
    if not isinstance(allowed, bool) or not isinstance(result, dict | None) or not isinstance(annotations, dict):
        raise InvalidReview("response.allowed, response.status or response.auditAnnotations has the wrong type")
    if not isinstance(warnings, list) or not all(isinstance(one, str) for one in warnings):
        raise InvalidReview("response.warnings must be a list of strings")
    patch = _patch(response, version) if mutating else None
    return Verdict(
        allowed, result, patch, tuple(warnings), {str(key): str(value) for key, value in annotations.items()}
    )


def _patch(response: Mapping[str, Any], version: str) -> list[Any] | None:
    patch, kind = response.get("patch"), response.get("patchType")
    if patch and kind is None and version == "v1":
        raise InvalidReview("webhook returned response.patch but not response.patchType")
    if kind is not None and not patch:
        raise InvalidReview("webhook returned response.patchType but not response.patch")
    if not patch:
        return None
    if kind not in {None, "JSONPatch"}:
        raise InvalidReview(f'webhook returned invalid response.patchType of "{kind}"')
    try:
        operations = msgspec.json.decode(base64.b64decode(patch, validate=True))
    except (binascii.Error, msgspec.DecodeError, TypeError, ValueError) as error:
        raise InvalidReview(f"received undecodable patch in webhook response: {error}") from None
    if not isinstance(operations, list):
        raise InvalidReview("received undecodable patch in webhook response: a list of operations was expected")
    return operations


def version_for(webhook: Mapping[str, Any]) -> str:
    """The first of the webhook's admissionReviewVersions that we speak, or empty."""
    return next((one for one in webhook.get("admissionReviewVersions") or () if one in VERSIONS), "")
