"""The AWS side killed in the midst of IAM writes: what it acknowledged is there when it comes back.

`IAMBRIDGE_CRASH_ROUNDS` says how often it is killed; 3 by default.
"""

import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from iambridge.core import sigv4
from iambridge.sandbox.data_dir import read_ports

ROUNDS = int(os.environ.get("IAMBRIDGE_CRASH_ROUNDS", "3"))
WRITERS = 4
TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}]}'
)
DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Client:
    """IAM by one keep-alive connection; OSError or HTTPException when the server is gone."""

    def __init__(self, data_dir: Path) -> None:
        self._port = read_ports(data_dir).aws
        admin = json.loads((data_dir / "aws/admin-credentials.json").read_bytes())
        self._keys = sigv4.Credentials(admin["AccessKeyId"], admin["SecretAccessKey"])
        context = ssl.create_default_context(cafile=data_dir / "pki/ca.crt")
        self._connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=30, context=context)

    def close(self) -> None:
        self._connection.close()

    def ask(self, action: str, **parameters: str) -> str:
        body = urlencode({"Action": action, "Version": "2010-05-08", **parameters}).encode()
        signed = sigv4.sign(
            self._keys, method="POST", url=f"https://127.0.0.1:{self._port}/", region="us-east-1", service="iam",
            headers=FORM, body=body, now=datetime.now(UTC),
        )  # fmt: skip
        self._connection.request("POST", "/", body, {**FORM, **signed})
        response = self._connection.getresponse()
        text = response.read().decode()
        assert response.status == 200, text
        return text


@dataclass
class Writer:
    """Keeps what was acknowledged and what was asked.

    It creates users, and gives each a policy, gives it a key and renames it, or deletes it; and it counts in a role's tag.
    """

    name: str
    created: set[str] = field(default_factory=set)
    with_policy: set[str] = field(default_factory=set)
    deleting: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    renaming: set[str] = field(default_factory=set)
    renamed: set[str] = field(default_factory=set)
    counting: int = -1
    counted: int = -1
    faults: list[str] = field(default_factory=list)

    def run(self, data_dir: Path) -> None:
        client = Client(data_dir)
        try:
            client.ask("CreateRole", RoleName=self.name, AssumeRolePolicyDocument=TRUST)
            for number in range(100_000):
                user = f"{self.name}-{number}"
                client.ask("CreateUser", UserName=user)
                self.created.add(user)
                if number % 3 == 1:
                    client.ask("PutUserPolicy", UserName=user, PolicyName="p", PolicyDocument=DOCUMENT)
                    self.with_policy.add(user)
                elif number % 3 == 2:
                    client.ask("CreateAccessKey", UserName=user)
                    self.renaming.add(user)
                    client.ask("UpdateUser", UserName=user, NewUserName=f"{user}-renamed")
                    self.renamed.add(user)
                else:
                    self.deleting.add(user)
                    client.ask("DeleteUser", UserName=user)
                    self.deleted.add(user)
                self.counting = number
                tag = {"Tags.member.1.Key": "count", "Tags.member.1.Value": str(number)}
                client.ask("TagRole", RoleName=self.name, **tag)
                self.counted = number
        except (OSError, http.client.HTTPException):
            return  # the server is gone: that is the test
        except AssertionError as error:
            self.faults.append(str(error))
        finally:
            client.close()


def started(data_dir: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        before = log.stat().st_size
        process = subprocess.Popen(
            [sys.executable, "-m", "iambridge", "up", "--aws-only", "--data-dir", str(data_dir)],
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    end = time.monotonic() + 120
    while b"iambridge is ready" not in log.read_bytes()[before:]:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.02)
    return process


def everybody(client: Client) -> set[str]:
    marker, users = "", set()
    while True:
        page = client.ask("ListUsers", **({"Marker": marker} if marker else {}))
        users |= set(re.findall("<UserName>([^<]+)</UserName>", page))
        found = re.search("<Marker>([^<]+)</Marker>", page)
        if found is None:
            return users
        marker = found[1]


def verify(client: Client, writer: Writer, users: set[str]) -> None:
    """What one writer was told is so; a rename that was not acknowledged happened wholly or not at all."""
    assert writer.created - writer.deleting - writer.renaming - users == set()
    assert writer.deleted & users == set()
    for user in writer.with_policy:
        assert "p</PolicyName>" in client.ask("GetUserPolicy", UserName=user, PolicyName="p")
    for user in writer.renaming:
        (name,) = {user, f"{user}-renamed"} & users
        assert user not in writer.renamed or name != user
        keys = client.ask("ListAccessKeys", UserName=name)
        assert keys.count("<AccessKeyId>") == keys.count(f"<UserName>{name}</UserName>") == 1
    if writer.counted >= 0:
        found = re.search("<Value>([0-9]+)</Value>", client.ask("ListRoleTags", RoleName=writer.name))
        assert found is not None
        assert writer.counted <= int(found[1]) <= writer.counting


def test_every_acknowledged_iam_write_survives_kill_9(tmp_path: Path) -> None:
    """Over HTTPS, by several writers at once: created users and policies are there, deleted and renamed ones are not."""
    data_dir, log = tmp_path / "data", tmp_path / "log"
    writers: list[Writer] = []
    for number in range(ROUNDS):
        process = started(data_dir, log)
        ours = [Writer(f"r{number}w{one}") for one in range(WRITERS)]
        threads = [threading.Thread(target=writer.run, args=(data_dir,)) for writer in ours]
        for thread in threads:
            thread.start()
        # a different moment in each round, once every writer writes
        end = time.monotonic() + 60
        while not all(len(writer.created) > 3 + number % 7 for writer in ours) and time.monotonic() < end:
            time.sleep(0.003)
        process.kill()
        process.wait()
        for thread in threads:
            thread.join(60)
        writers += ours
        assert [fault for writer in ours for fault in writer.faults] == []
    process = started(data_dir, log)
    client = Client(data_dir)
    try:
        users = everybody(client)
        for writer in writers:
            verify(client, writer, users)
        created, deleted, renamed = (
            sum(len(getattr(writer, done)) for writer in writers) for done in ("created", "deleted", "renamed")
        )
        assert created - deleted >= ROUNDS * WRITERS * 2
        print(f"{ROUNDS} kills: {created} users, {deleted} deletions, {renamed} renames, all as acknowledged")
    finally:
        client.close()
        process.terminate()
        process.wait(30)
