"""How the entries of one source are read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs between sources, and from the original.

    `ignore_role_path`: `role/path/X` matches sessions of X; off, it matches nobody, as in the original's ConfigMap.
    `session_arns`: an assumed-role ARN stands for its role, as in the original's configuration file.
    `session_name_in_groups`: a template may put the caller-chosen session name in a group.
    `pin_principal_ids`: an entry with `userid` lets in the principal of that unique id only, so that a role or user
    that was deleted and made again under its old name stays out; off, `userid` is read by nobody, as in the original.
    `by_principal_id`: entries are found by `userid`, and an ARN must agree where one is given, as in the original's
    dynamic file with dynamicfileUserIDStrict.
    """

    ignore_role_path: bool = True
    session_arns: bool = False
    session_name_in_groups: bool = False
    pin_principal_ids: bool = False
    by_principal_id: bool = False
