"""`iambridge explain login ARN|FILE|-`: each hop of a login, from token to groups, and the fix of the first refusal.

A token comes from a file or stdin, never from the command line, which other users of the machine can read.
"""

import argparse
import asyncio
import datetime as dt
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from iambridge.cli import eks_access
from iambridge.cli.aws_auth_cluster import ClusterView, bound_of, cluster_of
from iambridge.core.arn import Arn, canonical_arn
from iambridge.core.authenticator_token import PREFIX, CallerIdentity, HostRules, PresignedCallerIdentity, admissible
from iambridge.core.aws_auth import Mapped, Mappings, Unparsable, alike, instance_wanted, map_identity
from iambridge.core.cluster_access import EksAccess
from iambridge.core.decision import Reason
from iambridge.errors import ApiServerUnreachable, AwsError, Forbidden, InputError, Unauthorized
from iambridge.wire.aws_auth_file import read_file

_MAX_TOKEN = 16 * 1024
_UNKNOWN, _REFUSED, _IN = 3, 1, 0
_MARKS = {True: "yes", False: "no "}


class _Walk:
    """The hops so far; `verdict` is None until one decides."""

    def __init__(self) -> None:
        self.reasons: list[Reason] = []
        self.fix = ""
        self.verdict: int | None = None
        self.username = ""
        self.groups: tuple[str, ...] = ()

    def stop(self, verdict: int, fix: str) -> None:
        self.verdict, self.fix = verdict, fix


def run(arguments: argparse.Namespace) -> int:
    """0: let in. 1: refused. 2: bad input. 3: something needed is not visible."""
    if not arguments.name:
        raise InputError(
            "explain login needs to know who", where="explain login", fix="give an ARN, a token's file, or -"
        )
    walk = _Walk()
    identity = _of_arn(arguments.name) if arguments.name.startswith("arn:") else _of_token(arguments, walk)
    return _finished(identity, arguments, walk)


def judge(identity: CallerIdentity, arguments: argparse.Namespace) -> int:
    """The walk from a caller that STS has proven; `arguments` have kubeconfig, context, file and json."""
    walk = _Walk()
    walk.reasons.append(Reason("caller-proven", f"STS says that it is `{identity.arn}`", where="STS", held=True))
    return _finished(identity, arguments, walk)


def _finished(identity: CallerIdentity | None, arguments: argparse.Namespace, walk: _Walk) -> int:
    if identity is not None:
        cluster = _cluster(arguments, walk)
        if walk.verdict is None:
            access = cluster.eks if cluster is not None else eks_access.files_only(arguments)
            _map(identity, _mappings(arguments, cluster), access, cluster, walk)
    if arguments.json:
        print(json.dumps(_document(walk), indent=2))
    else:
        print("\n".join(_lines(walk)))
    assert walk.verdict is not None
    return walk.verdict


def _cluster(arguments: argparse.Namespace, walk: _Walk) -> ClusterView | None:
    """The cluster that is to be read, which is the one that may refuse: then nothing is known of its mapping."""
    if arguments.kubeconfig is None:
        return None
    try:
        return cluster_of(arguments)
    except (Unauthorized, Forbidden, ApiServerUnreachable) as error:
        if arguments.file:
            walk.reasons.append(Reason("cluster-unreadable", f"the cluster was not read: {error.message}", "cluster"))
            return None
        walk.reasons.append(Reason("mapping-unknown", f"aws-auth could not be read: {error.message}", "cluster"))
        walk.stop(_UNKNOWN, "let somebody who gets in run this, or give it a saved ConfigMap with -f")
        return None


def _of_arn(text: str) -> CallerIdentity:
    try:
        canonical, arn = canonical_arn(text), Arn.parse(text)
    except ValueError as error:
        raise InputError(str(error), where="explain login", fix="give the ARN of sts get-caller-identity") from error
    session = arn.name if arn.resource_type == "assumed-role" else ""
    return CallerIdentity(arn.account, text, canonical, "UNKNOWN", session, "UNKNOWN")


