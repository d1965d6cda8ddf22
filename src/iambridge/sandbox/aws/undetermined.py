"""Whether a decision would change with facts that the sandbox does not have. Pure.

A statement that depends on such a fact may match or not. Policies are monotone: an Allow more never denies, a Deny
more never allows. So two decisions, every doubtful statement against the caller and every one for them, enclose the
true one: when they agree it is known, else the call must be refused by name.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from iambridge.core.iam_policy import AuthorizationRequest, NamedDocument, Policies, PolicyDocument, authorize
from iambridge.core.iam_policy.statement import ResourceElement, Statement
from iambridge.core.iam_policy.variables import AnyCharacter, Star, Token, Variable, VariableError, tokens

Documents = tuple[NamedDocument, ...]
Answered = Callable[[str], bool]


def missing(request: AuthorizationRequest, policies: Policies, *, answered: Answered, unsure: bool) -> tuple[str, ...]:
    """The condition keys, and the resource, that the decision hangs on; empty when it stands without them.

    `answered` says of a key in lower case whether its value, or its absence, is known. `unsure`: a `*` in the
    request's resource stands for a part that is not known.
    """
    doubts = _Doubts(request, answered, unsure=unsure)
    against = doubts.resolve(policies, favourable=False)
    if not doubts.found:
        return ()
    if authorize(request, against).allowed == authorize(request, doubts.resolve(policies, favourable=True)).allowed:
        return ()
    return tuple(dict.fromkeys(doubts.found))


class _Doubts:
    def __init__(self, request: AuthorizationRequest, answered: Answered, *, unsure: bool) -> None:
        self.found: list[str] = []
        self._request = request
        self._action = request.action.lower()
        self._answered = answered
        self._unsure = unsure and "*" in request.resource

    def resolve(self, policies: Policies, *, favourable: bool) -> Policies:
        def each(documents: Documents | None) -> Documents | None:
            return None if documents is None else tuple(self._document(d, favourable=favourable) for d in documents)

        return replace(
            policies,
            identity=each(policies.identity) or (),
            boundary=each(policies.boundary),
            session=each(policies.session),
            resource=each(policies.resource),
        )

    def _document(self, named: NamedDocument, *, favourable: bool) -> NamedDocument:
        document = named.document
        statements = [
            settled for s in document.statements if (settled := self._statement(s, favourable=favourable)) is not None
        ]
        if len(statements) == len(document.statements) and all(map(_same, statements, document.statements)):
            return named
        return NamedDocument(
            named.name, PolicyDocument(document.kind, document.version, tuple(statements), document.text)
        )

    def _statement(self, statement: Statement, *, favourable: bool) -> Statement | None:
        """The statement itself when nothing of it is in doubt; else without what is, or None for not matching."""
        if not statement.action.matches(self._action):
            return statement
        kept = tuple(c for c in statement.conditions if self._known([c.key], c.values))
        resource = statement.resource
        if resource is not None and not self._resource_known(resource):
            resource = None
        if len(kept) == len(statement.conditions) and resource is statement.resource:
            return statement
        if statement.denies == favourable:
            return None
        return replace(statement, conditions=kept, resource=resource)

    def _known(self, keys: list[str], values: tuple[str, ...]) -> bool:
        unknown = [key for key in (*keys, *_variables(values)) if not self._answered(key.lower())]
        self.found += unknown
        return not unknown

    def _resource_known(self, resource: ResourceElement) -> bool:
        if not self._known([], resource.values):
            return False
        if not self._unsure or "*" in resource.values:
            return True
        asked = self._request.resource
        if not any(overlap(asked, value) for value in resource.values):
            return True
        # literal stand-ins: only a wildcard of the pattern's own covers both
        covered = all(
            any(_covers(value, asked.replace("*", stand_in)) for value in resource.values) for stand_in in ("*", "\0\0")
        )
        if not covered:
            self.found.append(asked)
        return covered


def _same(one: Statement, other: Statement) -> bool:
    return one is other


def _variables(values: tuple[str, ...]) -> Iterator[str]:
    for value in values:
        if "${" in value:
            yield from (token.key for token in _tokens(value) if isinstance(token, Variable))


def _tokens(value: str) -> tuple[Token, ...]:
    try:
        return tokens(value, variables=True)
    except VariableError:
        # literal in a document of Version 2008-10-17, and refused in any other
        return tokens(value, variables=False)


def _covers(pattern: str, text: str) -> bool:
    return ResourceElement([pattern], negated=False, variables=False).matches(text, lambda _: None)


def overlap(one: str, other: str) -> bool:
    """Whether some text matches both patterns, `*` and `?` being wild in each. A policy variable counts as `*`."""
    left, right = _wild(one), _wild(other)
    reached: list[bool] = []
    for i in range(len(left) + 1):
        row: list[bool] = []
        for j in range(len(right) + 1):
            above, before = bool(i) and reached[j], bool(j) and row[j - 1]
            if i and j and "*" not in {left[i - 1], right[j - 1]}:
                row.append(reached[j - 1] and _meet(left[i - 1], right[j - 1]))
            elif i and j:
                row.append(above or before)
            else:
                # against nothing, only stars
                row.append((not i and not j) or (above and left[i - 1] == "*") or (before and right[j - 1] == "*"))
        reached = row
    return reached[-1]


def _meet(one: str, other: str) -> bool:
    return one == other or "?" in {one, other}


def _wild(pattern: str) -> str:
    """The pattern with one character for each wildcard."""
    signs = {AnyCharacter: "?", Star: "*", Variable: "*"}
    return "".join(token if isinstance(token, str) else signs[type(token)] for token in _tokens(pattern))
