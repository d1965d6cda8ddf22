"""When keys and roles were last used, as IAM tells it: asked with boto3 of the running account."""

import asyncio
import csv
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.sandbox.aws.conftest import RunningAccount
from tests.unit.sandbox.aws.test_gateway import refusal

from iambridge.core import sigv4
from iambridge.core.iam_policy import Principal, PrincipalKind
from iambridge.sandbox.aws import last_uses
from iambridge.sandbox.aws.entities import LastUse, Role, User
from iambridge.sandbox.aws.iam_account import IamAccount
from iambridge.sandbox.aws.last_uses import LastUses
from iambridge.sandbox.aws.store import Store
from iambridge.servers.sigv4_authentication import AuthenticatedCaller

UNUSED = {"ServiceName": "N/A", "Region": "N/A"}
NOW = dt.datetime(2026, 11, 27, 12, 0, 30, tzinfo=dt.UTC)
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "sts:AssumeRole"}
    ],
}


@pytest.fixture(scope="module")
def iam(running: RunningAccount) -> Any:
    return running.client("iam")


@pytest.fixture
def keyholder(iam: Any, request: pytest.FixtureRequest) -> Any:
    """The key of a user without any right."""
    name = f"user-{abs(hash(request.node.name))}"
    iam.create_user(UserName=name)
    return iam.create_access_key(UserName=name)["AccessKey"]


def used(iam: Any, key: Any) -> Any:
    return iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]


def recent(moment: dt.datetime) -> bool:
    return dt.timedelta(0) <= dt.datetime.now(dt.UTC) - moment < dt.timedelta(hours=1)


def test_a_key_that_was_never_used_is_told_so(iam: Any, keyholder: Any) -> None:
    assert used(iam, keyholder) == UNUSED


def test_a_denied_call_is_a_use(running: RunningAccount, iam: Any, keyholder: Any) -> None:
    """The key has signed a request, and that is all that AWS asks of a use."""
    denied = running.client("ec2", keyholder, region_name="eu-west-3")
    assert refusal(denied.describe_instances)[0] == "UnauthorizedOperation"
    found = used(iam, keyholder)
    assert (found["ServiceName"], found["Region"]) == ("ec2", "eu-west-3")
    assert recent(found["LastUsedDate"])
    assert found["LastUsedDate"].second == 0


def test_a_call_of_sts_is_a_use(running: RunningAccount, iam: Any, keyholder: Any) -> None:
    running.client("sts", keyholder).get_caller_identity()
    assert (used(iam, keyholder)["ServiceName"], used(iam, keyholder)["Region"]) == ("sts", "us-east-1")


def test_a_service_is_told_by_its_namespace(running: RunningAccount, iam: Any, keyholder: Any) -> None:
    """CloudWatch signs as monitoring."""
    refusal(running.client("cloudwatch", keyholder).list_metrics)
    assert used(iam, keyholder)["ServiceName"] == "cloudwatch"


def test_a_wrong_signature_is_no_use(running: RunningAccount, iam: Any, keyholder: Any) -> None:
    for service, call in (("sts", "get_caller_identity"), ("s3", "list_buckets"), ("iam", "list_users")):
        refusal(getattr(running.client(service, {**keyholder, "SecretAccessKey": "wrong"}), call))
    assert used(iam, keyholder) == UNUSED


def test_an_inactive_key_is_not_used(running: RunningAccount, iam: Any, keyholder: Any) -> None:
    iam.update_access_key(UserName=keyholder["UserName"], AccessKeyId=keyholder["AccessKeyId"], Status="Inactive")
    refusal(running.client("sts", keyholder).get_caller_identity)
    assert used(iam, keyholder) == UNUSED


def test_the_first_use_of_a_quarter_of_an_hour_stays(running: RunningAccount, iam: Any, keyholder: Any) -> None:
    running.client("sts", keyholder).get_caller_identity()
    refusal(running.client("s3", keyholder).list_buckets)
    assert used(iam, keyholder)["ServiceName"] == "sts"


def test_a_session_token_is_not_the_key(running: RunningAccount, iam: Any, keyholder: Any) -> None:
    """GetSessionToken is a use of the key; what is signed with its answer is not."""
    session = running.client("sts", keyholder).get_session_token()["Credentials"]
    refusal(running.client("s3", session).list_buckets)
    assert used(iam, keyholder)["ServiceName"] == "sts"


@pytest.fixture
def role(iam: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"role-{abs(hash(request.node.name))}"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    yield name
    iam.delete_role(RoleName=name)


def assumed(running: RunningAccount, role: str) -> Any:
    arn = f"arn:aws:iam::111122223333:role/{role}"
    return running.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]


def role_used(iam: Any, role: str) -> Any:
    found = iam.get_role(RoleName=role)["Role"]["RoleLastUsed"]
    listed = iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"]).build_full_result()
    (detail,) = [one for one in listed["RoleDetailList"] if one["RoleName"] == role]
    assert detail["RoleLastUsed"] == found
    return found


def test_a_role_is_used_by_its_sessions_and_not_by_who_assumes_it(running: RunningAccount, iam: Any, role: str) -> None:
    session = assumed(running, role)
    assert role_used(iam, role) == {}
    refusal(running.client("s3", session, region_name="eu-central-1").list_buckets)
    found = role_used(iam, role)
    assert found["Region"] == "eu-central-1"
    assert recent(found["LastUsedDate"])


def test_a_role_that_is_made_again_was_never_used(running: RunningAccount, iam: Any, role: str) -> None:
    running.client("sts", assumed(running, role)).get_caller_identity()
    assert role_used(iam, role)
    iam.delete_role(RoleName=role)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))
    assert role_used(iam, role) == {}


