"""Which AWS identity the pods of a ServiceAccount have: the cluster's facts, judged as the webhook judges them."""

import argparse
from collections.abc import Mapping
from dataclasses import replace

from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.cli.run_environment import tell
from iambridge.cli.webhook_discovery import webhook_flags
from iambridge.cli.webhook_settings import settings_of, webhook_arguments
from iambridge.core.pod_identity import (
    Facts,
    ProcessIdentity,
    Settings,
    identity_of_annotations,
    parse_config_map,
    process_identity,
)
from iambridge.errors import Forbidden, InputError, NotFound
from iambridge.wire.eks import region_of_endpoint


async def identity_of_pods(
    arguments: argparse.Namespace,
    client: KubernetesClient,
    namespace: str,
    own: Mapping[str, str],
) -> tuple[ProcessIdentity, bool]:
    """What the webhook would inject, and whether pods of the ServiceAccount get a Kubernetes token.

    `own` is what a pod's manifest would set; the webhook keeps it.

    Raises:
        InputError: they get no AWS identity, and why.
        KubernetesError: the API server's refusal.
    """
    settings, watched = await _webhook(arguments, client)
    facts, automount = await _facts(arguments, client, namespace, settings, watched=watched)
    identity = process_identity(
        arguments.serviceaccount, namespace, facts, settings,
        environment=own, expiration=arguments.token_expiration,
    )  # fmt: skip
    for warning in identity.mutation.warnings if identity.injected else ():
        tell(f"warning: {warning}")
    if not identity.injected:
        decision = identity.mutation.decision
        reason = decision.reasons[-1]
        value = f": `{reason.facts['value']}`" if "value" in reason.facts else ""
        fix = decision.fix or (
            f"kubectl -n {namespace} annotate serviceaccount {arguments.serviceaccount} "
            f"{settings.role_arn_key}=arn:aws:iam::ACCOUNT:role/NAME"
        )
        raise InputError(f"pods of {namespace}/{arguments.serviceaccount} get no AWS identity: {reason.text}{value}",
                         where=reason.where, cause=_no_association(reason.code), fix=fix)  # fmt: skip
    return identity, automount


def _no_association(code: str) -> str:
    if code != "no-role-asked-for":
        return ""
    return "the webhook injects nothing without it; an EKS Pod Identity association works on its node only"


async def _facts(
    arguments: argparse.Namespace, client: KubernetesClient, namespace: str, settings: Settings, *, watched: str
) -> tuple[Facts, bool]:

    name = arguments.serviceaccount
    try:
        account = await client.get(path_of("api", "v1", "namespaces", namespace, "serviceaccounts", name))
    except NotFound:
        return Facts(None), False
    except Forbidden as error:
        rule = f'{{apiGroups: [""], resources: [serviceaccounts], resourceNames: [{name}], verbs: [get]}}'
        fix = f"let a Role in namespace {namespace} allow it, and bind it to you: {rule}"
        raise Forbidden(error.message, cause=f"you may not read ServiceAccount {namespace}/{name}", fix=fix) from error
    own = identity_of_annotations(account["metadata"].get("annotations") or {}, settings)
    automount = account.get("automountServiceAccountToken") is not False
    exact = wildcard = None
    if watched:
        path = path_of("api", "v1", "namespaces", watched, "configmaps", "pod-identity-webhook")
        try:
            data = (await client.get(path)).get("data") or {}
        except NotFound:
            data = {}
        parsed = parse_config_map(str(data.get("config") or ""), settings)
        for fault in parsed.faults:
            tell(f"warning: ConfigMap pod-identity-webhook {fault.key}: {fault.text}")
        exact, wildcard = parsed.entries.get(f"{namespace}/{name}"), parsed.entries.get(f"*/{name}")
    if arguments.audience:
        own = replace(own, audience=arguments.audience)
        exact = exact and replace(exact, audience=arguments.audience)
        wildcard = wildcard and replace(wildcard, audience=arguments.audience)
    return Facts(own, exact, wildcard), automount


async def _webhook(arguments: argparse.Namespace, client: KubernetesClient) -> tuple[Settings, str]:
    """What the webhook runs with, and the namespace whose ConfigMap it watches, or empty.

    EKS runs its own with the cluster's region and regional STS.
    """
    flags = arguments.webhook_flag or await webhook_flags(client)
    region = region_of_endpoint(client.server)
    if flags is None:
        return Settings(region=region, regional_sts=bool(region)), ""
    try:
        webhook = webhook_arguments(flags)
    except InputError as error:
        if arguments.webhook_flag:
            raise
        tell(
            f"warning: the flags of the cluster's webhook are not all known here, and its defaults are assumed: {error}"
        )
        webhook = webhook_arguments([])
    watched = webhook.namespace if webhook.watch_config_map else ""
    # the account of composed role ARNs is that of the webhook's instance, which is not known here
    return replace(settings_of(webhook, None), jitter=False), watched
