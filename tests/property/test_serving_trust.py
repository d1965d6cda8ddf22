"""The law of self-managed TLS: whatever happens, in whatever order, the caBundle verifies what replicas serve."""

import datetime as dt

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from iambridge.adapters.certificates import key_pem, make_authority, sign_leaf
from iambridge.core import serving_trust as trust

NAMES = ("webhook.ns.svc",)


class Rotation(RuleBasedStateMachine):
    """Two replicas, one Secret, one caBundle. A step is one write: a leader may die between any two.

    A replica reads the Secret at least once in 12 hours; people may take keys out of the Secret.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        self.data: dict[str, bytes] = {}
        self.ca_bundle = b""
        self.published = self.now
        self.served: list[trust.KeyPair | None] = [None, None]

    @initialize()
    def install(self) -> None:
        for _ in range(3):
            self.step()
        self.read(0)
        self.read(1)

    def _known(self) -> bool:
        authority = trust.read_state(self.data).authority
        return authority is not None and authority.certificate in trust.certificates_in(self.ca_bundle)

    @rule()
    def step(self) -> None:
        state = trust.read_state(self.data)
        since = (self.now - self.published).total_seconds() if self._known() else 0.0
        step = trust.next_step(state, [self.ca_bundle], NAMES, now=self.now, published_for=since)
        if isinstance(step, trust.NewAuthority):
            certificate, key = make_authority(trust.AUTHORITY_NAME, now=self.now, days=trust.AUTHORITY_DAYS)
            self.data |= {
                trust.CA_CERTIFICATE: trust.bundle_pem([certificate]),
                trust.CA_KEY: key_pem(key),
                trust.CA_BUNDLE: trust.bundle_pem([certificate, *step.predecessors]),
            }
        elif isinstance(step, trust.Trust):
            self.data[trust.CA_BUNDLE] = trust.bundle_pem(step.trusted)
        elif isinstance(step, trust.Publish):
            self.ca_bundle = step.bundle
            self.published = self.now
        elif isinstance(step, trust.NewLeaf):
            assert state.authority is not None
            end = min(self.now + dt.timedelta(days=trust.LEAF_DAYS), state.authority.certificate.not_valid_after_utc)
            signing = load_pem_private_key(state.authority.key, None)
            leaf, key = sign_leaf(state.authority.certificate, signing, "w", NAMES, now=self.now, end=end)  # type: ignore[arg-type]
            self.data[trust.CERTIFICATE] = trust.bundle_pem([leaf, state.authority.certificate])
            self.data[trust.KEY] = key_pem(key)

    @rule(replica=st.sampled_from([0, 1]))
    def read(self, replica: int) -> None:
        leaf = trust.read_state(self.data).leaf
        if leaf is not None:
            self.served[replica] = leaf

    @rule(seconds=st.sampled_from([1, 5, 20, 3600, 11 * 3600]))
    def wait(self, seconds: int) -> None:
        self.now += dt.timedelta(seconds=seconds)
        self.settle()

    @rule(days=st.sampled_from([1, 5, 9, 50]))
    def wait_for_days(self, days: int) -> None:
        """The daemons run all the while."""
        for _ in range(days * 2):
            self.now += dt.timedelta(hours=12)
            self.settle()

    def settle(self) -> None:
        """What the replicas do within any 12 hours, by themselves."""
        for _ in range(8):
            self.step()
        self.now += dt.timedelta(seconds=trust.SETTLE_SECONDS)
        for _ in range(2):
            self.step()
        self.read(0)
        self.read(1)

    @precondition(lambda self: self.data)
    @rule(key=st.sampled_from([trust.CA_CERTIFICATE, trust.CA_KEY, trust.CERTIFICATE, trust.KEY]))
    def take_out(self, key: str) -> None:
        self.data.pop(key, None)

    @rule()
    def wipe_the_secret(self) -> None:
        self.data.clear()

    @invariant()
    def served_is_verified(self) -> None:
        for leaf in self.served:
            if leaf is not None:
                assert trust.verifies([self.ca_bundle], leaf, self.now)


TestRotation = Rotation.TestCase
TestRotation.settings = settings(max_examples=25, stateful_step_count=20, suppress_health_check=[HealthCheck.too_slow])
TestRotation = pytest.mark.filterwarnings("default")(TestRotation)
