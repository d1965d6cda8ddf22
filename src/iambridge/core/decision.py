"""A decision and the reasons it was reached by: the one value that servers answer from and `explain` prints."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING


class Outcome(StrEnum):
    """The three outcomes, spelled as IAM's policy simulator spells them (EvalDecision)."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


_NO_FACTS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that was checked.

    `code` is stable and kebab-case, for machines. `text` is one lower-case sentence without a period. `where` names the
    evidence: a document, statement index and Sid, field path or line. `facts` holds the values compared, no secrets.
    `held` says whether the check spoke for the caller.
    """

    code: str
    text: str
    where: str = ""
    held: bool = False
    facts: Mapping[str, str] = field(default_factory=lambda: _NO_FACTS)


Telling = Callable[[], tuple[tuple[Reason, ...], str]]
"""The reasons and the fix of one decision. It reads only values that cannot change after the decision was made."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was asked, the outcome, and every reason in the order it was checked.

    `hop` names the crossing's step, e.g. `sts:AssumeRoleWithWebIdentity`, `s3:PutObject`, `TokenReview`, `rbac`,
    `pod-identity-webhook`. `fix` is what would make a denial an allow, or empty.
    """

    hop: str
    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    fix: str = ""
    _tell: Telling | None = field(default=None, init=False, repr=False, compare=False)
    _written: bytes = field(default=b"", init=False, repr=False, compare=False)

    @classmethod
    def deferred(cls, hop: str, outcome: Outcome, tell: Telling) -> "Decision":
        """A decision whose `reasons` and `fix` are told when one of them is first read.

        Telling costs several times what judging does, and most readers want the outcome only.
        """
        decision = object.__new__(cls)
        _set(decision, "hop", hop)
        _set(decision, "outcome", outcome)
        _set(decision, "_tell", tell)
        _set(decision, "_written", b"")
        return decision

    def written(self, write: Callable[[tuple[Reason, ...]], bytes]) -> bytes:
        """The reasons as a log's line holds them. A decision that is reached again is the same value: written once."""
        if not self._written:
            _set(self, "_written", write(self.reasons))
        return self._written

    if (
        not TYPE_CHECKING
    ):  # pragma: no branch - a __getattr__ in sight of the type checker would admit every misspelt attribute

        def __getattr__(self, name: str) -> object:
            """Tell a deferred decision: Python comes here for a slot that is not filled yet."""
            if name not in ("reasons", "fix") or self._tell is None:
                raise AttributeError(f"a Decision has no `{name}`", name=name, obj=self)
            reasons, fix = self._tell()
            _set(self, "reasons", reasons)
            _set(self, "fix", fix)
            _set(self, "_tell", None)
            return reasons if name == "reasons" else fix

    @property
    def allowed(self) -> bool:
        return self.outcome is Outcome.ALLOWED


_set = object.__setattr__
"""How a frozen value is filled while it is made."""
