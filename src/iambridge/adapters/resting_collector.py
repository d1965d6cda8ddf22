"""The garbage collector at rest, while something large is built of which nothing is garbage."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def resting_collector() -> Iterator[None]:
    """For a bounded piece of work: the collector would walk a growing tree again and again, for more than it costs."""
    resting = not gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not resting:
            gc.enable()
