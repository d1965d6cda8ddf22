"""TokenReview, v1 and v1beta1: the token out of it, and the answer in the version that came.

Source: k8s.io/api authentication/v1 types. `status.audiences` is never set: the token is bound to a cluster id and to
no audience, and kube-apiserver then takes it for its own audiences only.
"""

from typing import Any, Literal

import msgspec

from iambridge.core.aws_auth import MappedUser
from iambridge.errors import BadRequest


class TokenReviewSpec(msgspec.Struct, rename="camel"):
    token: str
    audiences: list[str] | None = None


class TokenReview(msgspec.Struct, rename="camel"):
    api_version: Literal["authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"]
    kind: Literal["TokenReview"]
    spec: TokenReviewSpec


_REVIEW = msgspec.json.Decoder(TokenReview)
_ENCODER = msgspec.json.Encoder()


def decode(body: bytes) -> TokenReview:
    """Raises BadRequest with the original's words, and nothing of the body."""
    try:
        return _REVIEW.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("expected a request body to be a TokenReview") from None


def accepted(review: TokenReview, user: MappedUser) -> bytes:
    shown: dict[str, Any] = {"username": user.username, "uid": user.uid}
    if user.groups:
        shown["groups"] = user.groups
    if user.extra:
        shown["extra"] = user.extra
    return _encode(review, {"authenticated": True, "user": shown})


def refused(review: TokenReview, error: str = "") -> bytes:
    """Without `error` kube-apiserver caches the refusal; with one it does not, and logs it."""
    return _encode(review, {"authenticated": False, "error": error} if error else {"authenticated": False})


def _encode(review: TokenReview, status: dict[str, Any]) -> bytes:
    return _ENCODER.encode(
        {"apiVersion": review.api_version, "kind": review.kind, "metadata": {}, "spec": {}, "status": status}
    )
