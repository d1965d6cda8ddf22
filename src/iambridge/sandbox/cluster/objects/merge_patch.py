"""JSON merge patch. Source: RFC 7386 section 2, and evanphx/json-patch, which drops nulls within lists too."""

from typing import Any


def apply(document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """`document` with `patch` merged in; neither is changed."""
    return _merge(document, patch)


def _merge(document: Any, patch: dict[str, Any]) -> dict[str, Any]:
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merge(merged.get(key), value)
        elif isinstance(merged.get(key), dict):
            merged[key] = value
        else:
            merged[key] = _without_nulls(value)
    return merged


def _without_nulls(value: Any) -> Any:
    """A list whose objects have no nulls; its own items may be null."""
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    return _merge(None, value) if isinstance(value, dict) else value
