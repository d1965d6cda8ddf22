"""AssumeRole's tags, policies and refusals, by boto3 against a real STS on a TLS socket."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.unit.servers.sts.conftest import ACCOUNT, ALICE, ALICE_KEY, World, error_of, running, taken, trust

from iambridge.core.role_trust import TrustedRole

PLAIN, TAGGING = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("plain", "tagging"))
_TAG = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]"


def _roles(world: World) -> None:
    """One that may be assumed, and one that may be assumed with tags, each by Alice and by the other's sessions."""
    for arn, actions in (
        (PLAIN, ["sts:AssumeRole"]),
        (TAGGING, ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]),
    ):
        allow = {"Effect": "Allow", "Principal": {"AWS": [ALICE, PLAIN, TAGGING]}, "Action": actions}
        name = arn.rpartition("/")[2]
        world.facts.roles[arn] = TrustedRole(arn, ACCOUNT, name, f"AROA{name.upper()}", trust(allow), 43200)


def _unchecked(world: World) -> Any:
    """A client that sends what botocore itself would refuse."""
    return boto3.client(
        "sts", endpoint_url=world.url, verify=str(world.authority.certificate_file), region_name="us-east-1",
        aws_access_key_id=ALICE_KEY.access_key_id, aws_secret_access_key=ALICE_KEY.secret_access_key,
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )  # fmt: skip


def _play(directory: Path, scene: Callable[[World], None]) -> None:
    async def play() -> None:
        async with running(directory) as world:
            _roles(world)
            await asyncio.to_thread(scene, world)

    asyncio.run(play())


