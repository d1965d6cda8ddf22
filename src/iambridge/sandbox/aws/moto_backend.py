"""moto behind the gateway: started at first need, restarted after a crash, in memory only.

Everything here is about one child process; what it may be asked is the gateway's business.
"""

import asyncio
import contextlib
import itertools
import os
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from iambridge.errors import ServiceUnavailable

_LENGTH = struct.Struct(">I")
_ANSWER = tuple[int, int, list[tuple[str, str]], bytes]
_STOP_SECONDS = 5.0


class MotoBackend:
    """`log` is the file that the child's stderr goes to. `account_id` is the only account it knows."""

    def __init__(self, *, account_id: str, region: str, log: Path) -> None:
        self._account_id = account_id
        self._region = region
        self._log = log
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[_ANSWER]] = {}
        self._starting = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self.generation = 0

    @property
    def running(self) -> bool:
        return self._writer is not None

    async def call(
        self,
        *,
        method: str,
        path: str,
        query: str = "",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        service: str,
        region: str,
        form: bool = False,
        operation: str = "",
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body. `path` is percent-encoded; `service` and `region` are the credential scope's.

        `form`: the body is one. `operation`: the only one that may be executed; empty where that is not to be checked.

        Raises:
            ServiceUnavailable: the child could not start, or ended while it worked on this request.
        """
        writer = await self._started()
        number = next(self._ids)
        scope = f"Credential=AKIAIOSFODNN7EXAMPLE/20260101/{region}/{service}/aws4_request"
        sent = [
            *headers,
            # moto routes by the scope and takes the account from its own header; neither is checked there
            ("Authorization", f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"),
            ("x-moto-account-id", self._account_id),
        ]
        frame = msgspec.msgpack.encode((number, method, path, query, sent, body, form, operation))
        answer: asyncio.Future[_ANSWER] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            writer.write(_LENGTH.pack(len(frame)) + frame)
            await writer.drain()
            _, status, answered, content = await answer
        except OSError as error:
            raise _ended() from error
        finally:
            self._waiting.pop(number, None)
        return status, answered, content

    async def _started(self) -> asyncio.StreamWriter:
        async with self._starting:
            if self._writer is None:
                self._writer = await self._start()
            return self._writer

    async def _start(self) -> asyncio.StreamWriter:
        ours, theirs = socket.socketpair()
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "iambridge.sandbox.aws.moto_process",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise ServiceUnavailable("The service is unavailable.", cause=f"moto did not start: {error}") from error
        finally:
            theirs.close()
            os.close(log)
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        self._reading = asyncio.create_task(self._read(reader, writer), name="moto")
        self.generation += 1
        return writer

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "AWS_DEFAULT_REGION": self._region,
            # moto's own boto3 sessions must find neither keys nor a metadata service
            "AWS_ACCESS_KEY_ID": "moto",
            "AWS_SECRET_ACCESS_KEY": "moto",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "MOTO_ACCOUNT_ID": self._account_id,
            "MOTO_DISABLE_GLOBAL_CORS": "true",
            "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "1",
        }

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand out answers until the child ends; then fail what still waits, so that the next call starts another."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                length = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))[0]
                answer = msgspec.msgpack.decode(await reader.readexactly(length), type=_ANSWER)
                waiting = self._waiting.get(answer[0])
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        self._writer = None
        writer.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(_ended())

    async def close(self) -> None:
        """Close the socket, which ends the child; kill it if it does not."""
        if self._writer is not None:
            self._writer.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


def _ended() -> ServiceUnavailable:
    return ServiceUnavailable(
        "The service is unavailable. Please retry.",
        cause="the process that holds moto ended; its state (S3 objects, EC2 instances, ...) is gone",
        fix="call again: the next request starts it anew and empty",
    )
