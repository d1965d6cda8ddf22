"""Tokens whose signature was proved, remembered: a pod shows the same token for as long as it lives.

A webhook's token lives 24 hours by default, the credentials of a call one: an SDK shows each token some twenty times.
A signature's proof follows from the token's text and the key alone, so it is made once. Times, audience, provider, role
and the issuer's keys are judged anew at each call.
"""

from collections.abc import Sequence

import msgspec

from iambridge.core.service_account_token.keys import VerificationKey
from iambridge.core.service_account_token.token import UnverifiedToken, VerifiedClaims, eligible_keys, verify

_MOST = 1024
_MOST_CHARACTERS = 4096  # ten times what a cluster issues: what is remembered has a size


class _Proof(msgspec.Struct, frozen=True):
    token: UnverifiedToken
    claims: VerifiedClaims


class Proofs:
    """The last 1,024 tokens that were proved, by their whole text. What was not proved leaves nothing here."""

    def __init__(self) -> None:
        self._kept: dict[str, _Proof] = {}

    def read(self, encoded: str) -> UnverifiedToken:
        """`UnverifiedToken.parse`, remembered.

        Raises:
            InvalidIdentityToken: it is malformed.
        """
        kept = self._kept.get(encoded)
        return kept.token if kept is not None else UnverifiedToken.parse(encoded)

    def verify(self, encoded: str, token: UnverifiedToken, keys: Sequence[VerificationKey]) -> VerifiedClaims:
        """`verify`, remembered: `token` is what `encoded` reads as. `keys` are the issuer's as of now.

        A proof counts while the key that gave it is among those that may prove the token: a key that the issuer took
        back, or replaced under the same id, proves nothing any more.

        Raises:
            InvalidIdentityToken: as `verify`.
        """
        kept = self._kept.get(encoded)
        if kept is not None and kept.claims.key in eligible_keys(kept.token, keys):
            return kept.claims
        claims = verify(token, keys)
        if len(encoded) <= _MOST_CHARACTERS:
            self._kept[encoded] = _Proof(token, claims)
            if len(self._kept) > _MOST:
                del self._kept[next(iter(self._kept))]
        return claims
