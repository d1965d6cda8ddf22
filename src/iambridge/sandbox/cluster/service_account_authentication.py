"""Judges a service account token against the cluster's keys and the objects that it names.

Source: kubernetes pkg/serviceaccount/jwt.go and claims.go. Like those, a token is good for 60 s past its `exp` (the
leeway of go-jose), and for 60 s after the deletion of what it is bound to was asked for.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from iambridge.core.decision import Reason
from iambridge.core.rbac import User
from iambridge.core.service_account_token import Proofs, VerificationKey, VerifiedClaims
from iambridge.errors import InvalidIdentityToken
from iambridge.sandbox.cluster.authenticated import (
    Answer,
    AuthenticatedToken,
    common_audiences,
    service_account_groups,
    service_account_username,
)

Lookup = Callable[[str, str, str], Mapping[str, Any] | None]
"""The live object of (resource, namespace, name), as `("pods", "default", "web")`; None when it is not there."""

LEEWAY_SECONDS = 60
_EXTRA = "authentication.kubernetes.io/"
_INVALIDATED = Reason("token-invalidated", "service account token has been invalidated")


def authenticate_service_account(
    token: str,
    audiences: Sequence[str],
    *,
    issuer: str,
    keys: Sequence[VerificationKey],
    proofs: Proofs,
    lookup: Lookup,
    now: float,
) -> Answer:
    """The token's user, why it is refused, or None when it is no token of `issuer`. `now` is in seconds."""
    try:
        unverified = proofs.read(token)
    except InvalidIdentityToken:
        return None
    if unverified.issuer != issuer:
        return None
    try:
        claims = proofs.verify(token, unverified, keys)
    except InvalidIdentityToken as error:
        return Reason("signature", error.cause)
    if not common_audiences(claims.audiences, audiences):
        offered, wanted = _listed(claims.audiences), _listed(audiences)
        return Reason("audience", f"token audiences {offered} is invalid for the target audiences {wanted}")
    user = _out_of_time(claims, now) or _bound_user(claims, lookup, now)
    return user if isinstance(user, Reason) else AuthenticatedToken(user, claims.audiences)


def _listed(values: Sequence[str]) -> str:
    return "[" + " ".join(f'"{value}"' for value in values) + "]"


def _out_of_time(claims: VerifiedClaims, now: float) -> Reason | None:
    if claims.expires is None or now > claims.expires + LEEWAY_SECONDS:
        return Reason("token-expired", "service account token has expired")
    starts = max(claims.not_before or 0, claims.issued_at or 0)
    if starts > now + LEEWAY_SECONDS:
        return Reason("token-not-yet-valid", "service account token is not valid yet")
    return None


def _bound_user(claims: VerifiedClaims, lookup: Lookup, now: float) -> User | Reason:
    private = claims.claims.get("kubernetes.io")
    if not isinstance(private, dict):
        return Reason("claims", "service account token claims could not be validated due to unexpected private claim")
    namespace, (name, uid) = str(private.get("namespace", "")), _reference(private, "serviceaccount")
    account = lookup("serviceaccounts", namespace, name)
    if account is None:
        return Reason("service-account-not-found", f'serviceaccount "{name}" not found')
    if _deleted(account, now):
        return Reason("service-account-deleted", f"service account {namespace}/{name} has been deleted")
    if _uid(account) != uid:
        return Reason("service-account-uid", f"service account UID ({_uid(account)}) does not match claim ({uid})")
    refused = _unbound(private, namespace, lookup, now)
    if refused is not None:
        return refused
    username = service_account_username(namespace, name)
    return User(username, service_account_groups(namespace), uid, _extra(private, str(claims.claims.get("jti", ""))))


def _unbound(private: Mapping[str, Any], namespace: str, lookup: Lookup, now: float) -> Reason | None:
    """Why a bound object no longer holds. The node of a pod's token is told and not checked, as in Kubernetes."""
    bound = [("secret", "secrets", "secret UID ({}) does not match service account secret ref claim ({})", namespace)]
    bound.append(("pod", "pods", "pod UID ({}) does not match service account pod ref claim ({})", namespace))
    if "pod" not in private:
        bound.append(("node", "nodes", "node UID ({}) does not match service account node ref claim ({})", ""))
    for claim, resource, mismatch, scope in bound:
        if claim not in private:
            continue
        name, uid = _reference(private, claim)
        live = lookup(resource, scope, name)
        if live is None or _deleted(live, now):
            return _INVALIDATED
        if _uid(live) != uid:
            return Reason(f"{claim}-uid", mismatch.format(_uid(live), uid))
    return None


def _reference(private: Mapping[str, Any], claim: str) -> tuple[str, str]:
    reference = private.get(claim)
    if not isinstance(reference, dict):
        return "", ""
    return str(reference.get("name", "")), str(reference.get("uid", ""))


def _uid(live: Mapping[str, Any]) -> str:
    return str(live["metadata"].get("uid", ""))


def _deleted(live: Mapping[str, Any], now: float) -> bool:
    stamp = live["metadata"].get("deletionTimestamp")
    return stamp is not None and dt.datetime.fromisoformat(str(stamp)).timestamp() < now - LEEWAY_SECONDS


def _extra(private: Mapping[str, Any], token_id: str) -> dict[str, tuple[str, ...]]:
    pod, node = _reference(private, "pod"), _reference(private, "node")
    found = {"credential-id": f"JTI={token_id}" if token_id else "", "node-name": node[0], "node-uid": node[1]}
    found |= {"pod-name": pod[0], "pod-uid": pod[1]}
    return {_EXTRA + key: (value,) for key, value in found.items() if value}
