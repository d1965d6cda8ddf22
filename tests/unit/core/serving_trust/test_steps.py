"""What comes next, on values: first installation, renewal, change of authority, damage."""

import datetime as dt
from collections.abc import Mapping

import pytest

from iambridge.adapters.certificates import key_pem, make_authority, sign_leaf
from iambridge.core import serving_trust as trust
from iambridge.core.serving_trust import NewAuthority, NewLeaf, Publish, Trust, bundle_pem, next_step, read_state

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
NAMES = ("webhook.ns.svc", "127.0.0.1")


class World:
    """A Secret and one caBundle, changed by the steps as the adapter changes them."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.bundle = b""

    def step(self, now: dt.datetime, published_for: float = 1e9) -> trust.Step | None:
        return next_step(read_state(self.data), [self.bundle], NAMES, now=now, published_for=published_for)

    def take(self, step: trust.Step, now: dt.datetime) -> None:
        if isinstance(step, NewAuthority):
            certificate, key = make_authority(trust.AUTHORITY_NAME, now=now, days=trust.AUTHORITY_DAYS)
            self.data |= {
                "ca.crt": bundle_pem([certificate]),
                "ca.key": key_pem(key),
                "ca-bundle.crt": bundle_pem([certificate, *step.predecessors]),
            }
        elif isinstance(step, Trust):
            self.data["ca-bundle.crt"] = bundle_pem(step.trusted)
        elif isinstance(step, Publish):
            self.bundle = step.bundle
        else:
            self.sign(step.names, now)

    def sign(self, names: tuple[str, ...], now: dt.datetime) -> None:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        authority = read_state(self.data).authority
        assert authority is not None
        end = min(now + trust.LEAF_DAYS * DAY, authority.certificate.not_valid_after_utc)
        key = load_pem_private_key(authority.key, None)
        leaf, leaf_key = sign_leaf(authority.certificate, key, "webhook", names, now=now, end=end)  # type: ignore[arg-type]
        self.data |= {"tls.crt": bundle_pem([leaf, authority.certificate]), "tls.key": key_pem(leaf_key)}

    def settle(self, now: dt.datetime) -> list[str]:
        """Every step until there is none."""
        taken = []
        while (step := self.step(now)) is not None:
            self.take(step, now)
            taken.append(type(step).__name__)
            assert len(taken) < 10, taken
        return taken

    def verified(self, now: dt.datetime) -> bool:
        return trust.verifies([self.bundle], read_state(self.data).leaf, now)


@pytest.fixture
def settled() -> World:
    world = World()
    world.settle(NOW)
    return world


def test_an_empty_secret_is_filled_and_the_bundle_comes_before_the_leaf() -> None:
    """First installation: nothing is served before an API server can verify it."""
    world = World()
    assert world.settle(NOW) == ["NewAuthority", "Publish", "NewLeaf"]
    assert world.verified(NOW)


@pytest.mark.parametrize(("days", "steps"), [(0, []), (19, []), (20, ["NewLeaf"]), (31, ["NewLeaf"])])
def test_a_leaf_is_renewed_ten_days_before_its_end(settled: World, days: int, steps: list[str]) -> None:
    """Under the same authority nothing else changes."""
    assert settled.settle(NOW + days * DAY) == steps


def test_a_change_of_authority_overlaps(settled: World) -> None:
    """The new one joins the caBundle, then a leaf under it is made, then after a day the old one goes."""
    old = settled.bundle
    leaf = settled.data["tls.crt"]
    later = NOW + 305 * DAY
    settled.data["tls.crt"], settled.data["tls.key"] = leaf, settled.data["tls.key"]
    settled.sign(NAMES, later - DAY)
    step = settled.step(later)
    assert isinstance(step, NewAuthority)
    settled.take(step, later)
    step = settled.step(later)
    assert isinstance(step, Publish)
    assert old in step.bundle
    settled.take(step, later)
    assert settled.step(later, published_for=trust.SETTLE_SECONDS - 0.1) is None
    step = settled.step(later, published_for=trust.SETTLE_SECONDS)
    assert isinstance(step, NewLeaf)
    settled.take(step, later)
    assert settled.settle(later + DAY / 2) == []
    assert settled.settle(later + DAY * 1.01) == ["Trust", "Publish"]
    assert old not in settled.bundle
    assert settled.verified(later + DAY * 1.01)


@pytest.mark.parametrize(
    ("damage", "steps"),
    [
        ({"ca.key": None}, ["NewAuthority", "Publish", "NewLeaf"]),
        ({"ca.crt": b"x"}, ["NewAuthority", "Publish", "NewLeaf"]),
        ({"ca.key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}, ["NewAuthority", "Publish", "NewLeaf"]),
        ({"tls.key": None}, ["NewLeaf"]),
        ({"tls.crt": None, "tls.key": None}, ["NewLeaf"]),
        ({"ca-bundle.crt": None}, ["Trust"]),
        ({"ca-bundle.crt": b"x"}, ["Trust"]),
        ({"unknown": b"x"}, []),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)  # fmt: skip
def test_damage_is_mended_and_overlaps(settled: World, damage: Mapping[str, bytes | None], steps: list[str]) -> None:
    """Also the way to ask for a rotation by hand. Whatever is lost, the old authority stays trusted for the while."""
    before = settled.bundle
    for key, value in damage.items():
        if value is None:
            settled.data.pop(key)
        else:
            settled.data[key] = value
    assert settled.settle(NOW + DAY) == steps
    assert before in settled.bundle
    assert settled.verified(NOW + DAY)


def test_a_lost_secret_is_remembered_by_the_bundle(settled: World) -> None:
    """Replicas still serve a leaf of the authority that the Secret held."""
    before = settled.bundle
    settled.data.clear()
    settled.settle(NOW + DAY)
    assert before in settled.bundle


@pytest.mark.parametrize("bundle", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_bundle_is_published_again(settled: World, bundle: bytes) -> None:
    """From the Secret, with no new certificate."""
    right, settled.bundle = settled.bundle, bundle
    assert settled.settle(NOW + DAY) == ["Publish"]
    assert settled.bundle == right


def test_foreign_authorities_leave_the_bundle(settled: World) -> None:
    """The caBundle is kept right, which is no more than right."""
    foreign, _ = make_authority("foreign", now=NOW, days=10)
    right = settled.bundle
    settled.bundle += bundle_pem([foreign])
    assert settled.settle(NOW) == ["Publish"]
    assert settled.bundle == right


def test_other_names_are_a_new_leaf(settled: World) -> None:
    """The configuration's clientConfig names the Service or the host that API servers ask for."""
    state = read_state(settled.data)
    step = next_step(state, [settled.bundle], ("other.ns.svc",), now=NOW, published_for=0.0)
    assert isinstance(step, NewLeaf)
    assert step.names == ("other.ns.svc",)


