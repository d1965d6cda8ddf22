"""What a token that comes again may rest on: who its bearer is, and never what was mapped before."""

import asyncio
import datetime as dt
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from iambridge.core import sigv4
from iambridge.core.authenticator_token import (
    CLUSTER_ID_HEADER,
    CallerIdentity,
    HostRules,
    PresignedCallerIdentity,
    encode,
)
from iambridge.core.aws_auth import Mappings, Source, load
from iambridge.core.decision import Decision
from iambridge.servers.caller_identity_cache import CachedCallerIdentities
from iambridge.servers.iam_authenticator import BREAK_GLASS, AuthenticatorSettings, IamAuthenticator
from iambridge.wire.aws_auth_yaml import read_sections
from iambridge.wire.http import Request

ALICE = "arn:aws:iam::111122223333:user/alice"
NOON = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
KEY = sigv4.Credentials("AKIAIOSFODNN7EXAMPLE", "secret")
TOKEN = encode(
    sigv4.presign(
        KEY,
        method="GET",
        url="https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        region="us-east-1",
        service="sts",
        headers={CLUSTER_ID_HEADER: "c"},
        expires=60,
        now=NOON,
    )
)


class Sts:
    calls = 0

    async def caller_identity(self, presigned: PresignedCallerIdentity, cluster_id: str) -> CallerIdentity:
        del cluster_id
        self.calls += 1
        return CallerIdentity("111122223333", ALICE, ALICE, "AIDAALICE", "", presigned.access_key_id)


class NoInstances:
    async def private_dns_name(self, instance_id: str) -> str:
        raise AssertionError(instance_id)


@dataclass
class World:
    """An authenticator of one token; what it maps, its clock and its log are at hand."""

    mappings: Mappings
    name: str = "EKSConfigMap"
    reserved: tuple[str, ...] = ()
    missing: str = ""
    now: dt.datetime = NOON
    scrubbed: frozenset[str] = frozenset()
    sts: Sts = field(default_factory=Sts)
    logged: list[tuple[Decision, str, str]] = field(default_factory=list)
    emergencies: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        ids = itertools.count()
        self.server = IamAuthenticator(
            AuthenticatorSettings("c", HostRules.of(), self.scrubbed),
            callers=CachedCallerIdentities(self.sts, cluster_id="c", endpoint="", ttl=600, now=lambda: 0.0),
            instances=NoInstances(),
            sources=lambda: [Source(self.name, self.mappings, self.reserved)],
            not_ready=lambda: self.missing,
            decision_log=self,
            now=lambda: self.now,
            new_id=lambda: str(next(ids)),
            break_glass_used=lambda caller: self.emergencies.append(caller.arn),
        )

    def record(self, decision: Decision, *, request_id: str, **request: str) -> None:
        self.logged.append((decision, request_id, request.get("arn", "")))

    def review(self, version: str = "v1") -> Any:
        body = {"apiVersion": f"authentication.k8s.io/{version}", "kind": "TokenReview", "spec": {"token": TOKEN}}
        answer = asyncio.run(self.server.app(Request("POST", "/authenticate", body=json.dumps(body).encode())))
        assert isinstance(answer.body, bytes)
        return json.loads(answer.body) if answer.status == 200 else answer.status

    def user(self) -> Any:
        status = self.review()["status"]
        return (status["user"]["username"], status["user"].get("groups")) if status["authenticated"] else None


def mapped(username: str = "alice", groups: str = "[g]", arn: str = ALICE) -> Mappings:
    return load(read_sections({"mapUsers": f"- userarn: {arn}\n  username: {username}\n  groups: {groups}\n"}))


def test_a_repeated_token_is_answered_alike_and_logged_each_time() -> None:
    world = World(mapped())
    answers = [world.review() for _ in range(4)]
    assert answers == answers[:1] * 4
    assert world.sts.calls == 1
    assert [(arn, request_id) for _, request_id, arn in world.logged] == [(ALICE, str(number)) for number in range(4)]
    assert len({str(decision.reasons) for decision, _, _ in world.logged}) == 1
    assert world.review("v1beta1") == {**answers[0], "apiVersion": "authentication.k8s.io/v1beta1"}
    assert world.review() == answers[0]


@pytest.mark.parametrize("before", [1, 2, 4])
def test_an_edit_counts_at_the_next_review(before: int) -> None:
    world = World(mapped())
    assert [world.user() for _ in range(before)] == [("alice", ["g"])] * before
    world.mappings = mapped("other", "[h, i]")
    assert [world.user() for _ in range(3)] == [("other", ["h", "i"])] * 3
    world.mappings = mapped(arn="arn:aws:iam::111122223333:user/bob")
    assert [world.user() for _ in range(3)] == [None] * 3
    world.mappings = load(read_sections({"mapAccounts": "- '111122223333'\n"}))
    assert [world.user() for _ in range(3)] == [(ALICE, None)] * 3
    world.mappings = mapped()
    world.reserved = ("ali",)
    assert [world.user() for _ in range(3)] == [None] * 3
    assert world.logged[-1][0].reasons[-1].code == "reserved-prefix"


def test_a_repeated_token_expires() -> None:
    world = World(mapped())
    assert [world.user() for _ in range(3)] == [("alice", ["g"])] * 3
    world.now = NOON + dt.timedelta(minutes=15, seconds=1)
    assert world.user() is None
    assert world.logged[-1][0].reasons[0].code == "token-expired"


def test_nobody_gets_in_while_the_mapping_cannot_be_read() -> None:
    world = World(mapped())
    assert [world.user() for _ in range(3)] == [("alice", ["g"])] * 3
    world.missing = "EKSConfigMap: not read yet"
    assert world.review() == 503
    world.missing = ""
    assert world.user() == ("alice", ["g"])


def test_every_break_glass_login_is_told() -> None:
    world = World(mapped(), name=BREAK_GLASS)
    assert [world.user() for _ in range(3)] == [("alice", ["g"])] * 3
    assert world.emergencies == [ALICE] * 3


def test_a_scrubbed_caller_stays_unnamed_when_it_comes_again() -> None:
    world = World(mapped(), scrubbed=frozenset({"111122223333"}))
    assert [world.user() for _ in range(3)] == [("alice", ["g"])] * 3
    assert {arn for _, _, arn in world.logged} == {""}
    assert not [decision for decision, _, _ in world.logged if ALICE in str(decision.reasons)]
