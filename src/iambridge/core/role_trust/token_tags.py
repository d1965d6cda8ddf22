"""What a token asks its session to be given: tags, transitive keys and a source identity.

Source: IAM User Guide, "Pass session tags in AWS STS".
"""

import re

from iambridge.core.role_trust.session import SessionTags
from iambridge.core.service_account_token import VerifiedClaims
from iambridge.core.session_tags import MAX_TAGS, is_tag_text
from iambridge.errors import InvalidIdentityToken

TAGS_CLAIM = "https://aws.amazon.com/tags"
SOURCE_IDENTITY_CLAIM = "https://aws.amazon.com/source_identity"

_SOURCE_IDENTITY = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_NO_TAGS = SessionTags()


def session_tags(claims: VerifiedClaims) -> SessionTags:
    """Read the AWS claims of a token.

    Raises:
        InvalidIdentityToken: a claim that is there but has not AWS's shape.
    """
    source = claims.claims.get(SOURCE_IDENTITY_CLAIM, "")
    if not isinstance(source, str) or (source and _SOURCE_IDENTITY.fullmatch(source) is None):
        raise _malformed(SOURCE_IDENTITY_CLAIM, "it is not 2 to 64 letters, digits and `_+=,.@-`")
    claim = claims.claims.get(TAGS_CLAIM)
    if claim is None:
        return SessionTags(source_identity=source) if source else _NO_TAGS
    if not isinstance(claim, dict) or set(claim) - {"principal_tags", "transitive_tag_keys"}:
        raise _malformed(TAGS_CLAIM, "it is not an object of `principal_tags` and `transitive_tag_keys`")
    given, transitive = claim.get("principal_tags", {}), claim.get("transitive_tag_keys", [])
    if not isinstance(given, dict) or not isinstance(transitive, list) or len(given) > MAX_TAGS:
        raise _malformed(TAGS_CLAIM, f"`principal_tags` is no object of up to {MAX_TAGS}, or the other is no list")
    tags = {key: _tag_value(key, values) for key, values in given.items()}
    if len({key.lower() for key in tags}) != len(tags):
        raise _malformed(TAGS_CLAIM, "two keys differ by case alone, which is one key")
    if not all(isinstance(key, str) and key in tags for key in transitive):
        raise _malformed(TAGS_CLAIM, "`transitive_tag_keys` names a key that is not among `principal_tags`")
    return SessionTags(tags, tuple(transitive), source)


def _tag_value(key: str, values: object) -> str:
    value = values[0] if isinstance(values, list) and len(values) == 1 else values
    if not isinstance(value, str):
        raise _malformed(TAGS_CLAIM, f"the tag `{key[:64]}` is not one string, alone or in a list")
    if not 1 <= len(key) <= 128 or len(value) > 256:
        raise _malformed(TAGS_CLAIM, f"the tag `{key[:64]}` has no key of 1 to 128 and value of up to 256 characters")
    if not is_tag_text(key) or not is_tag_text(value):
        raise _malformed(TAGS_CLAIM, f"the tag `{key[:64]}` holds more than letters, digits, spaces and `_.:/=+-@`")
    return value


def _malformed(claim: str, why: str) -> InvalidIdentityToken:
    return InvalidIdentityToken(
        "The web identity token provided could not be validated",
        cause=f"the claim `{claim}` has not the shape that AWS reads: {why}",
        fix="write the claim as the IAM User Guide shows it, or leave it out",
    )
