"""The embedded API server, put together: store, registry, authentication, authorisation, HTTP."""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from iambridge.adapters.decision_log import NoDecisionLog
from iambridge.core.service_account_token import Proofs, SigningKey
from iambridge.ports import DecisionLog
from iambridge.sandbox.cluster import bootstrap
from iambridge.sandbox.cluster.admission_chain import AdmissionChain
from iambridge.sandbox.cluster.api import Api, Reviews
from iambridge.sandbox.cluster.authenticated import Answer, TokenAuthenticator
from iambridge.sandbox.cluster.authentication import Authentication, StaticTokens
from iambridge.sandbox.cluster.authorization import Authorizer
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.controllers.garbage_collector import ServedResource
from iambridge.sandbox.cluster.custom_resources import CustomResources
from iambridge.sandbox.cluster.issuer import Issuer
from iambridge.sandbox.cluster.kinds import Kinds
from iambridge.sandbox.cluster.metadata import Object
from iambridge.sandbox.cluster.nonresource import NonResource
from iambridge.sandbox.cluster.openapi import OpenApi
from iambridge.sandbox.cluster.pod_logs import LogSource, PodLogs
from iambridge.sandbox.cluster.registry import Registry, decoded
from iambridge.sandbox.cluster.resources import Resources
from iambridge.sandbox.cluster.server import ApiServer
from iambridge.sandbox.cluster.service_account_authentication import Lookup, authenticate_service_account
from iambridge.sandbox.cluster.service_endpoints import ServiceEndpoints
from iambridge.sandbox.cluster.store import Key, Store
from iambridge.sandbox.cluster.subresources import Subresources
from iambridge.sandbox.cluster.token_request import TokenRequests

_MASTERS = ("system:masters", "system:authenticated")


class Cluster:
    """Keeps its state in `directory`, whose lock it holds.

    `issuer_url` is the `iss` of tokens; the first of `signing_keys` signs, all verify. `static_tokens` maps a bearer
    token to a user name and groups. `token_review` is asked for every other token. `now` gives seconds since the epoch.

    Raises:
        InputError: another server runs on the directory, or its database cannot be read.
    """

    def __init__(
        self,
        directory: Path,
        *,
        issuer_url: str,
        server_url: str,
        signing_keys: Sequence[SigningKey],
        static_tokens: Mapping[str, tuple[str, tuple[str, ...]]],
        token_review: TokenAuthenticator | None = None,
        log: DecisionLog | None = None,
        now: Callable[[], float] = time.time,
        before_signing: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._now = now
        self.resources = Resources()
        self.store = Store(directory)
        kinds = Kinds()
        self._admission = AdmissionChain(self.store, kinds, ServiceEndpoints(self.store).resolve)
        self._authorizer = Authorizer(self.store)
        registry = Registry(self.store, kinds, self._admission, self._authorizer, now)
        audiences = (issuer_url,)
        tokens = TokenRequests(
            issuer=issuer_url,
            key=signing_keys[0],
            api_audiences=audiences,
            lookup=self._lookup,
            now=now,
            new_id=lambda: str(uuid.uuid4()),
            before_signing=before_signing,
        )
        issued = IssuedTokens(issuer_url, signing_keys, self._lookup, now)
        authenticators: list[TokenAuthenticator] = [StaticTokens(static_tokens), issued]
        if token_review is not None:
            authenticators.append(token_review)
        authentication = Authentication(authenticators, audiences)
        reviews = Reviews(authentication, self._authorizer, now)
        self._api = Api(self.resources, registry, self._authorizer, reviews, Subresources(registry, tokens))
        self._logs = PodLogs()
        self._ready = False
        self._aggregation = bootstrap.Aggregation(self.client("system:apiserver", _MASTERS), self.store)
        apiserver = self.client("system:apiserver", _MASTERS)
        self._custom_resources = CustomResources(self.store, self.resources, apiserver, now)
        issuer = Issuer(issuer_url, signing_keys)
        address = urlsplit(server_url).netloc
        non_resource = NonResource(self.resources, OpenApi(self.resources), issuer, address, ready=lambda: self._ready)
        server = ApiServer(self._api, authentication, non_resource, self._logs, log=log or NoDecisionLog(), now=now)
        self.app = server.app
        self.issuer_app = issuer.app

    async def start(self) -> None:
        """Make what every cluster starts with, keep aggregated roles up to date, and serve custom kinds."""
        await bootstrap.run(self.client("system:apiserver", _MASTERS), self.store)
        await self._custom_resources.start()
        await self._aggregation.start()
        self._ready = True

    async def close(self) -> None:
        """End all watches, finish the writes under way, and release the directory."""
        self._ready = False
        await self._aggregation.close()
        await self._custom_resources.close()
        await self._admission.close()
        await self.store.close()

    def _lookup(self, resource: str, namespace: str, name: str) -> Object | None:
        stored = self.store.get(Key(resource, namespace, name))
        return decoded(stored) if stored is not None else None

    def client(self, username: str, groups: tuple[str, ...]) -> SystemClient:
        return SystemClient(self._api, username, groups)

    def served(self) -> list[ServedResource]:
        """Every stored resource, once whatever the number of its versions."""
        found = {each.name: each for each in self.resources if not each.virtual and not each.stored_as}
        return [ServedResource(each.name, each.group, each.kind, each.namespaced) for each in found.values()]

    def on_served_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a custom kind has come, changed or gone."""
        self.resources.listeners.append(listener)

    def set_log_source(self, source: LogSource) -> None:
        self._logs.set_source(source)


class IssuedTokens:
    """Knows the service account tokens that this cluster issued, as long as what they name is there."""

    def __init__(self, issuer: str, keys: Sequence[SigningKey], lookup: Lookup, now: Callable[[], float]) -> None:
        self._issuer = issuer
        self._keys = tuple(key.public for key in keys)
        self._proofs = Proofs()
        self._lookup = lookup
        self._now = now

    async def authenticate(self, token: str, audiences: tuple[str, ...]) -> Answer:
        return authenticate_service_account(
            token,
            audiences,
            issuer=self._issuer,
            keys=self._keys,
            proofs=self._proofs,
            lookup=self._lookup,
            now=self._now(),
        )
