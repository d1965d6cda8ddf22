"""The authenticator as a daemon: mapping sources, STS, certificate, webhook kubeconfig, signals. Composition only."""

import argparse
import asyncio
import datetime as dt
import logging
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from iambridge.adapters import kubeconfig
from iambridge.adapters.authenticator_state import serving_certificate, write_webhook_kubeconfig
from iambridge.adapters.aws_auth_config_map import ConfigMapMappings
from iambridge.adapters.aws_credentials import assume_role, find_credentials
from iambridge.adapters.decision_log import JsonLinesDecisionLog, NoDecisionLog
from iambridge.adapters.ec2_names import Ec2InstanceNames, NoInstanceNames
from iambridge.adapters.kubernetes import KubernetesClient
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.adapters.sts_client import StsClient
from iambridge.cli.authenticator_configuration import Configuration, read_configuration
from iambridge.cli.serve_authenticator import backends
from iambridge.core import sigv4
from iambridge.core.authenticator_token import CallerIdentity, HostRules, regional_host
from iambridge.core.aws_auth import Mappings, Rules, Source, break_glass
from iambridge.errors import InputError
from iambridge.ports import InstanceNames
from iambridge.servers.authenticator_metrics import AuthenticatorMetrics
from iambridge.servers.caller_identity_cache import CachedCallerIdentities
from iambridge.servers.iam_authenticator import BREAK_GLASS, AuthenticatorSettings, IamAuthenticator

_MAX_BODY = 64 * 1024  # bytes: a TokenReview holds one token of 4 KiB
_CREDENTIALS_SECONDS = 300.0
_log = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    rules = _rules(arguments, session_arns=True)
    configuration = read_configuration(arguments.config, rules) if arguments.config else Configuration()
    _merge(arguments, configuration)
    return int(uvloop.run(_serve(arguments, configuration)))


def _rules(arguments: argparse.Namespace, *, session_arns: bool = False) -> Rules:
    return Rules(
        ignore_role_path=arguments.match_role_path,
        session_arns=session_arns,
        session_name_in_groups=arguments.allow_session_name_in_groups,
    )


def _merge(arguments: argparse.Namespace, configuration: Configuration) -> None:
    """A flag goes before the file, the file before the default, as in the original."""
    server = configuration.server
    arguments.cluster_id = (
        arguments.cluster_id
        or configuration.cluster_id
        or os.environ.get("KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID", "")
    )
    if not arguments.cluster_id:
        raise InputError(
            "no cluster id is given", where="--cluster-id", fix="give the id that clients sign into tokens"
        )
    arguments.partition = arguments.partition or server.get("partition", "aws")
    arguments.address = arguments.address or server.get("address", "127.0.0.1")
    arguments.port = arguments.port or int(server.get("port", "21362"))
    arguments.state_dir = arguments.state_dir or Path(server.get("statedir", "/var/aws-iam-authenticator"))
    arguments.generate_kubeconfig = arguments.generate_kubeconfig or Path(
        server.get("generatekubeconfig", arguments.state_dir / "kubeconfig.yaml")
    )
    arguments.backend_mode = backends(arguments.backend_mode or list(configuration.backend_mode))
    if arguments.kubeconfig is None and server.get("kubeconfig"):
        arguments.kubeconfig = Path(server["kubeconfig"])
    arguments.master = arguments.master or server.get("master", "")
    arguments.ec2_role = server.get("ec2describeinstancesrolearn", "")
    arguments.region = arguments.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "")


def _client(arguments: argparse.Namespace) -> KubernetesClient:
    access = kubeconfig.from_kubeconfig(arguments.kubeconfig) if arguments.kubeconfig else None
    if access is None:
        access = kubeconfig.anonymous(arguments.master) if arguments.master else kubeconfig.in_cluster()
    if arguments.master:
        access.server = arguments.master.rstrip("/")
    return KubernetesClient(access, user_agent="iambridge-authenticator")


def _hosts(arguments: argparse.Namespace) -> HostRules:
    extra = list(arguments.sts_host)
    if arguments.sts_endpoint:
        extra.append(urlsplit(arguments.sts_endpoint).netloc)
    try:
        return HostRules.of(
            arguments.partition,
            regions=arguments.sts_region or None,
            extra=extra,
            global_endpoint=not arguments.no_global_sts,
        )
    except ValueError as error:
        raise InputError(str(error), where="--partition", fix="name an AWS partition") from error


def _instances(arguments: argparse.Namespace, metrics: AuthenticatorMetrics) -> Ec2InstanceNames | NoInstanceNames:
    if not arguments.region:
        return NoInstanceNames()
    suffix = regional_host(arguments.region).removeprefix(f"sts.{arguments.region}.")
    return Ec2InstanceNames(
        _credentials(arguments),
        endpoint=arguments.ec2_endpoint or f"https://ec2.{arguments.region}.{suffix}",
        region=arguments.region,
        now=_utc,
        ca_file=arguments.sts_ca_file if arguments.ec2_endpoint else None,
        qps=arguments.ec2_describeInstances_qps,
        burst=arguments.ec2_describeInstances_burst,
        called=metrics.ec2_calls.add,
    )


