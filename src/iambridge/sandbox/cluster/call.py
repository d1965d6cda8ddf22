"""One authenticated request, as the registry sees it, whether it came over HTTP or from inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from iambridge.core.rbac import User
from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.codec import boolean
from iambridge.sandbox.cluster.objects import field_error

_MAX_MANAGER = 128
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")


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
    def of(
        cls, user: User, query: Mapping[str, str], user_agent: str, *, verb: str = "create", patch: str = ""
    ) -> "Call":
        """Reads dryRun, fieldManager, fieldValidation and force. `patch` is the kind of patch, empty for none.

        Raises:
            Invalid: a value that a parameter does not take, a parameter where it does not belong, or an apply without
                a manager.
        """
        dry_run, force = query.get("dryRun"), query.get("force", "")
        validation = query.get("fieldValidation", "")
        manager = query.get("fieldManager", "")
        apply = patch == "apply"
        errors = []
        if apply and not manager:
            errors.append(field_error.required("fieldManager", "is required for apply patch"))
        if patch and not apply and force:
            errors.append(field_error.forbidden("force", "may not be specified for non-apply patch"))
        errors += _manager_errors(manager)
        if dry_run not in {None, "All"}:
            errors.append(field_error.not_supported("dryRun", [dry_run], ("All",)))
        if validation not in _VALIDATIONS:
            errors.append(field_error.not_supported("fieldValidation", validation, _VALIDATIONS))
        if errors:
            kind = {"update": "UpdateOptions", "patch": "PatchOptions"}.get(verb, "CreateOptions")
            raise field_error.invalid("meta.k8s.io", kind, "", errors)
        return cls(
            user,
            dry_run == "All",
            manager or _of_agent(user_agent),
            bool(manager),
            validation or "Warn",
            boolean(query, "force"),
        )


def _manager_errors(manager: str) -> list[field_error.FieldError]:
    if len(manager.encode()) > _MAX_MANAGER:
        return [field_error.too_long("fieldManager", _MAX_MANAGER)]
    strange = next((place for place, char in enumerate(manager) if not char.isprintable()), None)
    if strange is None:
        return []
    words = f"invalid character U+{ord(manager[strange]):04X} (at position {strange})"
    return [field_error.bad_value("fieldManager", manager, words)]


def _of_agent(user_agent: str) -> str:
    return user_agent.split("/", maxsplit=1)[0][:_MAX_MANAGER] or "unknown"


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """A query parameter in decimal, None when absent.

    Raises:
        BadRequest: not a whole number.
    """
    text = query.get(name)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax', cause=f"{name} is no number") from None
