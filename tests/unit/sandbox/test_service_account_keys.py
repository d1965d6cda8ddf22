"""Keys as files: kept over starts, retired with their times, and never lost to a crash."""

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from iambridge.core.service_account_token import SigningKey
from iambridge.errors import InputError
from iambridge.sandbox.service_account_keys import ServiceAccountKeys

NOW = 1_800_000_000
DAY = 86_400
LATER = NOW + 3600


def opened(
    pki: Path, *, algorithm: str | None = None, rotate: bool = False, now: float = NOW
) -> ServiceAccountKeys:  # fmt: skip
    pki.mkdir(exist_ok=True)
    return ServiceAccountKeys(pki, pki / "signing.pem", algorithm=algorithm, rotate=rotate, now=now)


def kids(keys: ServiceAccountKeys) -> list[str]:
    return [key.kid for key in keys.all]


def test_keys_are_kept_and_private(tmp_path: Path) -> None:
    """A second start has the keys of the first, in order, in files that only their owner may read."""
    opened(tmp_path, algorithm="ES256")
    rotated = opened(tmp_path, rotate=True)
    assert [key.alg for key in rotated.all] == ["ES256", "ES256"]
    again = opened(tmp_path)
    assert (kids(again), again.changes) == (kids(rotated), [])
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.rglob("*") if file.is_file()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "service-account-keys").stat().st_mode) == 0o700


def test_a_retired_key_goes_after_its_last_token(tmp_path: Path) -> None:
    """What was issued decides: the end of the longest token, not of the latest one."""
    first = opened(tmp_path, algorithm="ES256")
    first.before_signing(NOW + 365 * DAY)
    first.before_signing(NOW + 3600)
    old = first.all[0].kid
    second = opened(tmp_path, rotate=True, now=NOW + DAY)
    assert kids(second)[1:] == [old]
    assert "a new ES256 key signs; the ES256 key before it stays accepted until 2028-01-1" in second.changes[0]
    assert kids(opened(tmp_path, now=NOW + 365 * DAY))[1:] == [old]
    third = opened(tmp_path, now=NOW + 366 * DAY + 61)
    assert kids(third) == kids(second)[:1]
    assert third.changes == ["removed 1 retired key(s): every token of theirs has expired"]
    assert not list(tmp_path.rglob(f"{old}*"))


def test_a_token_is_recorded_before_it_is_signed(tmp_path: Path) -> None:
    """A record that cannot be written refuses the token: its key might go too early."""
    keys = opened(tmp_path, algorithm="ES256")
    shutil.rmtree(tmp_path / "service-account-keys")
    with pytest.raises(FileNotFoundError):
        keys.before_signing(NOW + DAY)


def test_a_key_of_an_earlier_version_stays(tmp_path: Path) -> None:
    """A single file without a record: which tokens it signed is unknown, so it stays past any usual token's life."""
    old = SigningKey.generate("RS256")
    (tmp_path / "signing.pem").write_bytes(old.to_pem())
    plain = opened(tmp_path)
    plain.before_signing(NOW + 3600)
    assert kids(plain) == [old.kid]
    rotated = opened(tmp_path, algorithm="ES256")
    assert [key.alg for key in rotated.all] == ["ES256", "RS256"]
    assert "stays accepted for good" in rotated.changes[0]
    assert kids(opened(tmp_path, now=NOW + 3650 * DAY)) == kids(rotated)


@pytest.mark.parametrize("name", ["signing.pem", "service-account-keys/{}.pem", "service-account-keys/{}.json"])
def test_an_unreadable_file_is_named(tmp_path: Path, name: str) -> None:
    """Nothing is made anew in its place."""
    old = opened(tmp_path, algorithm="ES256").all[0].kid
    opened(tmp_path, rotate=True)
    broken = tmp_path / name.format(old)
    broken.write_text("{")
    with pytest.raises(InputError, match="not readable") as refused:
        opened(tmp_path, rotate=True)
    assert refused.value.where == str(broken)
    assert broken.read_text() == "{"


def test_death_at_any_step_of_a_rotation_loses_no_key(tmp_path: Path) -> None:
    """The process dies before each of its file operations in turn; the next start verifies every token that lives.

    The rotation retires the signing key beside one that is retired already, and removes one whose tokens are over.
    """
    start = tmp_path / "start"
    over = opened(start, algorithm="ES256").all[0].kid
    opened(start, rotate=True).before_signing(NOW + DAY)
    keys = opened(start, rotate=True)
    keys.before_signing(NOW + DAY)
    (last, retired) = kids(keys)[:2]
    assert kids(keys) == [last, retired, over]
    signs_still = []
    for step in range(1, 100):
        pki = tmp_path / str(step)
        shutil.copytree(start, pki)
        finished = _dies(pki, step)
        found = kids(opened(pki, now=LATER))
        assert {last, retired} <= set(found)
        assert over not in found
        signs_still.append(found[0] == last)
        again = kids(opened(pki, rotate=True, now=LATER))
        assert again[1:] == found
        assert sorted(file.stem for file in pki.rglob("*.pem")) == sorted(["signing", *found])
        assert sorted(file.stem for file in pki.rglob("*.json")) == sorted(again)
        assert not list(pki.rglob(".*"))
        if finished:
            break
    assert finished
    assert signs_still == sorted(signs_still, reverse=True)
    assert set(signs_still) == {True, False}


def _dies(pki: Path, step: int) -> bool:
    """Rotate in a child that is gone before its file operation number `step`; whether it came to its end."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    count = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in {"open", "os.rename", "os.remove", "os.mkdir"} and str(pki) in str(arguments[0]):
            count += 1
            if count == step:
                os._exit(9)

    try:
        sys.addaudithook(watch)
        opened(pki, rotate=True, now=LATER)
        os._exit(0)
    finally:
        os._exit(1)
