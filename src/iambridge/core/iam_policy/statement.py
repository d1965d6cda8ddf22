"""One statement, compiled: its elements as matchers that say yes or no, and keep what they were written as."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from iambridge.core.iam_policy.conditions import Condition
from iambridge.core.iam_policy.matching import ArnTemplate, arn_source, compile_sources, glob_source, split_arn
from iambridge.core.iam_policy.principals import Named, Naming, PrincipalElement
from iambridge.core.iam_policy.variables import Lookup, has_variables, tokens


class Asked(Protocol):
    """What of `request.Question` a statement looks at."""

    @property
    def action(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def principal(self) -> Named: ...
    @property
    def bounded(self) -> bool: ...

    def lookup(self, key: str) -> str | tuple[str, ...] | None: ...


EVERYTHING: Final = ("*", "*:*")
"""Every action of every service."""


class ActionElement:
    """Action or NotAction. Case-insensitive; `*` and `?` only after the service prefix, except `*` and `*:*`."""

    __slots__ = ("_exact", "_match", "negated", "services", "values")

    def __init__(self, values: Sequence[str], *, negated: bool) -> None:
        self.values = tuple(values)
        self.negated = negated
        lowered = [value.lower() for value in values]
        self._exact = frozenset(value for value in lowered if "*" not in value and "?" not in value)
        globs = [glob_source(tokens(value, variables=False)) for value in lowered if value not in self._exact]
        self._match = compile_sources(globs) if globs else None
        # None: any service
        anything = negated or any(value in EVERYTHING for value in lowered)
        self.services = None if anything else frozenset(value.partition(":")[0] for value in lowered)

    def matches(self, action: str) -> bool:
        """`action` is in lower case."""
        found = action in self._exact or (self._match is not None and self._match(action))
        return found is not self.negated


class ResourceElement:
    """Resource or NotResource. Case-sensitive. A variable that cannot be resolved makes the element fail either way."""

    __slots__ = ("_any", "_exact", "_match", "_templates", "negated", "values")

    def __init__(self, values: Sequence[str], *, negated: bool, variables: bool) -> None:
        self.values = tuple(values)
        self.negated = negated
        self._any = "*" in values
        exact: set[str] = set()
        sources: list[str] = []
        templates: list[ArnTemplate] = []
        for value in values:
            cut = tokens(value, variables=variables)
            segments = split_arn(cut)
            if segments is None:
                continue
            if has_variables(cut):
                templates.append(ArnTemplate(segments))
            elif all(isinstance(token, str) for token in cut):
                exact.add("".join(str(token) for token in cut))
            else:
                sources.append(arn_source(segments))
        self._exact = frozenset(exact)
        self._match = compile_sources(sources) if sources else None
        self._templates = tuple(templates)

    def matches(self, resource: str, lookup: Lookup) -> bool:
        found = self._any or resource in self._exact or (self._match is not None and self._match(resource))
        if not found and self._templates:
            answers = [template.matches(resource, lookup) for template in self._templates]
            found = True in answers
            if not found and None in answers:
                return False
        return found is not self.negated


@dataclass(frozen=True, slots=True)
class Statement:
    """`principal` and `resource` are None where the document's kind has none: they then match everything."""

    index: int
    sid: str
    denies: bool
    action: ActionElement
    resource: ResourceElement | None
    principal: PrincipalElement | None
    conditions: tuple[Condition, ...]

    def naming(self, asked: Asked) -> Naming:
        """NOT when the statement does not match, else how closely it names the principal. The action is the index's.

        EXACT for a statement without a principal.
        """
        naming = Naming.EXACT
        if self.principal is not None:
            naming = self.principal.naming(asked.principal, denies=self.denies, bounded=asked.bounded)
            if not naming:
                return naming
        if self.resource is not None and not self.resource.matches(asked.resource, asked.lookup):
            return Naming.NOT
        for condition in self.conditions:
            if not condition.holds(asked.lookup):
                return Naming.NOT
        return naming
