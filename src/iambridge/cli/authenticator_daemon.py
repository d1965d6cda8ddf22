"""The authenticator as a daemon: mapping sources, STS, certificate, webhook kubeconfig, signals. Composition only."""

import argparse
import asyncio
import datetime as dt
import gc
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from iambridge.adapters import kubeconfig
from iambridge.adapters.authenticator_state import ServedCertificate, StateDirectory, write_webhook_kubeconfig
from iambridge.adapters.aws_auth_config_map import ConfigMapMappings
from iambridge.adapters.aws_auth_copy import MappingsCopy
from iambridge.adapters.decision_log import LINGER_SECONDS, JsonLinesDecisionLog, NoDecisionLog
from iambridge.adapters.dynamic_file import DynamicFileMappings
from iambridge.adapters.ec2_names import Ec2InstanceNames
from iambridge.adapters.identity_mappings import IdentityMappingObjects
from iambridge.adapters.kubernetes import KubernetesClient
from iambridge.adapters.randomness import uuid4
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.adapters.sts_client import StsClient
from iambridge.cli.authenticator_aws import host_rules, instance_names, sts_client
from iambridge.cli.authenticator_backends import Backend, Backends, Fixed
from iambridge.cli.authenticator_configuration import Configuration, read_configuration
from iambridge.cli.serve_authenticator import STATE_DIR, default_kubeconfig
from iambridge.cli.serve_authenticator import backends as backend_names
from iambridge.core.aws_auth import Rules, break_glass
from iambridge.errors import InputError
from iambridge.ports import DecisionLog, InstanceNames
from iambridge.servers.authenticator_metrics import AuthenticatorMetrics
from iambridge.servers.caller_identity_cache import CachedCallerIdentities
from iambridge.servers.iam_authenticator import AuthenticatorSettings, IamAuthenticator

_MAX_BODY = 64 * 1024  # bytes: a TokenReview holds one token of 4 KiB
_GC_THRESHOLDS = (5000, 20, 20)  # a review leaves no cycles behind, and a cached identity is no garbage
_log = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    rules = _rules(arguments, session_arns=True)
    configuration = read_configuration(arguments.config, rules) if arguments.config else Configuration()
    _merge(arguments, configuration)
    _check_dynamic_file(arguments, configuration)
    return int(uvloop.run(_serve(arguments, configuration)))


def _rules(arguments: argparse.Namespace, *, session_arns: bool = False, by_principal_id: bool = False) -> Rules:
    return Rules(
        ignore_role_path=arguments.match_role_path,
        session_arns=session_arns,
        session_name_in_groups=arguments.allow_session_name_in_groups,
        pin_principal_ids=arguments.pin_principal_ids,
        by_principal_id=by_principal_id,
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
    arguments.port = arguments.port or int(_number(server, "port", "21362"))
    arguments.hostname = arguments.hostname or server.get("hostname", "localhost")
    if arguments.kubeconfig_pregenerated is None:
        arguments.kubeconfig_pregenerated = server.get("kubeconfigpregenerated", "false").lower() == "true"
    if arguments.ec2_describeInstances_qps is None:
        arguments.ec2_describeInstances_qps = _number(server, "ec2describeinstancesqps", "15")
    if arguments.ec2_describeInstances_burst is None:
        arguments.ec2_describeInstances_burst = int(_number(server, "ec2describeinstancesburst", "5"))
    arguments.state_dir = arguments.state_dir or Path(server.get("statedir", STATE_DIR))
    arguments.generate_kubeconfig = arguments.generate_kubeconfig or Path(
        server.get("generatekubeconfig", default_kubeconfig(arguments.state_dir))
    )
    arguments.backend_mode = backend_names(arguments.backend_mode or list(configuration.backend_mode))
    if arguments.kubeconfig is None and server.get("kubeconfig"):
        arguments.kubeconfig = Path(server["kubeconfig"])
    arguments.master = arguments.master or server.get("master", "")
    arguments.ec2_role = server.get("ec2describeinstancesrolearn", "")
    arguments.source_arn = server.get("sourcearn", "")
    arguments.region = arguments.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "")


def _check_dynamic_file(arguments: argparse.Namespace, configuration: Configuration) -> None:
    """The backend and its file go together, as in the original."""
    wanted, given = "DynamicFile" in arguments.backend_mode, configuration.dynamic_file_path.name
    if wanted and not given:
        raise InputError("backend DynamicFile has no file", where="server.dynamicfilepath",
            fix="name the file in the configuration file")  # fmt: skip
    if given and not wanted:
        raise InputError("server.dynamicfilepath is given, and DynamicFile is no backend", where="--backend-mode",
            fix="add DynamicFile to the backends, or remove the path")  # fmt: skip


def _number(server: Mapping[str, str], key: str, default: str) -> float:
    text = server.get(key, default)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise InputError(f"`{text}` is not a number above zero", where=f"server.{key}", fix=f"write {default}")
    return float(text)


def _client(arguments: argparse.Namespace) -> KubernetesClient:
    access = kubeconfig.from_kubeconfig(arguments.kubeconfig) if arguments.kubeconfig else None
    if access is None:
        access = kubeconfig.anonymous(arguments.master) if arguments.master else kubeconfig.in_cluster()
    if arguments.master:
        access.server = arguments.master.rstrip("/")
    return KubernetesClient(access, user_agent="iambridge-authenticator")


