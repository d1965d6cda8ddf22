"""The mapping backends of an authenticator, in the order in which they are asked."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from iambridge.core.aws_auth import Mappings, Source
from iambridge.servers.iam_authenticator import BREAK_GLASS


class Backend(Protocol):
    """One source of mappings, followed by `run` until cancelled.

    `not_ready` says why nobody can be judged yet, or is empty. `from_copy`: see `core.aws_auth.Source`.
    """

    @property
    def mappings(self) -> Mappings: ...
    @property
    def not_ready(self) -> str: ...
    @property
    def from_copy(self) -> bool: ...
    async def run(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Mappings that do not change while the process lives: the configuration file's."""

    mappings: Mappings
    not_ready: str = ""
    from_copy: bool = False

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True)
class Backends:
    """`backends` by name, in order, after the break-glass ARNs; `reserved` are the username prefixes of each."""

    backends: Mapping[str, Backend]
    reserved: Mapping[str, tuple[str, ...]]
    break_glass: Mappings

    def sources(self) -> Sequence[Source]:
        found = [Source(BREAK_GLASS, self.break_glass)] if self.break_glass.entries else []
        for name, backend in self.backends.items():
            found.append(Source(name, backend.mappings, self.reserved.get(name, ()), backend.from_copy))
        return found

    def not_ready(self) -> str:
        return "; ".join(backend.not_ready for backend in self.backends.values() if backend.not_ready)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for backend in self.backends.values():
                group.create_task(backend.run())
