# ruff: noqa: ARG002 - a Protocol's methods
"""AWS for the authenticators under test: the sandbox's STS under AWS's own name, and the relay that leads there.

    python benchmarks/authenticator_aws.py STS_PORT RELAY_PORT CONTROL_PORT DIRECTORY ACCESS_KEY_ID SECRET

STS verifies every signature. The relay is an HTTP proxy that knows CONNECT and one way: whatever host is asked for, it
connects to this STS. `GET /?delay=SECONDS` on the control port sets how long STS takes, `/` answers how often it was
asked.
"""

import asyncio
import contextlib
import datetime as dt
import json
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import parse_qs

import uvloop

from iambridge.adapters.certificates import CertificateAuthority
from iambridge.adapters.oidc_keys import FetchedOidcKeys
from iambridge.adapters.serving import Listener, RunningServer
from iambridge.core.decision import Decision
from iambridge.core.iam_policy import Policies, Principal
from iambridge.core.role_trust import OidcProvider, Session, TrustedRole
from iambridge.ports import LongTermKey
from iambridge.sandbox.aws.sessions import SealedSessions
from iambridge.sandbox.aws.unique_ids import SESSION_KEY, access_key_id, account_of, secret_access_key
from iambridge.servers.sts import SecurityTokenService
from iambridge.wire.http import Request, Response

ACCOUNT = "111122223333"


class OneUser:
    def __init__(self, key: str, secret: str) -> None:
        principal = Principal(f"arn:aws:iam::{ACCOUNT}:user/bench", ACCOUNT, "user", user_id="AIDABENCHBENCHBENCH01")
        self._key = LongTermKey(key, secret, active=True, principal=principal)

    def access_key(self, access_key_id: str) -> LongTermKey | None:
        return self._key if access_key_id == self._key.access_key_id else None

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


class Silent:
    def record(self, decision: Decision, *, request_id: str, **request: str) -> None:
        pass


class Sts:
    def __init__(self, directory: Path, key: str, secret: str) -> None:
        self._service = SecurityTokenService(
            iam=OneUser(key, secret), oidc_keys=FetchedOidcKeys(time.monotonic),
            sessions=SealedSessions(directory / "session.key"), log=Silent(),
            now=lambda: dt.datetime.now(dt.UTC), new_id=lambda: str(uuid.uuid4()),
            new_key=lambda account: (access_key_id(SESSION_KEY, account), secret_access_key()), account_of=account_of,
        )  # fmt: skip
        self._delay = 0.0
        self._calls = 0

    async def app(self, request: Request) -> Response:
        self._calls += 1
        if self._delay:
            await asyncio.sleep(self._delay)
        return await self._service.app(request)

    async def control(self, request: Request) -> Response:
        for value in parse_qs(request.query).get("delay", ()):
            self._delay = float(value)
        return Response(200, (), json.dumps({"calls": self._calls}).encode())


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sts_port: int) -> None:
    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"CONNECT "):
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", sts_port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, back), pump(there, writer))


async def main(ports: list[int], directory: Path, key: str, secret: str) -> None:
    sts_port, relay_port, control_port = ports
    authority = CertificateAuthority(directory, name="bench", now=dt.datetime.now(dt.UTC))
    leaf = authority.leaf("sts", hosts=("sts.us-east-1.amazonaws.com", "sts.amazonaws.com"))
    sts = Sts(directory, key, secret)
    await RunningServer(sts.app, Listener("127.0.0.1", sts_port, leaf.certificate, leaf.key)).start()
    await RunningServer(sts.control, Listener("127.0.0.1", control_port)).start()
    server = await asyncio.start_server(lambda r, w: relay(r, w, sts_port), "127.0.0.1", relay_port, backlog=2048)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:4]]
    uvloop.run(main(numbers, Path(sys.argv[4]), sys.argv[5], sys.argv[6]))
