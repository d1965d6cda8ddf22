"""The documentation is true: links lead somewhere, and README's commands are ones that run."""

import re
from pathlib import Path

import pytest

from iambridge.cli.main import VERBS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file that exists."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_readme_is_short() -> None:
    """README stays under 150 lines."""
    assert (ROOT / "README.md").read_text().count("\n") < 150


def test_readme_names_only_verbs_that_exist() -> None:
    """Every `iambridge VERB` in README is a verb of the command."""
    verbs = set(re.findall(r"(?:`|\(|^)iambridge ([a-z][a-z-]*)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert verbs
    assert verbs <= set(VERBS)