async def _serve(arguments: argparse.Namespace, configuration: Configuration) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        metrics = AuthenticatorMetrics()
        found = await _backends(arguments, configuration, metrics, stack)
        sts = sts_client(arguments, metrics)
        stack.push_async_callback(sts.close)
        instances = instance_names(arguments, metrics)
        if isinstance(instances, Ec2InstanceNames):
            stack.push_async_callback(instances.close)
        log: DecisionLog = NoDecisionLog()
        if arguments.decision_log:
            log = lines = JsonLinesDecisionLog(sys.stdout, time.time, linger=LINGER_SECONDS)
            stack.callback(lines.flush)
        server = _authenticator(
            arguments, configuration, backends=found, sts=sts, instances=instances, metrics=metrics, log=log
        )
        state = StateDirectory(arguments.state_dir, hosts=(arguments.hostname, arguments.address), now=_utc)
        certificate = ServedCertificate(state, _scratch(arguments.state_dir, stack))
        if not arguments.kubeconfig_pregenerated:
            url = f"https://{arguments.hostname}:{arguments.port}/authenticate"
            write_webhook_kubeconfig(arguments.generate_kubeconfig, url=url, authority=state.pinned)
        leaf = certificate.leaf
        listening = RunningServer(
            server.app, Listener(arguments.address, arguments.port, leaf.certificate, leaf.key, max_body=_MAX_BODY)
        )
        await listening.start()
        stack.push_async_callback(listening.stop)
        watching = asyncio.create_task(_follow(found, certificate, listening))
        stack.callback(watching.cancel)
        watching.add_done_callback(lambda _: stop.set())  # one that ends is a bug: better no server than a stale one
        gc.collect()
        gc.freeze()  # what is loaded stays: collections need not walk it, nor come with every few reviews
        gc.set_threshold(*_GC_THRESHOLDS)
        print(f"authenticator is listening on {arguments.address}:{arguments.port}", file=sys.stderr, flush=True)
        await stop.wait()
        if watching.done():
            watching.result()
    return 0


def _scratch(state_dir: Path, stack: AsyncExitStack) -> Path:
    """Beside the key that is copied there, so that a killed server leaves no copy elsewhere; if it may be written."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = state_dir / ".serving"
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="iambridge-authenticator-")))
    return directory if os.access(directory, os.W_OK) else Path(stack.enter_context(tempfile.TemporaryDirectory()))


async def _follow(found: Backends, certificate: ServedCertificate, listening: RunningServer) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(found.run())
        group.create_task(certificate.run(listening.reload))


async def _backends(
    arguments: argparse.Namespace, configuration: Configuration, metrics: AuthenticatorMetrics, stack: AsyncExitStack
) -> Backends:
    """The backends of --backend-mode. Raises InputError for one that lacks its settings."""
    found: dict[str, Backend] = {}
    for name in arguments.backend_mode:
        if name == "EKSConfigMap":
            client = _client(arguments)
            stack.push_async_callback(client.close)
            copy = None
            if arguments.aws_auth_copy_max_age > 0:
                file = arguments.state_dir / "aws-auth.json"
                copy = MappingsCopy(file, max_age=arguments.aws_auth_copy_max_age, now=time.time)
            found[name] = ConfigMapMappings(client, now=time.time, rules=_rules(arguments), copy=copy)
        elif name == "CRD":
            client = _client(arguments)
            stack.push_async_callback(client.close)
            found[name] = IdentityMappingObjects(client, now=time.time, rules=_rules(arguments, session_arns=True))
        elif name == "DynamicFile":
            dynamic = DynamicFileMappings(
                configuration.dynamic_file_path,
                rules=_rules(arguments, session_arns=True, by_principal_id=configuration.dynamic_file_user_id_strict),
                now=time.time,
                failed=metrics.dynamic_file_failures.add,
                latency=lambda seconds: metrics.dynamic_latency.observe(seconds, "dynamic_file"),
            )
            dynamic.load()
            found[name] = dynamic
        else:
            found[name] = Fixed(configuration.mappings)
    metrics.dynamic_file_enabled.set(float("DynamicFile" in found))
    metrics.dynamic_file_only.set(float(list(found) == ["DynamicFile"]))
    return Backends(found, configuration.reserved_prefixes, break_glass(arguments.break_glass_arn))


def _authenticator(
    arguments: argparse.Namespace,
    configuration: Configuration,
    *,
    backends: Backends,
    sts: StsClient,
    instances: InstanceNames,
    metrics: AuthenticatorMetrics,
    log: DecisionLog,
) -> IamAuthenticator:
    config_map = backends.backends.get("EKSConfigMap")

    def tell(reason: str, message: str) -> None:
        _log.warning("%s: %s", reason, message)
        if isinstance(config_map, ConfigMapMappings):
            config_map.events.tell(reason, message)

    return IamAuthenticator(
        AuthenticatorSettings(arguments.cluster_id, host_rules(arguments), configuration.scrubbed_accounts),
        callers=CachedCallerIdentities(
            sts,
            cluster_id=arguments.cluster_id,
            endpoint=arguments.sts_endpoint,
            ttl=arguments.token_cache_ttl,
            now=time.monotonic,
        ),
        instances=instances,
        sources=backends.sources,
        not_ready=backends.not_ready,
        decision_log=log,
        now=_utc,
        new_id=uuid4,
        metrics=metrics,
        break_glass_used=lambda caller: tell(
            "BreakGlassLogin", f"{caller.arn} logged in as system:masters by --break-glass-arn"
        ),
        principal_recreated=lambda caller, where: tell(
            "PrincipalRecreated", f"{caller.arn} ({caller.user_id}) was refused: {where} is pinned to another unique id"
        ),
    )


def _utc() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
