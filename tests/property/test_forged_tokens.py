"""Only a signature of a known key logs in: whatever else follows `k8s-aws-v1.` is refused by a real STS behind it."""

import asyncio
import base64
import datetime as dt
import functools
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from iambridge.adapters.decision_log import NoDecisionLog
from iambridge.adapters.ec2_names import NoInstanceNames
from iambridge.adapters.oidc_keys import FetchedOidcKeys
from iambridge.core import sigv4
from iambridge.core.authenticator_token import (
    CLUSTER_ID_HEADER,
    PREFIX,
    CallerIdentity,
    HostRules,
    PresignedCallerIdentity,
    caller_identity,
    encode,
)
from iambridge.core.aws_auth import Source, load
from iambridge.core.decision import Reason
from iambridge.core.iam_policy import Policies, Principal
from iambridge.core.role_trust import OidcProvider, Session, TrustedRole
from iambridge.ports import LongTermKey
from iambridge.sandbox.aws.sessions import SealedSessions
from iambridge.sandbox.aws.unique_ids import SESSION_KEY, access_key_id, account_of, secret_access_key
from iambridge.servers.caller_identity_cache import CachedCallerIdentities
from iambridge.servers.iam_authenticator import AuthenticatorSettings, IamAuthenticator
from iambridge.servers.sts import SecurityTokenService
from iambridge.wire.aws_auth_yaml import read_sections
from iambridge.wire.http import Headers, Request

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
KEY = sigv4.Credentials("AKIAIOSFODNN7EXAMPLE", "a-secret")
ARN = "arn:aws:iam::111122223333:user/alice"
HOST = "sts.us-east-1.amazonaws.com"


class OneUser:
    """IAM with one user and one key."""

    def access_key(self, access_key_id: str) -> LongTermKey | None:
        principal = Principal(ARN, "111122223333", "user", user_id="AIDAALICE")
        known = access_key_id == KEY.access_key_id
        return (
            LongTermKey(KEY.access_key_id, KEY.secret_access_key, active=True, principal=principal) if known else None
        )

    def role(self, role_arn: str) -> TrustedRole | None:
        return None

    def oidc_provider(self, account: str, url: str) -> OidcProvider | None:
        return None

    def principal_tags(self, entity_arn: str, entity_id: str) -> dict[str, str] | None:
        return {}

    def policies(self, principal: Principal, session: Session | None) -> Policies:
        return Policies()

    def managed_policy_exists(self, policy_arn: str, account: str) -> bool:
        return False


class InProcessSts:
    """The production STS, reached without a socket."""

    def __init__(self, directory: Path) -> None:
        self._service = SecurityTokenService(
            iam=OneUser(), oidc_keys=FetchedOidcKeys(time.monotonic), sessions=SealedSessions(directory / "key"), log=NoDecisionLog(),
            now=lambda: NOW, new_id=lambda: str(uuid.UUID(int=0)), account_of=account_of,
            new_key=lambda account: (access_key_id(SESSION_KEY, account), secret_access_key()),
        )  # fmt: skip

    async def caller_identity(self, presigned: PresignedCallerIdentity, cluster_id: str) -> CallerIdentity | Reason:
        parts = urlsplit(presigned.url)
        headers = Headers([("host", presigned.host), *presigned.headers(cluster_id).items()])
        response = await self._service.app(Request("GET", parts.path, parts.query, headers))
        assert isinstance(response.body, bytes)
        if response.status != 200:
            return Reason("sts-signature-mismatch", "refused")
        return caller_identity(response.body, access_key_id=presigned.access_key_id)


@functools.cache
def reviewer(directory: Path) -> IamAuthenticator:
    mappings = load(read_sections({"mapUsers": f"- {{userarn: '{ARN}', username: alice, groups: [system:masters]}}"}))
    return IamAuthenticator(
        AuthenticatorSettings("demo", HostRules.of()),
        callers=CachedCallerIdentities(InProcessSts(directory), cluster_id="demo", endpoint="", ttl=60, now=time.monotonic),
        instances=NoInstanceNames(), sources=lambda: (Source("EKSConfigMap", mappings),), not_ready=lambda: "",
        decision_log=NoDecisionLog(), now=lambda: NOW, new_id=lambda: "1",
    )  # fmt: skip


