"""Grants of a KMS key: which of them allow a call, told as the resource policy that they amount to. Pure.

Source: KMS Developer Guide, "Grants in AWS KMS": grant operations, grant constraints, granting CreateGrant permission.
A grant only allows: an explicit Deny anywhere goes before it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

CREATE, RETIRE = "CreateGrant", "RetireGrant"
# the operations that take an encryption context, on which alone constraints count
WITH_CONTEXT = frozenset(
    {
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
    }
)


@dataclass(frozen=True, slots=True)
class Grant:
    """`grantee` and `retiring` are as a policy's Principal names them; `equals` and `subset` are the constraints."""

    id: str
    grantee: str
    operations: frozenset[str]
    retiring: str = ""
    equals: Mapping[str, str] = field(default_factory=dict)
    subset: Mapping[str, str] = field(default_factory=dict)

    def allows(self, operation: str, context: Mapping[str, str]) -> bool:
        """Whether the grantee may call `operation` with an encryption context. Names and values compare exactly."""
        if operation not in self.operations:
            return False
        if operation not in WITH_CONTEXT:
            return True
        return (not self.equals or dict(context) == dict(self.equals)) and self.subset.items() <= context.items()

    def delegates(self, child: "Grant") -> bool:
        """Whether the grantee may create `child` by this grant: no operation more, constraints as strict at least."""
        if CREATE not in self.operations or not child.operations <= self.operations:
            return False
        if self.equals:
            return dict(child.equals) == dict(self.equals)
        return self.subset.items() <= child.subset.items() or self.subset.items() <= child.equals.items()


def policy(
    grants: Iterable[Grant],
    operation: str,
    context: Mapping[str, str],
    *,
    child: Grant | None = None,
    retired: str = "",
) -> str:
    """The statements that the grants of a key are worth for one call, as a policy document; empty for none.

    `child` is what CreateGrant would make, `retired` the id of what RetireGrant would end: its retiring principal may
    end it, and its grantee when that is among its operations.
    """
    statements = []
    for grant in grants:
        principals = []
        if operation == CREATE:
            principals = [grant.grantee] if child is not None and grant.delegates(child) else []
        elif operation == RETIRE:
            mine = [grant.grantee] if RETIRE in grant.operations else []
            principals = [*mine, *filter(None, [grant.retiring])] if grant.id == retired else []
        elif grant.allows(operation, context):
            principals = [grant.grantee]
        if principals:
            statements.append(
                {
                    "Sid": f"Grant{grant.id}",
                    "Effect": "Allow",
                    "Principal": {"AWS": principals},
                    "Action": f"kms:{operation}",
                    "Resource": "*",
                }
            )
    return json.dumps({"Version": "2012-10-17", "Statement": statements}) if statements else ""
