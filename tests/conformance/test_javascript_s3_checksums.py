"""What the AWS SDK for JavaScript v3 computes of S3 bodies is what is computed here, and it takes the answers for whole."""

from pathlib import Path

from tests.conformance.javascript_parts import all_passed, outcomes
from tests.conformance.sdk_peers import javascript

PARTS = {"theDefault", "inAHeader", "inATrailer", "ofAnotherBody", "multipart"}


def test_every_checksum_of_the_sdk_is_verified_on_both_sides(peer_cache: Path, tmp_path: Path) -> None:
    """In headers, in trailers and in parts; the SDK verifies what it reads back."""
    command = javascript(peer_cache, "checksums.mjs")
    all_passed(outcomes(tmp_path, lambda _: [*command]), PARTS)
