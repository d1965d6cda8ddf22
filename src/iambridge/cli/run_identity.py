"""Which AWS identity the pods of a ServiceAccount have: the cluster's facts, judged as the webhook judges them."""

import argparse
from collections.abc import Mapping
from dataclasses import replace

from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.cli.run_environment import tell
from iambridge.core.pod_identity import (
    Facts,
    ProcessIdentity,
    Settings,
    identity_of_annotations,
    parse_config_map,
    process_identity,
)
from iambridge.errors import InputError, NotFound
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
    settings = _settings(arguments, client.server)
    facts, automount = await _facts(arguments, client, namespace, settings)
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
    arguments: argparse.Namespace, client: KubernetesClient, namespace: str, settings: Settings
) -> tuple[Facts, bool]:

    name = arguments.serviceaccount
    try:
        account = await client.get(path_of("api", "v1", "namespaces", namespace, "serviceaccounts", name))
    except NotFound:
        return Facts(None), False
    own = identity_of_annotations(account["metadata"].get("annotations") or {}, settings)
    automount = account.get("automountServiceAccountToken") is not False
    exact = wildcard = None
    if arguments.config_map_namespace:
        path = path_of("api", "v1", "namespaces", arguments.config_map_namespace, "configmaps", "pod-identity-webhook")
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


def _settings(arguments: argparse.Namespace, server: str) -> Settings:
    """The webhook's flags; EKS runs its own with the cluster's region and regional STS."""
    eks = region_of_endpoint(server)
    regional = arguments.sts_regional_endpoint
    return Settings(
        annotation_prefix=arguments.annotation_prefix,
        audience=arguments.token_audience,
        region=arguments.aws_default_region or eks,
        regional_sts=bool(eks) if regional is None else regional,
    )
