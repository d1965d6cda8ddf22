"""One step of a story: why, a real command, and what its output must show.

Stories are data, so that `iambridge demo` and the journey tests play the very same steps.
"""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Crossing:
    """A row of the table: who crosses, to do what, and what must come of it (`allowed`, or the error's code)."""

    who: str
    what: str
    expected: str


@dataclass(frozen=True, slots=True)
class Step:
    """A command line with `{names}` filled in from the world; it runs without a shell.

    `shows` and `hides` are substrings of stdout and stderr together. `environment` overrides names (None removes one);
    `alone` starts from an empty environment plus PATH and a HOME of its own. `keep` maps a world name to a dotted path
    in the JSON output; a kept name that starts with `secret_` is never printed. `exit_code` None is any but 0.
    `within` repeats the command until it does what it should, for so many seconds. `prepare` may write files or set
    names first. `beside` runs at the same time as the step before it, on which it does not rely.
    """

    name: str
    why: str
    command: str
    crossing: Crossing | None = None
    exit_code: int | None = 0
    shows: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict)
    alone: bool = False
    keep: Mapping[str, str] = field(default_factory=dict)
    within: float = 0.0
    output_lines: int = 12
    prepare: "Callable[[World], None] | None" = None
    beside: bool = False


def together(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """The steps in order, those that run at the same time in one list."""
    group: list[Step] = []
    for step in steps:
        if group and not step.beside:
            yield group
            group = []
        group.append(step)
    if group:
        yield group


class World:
    """What steps share: names to fill in, a working directory, and the clients' environment."""

    def __init__(self, directory: Path, environment: Mapping[str, str], names: Mapping[str, str]) -> None:
        self.directory = directory
        self.environment = dict(environment)
        self.names = dict(names)

    def fill(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace("{" + name + "}", value)
        return text

    def argv(self, step: Step) -> list[str]:
        return [self.fill(word) for word in shlex.split(step.command)]

    def shown(self, step: Step) -> str:
        """The command as a person would type it, secrets left out."""
        words = [self.mask(word) for word in self.argv(step)]
        changes = [
            f"{name}={self.mask(self.fill(value))}"
            for name, value in step.environment.items()
            if value is not None and not value.startswith("{secret_")
        ]
        return " ".join([*changes, shlex.join(words)])

    def mask(self, text: str) -> str:
        for name, value in self.names.items():
            if name.startswith("secret_") and value:
                text = text.replace(value, "****")
        return text

    def environment_of(self, step: Step) -> dict[str, str]:
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        base = {"PATH": self.environment["PATH"], "HOME": str(home)} if step.alone else dict(self.environment)
        for name, value in step.environment.items():
            if value is None:
                base.pop(name, None)
            else:
                base[name] = self.fill(value)
        return base

    def keep(self, step: Step, output: str) -> None:
        """Take `step.keep` out of JSON output.

        Raises:
            LookupError, ValueError: the output is not JSON, or lacks the path.
        """
        if not step.keep:
            return
        document = json.loads(output)
        for name, path in step.keep.items():
            value = document
            for part in path.split("."):
                value = value[int(part)] if isinstance(value, list) else value[part]
            self.names[name] = str(value)

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path