def _token(name: str) -> str:
    if name.startswith(PREFIX):
        raise InputError("a token on the command line is seen by every user of this machine", where="explain login",
                         fix="put it in a file that only you can read, or pipe it: explain login -")  # fmt: skip
    try:
        text = sys.stdin.read(_MAX_TOKEN) if name == "-" else Path(name).read_text(encoding="utf-8")[:_MAX_TOKEN]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"`{name}` is neither an ARN nor a readable file", where="explain login",
                         fix="give an ARN, the path of a token's file, or - for stdin") from error  # fmt: skip
    text = text.strip()
    if text.startswith("{"):
        try:
            text = str(json.loads(text)["status"]["token"])
        except (ValueError, KeyError, TypeError):
            raise InputError(
                "the JSON is no ExecCredential with a token", where=name, fix="give status.token"
            ) from None
    return text


def _of_token(arguments: argparse.Namespace, walk: _Walk) -> CallerIdentity | None:
    """The token's own checks, then STS's word, when a cluster id says what to ask for."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_STS") or os.environ.get("AWS_ENDPOINT_URL", "")
    hosts = HostRules.of(extra=[urlsplit(endpoint).netloc] if endpoint else [])
    presigned = admissible(_token(arguments.name), now=dt.datetime.now(dt.UTC), hosts=hosts)
    if isinstance(presigned, Reason):
        walk.reasons.append(presigned)
        walk.stop(_REFUSED, "get a fresh token with `iambridge token` or `aws eks get-token`")
        return None
    text = f"the token is for `{presigned.host}`, signed by key {presigned.access_key_id} at {presigned.timestamp}"
    walk.reasons.append(Reason("token-admissible", text, where="token", held=True))
    if not arguments.cluster_id:
        walk.reasons.append(Reason("cluster-id-unknown", "STS was not asked: only it can say who signed", where="STS"))
        walk.stop(_UNKNOWN, "give --cluster-id, the id that the token is signed for")
        return None
    answer = asyncio.run(_ask(presigned, arguments.cluster_id, endpoint, walk))
    if isinstance(answer, Reason):
        walk.reasons.append(answer)
        walk.stop(_REFUSED, "check the secret key, the session, and that --cluster-id is the cluster's id")
        return None
    if answer is not None:
        walk.reasons.append(Reason("caller-proven", f"STS says that it is `{answer.arn}`", where="STS", held=True))
    return answer


async def _ask(
    presigned: PresignedCallerIdentity, cluster_id: str, endpoint: str, walk: _Walk
) -> CallerIdentity | Reason | None:
    from iambridge.adapters.sts_client import StsClient  # noqa: PLC0415 - an ARN needs no STS

    bundle = os.environ.get("AWS_CA_BUNDLE")
    client = StsClient(endpoint=endpoint, ca_file=Path(bundle) if bundle else None)
    try:
        return await client.caller_identity(presigned, cluster_id)
    except AwsError as error:
        walk.reasons.append(Reason("outage", error.cause, where="STS"))
        walk.stop(_UNKNOWN, error.fix)
        return None
    finally:
        await client.close()


def _mappings(arguments: argparse.Namespace, cluster: ClusterView | None) -> Mappings | None:
    if cluster is not None:
        return cluster.mappings
    for file in arguments.file:
        try:
            source = read_file(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read {file}: {error}", where=str(file), fix="name a readable file") from error
        if isinstance(source, Unparsable):
            raise InputError(f"{file} is not aws-auth: {source.problem}", where=f"{file}:{source.line}",
                             fix="give the file with the ConfigMap aws-auth")  # fmt: skip
        original = eks_access.read_by_original(arguments, eks_access.files_only(arguments))
        return eks_access.mappings_of(source.sections, by_original=original)
    return None


def _map(
    identity: CallerIdentity,
    mappings: Mappings | None,
    access: EksAccess,
    cluster: ClusterView | None,
    walk: _Walk,
) -> None:
    sources = access.sources(mappings)
    if not sources:
        walk.reasons.append(Reason("mapping-unknown", "no aws-auth was given", where="aws-auth"))
        walk.stop(_UNKNOWN, "give --kubeconfig, or the ConfigMap with -f")
        return
    instance = instance_wanted(identity, sources)
    mapped = map_identity(identity, sources, private_dns_name=f"PRIVATE-DNS-NAME-OF-{instance}" if instance else "")
    walk.reasons += mapped.decision.reasons
    if mappings is not None:
        walk.reasons += alike(identity.canonical_arn, mappings) if mapped.user is None else ()
        walk.reasons += _faults(identity, mappings, mapped)
    if access.unknown:
        text = f"access entries not visible: {access.unknown}"
        walk.reasons.append(Reason("access-entries-unknown", text, where="EKS"))
    entry = access.find(identity.canonical_arn)
    if mapped.user is None:
        undescribed = entry is not None and not entry.described
        unknown = bool(access.unknown) or undescribed or (mappings is None and access.reads_config_map)
        fix = mapped.decision.fix
        if not access.reads_config_map:
            fix = f"aws eks create-access-entry --cluster-name NAME --principal-arn {identity.canonical_arn}"
        walk.stop(_UNKNOWN if unknown else _REFUSED, fix)
        return
    walk.username, walk.groups = mapped.user.username, mapped.user.groups
    walk.stop(_IN, "")
    policies = entry.policies if entry is not None and mapped.source == "access entries" else ()
    for policy in policies or ():
        walk.reasons.append(Reason("access-policy", f"{policy} grants what it has", where="EKS", held=True))
    if policies is None:
        walk.reasons.append(Reason("access-policies-unknown", "its access policies are not visible", where="EKS"))
    _rbac(cluster, walk, granted=policies is None or bool(policies))


def _faults(identity: CallerIdentity, mappings: Mappings, mapped: Mapped) -> Iterator[Reason]:
    """The document's faults that speak of this caller, or of the entry that decided."""
    role = Arn.parse(identity.canonical_arn).name.lower()
    for fault in mappings.faults:
        if role in fault.cause.lower() or (mapped.entry is not None and fault.line == mapped.entry.line):
            yield Reason(fault.code, fault.cause, where=fault.where)


