"""What every test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# A test must never find the developer's own keys or cluster.
for name in [name for name in os.environ if name.startswith(("AWS_", "KUBE"))]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


@pytest.fixture
def short_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory whose path is short enough for a unix socket."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ib-") as path:
        yield Path(path)