def _credentials(arguments: argparse.Namespace) -> Callable[[], "asyncio.Future[sigv4.Credentials]"]:
    """Found anew every five minutes, in a thread: sources may block."""
    kept: tuple[float, sigv4.Credentials] | None = None

    def find() -> sigv4.Credentials:
        nonlocal kept
        if kept is None or time.monotonic() - kept[0] > _CREDENTIALS_SECONDS:
            kept = (time.monotonic(), _found(arguments))
        return kept[1]

    return lambda: asyncio.ensure_future(asyncio.to_thread(find))


def _found(arguments: argparse.Namespace) -> sigv4.Credentials:
    own = find_credentials(os.environ)
    if not arguments.ec2_role:
        return own
    return assume_role(
        own,
        endpoint=arguments.sts_endpoint or f"https://{regional_host(arguments.region)}",
        region=arguments.region,
        role_arn=arguments.ec2_role,
        session_name="iambridge-authenticator",
        external_id="",
        ca_file=str(arguments.sts_ca_file or ""),
        now=_utc(),
    )


async def _serve(arguments: argparse.Namespace, configuration: Configuration) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        metrics = AuthenticatorMetrics()
        config_map = None
        if "EKSConfigMap" in arguments.backend_mode:
            client = _client(arguments)
            stack.push_async_callback(client.close)
            config_map = ConfigMapMappings(client, now=time.time, rules=_rules(arguments))
        sts = StsClient(
            endpoint=arguments.sts_endpoint,
            ca_file=arguments.sts_ca_file,
            responded=lambda code, region: (
                metrics.sts_responses.add(code, region) if code != "0" else metrics.sts_failures.add(region)
            ),
        )
        stack.push_async_callback(sts.close)
        instances = _instances(arguments, metrics)
        if isinstance(instances, Ec2InstanceNames):
            stack.push_async_callback(instances.close)
        server = _authenticator(
            arguments, configuration, config_map=config_map, sts=sts, instances=instances, metrics=metrics
        )
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="iambridge-authenticator-")))
        leaf, authority = serving_certificate(
            arguments.state_dir, directory, hosts=(arguments.hostname, arguments.address), now=_utc()
        )
        if not arguments.kubeconfig_pregenerated:
            url = f"https://{arguments.hostname}:{arguments.port}/authenticate"
            write_webhook_kubeconfig(arguments.generate_kubeconfig, url=url, authority=authority)
        listening = RunningServer(
            server.app, Listener(arguments.address, arguments.port, leaf.certificate, leaf.key, max_body=_MAX_BODY)
        )
        await listening.start()
        stack.push_async_callback(listening.stop)
        if config_map is not None:
            watching = asyncio.create_task(config_map.run())
            stack.callback(watching.cancel)
        print(f"authenticator is listening on {arguments.address}:{arguments.port}", file=sys.stderr, flush=True)
        await stop.wait()
    return 0


def _authenticator(
    arguments: argparse.Namespace,
    configuration: Configuration,
    *,
    config_map: ConfigMapMappings | None,
    sts: StsClient,
    instances: InstanceNames,
    metrics: AuthenticatorMetrics,
) -> IamAuthenticator:
    emergency = break_glass(arguments.break_glass_arn)
    reserved = configuration.reserved_prefixes

    def sources() -> tuple[Source, ...]:
        found = [Source(BREAK_GLASS, emergency)] if arguments.break_glass_arn else []
        for name in arguments.backend_mode:
            mappings: Mappings = configuration.mappings
            if name == "EKSConfigMap" and config_map is not None:
                mappings = config_map.mappings
            found.append(Source(name, mappings, reserved.get(name, ())))
        return tuple(found)

    def break_glass_used(identity: CallerIdentity) -> None:
        _log.warning("break-glass login of %s", identity.canonical_arn)
        if config_map is not None:
            config_map.tell("BreakGlassLogin", f"{identity.arn} logged in as system:masters by --break-glass-arn")

    return IamAuthenticator(
        AuthenticatorSettings(arguments.cluster_id, _hosts(arguments), configuration.scrubbed_accounts),
        callers=CachedCallerIdentities(
            sts,
            cluster_id=arguments.cluster_id,
            endpoint=arguments.sts_endpoint,
            ttl=arguments.token_cache_ttl,
            now=time.monotonic,
        ),
        instances=instances,
        sources=sources,
        not_ready=lambda: (
            "ConfigMap kube-system/aws-auth is not read yet" if config_map is not None and not config_map.synced else ""
        ),
        decision_log=JsonLinesDecisionLog(sys.stdout, time.time) if arguments.decision_log else NoDecisionLog(),
        now=_utc,
        new_id=lambda: str(uuid.uuid4()),
        metrics=metrics,
        break_glass_used=break_glass_used,
    )


def _utc() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
