"""One condition of a statement: an operator, a key and its values, compiled into a test of a request's context.

Source: IAM User Guide, "Condition operators" and "Multivalued context keys".
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from iambridge.core.iam_policy.operators import OPERATORS, Compare, Operator, comparison
from iambridge.core.iam_policy.variables import Lookup

FOR_ALL: Final = "ForAllValues"
FOR_ANY: Final = "ForAnyValue"
IF_EXISTS: Final = "IfExists"
NULL: Final = Operator("Null", "null")


class UnknownOperatorError(ValueError):
    """A condition operator that does not exist."""


@dataclass(frozen=True, slots=True)
class OperatorName:
    """`ForAllValues:StringLikeIfExists` in its parts; `quantifier` is empty, ForAllValues or ForAnyValue."""

    operator: Operator
    quantifier: str = ""
    if_exists: bool = False

    @classmethod
    def parse(cls, text: str) -> "OperatorName":
        """Raises UnknownOperatorError. Names are case-sensitive."""
        quantifier, colon, name = text.rpartition(":")
        if colon and quantifier not in (FOR_ALL, FOR_ANY):
            raise UnknownOperatorError(f"`{quantifier}` is not ForAllValues or ForAnyValue")
        base = name.removesuffix(IF_EXISTS)
        if_exists = base != name
        if base == NULL.name:
            if quantifier or if_exists:
                raise UnknownOperatorError("Null takes neither ForAllValues, ForAnyValue nor IfExists")
            return cls(NULL)
        operator = OPERATORS.get(base)
        if operator is None:
            near = difflib.get_close_matches(base, [*OPERATORS, NULL.name], n=1)
            raise UnknownOperatorError("unknown operator" + (f"; did you mean {near[0]}?" if near else ""))
        return cls(operator, quantifier, if_exists)


class Condition:
    """`holds(lookup)` is the whole of it; the other attributes are for reasons.

    An absent key: a positive operator fails, a negated one holds, IfExists and ForAllValues hold, ForAnyValue fails.
    A multi-valued key fails every operator without ForAllValues or ForAnyValue: AWS leaves it undefined.
    ForAllValues holds on an empty text too: AWS calls it a null data set.
    An empty list of values matches nothing: a positive operator fails, a negated one holds.
    A value that cannot be compared (no number, a policy's ARN of fewer than six segments) fails the condition, negated
    or not. A variable that cannot be resolved is equal to nothing: a positive operator fails, a negated one holds.
    """

    __slots__ = ("_compare", "_lowered", "_negated", "_when_absent", "key", "name", "operator", "values")

    def __init__(self, name: str, key: str, values: Sequence[str], *, variables: bool) -> None:
        """Raises UnknownOperatorError and operators.UncomparableValueError."""
        self.name = name
        self.operator = OperatorName.parse(name)
        self.key = key
        self.values = tuple(values)
        self._lowered = key.lower()
        operator = self.operator
        self._negated = operator.operator.negated
        self._compare: Compare = (
            comparison(OPERATORS["Bool"], values, variables=False)
            if operator.operator is NULL
            else comparison(operator.operator, values, variables=variables)
        )
        self._when_absent = (
            operator.if_exists or operator.quantifier == FOR_ALL or (self._negated and not operator.quantifier)
        )

    def holds(self, lookup: Lookup) -> bool:
        actual = lookup(self._lowered)
        if self.operator.operator is NULL:
            return bool(self._compare("true" if actual is None or actual == () else "false", lookup))
        if actual is None or actual == ():
            return self._when_absent
        quantifier = self.operator.quantifier
        if quantifier == FOR_ALL and actual in ("", ("",)):
            return True
        if not quantifier:
            return isinstance(actual, str) and self._compare(actual, lookup) is (not self._negated)
        wanted = not self._negated
        values = (actual,) if isinstance(actual, str) else actual
        if quantifier == FOR_ALL:
            return all(self._compare(value, lookup) is wanted for value in values)
        return any(self._compare(value, lookup) is wanted for value in values)
