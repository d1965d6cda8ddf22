"""The architecture as tests: rooms, sizes, purity, and what the light verbs may import."""

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/iambridge"
FILES = sorted(SOURCE.rglob("*.py"))
FILE_LIMIT = 400
FUNCTION_LIMIT = 60
BANNED_NAMES = {"utils", "util", "common", "helpers", "helper", "models", "services", "manager", "misc"}
HEAVY = ("boto3", "botocore", "kubernetes", "httpx", "pydantic", "rich", "aiohttp", "granian", "moto", "cryptography")


def test_import_contracts_hold() -> None:
    """Data flows one way: every import-linter contract is kept."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(SOURCE)))
def test_file_fits_in_a_head(file: Path) -> None:
    """No file is over 400 lines and no function over 60."""
    text = file.read_text()
    assert text.count("\n") <= FILE_LIMIT, f"{file} has {text.count(chr(10))} lines: split the room"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LIMIT, f"{file}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(SOURCE)))
def test_room_is_named_for_what_it_holds(file: Path) -> None:
    """No room is called utils or the like, and every package says what belongs in it."""
    assert file.stem not in BANNED_NAMES
    if file.name == "__init__.py":
        assert ast.get_docstring(ast.parse(file.read_text())), f"{file} does not say what belongs there"


def test_unit_tests_mirror_the_source() -> None:
    """Every unit test file sits where its source file sits, so that either can be found from the other."""
    strays = []
    for test in (ROOT / "tests/unit").rglob("test_*.py"):
        relative = test.relative_to(ROOT / "tests/unit")
        room = SOURCE / relative.parent
        stem = test.stem.removeprefix("test_")
        homes = [room / f"{stem}.py", room / stem, room.parent / stem / "__init__.py"]
        if not any(home.exists() for home in homes) and not any(stem.startswith(f.stem) for f in room.glob("[!_]*.py")):
            strays.append(str(relative))
    assert strays == [], "\n".join(strays)


def test_architecture_page_names_every_layer() -> None:
    """The architecture page lists the layers that import-linter enforces, in their order."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:rooms"]["layers"].replace("|", " ").split()
    page = (ROOT / "docs/explanation/architecture.md").read_text()
    positions = [page.find(f"| `{layer}") for layer in layers]
    assert all(position >= 0 for position in positions), dict(zip(layers, positions, strict=True))
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["token", "--help"], ["token", "--cluster-name", "demo", "--region", "us-east-1"]],
    ids=" ".join,
)
def test_light_verbs_import_nothing_heavy(arguments: list[str]) -> None:
    """`--help` and `token` with keys in the environment start without any heavy library."""
    program = (
        "import sys\n"
        "from iambridge.cli.main import main\n"
        "try:\n    code = main(sys.argv[1:])\nexcept SystemExit as stop:\n    code = stop.code\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    environment = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x" * 40, "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
