"""What we need from outside, as Protocols of at most six methods. A port exists only where two real adapters do.

`now` and `new_id` are plain callables and not ports.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from iambridge.core.authenticator_token import CallerIdentity, PresignedCallerIdentity
from iambridge.core.decision import Decision, Reason
from iambridge.core.iam_policy import Policies, Principal
from iambridge.core.pod_identity import Facts
from iambridge.core.role_trust import OidcProvider, Session, TrustedRole
from iambridge.core.service_account_token import VerificationKey


class DecisionLog(Protocol):
    """Keeps every decision for the operator. Implementations must never be handed a token, key or raw pod."""

    def record(self, decision: Decision, *, request_id: str, **request: str) -> None:
        """Write one decision with the non-secret facts of its request."""


@dataclass(frozen=True, slots=True)
class LongTermKey:
    """An IAM user's (or the root user's) access key, with whom it stands for."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    active: bool
    principal: Principal


class IamFacts(Protocol):
    """What STS and the gateway need to know of IAM, at the moment they ask."""

    def access_key(self, access_key_id: str) -> LongTermKey | None:
        """The long-term key of that id, of any account that is served."""

    def role(self, role_arn: str) -> TrustedRole | None:
        """The role with exactly that ARN, path included."""

    def oidc_provider(self, account: str, url: str) -> OidcProvider | None:
        """The account's provider for an issuer `url` without its scheme, spelled exactly so."""

    def principal_tags(self, entity_arn: str, entity_id: str) -> dict[str, str] | None:
        """The tags of the user or role, or None when none with that unique id is there any more."""

    def policies(self, principal: Principal, session: Session | None) -> Policies:
        """The identity policies, boundary and session policies of a caller."""

    def managed_policy_exists(self, policy_arn: str, account: str) -> bool:
        """Whether a session of `account` may name the managed policy."""


class OidcKeys(Protocol):
    """Fetches an issuer's verification keys."""

    async def keys(self, issuer: str, thumbprints: tuple[str, ...], kid: str) -> Sequence[VerificationKey]:
        """The keys that `issuer` (an https URL) publishes, fresh enough; refetched when `kid` is not among them.

        Raises:
            InvalidIdentityToken: the documents cannot be fetched, trusted or read.
            IDPCommunicationError: nobody answers.
        """


class Sessions(Protocol):
    """Makes a session token of a session, and a session of a session token."""

    def seal(self, session: Session, least: int = 0) -> str:
        """The session token: opaque to everybody else, self-contained, and of `least` characters or more."""

    def unseal(self, session_token: str) -> Session | None:
        """The session, or None when this sandbox did not make the token."""


class PodIdentityFacts(Protocol):
    """What is known about a pod's ServiceAccount: from a cluster, or from files."""

    @property
    def synced(self) -> bool:
        """Whether everything has been read once."""

    def known(self, namespace: str, name: str) -> Facts | None:
        """From memory; None when only `read` can tell."""

    async def read(self, namespace: str, name: str) -> Facts:
        """Past the memory, in bounded time. Raises KubernetesError when there is no answer."""


class CallerIdentities(Protocol):
    """Asks STS who signed a presigned GetCallerIdentity."""

    async def caller_identity(self, presigned: PresignedCallerIdentity, cluster_id: str) -> CallerIdentity | Reason:
        """The proven caller, or why STS does not vouch for it.

        Raises:
            Throttling: STS asks to come back later.
            ServiceUnavailable: STS cannot be reached, or fails.
        """


class InstanceNames(Protocol):
    """Knows EC2 instances' private DNS names."""

    async def private_dns_name(self, instance_id: str) -> str:
        """Empty when there is no such instance, or it has no name.

        Raises:
            Throttling: EC2 asks to come back later.
            ServiceUnavailable: EC2 cannot be asked.
        """