def test_no_configuration_means_no_leaf() -> None:
    """Nobody would verify it: the configuration must be there first."""
    world = World()
    world.take(NewAuthority((), ""), NOW)
    step = next_step(read_state(world.data), [], NAMES, now=NOW, published_for=0.0)
    assert isinstance(step, Publish)


def test_a_state_says_what_is_wrong_and_never_a_key(settled: World) -> None:
    """Faults are words; keys are not shown."""
    settled.data["tls.crt"] = settled.data["ca.crt"]
    state = read_state(settled.data)
    assert state.faults == ("tls.crt does not belong to tls.key",)
    assert "PRIVATE" not in repr(read_state(settled.data))
    settled.data["ca.crt"], settled.data["ca.key"] = settled.data["tls.crt"], settled.data["ca.key"]


def test_a_leaf_is_no_authority(settled: World) -> None:
    """A certificate that may sign none is not taken for one, and one without any extension neither."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    settled.data["ca.crt"], settled.data["ca.key"] = settled.data["tls.crt"], settled.data["tls.key"]
    assert read_state(settled.data).faults == ("ca.crt is not the certificate of an authority",)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    bare = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(NOW).not_valid_after(NOW + DAY).sign(key, hashes.SHA256())
    )  # fmt: skip
    settled.data |= {"ca.crt": bundle_pem([bare]), "ca.key": key_pem(key)}
    assert read_state(settled.data).authority is None
    settled.data |= {"tls.crt": bundle_pem([bare]), "tls.key": key_pem(key)}
    settled.data.pop("ca-bundle.crt")
    settled.bundle = bundle_pem([bare])  # without a name it is not remembered as one of ours
    step = settled.step(NOW)
    assert isinstance(step, NewAuthority)
    assert step.predecessors == ()


def test_a_leaf_without_names_is_replaced(settled: World) -> None:
    """As any leaf with other names is."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    authority = read_state(settled.data).authority
    assert authority is not None
    key = ec.generate_private_key(ec.SECP256R1())
    signing = load_pem_private_key(authority.key, None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    bare = (
        x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(authority.certificate.subject)
        .public_key(key.public_key()).serial_number(2).not_valid_before(NOW).not_valid_after(NOW + 20 * DAY)
        .sign(signing, hashes.SHA256())
    )  # fmt: skip
    settled.data |= {"tls.crt": bundle_pem([bare, authority.certificate]), "tls.key": key_pem(key)}
    assert settled.settle(NOW) == ["NewLeaf"]


def test_what_is_not_valid_yet_is_replaced() -> None:
    """A clock that was set back makes the authority one of the future, and then a leaf."""
    world = World()
    world.settle(NOW)
    step = world.step(NOW - DAY)
    assert isinstance(step, NewAuthority)
    assert "not valid yet" in step.why
    world.settle(NOW)
    world.sign(NAMES, NOW + DAY)
    step = world.step(NOW)
    assert isinstance(step, NewLeaf)
    assert "not valid yet" in step.why


def test_a_leaf_whose_authority_left_the_secret_is_still_verified(settled: World) -> None:
    """Its chain remembers the authority: ca-bundle.crt and ca.crt may both be another's."""
    other = World()
    other.settle(NOW)
    old = read_state(settled.data).authority
    assert old is not None
    settled.data |= {key: other.data[key] for key in ("ca.crt", "ca.key", "ca-bundle.crt")}
    step = settled.step(NOW)
    assert isinstance(step, Trust)
    assert old.certificate in step.trusted


@pytest.mark.parametrize(("days", "good"), [(-1, False), (0, True), (29, True), (30, False)])
def test_a_leaf_is_verified_only_while_it_is_valid(settled: World, days: int, *, good: bool) -> None:
    """By an API server with that caBundle, at that time."""
    assert settled.verified(NOW + days * DAY) is good
    assert not trust.verifies([settled.bundle], None, NOW)
    assert not trust.verifies([], read_state(settled.data).leaf, NOW)
    assert not trust.verifies([settled.bundle, b""], read_state(settled.data).leaf, NOW)
