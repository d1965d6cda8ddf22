import copy
from dataclasses import FrozenInstanceError, replace

import pytest

from iambridge.core.decision import Decision, Outcome, Reason

REASONS = (Reason("no-rule-matched", "no rule matches"),)
PLAIN = Decision("rbac", Outcome.IMPLICIT_DENY, REASONS, "bind a role")


def deferred() -> Decision:
    return Decision.deferred("rbac", Outcome.IMPLICIT_DENY, lambda: (REASONS, "bind a role"))


def test_reasons_are_told_once_and_only_when_read() -> None:
    """The outcome tells nothing; the first look at the reasons or the fix tells both."""
    told: list[str] = []

    def tell() -> tuple[tuple[Reason, ...], str]:
        told.append("told")
        return REASONS, "bind a role"

    decision = Decision.deferred("rbac", Outcome.IMPLICIT_DENY, tell)
    assert not decision.allowed
    assert told == []
    assert (decision.fix, decision.reasons, decision.reasons) == ("bind a role", REASONS, REASONS)
    assert told == ["told"]


def test_a_deferred_decision_is_the_same_value() -> None:
    """Compared, shown, copied or replaced in part, a deferred decision is the plain one."""
    assert deferred() == PLAIN
    assert repr(deferred()) == repr(PLAIN)
    assert copy.copy(deferred()) == PLAIN
    assert replace(deferred(), hop="x") == replace(PLAIN, hop="x")


def test_a_decision_cannot_be_changed_nor_misread() -> None:
    """No attribute can be set, and one that does not exist is refused by its name, told or not."""
    for decision in (deferred(), PLAIN):
        with pytest.raises(FrozenInstanceError):
            decision.fix = ""  # type: ignore[misc]  # the law
        with pytest.raises(AttributeError, match="reason"):
            _ = decision.reason  # type: ignore[attr-defined]  # the law


def test_reasons_are_written_once_for_each_value() -> None:
    """A decision that is reached again is the same value; one that differs is another, and is written anew."""
    for decision in (deferred(), replace(PLAIN)):
        written: list[tuple[Reason, ...]] = []

        def write(reasons: tuple[Reason, ...], written: list[tuple[Reason, ...]] = written) -> bytes:
            written.append(reasons)
            return b"[...]"

        assert decision.written(write) == decision.written(write) == b"[...]"
        assert written == [REASONS]
        other = replace(decision, reasons=())
        assert other.written(lambda reasons: b"[]" if not reasons else b"") == b"[]"
        assert decision == PLAIN
