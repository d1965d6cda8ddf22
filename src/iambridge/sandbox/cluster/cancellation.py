"""Ends tasks for certain."""

import asyncio
from collections.abc import Collection

_AGAIN_SECONDS = 0.2


async def cancel_all(tasks: Collection["asyncio.Task[None]"]) -> None:
    """Cancel `tasks` and wait until all have ended; their results and errors are dropped.

    Cancelled again until it is so: `asyncio.wait_for` of Python 3.11 loses a cancellation that arrives together with
    what it waits for (https://github.com/python/cpython/issues/86296), and its caller then goes on.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
