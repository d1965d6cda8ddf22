"""The mapping backends of an authenticator, in the order in which they are asked."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    _kept: dict[str, Source] = field(default_factory=dict, init=False, repr=False, compare=False)

    def sources(self) -> Sequence[Source]:
        """What every backend maps at this moment. A Source is made when that has changed, not for every review."""
        found = []
        if not self.break_glass.empty:
            found.append(self._source(BREAK_GLASS, self.break_glass, from_copy=False))
        for name, backend in self.backends.items():
            found.append(self._source(name, backend.mappings, from_copy=backend.from_copy))
        return found

    def _source(self, name: str, mappings: Mappings, *, from_copy: bool) -> Source:
        kept = self._kept.get(name)
        if kept is None or kept.mappings is not mappings or kept.from_copy != from_copy:
            kept = self._kept[name] = Source(name, mappings, self.reserved.get(name, ()), from_copy)
        return kept

    def not_ready(self) -> str:
        missing = [reason for backend in self.backends.values() if (reason := backend.not_ready)]
        return "; ".join(missing) if missing else ""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for backend in self.backends.values():
                group.create_task(backend.run())