async def review(server: IamAuthenticator, token: str) -> Mapping[str, Any]:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    response = await server.app(Request("POST", "/authenticate", body=msgspec.json.encode(body)))
    assert response.status == 200
    assert isinstance(response.body, bytes)
    status: Mapping[str, Any] = msgspec.json.decode(response.body)["status"]
    return status


def signed(keys: sigv4.Credentials = KEY, cluster: str = "demo") -> str:
    return sigv4.presign(
        keys, method="GET", url=f"https://{HOST}/?Action=GetCallerIdentity&Version=2011-06-15", region="us-east-1",
        service="sts", headers={CLUSTER_ID_HEADER: cluster}, expires=60, now=NOW,
    )  # fmt: skip


def test_the_key_that_is_known_logs_in(tmp_path: Path) -> None:
    """The good token is good, so that the refusals below mean something."""
    status = asyncio.run(review(reviewer(tmp_path), encode(signed())))
    assert status["authenticated"] is True
    assert status["user"]["username"] == "alice"


@settings(max_examples=200)
@given(position=st.integers(0, 450), character=st.characters(min_codepoint=32, max_codepoint=126))
def test_a_url_with_one_character_changed_is_refused(tmp_path_factory: Any, position: int, character: str) -> None:
    """No character of the presigned URL can be another one, but for the case of an escape's digits: `%2f` is `%2F`."""
    url = signed()
    position %= len(url)
    changed = url[:position] + character + url[position + 1 :]
    server = reviewer(tmp_path_factory.getbasetemp())
    status = asyncio.run(review(server, encode(changed)))
    assert status["authenticated"] is (unquote(changed) == unquote(url))


@settings(max_examples=100)
@given(
    st.binary(max_size=300)
    | st.text(max_size=100).map(lambda text: f"https://{HOST}/?{text}".encode("utf-8", "replace"))
)
def test_any_bytes_behind_the_prefix_are_refused(tmp_path_factory: Any, content: bytes) -> None:
    """The prefix alone opens nothing."""
    token = PREFIX + base64.urlsafe_b64encode(content).decode().rstrip("=")
    assert asyncio.run(review(reviewer(tmp_path_factory.getbasetemp()), token))["authenticated"] is False


@settings(max_examples=50)
@given(st.text(min_size=1, max_size=40), st.sampled_from(["demo", "other"]))
def test_another_secret_or_cluster_is_refused(tmp_path_factory: Any, secret: str, cluster: str) -> None:
    """A signature by any other secret, or for any other cluster, is refused."""
    keys = sigv4.Credentials(KEY.access_key_id, secret)
    status = asyncio.run(review(reviewer(tmp_path_factory.getbasetemp()), encode(signed(keys, cluster))))
    assert status["authenticated"] is (secret == KEY.secret_access_key and cluster == "demo")


def test_many_reviews_of_one_token_ask_sts_once(tmp_path: Path) -> None:
    """Concurrent reviews share one call, later ones none."""

    async def play() -> None:
        sts = InProcessSts(tmp_path)
        cache = CachedCallerIdentities(sts, cluster_id="demo", endpoint="", ttl=60, now=time.monotonic)
        server = IamAuthenticator(
            AuthenticatorSettings("demo", HostRules.of()), callers=cache, instances=NoInstanceNames(), sources=tuple,
            not_ready=lambda: "", decision_log=NoDecisionLog(), now=lambda: NOW, new_id=lambda: "1",
        )  # fmt: skip
        token = encode(signed())
        await asyncio.gather(*(review(server, token) for _ in range(50)))
        await review(server, token)
        assert cache.calls == 1

    asyncio.run(play())
