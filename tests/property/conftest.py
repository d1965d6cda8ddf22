"""A cluster that has begun, for the laws that need a new one for each example."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iambridge.core.service_account_token import SigningKey
from iambridge.sandbox.cluster.cluster import Cluster

_KEY = SigningKey.generate("ES256")


class Begun:
    """What a cluster's first start writes, once: to make its three hundred objects takes longer than most examples."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

        async def begin() -> None:
            cluster = _cluster(directory)
            await cluster.start()
            await cluster.close()

        asyncio.run(begin())

    @contextmanager
    def cluster(self) -> Iterator[Cluster]:
        """A new one, not started yet, whose user `t` may do everything."""
        with tempfile.TemporaryDirectory() as directory:
            yield _cluster(Path(shutil.copytree(self._directory, Path(directory) / "cluster")))


def _cluster(directory: Path) -> Cluster:
    users = {"t": ("admin", ("system:masters",))}
    return Cluster(directory, issuer_url="https://i", server_url="https://s", signing_keys=[_KEY], static_tokens=users)


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Begun:
    return Begun(tmp_path_factory.mktemp("begun"))
