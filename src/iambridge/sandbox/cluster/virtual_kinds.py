"""Review kinds: they are answered and never stored. Each function returns the object with its status.

Sources: kubernetes pkg/registry/authentication, pkg/registry/authorization and pkg/apis/authorization/validation.
"""

from collections.abc import Callable, Mapping
from typing import Any

from iambridge.core.decision import Decision, Outcome
from iambridge.core.rbac import Attributes, Policy, User, rules_for
from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.authenticated import AuthenticatedToken
from iambridge.sandbox.cluster.authentication import Authentication, bearer_token, refusal
from iambridge.sandbox.cluster.objects.field_error import FieldError, bad_value, invalid
from iambridge.sandbox.cluster.timestamps import timestamp

Authorize = Callable[[User, Attributes], Decision]
"""The cluster's own authoriser, so that a review and a request cannot disagree."""

_ONE_OF = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
_AUTHORIZATION = "authorization.k8s.io"


async def token_review(review: Mapping[str, Any], authentication: Authentication) -> dict[str, Any]:
    """Who the token stands for. A token that is refused is an answer, with kube-apiserver's `status.error`.

    Raises:
        BadRequest: no token.
    """
    spec = review.get("spec") or {}
    if not spec.get("token"):
        raise BadRequest("token is required for TokenReview in authentication")
    token = bearer_token(f"Bearer {spec['token']}")
    audiences = tuple(spec.get("audiences") or authentication.audiences)
    found = await authentication.token_user(token, audiences) if token else ()
    if isinstance(found, AuthenticatedToken):
        return _answered(
            review,
            {"authenticated": True, "user": user_info(found.user), "audiences": list(found.audiences)},
        )
    return _answered(review, {"user": {}, "error": refusal(found)})


def self_subject_review(review: Mapping[str, Any], user: User, now: float) -> dict[str, Any]:
    """Who the caller is. `now` is in seconds since the epoch."""
    metadata = {"creationTimestamp": timestamp(now)}
    return _answered({**review, "metadata": metadata}, {"userInfo": user_info(user)})


def subject_access_review(review: Mapping[str, Any], authorize: Authorize) -> dict[str, Any]:
    """Raises Invalid in Kubernetes' words."""
    spec = review.get("spec") or {}
    _refuse([*_subject_faults(spec), *_metadata_faults(review)])
    return _answered(review, _access(authorize(_subject(spec), _attributes(spec))))


def local_subject_access_review(review: Mapping[str, Any], authorize: Authorize) -> dict[str, Any]:
    """Raises Invalid in Kubernetes' words."""
    spec = review.get("spec") or {}
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    own = (review.get("metadata") or {}).get("namespace", "")
    faults = [*_subject_faults(spec), *_metadata_faults(review, "namespace")]
    if resource is not None and resource.get("namespace", "") != own:
        where = "spec.resourceAttributes.namespace"
        faults.append(bad_value(where, resource.get("namespace", ""), "must match metadata.namespace"))
    if path is not None:
        faults.append(bad_value("spec.nonResourceAttributes", _shown(path), "disallowed on this kind of request"))
    _refuse(faults)
    return _answered(review, _access(authorize(_subject(spec), _attributes(spec))))


def self_subject_access_review(review: Mapping[str, Any], user: User, authorize: Authorize) -> dict[str, Any]:
    """Raises Invalid in Kubernetes' words."""
    spec = review.get("spec") or {}
    _refuse([*_attribute_faults(spec), *_metadata_faults(review)])
    return _answered(review, _access(authorize(user, _attributes(spec))))


def self_subject_rules_review(review: Mapping[str, Any], user: User, policy: Policy) -> dict[str, Any]:
    """Raises BadRequest when no namespace is asked about."""
    namespace = (review.get("spec") or {}).get("namespace", "")
    if not namespace:
        raise BadRequest("no namespace on request")
    return _answered({**review, "spec": {}}, rules_for(user, namespace, policy).status())


def user_info(user: User) -> dict[str, Any]:
    """authentication/v1 UserInfo."""
    shown: dict[str, Any] = {"username": user.name}
    if user.uid:
        shown["uid"] = user.uid
    if user.groups:
        shown["groups"] = list(user.groups)
    if user.extra:
        shown["extra"] = {key: list(values) for key, values in user.extra.items()}
    return shown


def _answered(review: Mapping[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    return {**review, "metadata": review.get("metadata") or {}, "status": status}


def _access(decision: Decision) -> dict[str, Any]:
    """SubjectAccessReviewStatus, with the reason that kube-apiserver's RBAC gives."""
    status: dict[str, Any] = {"allowed": decision.allowed}
    if decision.outcome is Outcome.EXPLICIT_DENY:
        status["denied"] = True
    if decision.allowed:
        reason = next((reason.text for reason in decision.reasons if reason.code == "rule-matched"), "")
    else:
        gone = [reason.text for reason in decision.reasons if reason.code == "role-not-found"]
        names = list(dict.fromkeys(text.removeprefix("RBAC: ") for text in gone))
        reason = f"RBAC: {names[0] if len(names) == 1 else '[' + ', '.join(names) + ']'}" if names else ""
    return {**status, "reason": reason} if reason else status


def _subject(spec: Mapping[str, Any]) -> User:
    extra = {key: tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), extra)


def _attributes(spec: Mapping[str, Any]) -> Attributes:
    path = spec.get("nonResourceAttributes")
    if path is not None:
        # an empty path must stay a path: no rule but `*` covers a blank
        return Attributes(path.get("verb", ""), path=path.get("path") or " ")
    asked = spec["resourceAttributes"]
    names = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(**{name: asked.get(name) or "" for name in names})


def _attribute_faults(spec: Mapping[str, Any]) -> list[FieldError]:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        return [bad_value("spec", _shown(path), _ONE_OF)]
    return [bad_value("spec", None, _ONE_OF)] if resource is None and path is None else []


def _subject_faults(spec: Mapping[str, Any]) -> list[FieldError]:
    faults = _attribute_faults(spec)
    if not spec.get("user") and not spec.get("groups"):
        faults.append(bad_value("spec.user", "", "at least one of user or group must be specified"))
    return faults


def _shown(path: Mapping[str, Any]) -> dict[str, Any]:
    return {name: path.get(name.lower(), "") for name in ("Path", "Verb")}


def _metadata_faults(review: Mapping[str, Any], *allowed: str) -> list[FieldError]:
    metadata = review.get("metadata") or {}
    words = "must be empty except for namespace" if allowed else "must be empty"
    left = any(value for key, value in metadata.items() if key not in {"managedFields", *allowed})
    return [bad_value("metadata", metadata, words)] if left else []


def _refuse(faults: list[FieldError]) -> None:
    if faults:
        raise invalid(_AUTHORIZATION, "", "", faults)  # kube-apiserver names no kind here
