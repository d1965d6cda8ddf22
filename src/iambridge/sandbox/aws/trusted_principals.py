"""Whom a trust policy names: users and roles that exist, remembered by their unique ids.

A user or role that is deleted and made again under its name is another one: the policy then shows the id of the one
that it named, which matches nobody. One that was renamed stays trusted.
Source: IAM User Guide, "AWS JSON policy elements: Principal".
"""

import json
from collections.abc import Mapping
from typing import Any

from iambridge.core.iam_policy import PolicyDocument
from iambridge.errors import DocumentFault, MalformedPolicyDocument
from iambridge.sandbox.aws.entities import Principal, Role, User
from iambridge.sandbox.aws.iam_account import IamAccount

_IDS = ("AIDA", "AROA")


def trusted(account: IamAccount, document: PolicyDocument) -> dict[str, str]:
    """The unique id of each user and role of this account that a trust policy names, by the name given.

    Raises:
        MalformedPolicyDocument: one of them does not exist, or an id is nobody's here.
    """
    found: dict[str, str] = {}
    faults: list[tuple[DocumentFault, str]] = []
    for index, statement in enumerate(document.statements):
        element = statement.principal
        for family, value in element.values if element is not None else ():
            if family != "AWS" or not _named_here(account, value):
                continue
            entity = _of_arn(account, value) or _of_id(account, value)
            if entity is not None:
                found[value] = entity.id
            else:
                path = f"Statement[{index}].{'NotPrincipal' if element and element.negated else 'Principal'}.AWS"
                faults.append((DocumentFault(path, f"`{value}` does not exist"), value))
    if faults:
        told = "; ".join(f"{fault.path}: {fault.message}" for fault, _ in faults)
        raise MalformedPolicyDocument(
            f'Invalid principal in policy: "AWS":"{faults[0][1]}" ({told})',
            faults=[fault for fault, _ in faults],
        )
    return found


def trust_as_of_now(account: IamAccount, role: Role) -> str:
    """The role's trust policy with each principal under the name that it has today, or the id of one that is gone."""
    today = {name: _name_of(account, name, unique_id) for name, unique_id in role.trusted.items()}
    renamed = {name: now for name, now in today.items() if now != name}
    if not renamed:
        return role.trust
    document = json.loads(role.trust)
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        for element in ("Principal", "NotPrincipal"):
            if isinstance(named := statement.get(element), dict) and "AWS" in named:
                named["AWS"] = _replaced(named["AWS"], renamed)
    return json.dumps(document, separators=(",", ":"))


def _replaced(given: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(given, list):
        return [renamed.get(value, value) for value in given]
    return renamed.get(given, given)


def _named_here(account: IamAccount, value: str) -> bool:
    return value.startswith(
        (*_IDS, f"arn:aws:iam::{account.account_id}:user/", f"arn:aws:iam::{account.account_id}:role/")
    )


def _name_of(account: IamAccount, name: str, unique_id: str) -> str:
    entity = _of_arn(account, name)
    if entity is None or entity.id != unique_id:
        entity = _of_id(account, unique_id)
    return account.arn(entity) if entity is not None else unique_id


def _of_arn(account: IamAccount, arn: str) -> Principal | None:
    return account.of_arn(Role, arn) if ":role/" in arn else account.of_arn(User, arn)


def _of_id(account: IamAccount, unique_id: str) -> Principal | None:
    everyone: list[User | Role] = [*account.store.all(User), *account.store.all(Role)]
    return next((entity for entity in everyone if entity.id == unique_id), None)