def _rbac(cluster: ClusterView | None, walk: _Walk, *, granted: bool) -> None:
    bound = bound_of(cluster)
    if bound is None:
        return
    named = [group for group in walk.groups if group in bound.groups or group.startswith("system:")]
    if named or walk.username in bound.users:
        text = f"bindings name {', '.join([*named, *([walk.username] if walk.username in bound.users else [])])}"
        walk.reasons.append(Reason("rbac-bound", text, where="RBAC", held=True))
    elif not granted:
        walk.reasons.append(Reason("rbac-unbound", "no binding names the user or a group of it", where="RBAC"))
        walk.fix = f"bind it: kubectl create clusterrolebinding NAME --clusterrole=view --user={walk.username}"


def _document(walk: _Walk) -> dict[str, object]:
    return {
        "verdict": {_IN: "in", _REFUSED: "refused", _UNKNOWN: "unknown"}[walk.verdict or 0],
        "username": walk.username,
        "groups": list(walk.groups),
        "reasons": [{"code": r.code, "text": r.text, "where": r.where, "held": r.held} for r in walk.reasons],
        "fix": walk.fix,
    }


def _lines(walk: _Walk) -> Iterator[str]:
    for reason in walk.reasons:
        where = f"{reason.where}: " if reason.where else ""
        yield f"  {_MARKS[reason.held]} {where}{reason.text}"
    shown = f"let in as {walk.username}, groups {', '.join(walk.groups) or 'none'}"
    yield {_IN: shown, _REFUSED: "refused", _UNKNOWN: "unknown"}[walk.verdict or 0]
    if walk.fix:
        yield f"  fix: {walk.fix}"
