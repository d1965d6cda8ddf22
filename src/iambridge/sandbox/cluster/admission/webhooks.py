"""Sends a write to its webhooks and does what they say. Source: apiserver webhook/*/dispatcher.go."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from iambridge.errors import BadRequest, InternalError, KubernetesError, WebhookRejected
from iambridge.sandbox.cluster.admission import review
from iambridge.sandbox.cluster.admission.attributes import AdmissionAttributes
from iambridge.sandbox.cluster.admission.call import CallFailed, ServiceResolver, WebhookCaller
from iambridge.sandbox.cluster.admission.matching import is_exempt, matched
from iambridge.sandbox.cluster.objects import json_patch

_HARMLESS = ("None", "NoneOnDryRun")


@dataclass(slots=True)
class Validation:
    """What validating webhooks added: warnings for the client, annotations for the audit log."""

    warnings: list[str] = field(default_factory=list)
    audit_annotations: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, verdict: review.Verdict) -> None:
        self.warnings += verdict.warnings
        self.audit_annotations |= {f"{name}/{key}": value for key, value in verdict.audit_annotations.items()}


@dataclass(slots=True)
class Mutation(Validation):
    """What mutating webhooks made of the object; None only when there was none."""

    object: dict[str, Any] | None = None


class _CallingFailed(Exception):  # noqa: RUF100, N818  # judged by failurePolicy here, never an answer of its own
    pass


class WebhookAdmission:
    """Calls the webhooks of a cluster. `resolve_service` maps (namespace, name, port) to addresses to try in turn."""

    def __init__(self, resolve_service: ServiceResolver, new_uid: Callable[[], str]) -> None:
        self._caller = WebhookCaller(resolve_service)
        self._new_uid = new_uid

    async def close(self) -> None:
        await self._caller.close()

    async def mutate(
        self,
        attributes: AdmissionAttributes,
        configurations: Sequence[Mapping[str, Any]],
        namespace_labels: Mapping[str, str],
        conform: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> Mutation:
        """Ask mutating webhooks one after another, each seeing the patches before it.

        A webhook with reinvocationPolicy IfNeeded is asked once more when one after it changed the object. `conform`
        types and defaults a patched object.

        Raises:
            KubernetesError: a webhook refused, or could not be asked and its failurePolicy is Fail.
        """
        outcome = Mutation(object=attributes.object)
        asked: list[tuple[Mapping[str, Any], dict[str, Any] | None]] = []
        for webhook in _webhooks(configurations):
            current = replace(attributes, object=outcome.object)
            shown = None if is_exempt(current) else matched(webhook, current, namespace_labels)
            if shown is None:
                continue
            await self._mutate_one(webhook, shown, conform, outcome)
            asked.append((webhook, outcome.object))
        for webhook, seen in asked:
            current = replace(attributes, object=outcome.object)
            if webhook.get("reinvocationPolicy") != "IfNeeded" or seen == outcome.object:
                continue
            shown = matched(webhook, current, namespace_labels)
            if shown is not None:
                await self._mutate_one(webhook, shown, conform, outcome)
        return outcome

    async def _mutate_one(
        self,
        webhook: Mapping[str, Any],
        attributes: AdmissionAttributes,
        conform: Callable[[dict[str, Any]], dict[str, Any]],
        outcome: Mutation,
    ) -> None:
        verdict = await self._ask(webhook, attributes, mutating=True)
        if verdict is None:
            return
        outcome.add(webhook["name"], verdict)
        _refuse(webhook["name"], verdict)
        if not verdict.patch:
            return
        if attributes.object is None:
            name = webhook["name"]
            words = (
                f'admission webhook "{name}" attempted to modify the object, which is not supported for this operation'
            )
            raise _internal(words)
        try:
            patched = json_patch.apply(attributes.object, verdict.patch)
            if attributes.asked_kind is not None:
                patched["apiVersion"] = "/".join(attributes.asked_kind[:2])
            outcome.object = conform(patched)
        except KubernetesError as error:
            raise _internal(error.cause) from None

    async def validate(
        self,
        attributes: AdmissionAttributes,
        configurations: Sequence[Mapping[str, Any]],
        namespace_labels: Mapping[str, str],
    ) -> Validation:
        """Ask validating webhooks all at once; the first refusal in their order is the answer.

        Raises:
            KubernetesError: a webhook refused, or could not be asked and its failurePolicy is Fail.
        """
        outcome = Validation()
        if is_exempt(attributes):
            return outcome
        found = [(webhook, matched(webhook, attributes, namespace_labels)) for webhook in _webhooks(configurations)]
        chosen = [(webhook, shown) for webhook, shown in found if shown is not None]
        asked = (self._ask(webhook, shown, mutating=False) for webhook, shown in chosen)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for (webhook, _), answer in zip(chosen, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            if answer is not None:
                outcome.add(webhook["name"], answer)
                _refuse(webhook["name"], answer)
        return outcome

    async def _ask(
        self, webhook: Mapping[str, Any], attributes: AdmissionAttributes, *, mutating: bool
    ) -> review.Verdict | None:
        """The verdict, or None when the call failed and failurePolicy says to ignore that."""
        name = webhook["name"]
        if attributes.dry_run and webhook.get("sideEffects") not in _HARMLESS:
            raise BadRequest(f'admission webhook "{name}" does not support dry run')
        try:
            return await self._call(webhook, attributes, mutating=mutating)
        except _CallingFailed as error:
            if webhook.get("failurePolicy") == "Ignore":
                return None
            raise _internal(f'failed calling webhook "{name}": {error}') from None

    async def _call(
        self, webhook: Mapping[str, Any], attributes: AdmissionAttributes, *, mutating: bool
    ) -> review.Verdict:
        if webhook.get("matchConditions"):
            raise _CallingFailed("matchConditions (CEL expressions) are not modelled by this cluster")
        version = review.version_for(webhook)
        if not version:
            raise _CallingFailed("webhook does not accept known AdmissionReview versions (v1, v1beta1)")
        uid = self._new_uid()
        body = review.build(attributes, version=version, uid=uid)
        try:
            answer = await self._caller.post(webhook["clientConfig"], body, timeout=webhook.get("timeoutSeconds", 10))
        except CallFailed as error:
            raise _CallingFailed(f"failed to call webhook: {error}") from None
        try:
            return review.parse(answer, version=version, uid=uid, mutating=mutating)
        except review.InvalidReview as error:
            raise _CallingFailed(f"received invalid webhook response: {error}") from None


def _webhooks(configurations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    ordered = sorted(configurations, key=lambda one: str(one["metadata"]["name"]))
    return [webhook for configuration in ordered for webhook in configuration.get("webhooks") or ()]


def _internal(why: str) -> InternalError:
    return InternalError(f"Internal error occurred: {why}", details={"causes": [{"message": why}]})


def _refuse(name: str, verdict: review.Verdict) -> None:
    """Raise the webhook's refusal. Source: apiserver webhook/errors/statuserror.go."""
    if verdict.allowed:
        return
    result = verdict.result or {}
    denied = f'admission webhook "{name}" denied the request'
    words = result.get("message") or result.get("reason")
    message = f"{denied}: {words}" if words else f"{denied} without explanation"
    code = result.get("code", 0)
    status = HTTPStatus.BAD_REQUEST
    if code in {one.value for one in HTTPStatus if one >= HTTPStatus.BAD_REQUEST}:
        status = HTTPStatus(code)
    details = result.get("details")
    raise WebhookRejected(
        message,
        reason=str(result.get("reason") or ""),
        status=status,
        details=details if isinstance(details, dict) else None,
    )
