"""Other languages' SDKs, installed once at their pinned versions, outside the repository."""

import contextlib
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "sdk_programs"
_INSTALL_SECONDS = 600

Command = list[str]


def javascript(cache: Path, program: str) -> Command:
    """A program of `sdk_programs/javascript` beside the packages of its lock; skips where they cannot be."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node or npm is not on PATH: the JavaScript SDK cannot run")
    source = PROGRAMS / "javascript"
    pins = [source / "package.json", source / "package-lock.json"]
    place = cache / f"javascript-sdk-{content_hash(pins)}"
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=cache) as directory:
            fresh = Path(directory) / "sdk"
            fresh.mkdir()
            for pin in pins:
                shutil.copy(pin, fresh)
            quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            install(["npm", "ci", *quiet], fresh, "npm could not install the JavaScript SDK")
            # whole or not at all; another run may have been first
            with contextlib.suppress(OSError):
                fresh.rename(place)
    there = place / program  # node looks for modules beside the program
    there.write_bytes((source / program).read_bytes())
    return ["node", str(there)]


def go(cache: Path) -> Command:
    """The program of `sdk_programs/go`, built once for each content of it; skips where it cannot be."""
    if not shutil.which("go"):
        pytest.skip("go is not on PATH: the Go SDK cannot be built")
    source = PROGRAMS / "go"
    binary = cache / f"go-sdk-{content_hash(sorted(source.iterdir()))}"
    if not binary.exists():
        with tempfile.TemporaryDirectory(dir=cache) as directory:
            fresh = Path(directory) / "crossing"
            install(
                ["go", "build", "-mod=readonly", "-o", str(fresh), "."], source, "the Go SDK's program did not build"
            )
            fresh.rename(binary)
    return [str(binary)]


def java(cache: Path) -> Command:
    """The program of `sdk_programs/java`, compiled once for each content of it; skips where it cannot be."""
    if missing := [tool for tool in ("mvn", "javac", "java", "keytool") if not shutil.which(tool)]:
        pytest.skip(f"{missing[0]} is not on PATH: the Java SDK cannot run")
    source = PROGRAMS / "java"
    place = cache / f"java-sdk-{content_hash(sorted(source.iterdir()))}"
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=cache) as directory:
            fresh = Path(directory) / "sdk"
            shutil.copytree(source, fresh)
            copy = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
            install(copy, fresh, "Maven could not install the Java SDK")
            install(["javac", "-cp", "jars/*", "Crossing.java"], fresh, "the Java SDK's program did not build")
            # whole or not at all; another run may have been first
            with contextlib.suppress(OSError):
                fresh.rename(place)
    return ["sh", str(place / "crossing.sh")]


def content_hash(files: list[Path]) -> str:
    """16 hexadecimal digits that change with the content of the files."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def install(command: Command, directory: Path, failed: str) -> None:
    """Run an installing command in a directory; skips with `failed` where it does not succeed."""
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{failed} within {_INSTALL_SECONDS} s")
    if done.returncode:
        pytest.skip(f"{failed}: {(done.stderr or done.stdout)[-300:]}")  # Maven tells its errors on stdout
