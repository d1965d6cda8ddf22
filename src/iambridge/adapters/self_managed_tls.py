"""A serving certificate that the webhook makes for itself: a CA and a leaf in a Secret, the CA in the caBundle.

Every replica serves what the Secret holds. One of them, by a Lease, takes the steps of `core.serving_trust`, each a
single write that names the resourceVersion it was judged from.
"""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from iambridge.adapters.certificates import Leaf, key_pem, make_authority, sign_leaf
from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.adapters.leader_lease import LeaderLease
from iambridge.adapters.private_file import write_private
from iambridge.adapters.serving_certificate import CertificateMetrics
from iambridge.core import serving_trust
from iambridge.core.serving_trust import KeyPair, NewAuthority, NewLeaf, Publish, Step, Trust, TrustState
from iambridge.errors import BridgeError, Conflict, NotFound
from iambridge.wire import webhook_trust

_log = logging.getLogger(__name__)

_POLL_SECONDS = 3.0


class Names(NamedTuple):
    """What the manifests call things. `service` is what the API server asks for by `clientConfig.service`."""

    namespace: str
    service: str
    secret: str
    lease: str
    configuration: str


class SelfManagedCertificate:
    """Keeps `leaf` (files in `directory`) what the replicas serve. `now` is the time, zone-aware."""

    def __init__(
        self,
        client: KubernetesClient,
        names: Names,
        lease: LeaderLease,
        directory: Path,
        *,
        now: Callable[[], dt.datetime],
        metrics: CertificateMetrics,
    ) -> None:
        self._client = client
        self._names = names
        self._lease = lease
        self._now = now
        self._metrics = metrics
        self._secret = path_of("api", "v1", "namespaces", names.namespace, "secrets", names.secret)
        self._configuration = path_of(
            "apis", "admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", names.configuration
        )
        self._served: KeyPair | None = None
        self._published: tuple[bytes, float] | None = None
        self._bundles: tuple[bytes, ...] = ()
        self._failing: dict[str, str] = {}
        self.leaf = Leaf(directory / "tls.crt", directory / "tls.key")
        self.loaded = asyncio.Event()

    @property
    def not_ready(self) -> str:
        """Why no API server would take what is served, as far as is known; or empty."""
        if self._served is None:
            return "there is no serving certificate yet"
        if self._bundles and not serving_trust.verifies(self._bundles, self._served, self._now()):
            return f"the caBundle of {self._names.configuration} does not verify the serving certificate"
        return ""

    async def run(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Read, serve and step for ever, until cancelled. `changed` is called when what is served is another."""
        try:
            while True:
                if not await self._round(changed):
                    await asyncio.sleep(_POLL_SECONDS)
        finally:
            await self._lease.release()

    async def _round(self, changed: Callable[[], Awaitable[None]]) -> bool:
        """Whether a step was taken, so that the next is looked for at once."""
        # INVARIANT: the configuration is read before the Secret. Who holds an outdated Secret then holds an outdated
        # configuration too, and the resourceVersion in its patch keeps it from undoing a newer caBundle.
        configuration = await self._tried("configuration", self._client.get(self._configuration))
        if configuration is not None:
            self._bundles = webhook_trust.bundles(configuration)
            self._said("caBundle", webhook_trust.other_keeper(configuration))
        secret = await self._tried("secret", self._client.get(self._secret))
        if secret is None:
            return False
        state = serving_trust.read_state(webhook_trust.secret_data(secret))
        self._said("content", "; ".join(state.faults))
        await self._serve(state.leaf, changed)
        leading = bool(await self._tried("lease", self._lease.hold()))
        self._metrics.leader.set(int(leading))
        if configuration is None or not leading:
            return False
        names = webhook_trust.hosts(configuration, self._names.service, self._names.namespace)
        step = serving_trust.next_step(
            state, self._bundles, names, now=self._now(), published_for=self._published_for(state)
        )
        if step is None:
            return False
        took = await self._tried("step", self._take(step, state, secret, configuration))
        return bool(took)

    async def _tried(self, what: str, asked: Awaitable[Any]) -> Any:
        """The answer, or None: a failure is counted, and said when it is another than the last one."""
        try:
            answer = await asked
        except Conflict as error:
            _log.info("somebody else wrote first (%s), looking again", error.cause)
            return None
        except (BridgeError, ValueError) as error:
            self._metrics.failures.add(what)
            self._said(what, str(error), missing=isinstance(error, NotFound))
            return None
        self._said(what, "")
        return answer

    def _said(self, what: str, text: str, *, missing: bool = False) -> None:
        if text and self._failing.get(what) != text:
            hint = "; apply the manifests again, the webhook creates nothing" if missing else ""
            _log.warning("self-managed TLS, %s: %s%s; what is served stays", what, text, hint)
        elif not text and self._failing.get(what):
            _log.warning("self-managed TLS, %s: well again", what)
        self._failing[what] = text

    async def _serve(self, leaf: KeyPair | None, changed: Callable[[], Awaitable[None]]) -> None:
        served, now = self._served, self._now()
        if leaf is None or (served is not None and leaf.pem == served.pem):
            return
        verified = serving_trust.verifies(self._bundles, leaf, now)
        if served is not None and not verified and serving_trust.verifies(self._bundles, served, now):
            self._metrics.failures.add("untrusted")
            self._said("untrusted", "the Secret's certificate is not one that the caBundle verifies")
            return
        self._said("untrusted", "")
        write_private(self.leaf.key, leaf.key)
        write_private(self.leaf.certificate, leaf.pem)
        self._served = leaf
        if served is None:
            self._metrics.not_after.set(leaf.certificate.not_valid_after_utc.timestamp())
            self.loaded.set()
        else:
            try:
                await changed()
            except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
                self._served = served
                self._metrics.failures.add("reload")
                self._said("reload", f"the server does not take the new certificate: {error}")
                return
            self._said("reload", "")
            self._metrics.not_after.set(leaf.certificate.not_valid_after_utc.timestamp())
            _log.info("serving the certificate %x of the Secret", leaf.certificate.serial_number)

    def _published_for(self, state: TrustState) -> float:
        """Seconds since the live caBundles were first seen to hold the authority; they say so themselves."""
        authority = state.authority
        if authority is None or not all(
            authority.certificate in serving_trust.certificates_in(bundle) for bundle in self._bundles
        ):
            self._published = None
            return 0.0
        if self._published is None or self._published[0] != authority.pem:
            self._published = (authority.pem, time.monotonic())
        return time.monotonic() - self._published[1]

    async def _take(
        self, step: Step, state: TrustState, secret: Mapping[str, Any], configuration: Mapping[str, Any]
    ) -> bool:
        now, name = self._now(), type(step).__name__
        if isinstance(step, NewAuthority):
            certificate, key = make_authority(serving_trust.AUTHORITY_NAME, now=now, days=serving_trust.AUTHORITY_DAYS)
            data = {
                serving_trust.CA_CERTIFICATE: serving_trust.bundle_pem([certificate]),
                serving_trust.CA_KEY: key_pem(key),
                serving_trust.CA_BUNDLE: serving_trust.bundle_pem([certificate, *step.predecessors]),
            }
            await self._write(secret, data)
        elif isinstance(step, Trust):
            await self._write(secret, {serving_trust.CA_BUNDLE: serving_trust.bundle_pem(step.trusted)})
        elif isinstance(step, NewLeaf):
            await self._write(secret, self._new_leaf(state, step.names, now))
        else:
            await self._publish(step, configuration)
        self._metrics.steps.add(name)
        _log.info("self-managed TLS took the step %s: %s", name, step.why)
        return True

    def _new_leaf(self, state: TrustState, names: tuple[str, ...], now: dt.datetime) -> dict[str, bytes]:
        assert state.authority is not None
        authority = state.authority.certificate
        end = min(now + dt.timedelta(days=serving_trust.LEAF_DAYS), authority.not_valid_after_utc)
        signing = serialization.load_pem_private_key(state.authority.key, None)
        assert hasattr(signing, "sign")
        leaf, key = sign_leaf(authority, signing, self._names.service, names, now=now, end=end)  # type: ignore[arg-type]  # any key that signs
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        chain = serving_trust.bundle_pem([leaf, authority])
        return {serving_trust.CERTIFICATE: chain, serving_trust.KEY: key_pem(key)}

    async def _write(self, secret: Mapping[str, Any], data: Mapping[str, bytes]) -> None:
        await self._client.patch(self._secret, webhook_trust.secret_patch(secret, data))

    async def _publish(self, step: Publish, configuration: Mapping[str, Any]) -> None:
        await self._client.patch(self._configuration, webhook_trust.bundle_patch(configuration, step.bundle))
