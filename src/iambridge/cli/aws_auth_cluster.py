"""What the aws-auth verbs read of a live cluster: ConfigMap, RBAC and access entries, as far as they can be seen."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iambridge.cli.eks_access import access_of, mappings_of, read_by_original
from iambridge.core.arn import canonical_arn
from iambridge.core.aws_auth import Beside, Bound, Mappings, break_glass
from iambridge.core.aws_auth.lint import MASTERS
from iambridge.core.aws_auth.plan import IsAdmin
from iambridge.core.cluster_access import NOT_EKS, AuthenticationMode, EksAccess, is_cluster_admin, principals
from iambridge.core.rbac import Attributes, Policy, User, authorize
from iambridge.errors import Forbidden, InputError, KubernetesError, NotFound, Unauthorized
from iambridge.wire.aws_auth_file import AwsAuthFile, of_data

if TYPE_CHECKING:
    from iambridge.adapters.kubernetes import KubernetesClient

_SYSTEM = "/api/v1/namespaces/kube-system"
_CONFIG_MAP = f"{_SYSTEM}/configmaps/aws-auth"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
CALLER_HELP = "who must not be locked out (default: whom the cluster takes this kubeconfig for)"
KINDS = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")


@dataclass(frozen=True, slots=True)
class ClusterView:
    """`rbac` holds the four kinds by resource name; None when the caller may not list them. `eks` says its own unknown.

    `by_original`: aws-iam-authenticator, or EKS, reads the ConfigMap. `break_glass` are the ARNs that authenticators in
    kube-system are started with, as far as pods can be seen. `caller` is the canonical ARN that this reader logs in by,
    where the authenticator says it. `missing_roles` are named by bindings and in no file: what they give is unknown.
    `without_config_map`: nobody gave the ConfigMap, so that who is mapped is unknown.
    """

    server: str
    aws_auth: AwsAuthFile
    rbac: Mapping[str, list[dict[str, Any]]] | None
    eks: EksAccess = NOT_EKS
    break_glass: tuple[str, ...] = ()
    by_original: bool = False
    caller: str = ""
    missing_roles: frozenset[str] = frozenset()
    without_config_map: bool = False

    @property
    def mappings(self) -> Mappings:
        return mappings_of(self.aws_auth.sections, by_original=self.by_original)

    @property
    def policy(self) -> Policy | None:
        return None if self.rbac is None else Policy.of(*(self.rbac[kind] for kind in KINDS))


def cluster_of(arguments: argparse.Namespace) -> ClusterView:
    """Raises KubernetesError when the ConfigMap cannot be read, InputError for the kubeconfig."""
    return asyncio.run(_read(arguments))


async def _read(arguments: argparse.Namespace) -> ClusterView:
    async with client_of(arguments) as (client, eks):
        return await read_cluster(client, eks, by_original=read_by_original(arguments, eks, client.server))


@asynccontextmanager
async def client_of(arguments: argparse.Namespace) -> "AsyncIterator[tuple[KubernetesClient, EksAccess]]":
    """A client of the cluster that --kubeconfig and --context name, and what EKS says of it.

    Raises:
        InputError: the kubeconfig, or a file of --access-entries, is wrong.
    """
    from iambridge.adapters.kubeconfig import from_kubeconfig  # noqa: PLC0415 - files need no client
    from iambridge.adapters.kubernetes import KubernetesClient  # noqa: PLC0415 - as above

    access = from_kubeconfig(arguments.kubeconfig, arguments.context)
    client = KubernetesClient(access)
    try:
        yield client, await access_of(arguments, access)
    except Unauthorized as error:
        fix = "iambridge explain login --kubeconfig FILE says which hop refused"
        raise Unauthorized(
            error.message, cause=f"{client.server} does not take this kubeconfig's login", fix=fix
        ) from error
    finally:
        await client.close()


def unless_unreadable(judge: Callable[[], int]) -> int:
    """The exit code of `judge`; 3 when the API server cannot be read, which is no finding and no denial."""
    try:
        return judge()
    except KubernetesError as error:
        from iambridge.cli.main import render  # noqa: PLC0415 - main imports the verbs by name

        print(f"{render(error)}\nunknown: the cluster could not be read", file=sys.stderr)
        return 3


async def read_cluster(
    client: "KubernetesClient", eks: EksAccess = NOT_EKS, *, by_original: bool = False
) -> ClusterView:
    """Raises KubernetesError when the ConfigMap cannot be read."""
    data: Mapping[str, str] = {}
    try:
        data = (await client.get(_CONFIG_MAP)).get("data") or {}
    except NotFound:
        data = {}
    except Forbidden:
        if eks.reads_config_map:
            raise
    try:
        rbac = {kind: list((await client.get(f"{_RBAC}/{kind}")).get("items") or []) for kind in KINDS}
    except Forbidden:
        return ClusterView(
            client.server, of_data(data), None, eks, by_original=by_original, caller=await _caller(client)
        )
    glass, caller = await _break_glass(client), await _caller(client)
    return ClusterView(client.server, of_data(data), rbac, eks, glass, by_original, caller)


async def _caller(client: "KubernetesClient") -> str:
    """From the user's extra, where aws-iam-authenticator, EKS and iambridge put the caller's canonical ARN."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        found = await client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    except KubernetesError:
        return ""
    extra = ((found.get("status") or {}).get("userInfo") or {}).get("extra") or {}
    arns = extra.get("canonicalArn") or extra.get("arn") or [""]
    try:
        return canonical_arn(str(arns[0]))
    except ValueError:
        return ""


