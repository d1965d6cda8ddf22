from typing import Any

import pytest

from iambridge.core import label_selector

LABELS = {"app": "web", "tier": "front"}


def expression(operator: str, key: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": None, "matchExpressions": None}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "back"}}, False),
        ({"matchLabels": {"gone": "web"}}, False),
        (expression("In", "app", "db", "web"), True),
        (expression("In", "app", "db"), False),
        (expression("In", "gone", "web"), False),
        (expression("NotIn", "app", "db"), True),
        (expression("NotIn", "app", "web"), False),
        (expression("NotIn", "gone", "web"), True),
        (expression("Exists", "app"), True),
        (expression("Exists", "gone"), False),
        (expression("DoesNotExist", "gone"), True),
        (expression("DoesNotExist", "app"), False),
        ({"matchLabels": {"app": "web"}, **expression("DoesNotExist", "tier")}, False),
        ({"matchLabels": {"app": "db"}, **expression("Exists", "tier")}, False),
    ],
)
def test_what_a_selector_selects(selector: dict[str, Any] | None, *, selected: bool) -> None:
    """As apimachinery has it: all must hold; NotIn holds for a label that is absent; absent selects nothing."""
    assert label_selector.matches(selector, LABELS) is selected


def test_an_operator_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match='"Near" is not a valid label selector operator'):
        label_selector.matches(expression("Near", "app"), LABELS)
