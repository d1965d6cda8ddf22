"""Which single step comes next, so that a crash between any two leaves a caBundle that verifies what is served.

The order of a change of authority: a new one is made and trusted beside the old one in the Secret; the caBundle takes
both; only then a leaf under the new one is made; only after every replica serves that leaf does the old one go.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from iambridge.core.serving_trust.state import (
    AUTHORITY_NAME,
    KeyPair,
    TrustState,
    bundle_pem,
    certificates_in,
    issued_by,
)

AUTHORITY_DAYS, LEAF_DAYS = 365, 30
SETTLE_SECONDS = 10.0  # from the caBundle's change until every API server has seen it by its watch
_AUTHORITY_RENEWAL = dt.timedelta(days=60)
_LEAF_RENEWAL = dt.timedelta(days=10)
_OVERLAP = dt.timedelta(hours=24)  # an authority is trusted so long after the leaf that follows its own


@dataclass(frozen=True, slots=True)
class NewAuthority:
    """Make an authority, and trust it before `predecessors`."""

    predecessors: tuple[x509.Certificate, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Trust:
    """Write that exactly `trusted` are to be trusted."""

    trusted: tuple[x509.Certificate, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Make the webhook configuration's caBundle `bundle` (PEM)."""

    bundle: bytes
    why: str


@dataclass(frozen=True, slots=True)
class NewLeaf:
    """Sign a leaf for `names` (DNS names and IP addresses) under the authority."""

    names: tuple[str, ...]
    why: str


Step = NewAuthority | Trust | Publish | NewLeaf


def next_step(
    state: TrustState, bundles: Sequence[bytes], names: tuple[str, ...], *, now: dt.datetime, published_for: float
) -> Step | None:
    """The next step, or None when all is as it should be.

    `bundles` are the live caBundles, PEM, one a webhook of the configuration. `published_for` is for how many seconds
    they have been seen to hold the authority.
    """
    authority = state.authority
    why = _authority_fault(authority, now)
    if why or authority is None:
        return NewAuthority(_predecessors(state, bundles, now), why)
    wanted = _wanted(state, authority, now)
    if set(state.trusted) != set(wanted):
        return Trust(wanted, "the authorities to trust have changed")
    if not is_published(bundles, wanted):
        return Publish(bundle_pem(wanted), "the caBundle is not what it should be")
    why = _leaf_fault(state.leaf, authority, names, now)
    if not why:
        return None
    changes = state.leaf is not None and not issued_by(state.leaf.certificate, authority.certificate)
    if changes and verifies(bundles, state.leaf, now) and published_for < SETTLE_SECONDS:
        return None  # what is served is still good, and an API server may not have seen the new authority yet
    return NewLeaf(names, why)


def _authority_fault(authority: KeyPair | None, now: dt.datetime) -> str:
    if authority is None:
        return "there is no authority"
    if now >= authority.certificate.not_valid_after_utc - _AUTHORITY_RENEWAL:
        return "the authority nears its end"
    if now < authority.certificate.not_valid_before_utc:
        return "the authority is not valid yet"
    return ""


def _predecessors(state: TrustState, bundles: Sequence[bytes], now: dt.datetime) -> tuple[x509.Certificate, ...]:
    """Whatever may have signed what is served now. When the Secret was lost, the live caBundle remembers it."""
    known = list(state.trusted)
    if state.authority is not None:
        known.append(state.authority.certificate)
    if state.leaf is not None:
        known += [one for one in certificates_in(state.leaf.pem)[1:] if issued_by(state.leaf.certificate, one)]
    if not known:
        for bundle in bundles:
            known += [one for one in certificates_in(bundle) if _common_name(one) == AUTHORITY_NAME]
    return tuple(one for one in dict.fromkeys(known) if one.not_valid_after_utc > now)


def _wanted(state: TrustState, authority: KeyPair, now: dt.datetime) -> tuple[x509.Certificate, ...]:
    """The authority, and with it its predecessors until a leaf under it has been out for long enough."""
    leaf = state.leaf
    replaced = leaf is not None and issued_by(leaf.certificate, authority.certificate)
    if replaced and leaf is not None and now - leaf.certificate.not_valid_before_utc > _OVERLAP:
        return (authority.certificate,)
    known = [authority.certificate, *state.trusted]
    if leaf is not None:
        known += [one for one in certificates_in(leaf.pem)[1:] if issued_by(leaf.certificate, one)]
    first, *others = dict.fromkeys(known)
    return (first, *(one for one in others if one.not_valid_after_utc > now))


def is_published(bundles: Sequence[bytes], wanted: Sequence[x509.Certificate]) -> bool:
    """Whether each of `bundles` holds exactly `wanted`, in any order."""
    return bool(bundles) and all(set(certificates_in(bundle)) == set(wanted) for bundle in bundles)


def verifies(bundles: Sequence[bytes], leaf: KeyPair | None, now: dt.datetime) -> bool:
    """Whether an API server with any of `bundles` would take `leaf` now."""
    if leaf is None or not leaf.certificate.not_valid_before_utc <= now < leaf.certificate.not_valid_after_utc:
        return False
    return bool(bundles) and all(
        any(issued_by(leaf.certificate, one) and now < one.not_valid_after_utc for one in certificates_in(bundle))
        for bundle in bundles
    )


def _leaf_fault(leaf: KeyPair | None, authority: KeyPair, names: tuple[str, ...], now: dt.datetime) -> str:
    if leaf is None:
        return "there is no serving certificate"
    certificate = leaf.certificate
    if not issued_by(certificate, authority.certificate):
        return "the serving certificate is not of this authority"
    if now >= certificate.not_valid_after_utc - _LEAF_RENEWAL:
        return "the serving certificate nears its end"
    if now < certificate.not_valid_before_utc:
        return "the serving certificate is not valid yet"
    if _names(certificate) != set(names):
        return "the serving certificate has other names"
    return ""


def _names(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return set()
    return {str(name.value) for name in names}


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""
