"""One authenticated request, as the registry sees it, whether it came over HTTP or from inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from iambridge.core.rbac import User
from iambridge.errors import BadRequest, Invalid
from iambridge.sandbox.cluster.codec import boolean

_MAX_MANAGER = 128


@dataclass(slots=True)
class Call:
    """Who asks, and how. `warnings` collects what the answer's Warning headers say.

    `duplicates` are the body's duplicate fields, `manager` the field manager; `validation` is Strict, Warn or Ignore.
    """

    user: User
    dry_run: bool = False
    manager: str = "unknown"
    explicit_manager: bool = False
    validation: str = "Warn"
    force: bool = False
    duplicates: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, user: User, query: Mapping[str, str], user_agent: str, *, apply: bool = False) -> "Call":
        """Reads dryRun, fieldManager, fieldValidation and force.

        Raises:
            BadRequest: a value that the parameter does not take.
            Invalid: a parameter where it does not belong, or an apply without a manager.
        """
        dry_run = query.get("dryRun", "")
        if dry_run not in {"", "All"}:
            raise _invalid("dryRun", f'Unsupported value: "{dry_run}": supported values: "All"', apply=apply)
        validation = query.get("fieldValidation", "") or "Warn"
        if validation not in {"Strict", "Warn", "Ignore"}:
            words = f'Unsupported value: "{validation}": supported values: "Ignore", "Strict", "Warn"'
            raise _invalid("fieldValidation", words, apply=apply)
        manager = query.get("fieldManager", "")
        if len(manager) > _MAX_MANAGER:
            raise _invalid("fieldManager", f"Too long: may not be more than {_MAX_MANAGER} bytes", apply=apply)
        if not manager.isprintable():
            raise _invalid("fieldManager", f'Invalid value: "{manager!r}": should only contain printable', apply=apply)
        if apply and not manager:
            raise _invalid("fieldManager", "Required value: is required for apply patch", apply=apply)
        force = query.get("force", "")
        if force and not apply:
            raise _invalid("force", "Forbidden: may not be specified for non-apply patch", apply=True)
        return cls(
            user,
            dry_run == "All",
            manager or _of_agent(user_agent),
            bool(manager),
            validation,
            boolean(force, "force"),
        )


def _of_agent(user_agent: str) -> str:
    return user_agent.split("/", maxsplit=1)[0][:_MAX_MANAGER] or "unknown"


def _invalid(name: str, words: str, *, apply: bool) -> Invalid:
    kind = "PatchOptions" if apply else "CreateOptions"
    reason = {"Unsupported": "FieldValueNotSupported", "Required": "FieldValueRequired", "Too": "FieldValueTooLong"}
    cause = {"reason": reason.get(words.split(maxsplit=1)[0], "FieldValueInvalid"), "message": words, "field": name}
    return Invalid(
        f'{kind}.meta.k8s.io "" is invalid: {name}: {words}',
        details={"group": "meta.k8s.io", "kind": kind, "causes": [cause]},
    )


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """A query parameter in decimal, None when absent.

    Raises:
        BadRequest: not a whole number.
    """
    text = query.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax', cause=f"{name} is no number") from None
