"""Mutated requests, tokens, signatures and policies against the AWS side: no unhandled exception, no hang.

    python tools/fuzz/aws_side.py --seconds 600 [--targets token,sigv4] [--seed 1] [--findings DIR]

Everything runs in this process; nothing listens. A finding is an exception that is no refusal, an answer of 500, or a
case of over five seconds. Each kind of finding is kept once, as the input that made it. Exit code 1: there were some.
"""

import argparse
import asyncio
import base64
import datetime as dt
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parent))
from mutate import Mutator
from readings import reading

from iambridge.adapters.decision_log import NoDecisionLog
from iambridge.cli.simulation import answer
from iambridge.core import sigv4
from iambridge.core.iam_policy import (
    AuthorizationRequest,
    NamedDocument,
    Policies,
    PolicyDocument,
    PolicyKind,
    Principal,
    authorize,
)
from iambridge.core.role_trust import session_tags
from iambridge.core.service_account_token import (
    BoundObject,
    SigningKey,
    UnverifiedToken,
    check_audience,
    check_times,
    discovery_document,
    issue,
    jwks,
    parse_discovery_document,
    parse_jwks,
    projected_claims,
    verify,
)
from iambridge.errors import BridgeError
from iambridge.sandbox.aws_side import AwsSide
from iambridge.wire.http import Headers, Request

CASES = Path(__file__).parents[2] / "tests/cases"
NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
KEYS = sigv4.Credentials("AKIAIOSFODNN7EXAMPLE", "a-secret", "a-session")
FORM = {"content-type": "application/x-www-form-urlencoded"}
HANG_SECONDS = 5

Target = Callable[[bytes], None]


class HangError(Exception):
    """One case took too long."""


class ServerError(Exception):
    """The server answered 500."""


def _token() -> tuple[SigningKey, str]:
    key = SigningKey.generate("ES256")
    claims = projected_claims(
        issuer="https://issuer.example", namespace="demo", service_account=BoundObject("reader", "u"), jti="j",
        audiences=["sts.amazonaws.com"], now=int(NOW.timestamp()), seconds=3600,
    )  # fmt: skip
    tags = {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["a"]}, "transitive_tag_keys": ["team"]}}
    return key, issue({**claims, **tags}, key)


def token(randomness: random.Random) -> tuple[list[bytes], Target]:
    """Half the cases are mutated tokens; half are mutated claims under a good signature."""
    key, good = _token()
    payload = base64.urlsafe_b64decode(good.split(".")[1] + "==")
    seeds = [good.encode(), payload, b"{}" + payload]
    for file in (CASES / "tokens").glob("*.json"):
        seeds += [json.dumps(case).encode() for case in json.loads(file.read_bytes())["cases"]]

    def run(data: bytes) -> None:
        text = data.decode("latin-1")
        if randomness.random() < 0.5:
            head = good.split(".")[0]
            body = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
            signature = key.signature(f"{head}.{body}".encode())
            text = f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
        parsed = UnverifiedToken.parse(text)
        claims = verify(parsed, [key.public])
        check_times(claims, int(NOW.timestamp()))
        check_audience(claims, ("sts.amazonaws.com",))
        session_tags(claims)

    return seeds, run


def issuer(_: random.Random) -> tuple[list[bytes], Target]:
    """Discovery documents and key sets."""
    keys = [SigningKey.generate("ES256").public, SigningKey.generate("RS256").public]
    url = "https://issuer.example"
    seeds = [json.dumps(jwks(keys)).encode(), json.dumps(discovery_document(url, f"{url}/k", ["RS256"])).encode()]

    def run(data: bytes) -> None:
        for read in (parse_jwks, lambda text: parse_discovery_document(text, url)):
            try:
                read(data)
            except BridgeError:
                continue

    return seeds, run