def caller_named(arguments: argparse.Namespace, cluster: ClusterView | None) -> str:
    """The canonical ARN of --caller, else of whoever reads the cluster; empty when neither is known.

    Raises:
        InputError: --caller is no ARN of a caller.
    """
    if not arguments.caller:
        return cluster.caller if cluster is not None else ""
    try:
        return canonical_arn(arguments.caller)
    except ValueError as error:
        raise InputError(str(error), where="--caller", fix="give the ARN of sts get-caller-identity") from error


async def _break_glass(client: "KubernetesClient") -> tuple[str, ...]:
    """From the arguments of kube-system's pods; nothing where they may not be listed."""
    try:
        pods = (await client.get(f"{_SYSTEM}/pods")).get("items") or []
    except KubernetesError:
        return ()
    found: dict[str, None] = {}
    for pod in pods:
        for container in (pod.get("spec") or {}).get("containers") or ():
            words = [str(word) for key in ("command", "args") for word in container.get(key) or ()]
            for word, following in zip(words, [*words[1:], ""], strict=True):
                flag, equals, value = word.partition("=")
                if flag == "--break-glass-arn":
                    found[value if equals else following] = None
    return tuple(arn for arn in found if _is_good(arn))


def _is_good(arn: str) -> bool:
    """An authenticator refuses to start with any other."""
    try:
        return bool(break_glass([arn]).entries)
    except InputError:
        return False


def bound_of(cluster: ClusterView | None) -> Bound | None:
    """Who is named by a binding; None when the bindings cannot be seen."""
    if cluster is None or cluster.rbac is None:
        return None
    subjects = [
        subject
        for kind in ("rolebindings", "clusterrolebindings")
        for binding in cluster.rbac[kind]
        for subject in binding.get("subjects") or []
    ]
    return Bound(
        groups={str(one.get("name")) for one in subjects if one.get("kind") == "Group"},
        users={str(one.get("name")) for one in subjects if one.get("kind") == "User"},
        cluster_roles={str(role["metadata"]["name"]) for role in cluster.rbac["clusterroles"]},
    )


def is_admin_of(cluster: ClusterView) -> IsAdmin:
    """In system:masters, or allowed every verb on everything by a binding."""
    policy = cluster.policy

    def is_admin(username: str, groups: tuple[str, ...]) -> bool:
        if MASTERS in groups:
            return True
        if policy is None:
            return False
        everything = Attributes("*", group="*", resource="*")
        return authorize(User(username, (*groups, "system:authenticated")), everything, policy).allowed

    return is_admin


def beside(access: EksAccess, policy: Policy | None) -> Beside:
    """What access entries do to a plan of the ConfigMap."""
    if not access.visible:
        return Beside(ignored=access.mode is AuthenticationMode.API, unknown=access.unknown)
    admins = tuple(found.name for found in principals(None, access) if is_cluster_admin(found, policy))
    return Beside(access.by_key.__contains__, admins, access.mode is AuthenticationMode.API)
