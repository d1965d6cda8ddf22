"""The image, as far as it can be proved without an engine: its file, its pins, and what the wheel inside it does."""

import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "deploy/Dockerfile"


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text()))
    return [
        (word.upper(), rest.strip())
        for word, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())
    ]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


def test_only_known_instructions_in_two_stages() -> None:
    """Build tools stay behind in the first stage; nothing is fetched by ADD."""
    assert {word for word, _ in instructions()} <= {
        "ARG",
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "ENV",
        "USER",
        "ENTRYPOINT",
        "CMD",
    }
    build, final = stages()
    assert "RUN" in dict(build)
    assert "RUN" not in dict(final)
    assert [rest for word, rest in final if word == "COPY"] == ["--from=build /opt/iambridge /opt/iambridge"]


def test_base_images_name_no_registry() -> None:
    """The ordinary name, from wherever the builder's engine is told to pull."""
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert bases == ["python:${PYTHON}"] * 2
    assert "://" not in DOCKERFILE.read_text()


def test_it_runs_as_a_number_that_is_not_root() -> None:
    """runAsNonRoot is judged by the number."""
    final = dict(stages()[-1])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", final["USER"])
    assert final["ENTRYPOINT"] == '["iambridge"]'


def test_what_is_copied_is_there_and_let_through() -> None:
    """Each source exists, and the ignore file keeps none of it out."""
    let_through = {
        line[1:] for line in (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")
    }
    for word, rest in stages()[0]:
        if word == "COPY":
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists()
                assert source in let_through


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([a-z0-9_.-]+)==([^ ;\\]+)", (ROOT / "requirements" / name).read_text()))


def test_dependencies_are_pinned_with_hashes_as_everywhere() -> None:
    """The daemons' pins are those of the sandbox, each with a hash, and hold every dependency of the project."""
    install = next(rest for word, rest in stages()[0] if word == "RUN")
    assert "--require-hashes" in install
    assert "-r requirements/daemons.txt" in install
    daemons = pins("daemons.txt")
    assert daemons.items() <= pins("sandbox.txt").items()
    text = (ROOT / "requirements/daemons.txt").read_text()
    assert all("--hash=sha256:" in block for block in re.split(r"(?m)^(?=[a-z])", text) if "==" in block)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for wanted in (*project["project"]["dependencies"], *project["dependency-groups"]["build"]):
        assert re.split(r"[><=; \[]", wanted)[0] in daemons


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked into a directory of its own."""
    directory = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    common = ["--no-deps", "--no-index"]
    subprocess.run([*pip, "wheel", *common, "--no-build-isolation", "-w", directory, ROOT], check=True)
    subprocess.run([*pip, "install", *common, "--target", directory / "site", *directory.glob("*.whl")], check=True)
    return directory / "site"


def test_the_wheel_holds_the_manifests(wheel: Path, tmp_path: Path) -> None:
    """`iambridge manifests` prints the same from the wheel as from the checkout."""
    here = subprocess.run([sys.executable, "-m", "iambridge", "manifests", "webhook"], capture_output=True, check=True)
    there = subprocess.run(
        [sys.executable, "-m", "iambridge", "manifests", "webhook"],
        capture_output=True, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(wheel)},
    )  # fmt: skip
    assert there.stdout == here.stdout
    found = subprocess.run(
        [sys.executable, "-c", "import iambridge; print(iambridge.__file__)"],
        capture_output=True, check=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(wheel)},
    )  # fmt: skip
    assert found.stdout.startswith(str(wheel))


def test_the_daemons_need_no_more_than_their_pins(wheel: Path, tmp_path: Path) -> None:
    """They load where nothing but the packages of daemons.txt is."""
    wanted, owners = pins("daemons.txt"), importlib.metadata.packages_distributions()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        owning = owners.get(entry.name.partition(".")[0], ())
        if {one.lower().replace("_", "-") for one in owning} & wanted.keys():
            (tmp_path / entry.name).symlink_to(entry)
    program = (
        f"import sys; sys.path[:0] = [{str(wheel)!r}, {str(tmp_path)!r}]\n"
        "import iambridge.cli.webhook_daemon, iambridge.cli.authenticator_daemon, iambridge.adapters.manifests\n"
        "import iambridge.wire.kustomization\n"
        "try:\n    import boto3\nexcept ModuleNotFoundError:\n    print('nothing else is there')\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, check=False, text=True)
    assert done.stdout == "nothing else is there\n", done.stderr