def signature(randomness: random.Random) -> tuple[list[bytes], Target]:
    """Requests with a header, presigned or chunked signature: method, path, query, headers and body as lines."""
    put = {"host": "s3.local", "x-amz-decoded-content-length": "3", "x-amz-trailer": "x-amz-checksum-crc32"}
    header = sigv4.sign(
        KEYS, method="POST", url="https://sts.local/", region="us-east-1", service="sts", headers=FORM, body=b"a=b",
        now=NOW,
    )  # fmt: skip
    url = sigv4.presign(KEYS, method="GET", url="https://s3.local/b/k?x=y", region="us-east-1", service="s3",
                        headers={}, expires=60, now=NOW)  # fmt: skip
    chunked = sigv4.sign(
        KEYS, method="PUT", url="https://s3.local/b/k", region="us-east-1", service="s3", body=b"", now=NOW,
        headers={**put, "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"},
    )  # fmt: skip
    frame = b"3;chunk-signature=" + b"0" * 64 + b"\r\nabc\r\n0;chunk-signature=" + b"0" * 64 + b"\r\n\r\n"

    def lines(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> bytes:
        fields = "\n".join(f"{name}: {value}" for name, value in headers.items())
        return f"{method}\n{path}\n?{query}\n{fields}\n\n".encode() + body

    seeds = [
        lines("POST", "/", "", {**FORM, "host": "sts.local", **header}, b"a=b"),
        lines("GET", "/b/k", url.partition("?")[2], {"host": "s3.local"}, b""),
        lines("PUT", "/b/k", "", {**put, **chunked}, frame),
    ]

    def run(data: bytes) -> None:
        head, _, body = data.partition(b"\n\n")
        method, path, query, *fields = (head.decode("utf-8", "surrogateescape") + "\n\n\n").split("\n")
        query = query.removeprefix("?")
        headers = [(name, value.strip()) for name, _, value in (field.partition(":") for field in fields) if name]
        claimed = sigv4.parse(query=query, headers=headers)
        if claimed is None:
            return
        if randomness.random() < 0.3 and b";chunk-signature" in body:
            seed = sigv4.chunked.ChunkSeed(b"k" * 32, claimed.timestamp, claimed.scope, "0" * 64,
                                           randomness.choice(sorted(sigv4.chunked.STREAMING_PAYLOADS)))  # fmt: skip
            sigv4.chunked.decode_chunks(body, seed, sigv4.by_name(headers))
        sigv4.verify(claimed, KEYS.secret_access_key, method=method, path=path, query=query, headers=headers,
                     body=body, now=NOW)  # fmt: skip

    return seeds, run


def _requests() -> Iterator[dict[str, Any]]:
    for name in ("conditions", "elements", "decision_order"):
        for case in json.loads((CASES / f"iam_policy/{name}.json").read_bytes()):
            yield case["request"]


def policy(randomness: random.Random) -> tuple[list[bytes], Target]:
    """Documents of every kind; one that is read is judged too."""
    documents: list[Any] = [case["document"] for case in json.loads((CASES / "iam_policy/faults.json").read_bytes())]
    for request in _requests():
        documents += [*request.get("PolicyInputList", []), request.get("ResourcePolicy", {})]
    seeds = [(one if isinstance(one, str) else json.dumps(one)).encode() for one in documents]
    who = Principal.from_arn("arn:aws:sts::111122223333:assumed-role/reader/pod", user_id="AROAX:pod", tags={"a": "b"})
    context: dict[str, str | tuple[str, ...]] = {
        "aws:SourceIp": "10.0.0.1",
        "ex:Key": ("a", "\udce9"),
        "s3:prefix": "*",
    }

    def run(data: bytes) -> None:
        kind = randomness.choice(list(PolicyKind))
        document = PolicyDocument.parse(data, kind=kind, limit=100_000)
        named = (NamedDocument("fuzzed", document),)
        asked = AuthorizationRequest(who, "s3:GetObject", "arn:aws:s3:::reports/alice/1.csv", "111122223333", context)
        for policies in (Policies(identity=named), Policies(identity=named, resource=named, boundary=named)):
            decision = authorize(asked, policies, explain=True)
            _ = decision.reasons, decision.fix

    return seeds, run


def simulate(_: random.Random) -> tuple[list[bytes], Target]:
    """Lines of `iambridge simulate --jsonl`."""
    seeds = [json.dumps(request).encode() for request in _requests()]

    def run(data: bytes) -> None:
        found = answer(data)
        assert set(found) in ({"Errors"}, {"EvaluationResults"})
        json.dumps(found)

    return seeds, run


class Gateway:
    """The whole AWS side in this process, with a state of its own."""

    def __init__(self, directory: Path) -> None:
        class DataDir:
            aws = directory / "aws"

        self._directory = directory
        self._side: Any = AwsSide(DataDir(), NoDecisionLog())  # type: ignore[arg-type]
        self._loop = asyncio.new_event_loop()
        key = self._side.account.admin
        self.keys = sigv4.Credentials(key.id, key.secret)

    def ask(self, method: str, path: str, query: str, headers: list[tuple[str, str]], body: bytes) -> int:
        request = Request(method, path, query, Headers(headers), body, "127.0.0.1:9", "https")
        response = self._loop.run_until_complete(self._side.app(request))
        if response.status == 500:
            raise ServerError(response.body[:300])
        return int(response.status)

    def close(self) -> None:
        self._loop.run_until_complete(self._side.close())
        self._loop.close()
        shutil.rmtree(self._directory)

    def signed(self, service: str, body: bytes, query: str = "") -> int:
        url = f"https://aws.local/{'?' if query else ''}{query}"
        headers = sigv4.sign(self.keys, method="POST", url=url, region="us-east-1", service=service, headers=FORM,
                             body=body, now=dt.datetime.now(dt.UTC))  # fmt: skip
        return self.ask("POST", "/", query, [*FORM.items(), ("host", "aws.local"), *headers.items()], body)


_GATEWAYS: list[Gateway] = []


def close() -> None:
    """End the gateway that targets share."""
    while _GATEWAYS:
        _GATEWAYS.pop().close()


def _gateway() -> Gateway:
    if not _GATEWAYS:
        memory = Path("/dev/shm")
        parent = memory if memory.is_dir() else None
        _GATEWAYS.append(Gateway(Path(tempfile.mkdtemp(prefix="iambridge-fuzz-", dir=parent))))
    return _GATEWAYS[0]


def sts(randomness: random.Random) -> tuple[list[bytes], Target]:
    """Form bodies of STS: unsigned, and under a good signature."""
    gateway = _gateway()
    _, good = _token()
    role = "arn:aws:iam::111122223333:role/reader"
    common = {"Version": "2011-06-15", "RoleArn": role, "RoleSessionName": "pod-1"}
    policy_text = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
    forms: list[dict[str, str]] = [
        {"Action": "AssumeRoleWithWebIdentity", **common, "WebIdentityToken": good, "DurationSeconds": "900"},
        {"Action": "AssumeRoleWithWebIdentity", **common, "WebIdentityToken": good, "Policy": policy_text},
        {"Action": "AssumeRole", **common, "ExternalId": "abc", "SourceIdentity": "alice", "Tags.member.1.Key": "a",
         "Tags.member.1.Value": "b", "TransitiveTagKeys.member.1": "a", "PolicyArns.member.1.arn": role},
        {"Action": "GetCallerIdentity", "Version": "2011-06-15"},
        {"Action": "GetSessionToken", "Version": "2011-06-15", "DurationSeconds": "3600"},
        {"Action": "GetFederationToken", "Version": "2011-06-15", "Name": "bob", "Policy": policy_text},
        {"Action": "GetAccessKeyInfo", "Version": "2011-06-15", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE"},
        {"Action": "DecodeAuthorizationMessage", "Version": "2011-06-15", "EncodedMessage": "a" * 64},
    ]  # fmt: skip

    def run(data: bytes) -> None:
        if randomness.random() < 0.5:
            gateway.signed("sts", data)
            return
        accept = [("accept", "application/json")] if randomness.random() < 0.3 else []
        gateway.ask("POST", "/", "", [*FORM.items(), ("host", "sts.local"), *accept], data)

    return [urlencode(one).encode() for one in forms], run


def iam(_: random.Random) -> tuple[list[bytes], Target]:
    """Form bodies of IAM under a good signature."""
    gateway = _gateway()
    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
    trust = ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},'
             '"Action":"sts:AssumeRole"}]}')  # fmt: skip
    forms: list[dict[str, str]] = [
        {"Action": "CreateRole", "RoleName": "r", "AssumeRolePolicyDocument": trust, "Tags.member.1.Key": "a"},
        {"Action": "CreateUser", "UserName": "u", "Path": "/a/", "Tags.member.1.Key": "a", "Tags.member.1.Value": "b"},
        {"Action": "PutRolePolicy", "RoleName": "r", "PolicyName": "p", "PolicyDocument": document},
        {"Action": "CreatePolicy", "PolicyName": "p", "PolicyDocument": document, "Path": "/"},
        {"Action": "CreateOpenIDConnectProvider", "Url": "https://a.example", "ClientIDList.member.1": "sts",
         "ThumbprintList.member.1": "a" * 40},
        {"Action": "SimulatePrincipalPolicy", "PolicySourceArn": "arn:aws:iam::111122223333:user/iambridge-admin",
         "ActionNames.member.1": "s3:GetObject", "ResourceArns.member.1": "*",
         "ContextEntries.member.1.ContextKeyName": "a", "ContextEntries.member.1.ContextKeyValues.member.1": "b",
         "ContextEntries.member.1.ContextKeyType": "string"},
        {"Action": "SimulateCustomPolicy", "PolicyInputList.member.1": document, "ActionNames.member.1": "s3:Get"},
        {"Action": "GetAccountAuthorizationDetails", "Filter.member.1": "Role", "MaxItems": "1", "Marker": "x"},
        {"Action": "ListRoles", "PathPrefix": "/", "Marker": "r", "MaxItems": "1"},
        {"Action": "UpdateAssumeRolePolicy", "RoleName": "r", "PolicyDocument": trust},
        {"Action": "CreateInstanceProfile", "InstanceProfileName": "i"},
        {"Action": "DeleteRole", "RoleName": "r"}, {"Action": "DeleteUser", "UserName": "u"},
        {"Action": "CreateAccessKey", "UserName": "u"}, {"Action": "CreateAccountAlias", "AccountAlias": "ab-c"},
        {"Action": "CreatePolicyVersion", "PolicyArn": "arn:aws:iam::111122223333:policy/p",
         "PolicyDocument": document},
        {"Action": "TagRole", "RoleName": "r", "Tags.member.1.Key": "a", "Tags.member.1.Value": "b"},
    ]  # fmt: skip

    def run(data: bytes) -> None:
        gateway.signed("iam", data)

    return [urlencode({**one, "Version": "2010-05-08"}).encode() for one in forms], run


