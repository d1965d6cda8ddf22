"""`iambridge explain injection`: the webhook's own decision, offline or against a cluster's ServiceAccount."""

import argparse
import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from iambridge.cli.webhook_settings import settings_of, webhook_arguments
from iambridge.core.decision import Outcome
from iambridge.core.pod_identity import (
    Facts,
    Identity,
    Mutation,
    Pod,
    Settings,
    identity_of_annotations,
    mutate,
    parse_config_map,
    parse_container_credentials,
)
from iambridge.errors import InputError, NotFound

_CONFIG_MAP = "pod-identity-webhook"
_TEMPLATES = {"Pod": (), "CronJob": ("spec", "jobTemplate", "spec", "template")}
_MARKS = {True: "yes", False: "no "}


def run(arguments: argparse.Namespace) -> int:
    """0: it gets its identity, or asks for none. 1: it asks and is not given it, or something is wrong with it."""
    objects = list(read_objects(arguments.file))
    pod, namespace = _pod(objects, arguments.namespace)
    webhook = webhook_arguments(arguments.webhook_flag)
    settings = settings_of(webhook, None)
    try:
        view = Pod.of(pod)
    except msgspec.ValidationError as error:
        raise InputError(f"the pod cannot be read: {error}", where=str(arguments.file[0])) from error
    # the API server's ServiceAccount admission fills this in before any webhook is called
    view.spec.service_account_name = view.spec.service_account_name or pod["spec"].get("serviceAccount") or "default"
    facts = _facts(objects, namespace, view.spec.service_account_name, settings, arguments=arguments, webhook=webhook)
    mutation = mutate(view, namespace, facts, settings, jitter=0.0)
    if arguments.json:
        print(json.dumps(_document(mutation), indent=2))
    else:
        print("\n".join(_lines(mutation, namespace, view)))
    return 1 if mutation.warnings or mutation.decision.outcome is Outcome.EXPLICIT_DENY else 0


def read_objects(files: list[Path]) -> Iterator[dict[str, Any]]:
    """The Kubernetes objects of YAML or JSON files, Lists unfolded.

    Raises:
        InputError: a file cannot be read, or holds something else.
    """
    for file in files:
        try:
            documents = list(yaml.safe_load_all(file.read_text()))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            reason = getattr(error, "strerror", None) or getattr(error, "problem", None) or "not text"
            raise InputError(f"cannot read the file: {reason}", where=f"{file}{line}") from error
        for document in documents:
            if document is None:
                continue
            if not isinstance(document, dict) or not isinstance(document.get("metadata", {}), dict):
                raise InputError("a document is not a Kubernetes object", where=str(file))
            yield from document.get("items") or [] if document.get("kind") == "List" else [document]


def _pod(objects: list[dict[str, Any]], namespace: str) -> tuple[dict[str, Any], str]:
    """The first pod or pod template, and its namespace."""
    for found in objects:
        path = _TEMPLATES.get(str(found.get("kind")), ("spec", "template"))
        pod: Any = found
        for key in path:
            pod = pod.get(key) if isinstance(pod, dict) else None
        if not isinstance(pod, dict) or not isinstance(pod.get("spec"), dict) or "containers" not in pod["spec"]:
            continue
        name = (found.get("metadata") or {}).get("name") or ""
        shown = {**pod, "metadata": {"generateName": f"{name}-", **(pod.get("metadata") or {})}}
        return (pod if not path else shown), namespace or str(found["metadata"].get("namespace") or "default")
    raise InputError("no file holds a Pod or a workload with a pod template", fix="give one with -f pod.yaml")


