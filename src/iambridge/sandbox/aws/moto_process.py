"""The child process that holds moto: WSGI calls as frames on an inherited socket.

It is started with the socket's file descriptor as its only argument and ends when the other end closes, so it cannot
outlive its parent. Nobody but the parent can reach it: the socket has no name.

A frame is a length (4 bytes, big endian) and msgpack: [id, method, path, query, headers, body, form, operation] in,
[id, status, headers, body] out. The caller has authenticated and authorised each request; moto's own checks stay off.
"""

import io
import os
import select
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

import msgspec

from iambridge.sandbox.aws import moto_checksums, moto_readings

_LENGTH = struct.Struct(">I")
_THREADS = 16
# calls that wait for another call to happen must not keep it from being read
_WAITING_TARGETS = ("AmazonSQS.ReceiveMessage", "SimpleWorkflowService.PollFor")
_WAITING_FORM = b"Action=ReceiveMessage"

Frame = tuple[int, str, str, str, list[tuple[str, str]], bytes, bool, str]


class Backend:
    """moto as one WSGI application, called by one thread at a time: its state has no locks of its own.

    The thread that reads makes the calls itself, since to hand each over costs as much as a tenth of it.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def load(self) -> None:
        from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - costs a second, and the parent waits for the first frame
            DomainDispatcherApplication,
            create_backend_app,
        )

        self._application = DomainDispatcherApplication(lambda service: _told_by_name(create_backend_app(service)))
        moto_readings.hold()
        moto_checksums.install()

    def serve(self) -> None:
        """Answer frames until the parent closes."""
        threading.Thread(target=self._end_with_parent, daemon=True).start()
        pool = ThreadPoolExecutor(_THREADS)
        stream = self._connection.makefile("rb")
        while header := stream.read(_LENGTH.size):
            if len(header) < _LENGTH.size:
                return
            content = stream.read(_LENGTH.unpack(header)[0])
            frame = msgspec.msgpack.decode(content, type=Frame)
            if _waits(frame):
                pool.submit(self._answer, frame)
            else:
                self._answer(frame)

    def _end_with_parent(self) -> None:
        """A call that never returns keeps this process from reading that its parent is gone."""
        closed = select.poll()
        closed.register(self._connection, 0)
        closed.poll()
        os._exit(0)

    def _answer(self, frame: Frame) -> None:
        try:
            answer = self._call(frame)
        except NotImplementedError as error:
            # no header: the parent refuses by name
            answer = (frame[0], 501, [], str(error).encode()[:200])
        except Exception:  # noqa: BLE001 - a bug in the backend becomes one failed request
            sys.stderr.write(traceback.format_exc())
            sys.stderr.flush()
            answer = (frame[0], 500, [], b"")
        content = msgspec.msgpack.encode(answer)
        with self._sending:
            self._connection.sendall(_LENGTH.pack(len(content)) + content)

    def _call(self, frame: Frame) -> tuple[int, int, list[tuple[str, str]], bytes]:
        identity, method, *_ = frame
        environ = _environ(frame)
        status: list[Any] = []

        def start_response(line: str, headers: list[tuple[str, str]], _: object = None) -> None:
            status[:] = [int(line.split(" ", 1)[0]), headers]

        body = _collect(self._application(environ, start_response))
        return identity, status[0], status[1], b"" if method == "HEAD" else body


def _told_by_name(service: Any) -> Any:
    """A path that moto has no route for is an operation that it lacks: its own answer would be a web page."""
    from werkzeug.exceptions import MethodNotAllowed, NotFound  # noqa: PLC0415 - loaded with the application

    def lacking(error: Exception) -> NoReturn:
        raise NotImplementedError("moto has no route for it") from error

    for error in (MethodNotAllowed, NotFound):
        service.register_error_handler(error, lacking)
    return service


def _waits(frame: Frame) -> bool:
    """Whether a call may wait for another: in the JSON protocol, or in SQS's older form."""
    if any(name.lower() == "x-amz-target" and value.startswith(_WAITING_TARGETS) for name, value in frame[4]):
        return True
    return _WAITING_FORM in frame[5] or _WAITING_FORM in frame[3].encode()


def _collect(chunks: Iterable[bytes]) -> bytes:
    try:
        return b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def _environ(frame: Frame) -> dict[str, Any]:
    """PEP 3333, with the two things moto reads beyond it: the raw URI and the original spelling of `_` in names."""
    from moto.core.request import (  # noqa: PLC0415 - loaded with the application
        PRESERVED_HEADER_NAMES_ENVIRON_KEY,
        environ_key_for_header,
        should_preserve_original_header_name,
    )

    _, method, path, query, headers, body, form, operation = frame
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": f"{path}?{query}" if query else path,
        "RAW_URI": f"{path}?{query}" if query else path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        moto_readings.FORM: form,
        moto_readings.OPERATION: operation,
    }
    names: dict[str, str] = {}
    for name, value in headers:
        key = environ_key_for_header(name)
        if key in {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"}:
            key = key.removeprefix("HTTP_")
        if should_preserve_original_header_name(name):
            names[key] = name
        if key != "CONTENT_LENGTH":
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = names
    return environ


def main() -> None:
    backend = Backend(socket.socket(fileno=int(sys.argv[1])))
    backend.load()
    backend.serve()
    # threads that wait inside moto must not keep the process
    os._exit(0)


if __name__ == "__main__":
    main()
