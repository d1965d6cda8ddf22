"""Tokens of a ServiceAccount by TokenRequest, written to a file and replaced there while somebody uses them.

Source: Kubernetes authentication.k8s.io/v1 TokenRequest; what `kubectl create token` sends without a bound object.
"""

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.adapters.token_directory import TokenDirectory
from iambridge.core.service_account_token import REFRESH_FRACTION, refresh_time
from iambridge.errors import BridgeError, Forbidden

_SLICE_SECONDS = 15.0  # a laptop that slept wakes to a clock that jumped: the wall clock is read this often
_LEAST_SECONDS = 0.5  # between two rounds, however short a token's life is
_RETRY_SECONDS, _RETRY_MOST_SECONDS = 5.0, 60.0


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """`audience` is empty for the API server's own; `seconds` is the lifetime asked for, None for its default."""

    namespace: str
    service_account: str
    audience: str = ""
    seconds: int | None = None

    @property
    def path(self) -> str:
        return path_of("api", "v1", "namespaces", self.namespace, "serviceaccounts", self.service_account, "token")


@dataclass(slots=True)
class HeldToken:
    """A token in a file. `expires` and `refresh` are seconds since the epoch."""

    request: TokenRequest
    name: str
    expires: float = 0.0
    refresh: float = 0.0


class TokenFiles:
    """Holds tokens in `directory`. `fraction` is the part of a token's life after which it is replaced.

    `now` gives seconds since the epoch, `tell` takes a line for the person.
    """

    def __init__(
        self,
        client: KubernetesClient,
        directory: TokenDirectory,
        *,
        now: Callable[[], float],
        tell: Callable[[str], None],
        fraction: float = REFRESH_FRACTION,
    ) -> None:
        self._client = client
        self._directory = directory
        self._now = now
        self._tell = tell
        self._fraction = fraction
        self.held: list[HeldToken] = []

    async def hold(self, request: TokenRequest, name: str) -> HeldToken:
        """Get the first token and write it to the file `name`.

        Raises:
            Forbidden: with the RBAC rule that is missing.
            KubernetesError: the API server's refusal.
        """
        held = HeldToken(request, name)
        await self._renew(held)
        self.held.append(held)
        return held

    async def keep_current(self) -> None:
        """Replace each token in time, until cancelled. A token that cannot be replaced stays until it expires."""
        pause = _RETRY_SECONDS
        while True:
            wait = min(held.refresh for held in self.held) - self._now()
            await asyncio.sleep(min(max(wait, _LEAST_SECONDS), _SLICE_SECONDS))
            failed = False
            for held in self.held:
                if self._now() < held.refresh:
                    continue
                try:
                    await self._renew(held)
                except BridgeError as error:
                    failed = True
                    left = int(held.expires - self._now())
                    state = f"is good for {left} s more" if left > 0 else "HAS EXPIRED"
                    self._tell(f"the token could not be renewed and {state}: {error.message}")
            if failed:
                await asyncio.sleep(pause)
            pause = min(pause * 2, _RETRY_MOST_SECONDS) if failed else _RETRY_SECONDS

    async def _renew(self, held: HeldToken) -> None:
        asked = held.request
        spec: dict[str, object] = {"audiences": [asked.audience] if asked.audience else []}
        if asked.seconds is not None:
            spec["expirationSeconds"] = asked.seconds
        document = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        issued = self._now()
        try:
            status = (await self._client.post(asked.path, document))["status"]
        except Forbidden as error:
            raise Forbidden(
                error.message,
                cause=f"you may not create tokens of ServiceAccount {asked.namespace}/{asked.service_account}",
                fix=f"let a Role in namespace {asked.namespace} allow it, and bind it to you: "
                f'{{apiGroups: [""], resources: [serviceaccounts/token], resourceNames: [{asked.service_account}], '
                "verbs: [create]}",
            ) from error
        held.expires = dt.datetime.fromisoformat(str(status["expirationTimestamp"])).timestamp()
        held.refresh = refresh_time(issued, held.expires, 0.0, fraction=self._fraction)
        self._directory.write(held.name, str(status["token"]))
