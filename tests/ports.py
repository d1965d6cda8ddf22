"""Ports for servers that listen a while after they are told where."""

import os
import random
import socket

_FIRST, _LAST = 20_000, 32_000  # below what the system gives to clients and to whoever asks it for any port
_WORKERS = 16
_given: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """One that nobody listens on, and that no other test of this run is given: a daemon may take seconds to listen."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    mine = range(_FIRST + int(worker) % _WORKERS, _LAST, _WORKERS)
    for port in random.sample(mine, len(mine)):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        _given.add(port)
        return port
    _given.clear()  # so many tests later their servers have gone
    return free_port(host)
