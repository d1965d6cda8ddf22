"""TokenRequest: a service account's token for an audience, bound to a pod, secret or node.

Sources: kubernetes pkg/registry/core/serviceaccount/storage/token.go, pkg/apis/authentication/validation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iambridge.core.service_account_token import BoundObject, SigningKey, issue, projected_claims
from iambridge.errors import BadRequest, Conflict, NotFound
from iambridge.sandbox.cluster.objects.field_error import FieldError, bad_value, invalid
from iambridge.sandbox.cluster.service_account_authentication import Lookup
from iambridge.sandbox.cluster.timestamps import timestamp

_GROUP, _KIND = "authentication.k8s.io", "TokenRequest"
_DEFAULT_SECONDS = 3600
_LEAST_SECONDS = 600
MAX_EXPIRATION_SECONDS = 2**32
# what ServiceAccount admission asks for; old clients do not reload, so kube-apiserver lets such a token live for a year
_EXTENDED_FROM_SECONDS = 3607
_EXTENDED_TO_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class _Bound:
    pod: BoundObject | None = None
    secret: BoundObject | None = None
    node: BoundObject | None = None


class TokenRequests:
    """Answers `serviceaccounts/token`. `key` signs for `issuer`; `now` is in seconds since the epoch.

    `new_id` draws a `jti`. `extend_expiration` is kube-apiserver's --service-account-extend-token-expiration.
    `before_signing` gets the `exp` of each token, and may refuse it by raising.
    """

    def __init__(
        self,
        *,
        issuer: str,
        key: SigningKey,
        api_audiences: Sequence[str],
        lookup: Lookup,
        now: Callable[[], float],
        new_id: Callable[[], str],
        extend_expiration: bool = True,
        before_signing: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._issuer = issuer
        self._key = key
        self._api_audiences = list(api_audiences)
        self._lookup = lookup
        self._now = now
        self._new_id = new_id
        self._extend = extend_expiration
        self._before_signing = before_signing

    def create(self, namespace: str, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The TokenRequest with its `status.token` for the service account `name`.

        Raises:
            NotFound, BadRequest, Conflict, Invalid: as kube-apiserver.
        """
        metadata, spec = request.get("metadata") or {}, request.get("spec") or {}
        _check_names(metadata, namespace, name)
        account = self._live("serviceaccounts", namespace, name)
        uid = str(account["metadata"]["uid"])
        if metadata.get("uid") not in {None, "", uid}:
            detail = f"the UID in the token request ({metadata['uid']}) does not match the UID of the service account"
            raise _conflict(f"{_KIND}.{_GROUP}", {"group": _GROUP, "kind": _KIND}, name, f"{detail} ({uid})")
        audiences = list(spec.get("audiences") or self._api_audiences)
        seconds = _seconds(spec)
        reference = spec.get("boundObjectRef")
        bound = _Bound() if reference is None else self._bound(namespace, name, reference)
        now = int(self._now())
        found = {"name": name, "namespace": namespace, "uid": uid}
        token = self._token(namespace, BoundObject(name, uid), bound, audiences, seconds=seconds, now=now)
        return {
            "kind": _KIND,
            "apiVersion": f"{_GROUP}/v1",
            "metadata": {**metadata, **found, "creationTimestamp": timestamp(now)},
            "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference},
            "status": {"token": token, "expirationTimestamp": timestamp(now + seconds)},
        }

    def _token(
        self, namespace: str, account: BoundObject, bound: _Bound, audiences: list[str], *, seconds: int, now: int
    ) -> str:
        kube_audiences = set(audiences) <= set(self._api_audiences)
        extended = self._extend and bound.pod is not None and seconds == _EXTENDED_FROM_SECONDS and kube_audiences
        life = _EXTENDED_TO_SECONDS if extended else seconds
        claims = projected_claims(
            issuer=self._issuer,
            namespace=namespace,
            service_account=account,
            audiences=audiences,
            now=now,
            seconds=life,
            jti=self._new_id(),
            pod=bound.pod,
            secret=bound.secret,
            node=bound.node,
            warn_after=now + seconds if extended else None,
        )
        self._before_signing(now + life)
        return issue(claims, self._key)

    def _live(self, resource: str, namespace: str, name: str) -> Mapping[str, Any]:
        found = self._lookup(resource, namespace, name)
        if found is None:
            raise NotFound(f'{resource} "{name}" not found', details={"name": name, "kind": resource})
        return found

    def _bound(self, namespace: str, account: str, reference: Mapping[str, Any]) -> _Bound:
        version, kind = str(reference.get("apiVersion", "")), str(reference.get("kind", ""))
        name, wanted = str(reference.get("name", "")), str(reference.get("uid", ""))
        group, _, _ = version.rpartition("/")
        if group or kind not in {"Pod", "Secret", "Node"}:
            shown = version if "/" in version else f"/{version}"
            raise BadRequest(f"cannot bind token to object of type {shown}, Kind={kind}")
        if not name:
            raise BadRequest("Name parameter required.")
        live = self._live(f"{kind.lower()}s", "" if kind == "Node" else namespace, name)
        if kind == "Pod" and (live.get("spec") or {}).get("serviceAccountName") != account:
            raise BadRequest(
                f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
            )
        uid = str(live["metadata"]["uid"])
        if wanted not in {"", uid}:
            detail = (
                f"the UID in the bound object reference ({wanted}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise _conflict(kind, {"kind": kind}, name, detail)
        found = BoundObject(name, uid)
        if kind == "Pod":
            return _Bound(pod=found, node=self._node_of(live))
        return _Bound(secret=found) if kind == "Secret" else _Bound(node=found)

    def _node_of(self, pod: Mapping[str, Any]) -> BoundObject | None:
        """The pod's node, by name alone when it is gone."""
        name = str((pod.get("spec") or {}).get("nodeName", ""))
        if not name:
            return None
        node = self._lookup("nodes", "", name)
        return BoundObject(name, "" if node is None else str(node["metadata"]["uid"]))


def _check_names(metadata: Mapping[str, Any], namespace: str, name: str) -> None:
    for field, own, what in (("name", name, "name"), ("namespace", namespace, "namespace")):
        said = metadata.get(field)
        if said not in {None, "", own}:
            fault = bad_value(f"metadata.{field}", said, f"must match the service account {what} if specified")
            raise invalid(_GROUP, _KIND, name, [fault])


def _seconds(spec: Mapping[str, Any]) -> int:
    given = spec.get("expirationSeconds")
    seconds = _DEFAULT_SECONDS if given is None else int(given)
    faults: list[FieldError] = []
    path = "spec.expirationSeconds"
    if seconds < _LEAST_SECONDS:
        faults.append(bad_value(path, seconds, "may not specify a duration less than 10 minutes"))
    if seconds > MAX_EXPIRATION_SECONDS:
        faults.append(bad_value(path, seconds, "may not specify a duration larger than 2^32 seconds"))
    if faults:
        raise invalid(_GROUP, _KIND, "", faults)
    return seconds


def _conflict(resource: str, details: Mapping[str, object], name: str, why: str) -> Conflict:
    return Conflict(f'Operation cannot be fulfilled on {resource} "{name}": {why}', details={"name": name, **details})
