"""What the how-to pages tell people to type is what the command takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from iambridge.cli.main import VERBS, parser

PAGES = Path(__file__).parents[3] / "docs/how-to"
TOOLBOX = ("lock-outs.md", "access-entries.md", "pod-identity-on-a-laptop.md")


def commands() -> Iterator[tuple[str, str]]:
    for name in TOOLBOX:
        text = (PAGES / name).read_text()
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
            for part in line.strip().split("|"):
                if part.strip().startswith("iambridge "):
                    yield name, part.strip().partition(" > ")[0]


@pytest.mark.parametrize(("page", "line"), list(commands()))
def test_every_command_parses(page: str, line: str) -> None:
    """No flag is misspelt, no verb is gone."""
    words = shlex.split(line)[1:]
    assert words[0] in VERBS, page
    parser(words[0]).parse_args(words)


def test_there_are_commands() -> None:
    assert {page for page, _ in commands()} == set(TOOLBOX)
