"""The webhook's decision: whose identity a pod gets, and the patch that gives it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from iambridge.core.decision import Decision, Outcome, Reason
from iambridge.core.pod_identity.containers import Injection, containers_patch
from iambridge.core.pod_identity.identity import Identity, expiration_of, nobody
from iambridge.core.pod_identity.pod import Pod
from iambridge.core.pod_identity.settings import DEFAULT_EXPIRATION, JITTER_FLOOR, Settings, TokenPlace
from iambridge.core.pod_identity.volume import volume_patch

HOP = "pod-identity-webhook"
WEB_IDENTITY = "sts_web_identity"
CONTAINER_CREDENTIALS = "container_credentials"
_LABEL = "eks.amazonaws.com/pod-identity"  # the original does not prefix it with --annotation-prefix


class Facts(NamedTuple):
    """What is known about the pod's ServiceAccount. None: there is no such ServiceAccount, or no such entry."""

    service_account: Identity | None
    config_map: Identity | None = None
    config_map_wildcard: Identity | None = None
    container_credentials: bool = False


@dataclass(frozen=True, slots=True)
class Mutation:
    """The decision, the JSON Patch (RFC 6902) that carries it out, and what to tell the pod's author.

    `method` is the original's metric label: `sts_web_identity`, `container_credentials`, or empty when nothing is
    injected. `denied` asks the API server to refuse the pod: only with `Settings.fail_closed_label`.
    """

    decision: Decision
    patch: list[dict[str, Any]]
    warnings: tuple[str, ...] = ()
    method: str = ""
    audit: Mapping[str, str] | None = None
    denied: bool = False


def mutate(pod: Pod, namespace: str, facts: Facts, settings: Settings, *, jitter: float) -> Mutation:
    """Judge one pod. `namespace` is the review's, not the object's; `jitter` is drawn from [0, 1).

    The patch adds and never replaces, so that no field or value of the user's is lost, whatever the API version. It is
    empty for a pod that has been through here.
    """
    mutation = _judged(pod, namespace, facts, settings, jitter=jitter)
    return replace(mutation, denied=False) if mutation.denied and namespace in settings.never_refused else mutation


def _judged(pod: Pod, namespace: str, facts: Facts, settings: Settings, *, jitter: float) -> Mutation:
    account = pod.spec.service_account_name or ""
    if not account:
        return _not_injected("no-service-account", "the pod names no ServiceAccount (a mirror pod)")
    if facts.container_credentials:
        return _container_credentials(pod, namespace, facts, settings, jitter)
    identity = _chosen(facts)
    if identity is None:
        subject = f"ServiceAccount {namespace}/{account}"
        if facts.service_account is None:
            return _refused(
                pod, settings, [Reason("service-account-not-found", f"{subject} does not exist")],
                fix=f"kubectl -n {namespace} create serviceaccount {account}",
            )  # fmt: skip
        return _not_injected("no-role-asked-for", f"{subject} has no annotation {settings.role_arn_key}")
    if identity.invalid_role or not identity.role_arn:
        if not identity.invalid_role:
            return _not_injected("no-role-asked-for", f"{identity.where} names no role", identity.where)
        reason = Reason(
            "role-arn-invalid", "the role ARN is not one, and is not injected", identity.where,
            facts={"value": identity.invalid_role},
        )  # fmt: skip
        return _refused(pod, settings, [reason], fix="give it as arn:aws:iam::ACCOUNT:role/NAME")
    asked = Reason("role-asked-for", "a role is asked for", identity.where, True, {"roleArn": identity.role_arn})
    spread = jitter if settings.jitter else None
    injection = _injection(pod, settings, settings.web_identity_place, identity, jitter=spread, asked=asked)
    injection.pair = (("AWS_ROLE_ARN", identity.role_arn), ("AWS_WEB_IDENTITY_TOKEN_FILE", injection.file))
    if settings.session_name:
        injection.session_name = _session_name(pod)
    audit = {"role-arn": identity.role_arn}
    return _carried_out(pod, settings, injection, [], method=WEB_IDENTITY, audit=audit)


def not_judged(code: str, text: str) -> Mutation:
    """What is allowed through unread: not a pod, not a CREATE."""
    return _not_injected(code, text)


def _chosen(facts: Facts) -> Identity | None:
    """The original's order: annotation, the ConfigMap's exact key, its wildcard; no look past a key that is there."""
    own = facts.service_account
    if own is not None and own.asks:
        return own
    return facts.config_map or facts.config_map_wildcard