def _facts(
    objects: list[dict[str, Any]],
    namespace: str,
    name: str,
    settings: Settings,
    *,
    arguments: argparse.Namespace,
    webhook: argparse.Namespace,
) -> Facts:
    """What the files hold, and the cluster what they do not. `webhook` are the webhook's own flags."""
    entries: Mapping[str, Identity] = {}
    identity = None
    config_map: Mapping[str, Any] | None = None
    for found in objects:
        meta = found.get("metadata") or {}
        kind = found.get("kind")
        if kind == "ServiceAccount" and meta.get("name") == name and meta.get("namespace", namespace) == namespace:
            identity = identity_of_annotations(meta.get("annotations") or {}, settings)
        if kind == "ConfigMap" and meta.get("name") == _CONFIG_MAP:
            config_map = found
    if arguments.kubeconfig is not None and identity is None:
        account = asyncio.run(_from_cluster(arguments, namespace, "serviceaccounts", name))
        if account is not None:
            identity = identity_of_annotations(account["metadata"].get("annotations") or {}, settings)
    if arguments.kubeconfig is not None and config_map is None and webhook.watch_config_map:
        config_map = asyncio.run(_from_cluster(arguments, webhook.namespace, "configmaps", _CONFIG_MAP))
    if config_map is not None:
        parsed = parse_config_map(str((config_map.get("data") or {}).get("config") or ""), settings)
        if parsed.faults:
            fault = parsed.faults[0]
            raise InputError(f"the ConfigMap's entry is wrong: {fault.text}", where=f"data.config {fault.key}")
        entries = parsed.entries
    credentials = _credentials(webhook.watch_container_credentials_config)
    return Facts(
        identity, entries.get(f"{namespace}/{name}"), entries.get(f"*/{name}"), (namespace, name) in credentials
    )


def _credentials(file: str) -> frozenset[tuple[str, str]]:
    """The identities of the container credentials file, as it is on this machine."""
    if not file:
        return frozenset()
    try:
        return parse_container_credentials(Path(file).read_bytes())
    except OSError as error:
        raise InputError(f"cannot read the file: {error.strerror}", where=file) from error
    except msgspec.DecodeError as error:
        raise InputError(f"not a container credentials file: {error}", where=file) from error


async def _from_cluster(
    arguments: argparse.Namespace, namespace: str, resource: str, name: str
) -> dict[str, Any] | None:
    from iambridge.adapters.kubernetes import KubernetesClient, path_of  # noqa: PLC0415 - only with a cluster

    client = KubernetesClient.from_kubeconfig(arguments.kubeconfig, arguments.context)
    try:
        return await client.get(path_of("api", "v1", "namespaces", namespace, resource, name))
    except NotFound:
        return None
    finally:
        await client.close()


def _document(mutation: Mutation) -> dict[str, Any]:
    decision = mutation.decision
    reasons = [
        {"code": r.code, "text": r.text, "where": r.where, "held": r.held, "facts": dict(r.facts)}
        for r in decision.reasons
    ]
    return {
        "hop": decision.hop,
        "outcome": decision.outcome.value,
        "reasons": reasons,
        "fix": decision.fix,
        "warnings": list(mutation.warnings),
        "patch": mutation.patch,
    }


def _lines(mutation: Mutation, namespace: str, pod: Pod) -> Iterator[str]:
    decision = mutation.decision
    verdict = {
        Outcome.ALLOWED: "is given its identity",
        Outcome.IMPLICIT_DENY: "is left as it is",
        Outcome.EXPLICIT_DENY: "asks for an identity and is not given one",
    }[decision.outcome]
    yield f"pod {namespace}/{pod.shown_name} {verdict}"
    for reason in decision.reasons:
        facts = "".join(f"  {key}={value}" for key, value in reason.facts.items())
        where = f"{reason.where}: " if reason.where else ""
        yield f"  {_MARKS[reason.held]} {where}{reason.text}{facts}"
    for warning in mutation.warnings:
        yield f"  warning: {warning}"
    if decision.fix:
        yield f"  fix: {decision.fix}"
    if mutation.patch:
        yield "patch:"
        yield from (f"  {json.dumps(operation)}" for operation in mutation.patch)
