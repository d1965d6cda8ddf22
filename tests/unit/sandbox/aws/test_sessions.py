import secrets
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iambridge.core.role_trust import Session
from iambridge.errors import InputError, PackedPolicyTooLarge
from iambridge.sandbox.aws.sessions import SealedSessions

SESSION = Session(
    access_key_id="ASIAEXAMPLE",
    secret_access_key="a-secret",
    account="111122223333",
    kind="role-session",
    principal_arn="arn:aws:sts::111122223333:assumed-role/reader/pod-1",
    entity_arn="arn:aws:iam::111122223333:role/team/reader",
    entity_id="AROAEXAMPLE",
    user_id="AROAEXAMPLE:pod-1",
    issued=1,
    expires=2,
    tags={"team": "a"},
    web_identity={"issuer.example:sub": "s"},
)


def test_a_session_survives_a_restart(tmp_path: Path) -> None:
    """A token sealed before a restart is the same session after it, and short enough for an authenticator token."""
    token = SealedSessions(tmp_path / "key").seal(SESSION)
    assert SealedSessions(tmp_path / "key").unseal(token) == SESSION
    assert len(token) < 1200
    assert "a-secret" not in token + repr(SESSION)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_another_key_or_any_changed_character_unseals_nothing(tmp_path: Path) -> None:
    """A token is opened by its own key only, and only unchanged."""
    sealed = SealedSessions(tmp_path / "key")
    token = sealed.seal(SESSION)
    assert SealedSessions(tmp_path / "other").unseal(token) is None
    for at in range(len(token) - 1):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert sealed.unseal(changed) is None
    assert sealed.unseal("A" * 9000) is None


def test_what_is_sealed_can_always_be_opened(tmp_path: Path) -> None:
    """A session too large for its token is refused when it is made, in AWS's code, and never sealed unreadably."""
    sealed = SealedSessions(tmp_path / "key")
    tags = {secrets.token_hex(16): secrets.token_hex(100) for _ in range(50)}
    with pytest.raises(PackedPolicyTooLarge):
        sealed.seal(msgspec.structs.replace(SESSION, tags=tags))
    few = msgspec.structs.replace(SESSION, tags=dict(list(tags.items())[:20]))
    assert sealed.unseal(sealed.seal(few)) == few


@pytest.mark.parametrize("least", [0, 1, 500, 2047, 2048, 4096])
def test_a_token_is_at_least_as_long_as_it_was_asked_to_be(tmp_path: Path, least: int) -> None:
    """Padding is sealed along, and is no part of the session."""
    sealed = SealedSessions(tmp_path / "key")
    large = msgspec.structs.replace(SESSION, tags={secrets.token_hex(16): secrets.token_hex(100) for _ in range(10)})
    for session in (SESSION, large):
        token, bare = sealed.seal(session, least), sealed.seal(session)
        assert sealed.unseal(token) == session
        assert max(least, len(bare)) <= len(token) <= max(least + 2, len(bare) + 80)


@given(st.text(max_size=60))
def test_garbage_is_no_session(text: str) -> None:
    """Any text that was not sealed here is no session, and raises nothing."""
    assert GARBAGE.unseal(text) is None


@pytest.fixture(scope="module", autouse=True)
def _key(tmp_path_factory: pytest.TempPathFactory) -> None:
    global GARBAGE  # noqa: PLW0603 - hypothesis runs the body many times under one fixture
    GARBAGE = SealedSessions(tmp_path_factory.mktemp("sessions") / "key")


GARBAGE: SealedSessions


def test_a_damaged_key_file_is_refused(tmp_path: Path) -> None:
    """A key file of another size is an error with a fix, not a new key over the old one."""
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(InputError, match="damaged"):
        SealedSessions(tmp_path / "key")