def _container_credentials(pod: Pod, namespace: str, facts: Facts, settings: Settings, jitter: float) -> Mutation:
    own = settings.container_credentials
    identity = facts.service_account or facts.config_map or nobody(settings)
    where = "container credentials file"
    subject = f"{namespace}/{pod.spec.service_account_name}"
    asked = Reason("container-credentials", "the identity is in the file", where, True, {"identity": subject})
    injection = _injection(pod, settings, settings.credentials_place, identity, jitter=jitter, asked=asked)
    injection.audience = own.audience
    injection.pair = (
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", own.full_uri),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", injection.file),
    )
    labels = pod.metadata.labels
    patch: list[dict[str, Any]] = []
    if labels is None:
        patch.append({"op": "add", "path": "/metadata/labels", "value": {_LABEL: "enabled"}})
    elif labels.get(_LABEL) is None:
        patch.append({"op": "add", "path": "/metadata/labels/eks.amazonaws.com~1pod-identity", "value": "enabled"})
    elif labels[_LABEL] != "enabled":
        injection.warn(f"label {_LABEL} is {labels[_LABEL][:63]!r}, not 'enabled', and is kept")
    return _carried_out(pod, settings, injection, patch, method=CONTAINER_CREDENTIALS, audit={})


def _injection(
    pod: Pod,
    settings: Settings,
    place: TokenPlace,
    identity: Identity,
    *,
    jitter: float | None,
    asked: Reason,
) -> Injection:
    injection = Injection(place, place.windows_file if pod.windows else place.file, [asked])
    injection.audience = identity.audience
    injection.region = settings.region
    injection.regional_sts = identity.regional_sts
    for fault in identity.faults:
        injection.warn(fault)
    injection.expiration = identity.token_expiration
    annotations = pod.metadata.annotations
    if annotations:
        text = annotations.get(settings.expiration_key)
        if text is not None:
            seconds = expiration_of(text)
            if seconds is None:
                injection.warn(f"annotation {settings.expiration_key} is not a number of seconds and is ignored")
            else:
                injection.expiration = seconds
        injection.choose_containers(settings, annotations)
    if jitter is not None and injection.expiration == DEFAULT_EXPIRATION:
        injection.expiration = JITTER_FLOOR + int(jitter * (DEFAULT_EXPIRATION - JITTER_FLOOR + 1))
    return injection


def _carried_out(
    pod: Pod,
    settings: Settings,
    injection: Injection,
    patch: list[dict[str, Any]],
    *,
    method: str,
    audit: dict[str, str],
) -> Mutation:
    if not volume_patch(pod, injection, patch):
        return _refused(pod, settings, injection.reasons, fix=f"rename the pod's volume {injection.place.volume_name}")
    containers_patch(pod, injection, patch)
    if injection.refused and injection.refused == injection.considered:
        return _refused(pod, settings, injection.reasons, fix=f"mount nothing at {injection.place.mount_path}")
    decision = Decision(HOP, Outcome.ALLOWED, tuple(injection.reasons))
    audit["method"] = method
    audit["containers"] = ",".join(injection.injected)
    return Mutation(decision, patch, tuple(injection.warnings), method, audit)


def _not_injected(code: str, text: str, where: str = "") -> Mutation:
    return Mutation(Decision(HOP, Outcome.IMPLICIT_DENY, (Reason(code, text, where),)), [])


def _refused(pod: Pod, settings: Settings, reasons: list[Reason], *, fix: str) -> Mutation:
    """An identity is asked for and cannot be given; the pod is let through unless its label says not."""
    reason = reasons[-1]
    decision = Decision(HOP, Outcome.EXPLICIT_DENY, tuple(reasons), fix)
    label = settings.fail_closed_label
    denied = bool(label) and label in (pod.metadata.labels or {})
    value = f" ({reason.facts['value']})" if "value" in reason.facts else ""
    where = f"{reason.where}: " if reason.where else ""
    return Mutation(decision, [], (f"no AWS identity: {where}{reason.text}{value}; {fix}",), denied=denied)


def _session_name(pod: Pod) -> dict[str, Any]:
    """AWS_ROLE_SESSION_NAME has at most 64 characters; a name drawn from generateName has at most 63."""
    name = "AWS_ROLE_SESSION_NAME"
    if pod.metadata.name:
        return {"name": name, "value": pod.metadata.name[:64]}
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
