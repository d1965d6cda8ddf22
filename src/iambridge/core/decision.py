"""A decision and the reasons it was reached by: the one value that servers answer from and `explain` prints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


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

    @property
    def allowed(self) -> bool:
        return self.outcome is Outcome.ALLOWED