def _refusal(client: Any, role: str = TAGGING, **more: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        client.assume_role(RoleArn=role, RoleSessionName="s-1", **more)
    return error_of(caught.value)


def _tags(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def test_the_denial_names_the_action_that_was_denied(tmp_path: Path) -> None:
    """As STS does, so that a missing sts:TagSession does not look like a missing sts:AssumeRole."""

    def scene(world: World) -> None:
        alice = world.client(ALICE_KEY)
        for more, action in (
            ({"Tags": _tags(team="blue")}, "sts:TagSession"),
            ({"SourceIdentity": "alice"}, "sts:SetSourceIdentity"),
        ):
            message = f"User: {ALICE} is not authorized to perform: {action} on resource: {PLAIN}"
            assert _refusal(alice, PLAIN, **more) == ("AccessDenied", message, 403)
            assert world.log.decisions[-1].hop == "sts:AssumeRole"
        tagged = world.client(taken(alice.assume_role(
            RoleArn=TAGGING, RoleSessionName="s-1", Tags=_tags(team="blue"), TransitiveTagKeys=["team"],
        )))  # fmt: skip
        message = (
            f"User: arn:aws:sts::{ACCOUNT}:assumed-role/tagging/s-1 is not authorized to perform: sts:TagSession "
            f"on resource: {PLAIN}"
        )
        assert _refusal(tagged, PLAIN) == ("AccessDenied", message, 403)

    _play(tmp_path, scene)


def test_a_tag_is_held_to_its_shape(tmp_path: Path) -> None:
    """Length, characters and a missing value are faults with the path of the tag, all in one error."""

    def scene(world: World) -> None:
        alice = _unchecked(world)
        cases: list[tuple[list[dict[str, str]], str]] = [
            ([{"Key": "a#", "Value": "b"}], f"Value 'a#' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: {_TAG}+"),
            ([{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "*"}], f"Value '*' at 'tags.2.member.value' failed to satisfy constraint: Member must satisfy regular expression pattern: {_TAG}*"),
            ([{"Key": "a"}], "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null"),
            ([{"Value": "a"}], "Value null at 'tags.1.member.key' failed to satisfy constraint: Member must not be null"),
            ([{"Key": "", "Value": ""}], "Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1"),
            ([{"Key": "a", "Value": "b" * 257}], f"Value '{'b' * 256}' at 'tags.1.member.value' failed to satisfy constraint: Member must have length less than or equal to 256"),
            (_tags(**{f"k{number}": "" for number in range(51)}), "Value '51 members' at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"),
        ]  # fmt: skip
        for tags, fault in cases:
            assert _refusal(alice, Tags=tags) == ("ValidationError", f"1 validation error detected: {fault}", 400)
        code, message, _ = _refusal(alice, Tags=[{"Key": "a#", "Value": "*"}])
        assert (code, message.split(":")[0]) == ("ValidationError", "2 validation errors detected")
        assert _refusal(alice, Tags=_tags(a="1", A="2"))[1].startswith("Duplicate tag keys found.")

    _play(tmp_path, scene)


def test_tags_have_the_space_that_sts_gives_them(tmp_path: Path) -> None:
    """Long before 50 tags; what a session passes on counts, and `PackedPolicySize` tells how much is taken."""

    def scene(world: World) -> None:
        alice = world.client(ALICE_KEY)
        nine = _tags(**{f"T{number}": "a" * 250 for number in range(1, 10)})
        message = "Packed size of session tags consumes 498% of allotted space."
        assert _refusal(alice, Tags=nine) == ("PackedPolicyTooLarge", message, 400)
        answer = alice.assume_role(
            RoleArn=TAGGING, RoleSessionName="s-1", Tags=_tags(first="a" * 250), TransitiveTagKeys=["first"]
        )
        assert answer["PackedPolicySize"] == 56
        chained = world.client(taken(answer))
        assert chained.assume_role(RoleArn=TAGGING, RoleSessionName="s-2")["PackedPolicySize"] == 56
        message = "Packed size of session tags consumes 112% of allotted space."
        assert _refusal(chained, Tags=_tags(other="a" * 250)) == ("PackedPolicyTooLarge", message, 400)
        assert "PackedPolicySize" not in alice.assume_role(RoleArn=PLAIN, RoleSessionName="s-1")

    _play(tmp_path, scene)


def test_session_policies_are_held_to_their_shape(tmp_path: Path) -> None:
    """Characters, ARNs and the space of both together; the model gives AssumeRole's Policy no length."""

    def scene(world: World) -> None:
        alice = _unchecked(world)

        def policy(resource: str) -> str:
            statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{resource}"}
            return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, ensure_ascii=False)

        code, message, _ = _refusal(alice, Policy=policy("日本"))
        assert code == "ValidationError"
        assert message.endswith(r"Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+")
        alice.assume_role(RoleArn=TAGGING, RoleSessionName="s-1", Policy=policy("é"))
        message = "Packed policy consumes 147% of allotted space."
        assert _refusal(alice, Policy=policy("a" * 2880)) == ("PackedPolicyTooLarge", message, 400)
        code, message, _ = _refusal(alice, PolicyArns=[{"arn": "short"}])
        assert code == "ValidationError"
        assert message.endswith(
            "Value 'short' at 'policyArns.1.member.arn' failed to satisfy constraint: Member must have length greater than or equal to 20"
        )
        assert "at most 10" in _refusal(alice, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}] * 11)[1]

    _play(tmp_path, scene)


def test_parameters_that_ask_for_nothing_are_no_reason_to_refuse(tmp_path: Path) -> None:
    """Empty lists, and a least size of the session token, which is kept; MFA and contexts are refused by name."""

    def scene(world: World) -> None:
        alice = _unchecked(world)
        answer = alice.assume_role(
            RoleArn=PLAIN, RoleSessionName="s-1", Tags=[], TransitiveTagKeys=[], PolicyArns=[], ProvidedContexts=[],
            MinimumSessionTokenSize=4096,
        )  # fmt: skip
        assert len(answer["Credentials"]["SessionToken"]) >= 4096
        assert world.client(taken(answer)).get_caller_identity()["Arn"].endswith("/plain/s-1")
        for more in ({"MinimumSessionTokenSize": 4097}, {"MinimumSessionTokenSize": -1}, {"DurationSeconds": -900}):
            code, message, _ = _refusal(alice, PLAIN, **more)
            assert (code, "Member must have value" in message) == ("ValidationError", True)
        refused = _refusal(alice, PLAIN, ProvidedContexts=[{"ProviderArn": "a", "ContextAssertion": "b"}])
        assert refused[::2] == ("NotImplemented", 501)

    _play(tmp_path, scene)
