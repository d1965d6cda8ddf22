"""Finds `deploy/`: beside the package in a wheel, beside `src` in a checkout."""

from pathlib import Path

from iambridge.errors import InputError

_PACKAGE = Path(__file__).parents[1]
_PLACES = (_PACKAGE / "deploy", _PACKAGE.parents[1] / "deploy")


def manifest_files(server: str) -> dict[str, str]:
    """The files of `deploy/SERVER` by their path below it.

    Raises:
        InputError: there are none for that server.
    """
    for place in _PLACES:
        base = place / server
        if (base / "kustomization.yaml").is_file():
            return {path.relative_to(base).as_posix(): path.read_text() for path in sorted(base.rglob("*.yaml"))}
    raise InputError(f"there are no manifests of {server}", where=str(_PLACES[0]), fix="install iambridge again")
