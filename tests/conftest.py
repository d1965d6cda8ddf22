"""What every test may use."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples every time, so that a red run is the fault of what changed; `make laws` draws new ones. No deadline: a slow
# machine is no fault.
settings.register_profile("drawn-once", deadline=None, derandomize=True)
settings.register_profile("drawn-anew", deadline=None, print_blob=True)
settings.load_profile("drawn-once")

# Some tests are about signals, which nohup (SIGHUP) and a shell's background (SIGINT, SIGQUIT) ignore, and children with them.
for ignored, handler in (
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, handler)

# A test must never find the developer's own keys or cluster.
for name in [name for name in os.environ if name.startswith(("AWS_", "KUBE"))]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["IAMBRIDGE_TOKEN_CACHE"] = "off"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


@pytest.fixture(scope="session")
def peer_cache() -> Path:
    """Where peers and other SDKs are installed, outside the repository; skips where there is no such place."""
    named, home = os.environ.get("IAMBRIDGE_CACHE"), os.environ.get("HOME")
    if not named and not home:
        pytest.skip("no place to install a peer: neither IAMBRIDGE_CACHE nor HOME is set")
    cache = Path(named or Path(str(home)) / ".cache/iambridge")
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        pytest.skip(f"no place to install a peer: {cache}: {error.strerror}")
    return cache


@pytest.fixture
def short_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory whose path is short enough for a unix socket."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ib-") as path:
        yield Path(path)
