"""A policy document: read with every fault, compiled at load, and indexed by action."""

from collections.abc import Iterator, Mapping
from typing import Final

from iambridge.core.iam_policy.grammar import read
from iambridge.core.iam_policy.reading import PolicyKind
from iambridge.core.iam_policy.statement import Statement
from iambridge.core.iam_policy.variables import Variable, tokens
from iambridge.errors import MalformedPolicyDocument

_REMEMBERED: Final = 1024

ForAction = tuple[tuple[Statement, ...], tuple[Statement, ...]]
"""The Deny and the Allow statements whose Action matches, in the document's order."""


class PolicyDocument:
    """Immutable. `text` is the document as it was given (a mapping is rendered as JSON)."""

    __slots__ = ("_any_service", "_by_action", "_by_service", "has_denies", "kind", "statements", "text", "version")

    def __init__(self, kind: PolicyKind, version: str, statements: tuple[Statement, ...], text: str) -> None:
        self.kind = kind
        self.version = version
        self.statements = statements
        self.text = text
        self.has_denies = any(statement.denies for statement in statements)
        services = {s for statement in statements for s in statement.action.services or ()}
        self._by_service = {
            service: tuple(s for s in statements if s.action.services is None or service in s.action.services)
            for service in services
        }
        self._any_service = tuple(s for s in statements if s.action.services is None)
        # a pure function's answers, remembered: the same few actions are asked again and again
        self._by_action: dict[str, ForAction] = {}

    @classmethod
    def parse(
        cls, document: str | bytes | Mapping[str, object], *, kind: PolicyKind, limit: int | None = None
    ) -> "PolicyDocument":
        """Read a document. `limit` is the most characters without white space; None is the kind's own limit.

        Raises MalformedPolicyDocument with every fault and its path.
        """
        reading = read(document, PolicyKind(kind), limit=limit)
        if reading.faults:
            raise MalformedPolicyDocument(reading.message, faults=reading.faults)
        return cls(PolicyKind(kind), reading.version, tuple(reading.statements), reading.text)

    def for_action(self, action: str) -> ForAction:
        """`action` is in lower case."""
        found = self._by_action.get(action)
        if found is None:
            statements = self._by_service.get(action.partition(":")[0], self._any_service)
            matching = [statement for statement in statements if statement.action.matches(action)]
            found = (tuple(s for s in matching if s.denies), tuple(s for s in matching if not s.denies))
            if len(self._by_action) >= _REMEMBERED:
                self._by_action.clear()
            self._by_action[action] = found
        return found

    def context_keys(self, action: str | None = None) -> Iterator[str]:
        """The condition keys, as written, of the statements for an action (in lower case), or of all."""
        for statement in self.statements:
            if action is not None and not statement.action.matches(action):
                continue
            values = list(statement.resource.values if statement.resource else ())
            for condition in statement.conditions:
                yield condition.key
                if condition.operator.operator.takes_variables:
                    values += condition.values
            if self.version != "2008-10-17":
                for value in values:
                    yield from (token.key for token in tokens(value, variables=True) if isinstance(token, Variable))
