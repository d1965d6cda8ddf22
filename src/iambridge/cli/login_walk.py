"""A login walked hop by hop: what was found, who is the user, and the fix of the first refusal."""

from collections.abc import Iterator

from iambridge.core.decision import Reason

UNKNOWN, REFUSED, IN = 3, 1, 0
_VERDICTS = {IN: "in", REFUSED: "refused", UNKNOWN: "unknown"}
_MARKS = {True: "yes", False: "no "}


class Walk:
    """The hops so far; `verdict` is None until one decides, and then the exit code."""

    def __init__(self) -> None:
        self.reasons: list[Reason] = []
        self.fix = ""
        self.verdict: int | None = None
        self.username = ""
        self.groups: tuple[str, ...] = ()

    def passed(self, code: str, text: str, where: str) -> None:
        self.reasons.append(Reason(code, text, where, held=True))

    def failed(self, code: str, text: str, where: str) -> None:
        self.reasons.append(Reason(code, text, where))

    def stop(self, verdict: int, fix: str) -> None:
        self.verdict, self.fix = verdict, fix

    def document(self) -> dict[str, object]:
        """For --json."""
        return {
            "verdict": _VERDICTS[self.verdict or IN],
            "username": self.username,
            "groups": list(self.groups),
            "reasons": [{"code": r.code, "text": r.text, "where": r.where, "held": r.held} for r in self.reasons],
            "fix": self.fix,
        }

    def lines(self) -> Iterator[str]:
        for reason in self.reasons:
            where = f"{reason.where}: " if reason.where else ""
            yield f"  {_MARKS[reason.held]} {where}{reason.text}"
        if self.verdict == IN:
            yield f"let in as {self.username}, groups {', '.join(self.groups) or 'none'}"
        else:
            yield _VERDICTS[self.verdict or IN]
        if self.fix:
            yield f"  fix: {self.fix}"