def test_the_credential_report_tells_of_keys(running: RunningAccount, iam: Any, keyholder: Any) -> None:
    unused = iam.create_access_key(UserName=keyholder["UserName"])["AccessKey"]
    running.client("sts", keyholder, region_name="eu-north-1").get_caller_identity()
    iam.generate_credential_report()
    rows = list(csv.DictReader(iam.get_credential_report()["Content"].decode().splitlines()))
    (row,) = [row for row in rows if row["user"] == keyholder["UserName"]]
    first, second = sorted((keyholder, unused), key=lambda key: str(key["AccessKeyId"]))
    columns = {
        number: [row[f"access_key_{number}_last_used_{name}"] for name in ("date", "region", "service")]
        for number in (1, 2)
    }
    number = {first["AccessKeyId"]: 1, second["AccessKeyId"]: 2}
    date, *rest = columns[number[keyholder["AccessKeyId"]]]
    assert recent(dt.datetime.fromisoformat(date))
    assert rest == ["eu-north-1", "sts"]
    assert columns[number[unused["AccessKeyId"]]] == ["N/A", "N/A", "N/A"]


def test_last_accessed_services_are_refused_with_what_there_is(running: RunningAccount, iam: Any, role: str) -> None:
    arn = f"arn:aws:iam::111122223333:role/{role}"
    found = refusal(iam.generate_service_last_accessed_details, Arn=arn)
    assert (found[0], found[2]) == ("NotImplemented", 501)
    assert "iam:GenerateServiceLastAccessedDetails" in found[1]
    assert "RoleLastUsed" in running.decisions.decisions[-1][0].fix
    job = refusal(iam.get_service_last_accessed_details, JobId="0" * 36)
    assert job[0] == "NotImplemented"


def test_uses_survive_a_restart(tmp_path: Path) -> None:
    """And an hour of requests writes no more than the first of each span."""
    first = RunningAccount(tmp_path)
    admin = {"AccessKeyId": first.account.admin.id}
    first.client("sts").get_caller_identity()
    generation = first.account.iam.store.generation
    for _ in range(3):
        first.client("s3").list_buckets()
    assert first.account.iam.store.generation == generation
    before = used(first.client("iam"), admin)
    first.stop()
    again = RunningAccount(tmp_path)
    assert used(again.client("iam"), admin) == before
    assert before["ServiceName"] == "sts"
    again.stop()


SCOPE = "Credential=AKIAEXAMPLE/20261127/us-east-1/s3/aws4_request"
KEY = AuthenticatedCaller(
    Principal(arn="arn:aws:iam::111122223333:user/u", account="111122223333", kind=PrincipalKind.USER),
    "AKIAEXAMPLE",
    None,
    sigv4.VerifiedPayload(b""),
    sigv4.parse(
        query="",
        headers={
            "authorization": [f"AWS4-HMAC-SHA256 {SCOPE}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"],
            "x-amz-date": ["20261127T120000Z"],
            "host": ["h"],
        },
    ),  # type: ignore[arg-type]  # it is signed
)


def test_a_span_ends_after_a_quarter_of_an_hour_also_across_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "iam.db")

    async def play() -> None:
        for seconds, told in ((0, 0), (899, 0), (900, 900), (1000, 900), (1799, 900), (1800, 1800)):
            # each as after a restart, and again as in one process
            for uses in (LastUses(store), one):
                uses.record(KEY, NOW + dt.timedelta(seconds=seconds))
                found = store.get(LastUse, "AKIAEXAMPLE")
                assert found is not None
                assert dt.datetime.fromisoformat(found.at) == NOW + dt.timedelta(seconds=told)
                uses.close()

    one = LastUses(store)
    asyncio.run(play())
    store.close()


def test_a_role_is_unused_after_400_days(tmp_path: Path) -> None:
    store = Store(tmp_path / "iam.db")
    role = Role(name="r", id="AROA1", trust="{}")
    store.write(role)
    store.note(LastUse(subject="AROA1", at="2026-11-27T12:00:30Z", service="s3", region="us-east-1"))
    for days, told in ((400, True), (401, False)):
        account = IamAccount(store, "111122223333", lambda days=days: NOW + dt.timedelta(days=days))  # type: ignore[misc]
        assert bool(last_uses.of_role(account, role)) is told
    store.close()


KILLED = """
import asyncio, datetime as dt, sys
from pathlib import Path
from tests.unit.sandbox.aws.test_last_uses import KEY, NOW
from iambridge.sandbox.aws.last_uses import LastUses
from iambridge.sandbox.aws.store import Store
async def play():
    uses = LastUses(Store(Path(sys.argv[1])), linger=float(sys.argv[2]))
    uses.record(KEY, NOW)
    await asyncio.sleep(1)
    print("waited", flush=True)
    await asyncio.sleep(600)
asyncio.run(play())
"""


@pytest.mark.parametrize(("linger", "kept"), [("0.01", True), ("300", False)])
def test_a_killed_process_keeps_what_was_flushed(tmp_path: Path, linger: str, kept: bool) -> None:  # noqa: FBT001
    """The timer writes by itself; what still waits is lost, and nothing else."""
    file = tmp_path / "iam.db"
    store = Store(file)
    store.write(User(name="before", id="AIDA1"))
    store.close()
    root = Path(__file__).parents[4]
    command = [sys.executable, "-c", KILLED, str(file), linger]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waited\n"
        process.kill()
    store = Store(file)
    assert store.get(User, "before") is not None
    assert (store.get(LastUse, "AKIAEXAMPLE") is not None) is kept
    store.close()
