"""Who logs in: from an ARN, a token, or the plugin of a kubeconfig; each hop told to the walk."""

import argparse
import asyncio
import datetime as dt
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from iambridge.cli.login_walk import REFUSED, UNKNOWN, Walk
from iambridge.core.arn import Arn, canonical_arn
from iambridge.core.authenticator_token import PREFIX, CallerIdentity, HostRules, PresignedCallerIdentity, admissible
from iambridge.core.decision import Reason
from iambridge.errors import AwsError, InputError
from iambridge.wire.eks import cluster_of_kubeconfig, word_after

_MAX_TOKEN = 16 * 1024


def of_arn(text: str) -> CallerIdentity:
    try:
        canonical, arn = canonical_arn(text), Arn.parse(text)
    except ValueError as error:
        raise InputError(str(error), where="explain login", fix="give the ARN of sts get-caller-identity") from error
    session = arn.name if arn.resource_type == "assumed-role" else ""
    return CallerIdentity(arn.account, text, canonical, "UNKNOWN", session, "UNKNOWN")


def of_kubeconfig(arguments: argparse.Namespace, walk: Walk) -> CallerIdentity | None:
    """The login that kubectl does with this kubeconfig: its plugin's token, for the cluster id that it names."""
    from iambridge.adapters.kubeconfig import from_kubeconfig  # noqa: PLC0415 - an ARN needs no kubeconfig

    access = from_kubeconfig(arguments.kubeconfig, arguments.context)
    if access.exec is None and not access.token and access.token_file is None:
        text = f"the kubeconfig logs in to {access.server} by a client certificate, or not at all"
        walk.failed("not-an-aws-login", text, "kubeconfig")
        walk.stop(UNKNOWN, "give the ARN or the token of an AWS login")
        return None
    told = cluster_of_kubeconfig(access.server, access.cluster_name, access.exec)
    words = [str(word) for word in (access.exec or {}).get("args") or ()]
    cluster_id = arguments.cluster_id or (told.name if told is not None else "")
    cluster_id = cluster_id or word_after(words, "--cluster-name", "--cluster-id", "-i")
    try:
        credential = asyncio.run(access.credential(time.time()))
    except InputError as error:
        walk.failed("plugin-failed", f"{error.message}: {error.cause}", "kubeconfig")
        walk.stop(REFUSED, error.fix)
        return None
    token = credential.headers.get("authorization", "").removeprefix("Bearer ")
    command = (access.exec or {}).get("command") or "the kubeconfig"
    walk.passed("token-had", f"{command} gives a token for {access.server}", "kubeconfig")
    if not token.startswith(PREFIX):
        walk.failed("not-an-aws-login", "the token is no authenticator token", "kubeconfig")
        walk.stop(UNKNOWN, "it is another authenticator's to judge")
        return None
    pairs = (access.exec or {}).get("env") or ()
    environment = {**os.environ, **{str(pair["name"]): str(pair["value"]) for pair in pairs}}
    return of_token(token, cluster_id, walk, environment)


def token_of(name: str) -> str:
    """The token in a file, or on stdin for `-`; an ExecCredential's, too.

    Raises:
        InputError: it is the token itself, or no readable file.
    """
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


def of_token(
    token: str, cluster_id: str, walk: Walk, environment: Mapping[str, str] = os.environ
) -> CallerIdentity | None:
    """The token's own checks, then STS's word, when a cluster id says what to ask for."""
    endpoint = environment.get("AWS_ENDPOINT_URL_STS") or environment.get("AWS_ENDPOINT_URL", "")
    hosts = HostRules.of(extra=[urlsplit(endpoint).netloc] if endpoint else [])
    now = dt.datetime.now(dt.UTC)
    presigned = admissible(token, now=now, hosts=hosts)
    if isinstance(presigned, Reason):
        walk.reasons.append(presigned)
        walk.stop(REFUSED, "get a fresh token with `iambridge token` or `aws eks get-token`")
        return None
    age = int(
        (now - dt.datetime.strptime(presigned.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)).total_seconds()
    )
    text = f"the token is for `{presigned.host}`, signed by key {presigned.access_key_id} {age} s ago"
    walk.passed("token-admissible", text, "token")
    if not cluster_id:
        walk.failed("cluster-id-unknown", "STS was not asked: only it can say who signed", "STS")
        walk.stop(UNKNOWN, "give --cluster-id, the id that the token is signed for")
        return None
    answer = asyncio.run(_ask(presigned, cluster_id, endpoint, environment.get("AWS_CA_BUNDLE", ""), walk))
    if isinstance(answer, Reason):
        walk.reasons.append(answer)
        fix = f"check the secret key, the session, and that the authenticator's cluster id is `{cluster_id}`"
        walk.stop(REFUSED, fix)
        return None
    if answer is not None:
        walk.passed("caller-proven", f"STS says that it is `{answer.arn}`", "STS")
    return answer


async def _ask(
    presigned: PresignedCallerIdentity, cluster_id: str, endpoint: str, bundle: str, walk: Walk
) -> CallerIdentity | Reason | None:
    from iambridge.adapters.sts_client import StsClient  # noqa: PLC0415 - an ARN needs no STS

    client = StsClient(endpoint=endpoint, ca_file=Path(bundle) if bundle else None)
    try:
        return await client.caller_identity(presigned, cluster_id)
    except AwsError as error:
        walk.failed("outage", error.cause, "STS")
        walk.stop(UNKNOWN, error.fix)
        return None
    finally:
        await client.close()
