"""Field errors, and the 422 that carries them. Source: apimachinery pkg/util/validation/field, api/errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from iambridge.errors import Invalid


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault: `reason` is the cause's type, `message` is without the field's path, as a Status cause holds it."""

    reason: str
    message: str
    field: str

    def cause(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.message, "field": self.field}

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return msgspec.json.encode(value).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return msgspec.json.encode(value).decode()


def quoted(text: str) -> str:
    return _shown(text)


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", field)


def bad_value(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", f"Invalid value: {_shown(value)}: {detail}", field)


def non_negative(value: int | None, field: str) -> list[FieldError]:
    """A number that is given is not below 0."""
    return [bad_value(field, value, "must be greater than or equal to 0")] if (value or 0) < 0 else []


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", f"Forbidden: {detail}", field)


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", f"Duplicate value: {_shown(value)}", field)


def not_found(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueNotFound", f"Not found: {_shown(value)}", field)


def not_supported(field: str, value: Any, supported: Sequence[str]) -> FieldError:
    names = ", ".join(f'"{name}"' for name in supported)
    return FieldError("FieldValueNotSupported", f"Unsupported value: {_shown(value)}: supported values: {names}", field)


def too_long(field: str, limit: int, *, unit: str = "bytes") -> FieldError:
    return FieldError("FieldValueTooLong", f"Too long: may not be more than {limit} {unit}", field)


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> Invalid:
    """The 422 Status of an object with `errors`: message, details and causes as NewInvalid writes them."""
    shown = ", ".join(dict.fromkeys(str(error) for error in errors))
    if len(set(errors)) > 1:
        shown = f"[{shown}]"
    full_kind = f"{kind}.{group}" if group else kind
    details: dict[str, object] = {
        "name": name,
        "group": group,
        "kind": kind,
        "causes": [error.cause() for error in errors],
    }
    return Invalid(
        f'{full_kind} "{name}" is invalid: {shown}', details={key: value for key, value in details.items() if value}
    )
