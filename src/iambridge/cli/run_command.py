"""Runs a command in the foreground: signals go to it, its exit code comes back.

The command stays in this process's group, so that it may use the terminal and pipes as if it were called directly.
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence

NOT_STARTED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127  # as env(1), timeout(1) and docker run have it
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_TYPED = (signal.SIGINT, signal.SIGQUIT)


class Command:
    """Takes signals from construction to `close`; one that comes before the command runs is kept for it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._process: asyncio.subprocess.Process | None = None
        self._early: list[signal.Signals] = []
        # what the caller ignores, as nohup does with SIGHUP, the command ignores, too
        self._taken = [number for number in _FORWARDED if signal.getsignal(number) is not signal.SIG_IGN]
        for number in self._taken:
            self._loop.add_signal_handler(number, self._forward, number)

    def close(self) -> None:
        for number in self._taken:
            self._loop.remove_signal_handler(number)

    async def run(self, words: Sequence[str], environment: Mapping[str, str]) -> int:
        """Its exit code, or 128 + the number of the signal that ended it.

        Raises:
            OSError: it cannot be started.
        """
        if self._early:
            return 128 + self._early[0]
        self._process = await asyncio.create_subprocess_exec(*words, env=environment)
        for number in self._early:
            self._forward(number)
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    def _forward(self, number: signal.Signals) -> None:
        if self._process is None:
            self._early.append(number)
        elif self._process.returncode is None and not (number in _TYPED and _in_foreground()):
            self._process.send_signal(number)


def _in_foreground() -> bool:
    """Whether the terminal sends Ctrl-C to this process's group, and so to the command, by itself."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