TARGETS: dict[str, Callable[[random.Random], tuple[list[bytes], Target]]] = {
    "token": token, "issuer": issuer, "signature": signature, "policy": policy, "simulate": simulate, "sts": sts,
    "iam": iam, "reading": reading,
}  # fmt: skip


def fuzz(name: str, *, seed: int, seconds: float = 0, cases: int = 0) -> tuple[int, dict[str, tuple[bytes, str]]]:
    """The number of cases run, for so long or so many, and what was found: place -> (input, traceback)."""
    randomness = random.Random(seed)
    seeds, run = TARGETS[name](randomness)
    mutate = Mutator(seeds, randomness)
    findings: dict[str, tuple[bytes, str]] = {}
    done, end = 0, time.monotonic() + seconds
    while done < cases if cases else time.monotonic() < end:
        data = mutate()
        done += 1
        signal.alarm(HANG_SECONDS)
        try:
            run(data)
        except BridgeError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever is no refusal is what we look for
            place = traceback.extract_tb(error.__traceback__)[-1]
            findings.setdefault(
                f"{type(error).__name__} at {place.filename}:{place.lineno}", (data, traceback.format_exc())
            )
        finally:
            signal.alarm(0)
    return done, findings


def _hang(*_: object) -> None:
    raise HangError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of each target")
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, _hang)
    found = 0
    for name in arguments.targets.split(","):
        done, findings = fuzz(name, seed=arguments.seed, seconds=arguments.seconds)
        print(
            f"{name}: {done} cases in {arguments.seconds:.0f} s, seed {arguments.seed}, {len(findings)} findings",
            flush=True,
        )
        for number, (place, (data, trace)) in enumerate(findings.items()):
            print(f"  {place}", flush=True)
            arguments.findings.mkdir(parents=True, exist_ok=True)
            (arguments.findings / f"{name}-{number}.bin").write_bytes(data)
            (arguments.findings / f"{name}-{number}.txt").write_text(trace, errors="backslashreplace")
        found += len(findings)
    close()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
