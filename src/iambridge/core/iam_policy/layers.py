"""The policy types of an evaluation, in the order they are judged, and the verdict they come to."""

from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from iambridge.core.decision import Outcome
from iambridge.core.iam_policy.request import NamedDocument, Policies
from iambridge.core.iam_policy.statement import Statement


class Layer(StrEnum):
    """A policy type, in AWS's words for it in an access denied message."""

    RESOURCE_CONTROL = "resource control policy"
    SERVICE_CONTROL = "service control policy"
    RESOURCE = "resource-based policy"
    IDENTITY = "identity-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    ENDPOINT = "VPC endpoint policy"

    @property
    def article(self) -> str:
        return "an" if self is Layer.IDENTITY else "a"


class Grant(NamedTuple):
    """A statement that matched, and where it stands."""

    layer: Layer
    document: NamedDocument
    statement: Statement

    @property
    def where(self) -> str:
        return place(self.document, self.statement)


class Verdict(NamedTuple):
    """`layer` is the policy type that denied, None for an allow. `grants` are the statements that decided.

    `note` tells more than the layer does: which level, or which side. `barred`: no policy could allow it.
    A denial's note is a format, of the request.
    """

    outcome: Outcome
    layer: Layer | None
    grants: tuple[Grant, ...]
    note: str = ""
    barred: bool = False


DENIAL_CODES: Final = {
    Layer.RESOURCE_CONTROL: "no-resource-control-policy-allows",
    Layer.SERVICE_CONTROL: "no-service-control-policy-allows",
    Layer.RESOURCE: "no-resource-based-policy-allows",
    Layer.IDENTITY: "no-identity-based-policy-allows",
    Layer.BOUNDARY: "no-permissions-boundary-allows",
    Layer.SESSION: "no-session-policy-allows",
    Layer.ENDPOINT: "no-vpc-endpoint-policy-allows",
}


def place(document: NamedDocument, statement: Statement) -> str:
    """Evidence: `PolicyName Statement[0] (Sid)`."""
    return spot(document.name, statement.index, statement.sid)


@lru_cache(maxsize=1024)
def spot(document: str, index: int, sid: str) -> str:
    """Evidence by the document's name: the same statements allow call after call."""
    return f"{document} Statement[{index}] ({sid})" if sid else f"{document} Statement[{index}]"


def in_play(policies: Policies) -> list[tuple[Layer, NamedDocument]]:
    """Every document with its layer, in the order of evaluation."""
    found: list[tuple[Layer, NamedDocument]] = []
    if policies.resource_control:
        found += [(Layer.RESOURCE_CONTROL, one) for level in policies.resource_control for one in level]
    if policies.service_control:
        found += [(Layer.SERVICE_CONTROL, one) for level in policies.service_control for one in level]
    for layer, documents in (
        (Layer.RESOURCE, policies.resource),
        (Layer.IDENTITY, policies.identity),
        (Layer.BOUNDARY, policies.boundary),
        (Layer.SESSION, policies.session),
        (Layer.ENDPOINT, policies.endpoint),
    ):
        if documents:
            found += [(layer, one) for one in documents]
    return found
