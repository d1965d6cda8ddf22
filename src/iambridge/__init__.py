"""The identity bridge between Kubernetes and AWS.

Two crossings, one decision each:

- Kubernetes to AWS: a pod's service account token becomes an IAM role session (`core.role_trust`).
- AWS to Kubernetes: a presigned GetCallerIdentity becomes a Kubernetes user (`core.aws_auth`).

Rooms, each importing only those after it: `cli`, `sandbox`, `servers` and `adapters`, `ports`, `wire`, `core`,
`errors`.
"""

__version__ = "0.1.0.dev0"
