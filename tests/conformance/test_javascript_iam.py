"""The AWS SDK for JavaScript v3, unmodified, calls IAM: values, pages and errors arrive as its own classes."""

from pathlib import Path

from tests.conformance.javascript_parts import all_passed, outcomes
from tests.conformance.sdk_peers import javascript

PARTS = {
    "users", "accessKeys", "groups", "rolesAndBoundary", "instanceProfiles", "managedPolicyVersions", "oidcProviders",
    "tags", "accountAliasAndSummary", "serviceLinkedRoles", "simulation", "pages", "authorizationDetails", "errors",
}  # fmt: skip


def test_every_iam_call_is_as_the_sdk_expects(peer_cache: Path, tmp_path: Path) -> None:
    """Each part of the program asserts on what the SDK parsed; a part that failed is told with its line."""
    command = javascript(peer_cache, "iam.mjs")
    all_passed(outcomes(tmp_path, lambda world: [*command, world.issuer]), PARTS)
