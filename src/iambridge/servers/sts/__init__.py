"""AWS STS: web identity tokens, keys and sessions become sessions. It judges by `core.role_trust` and
`core.iam_policy`.

Source: AWS STS API Reference, version 2011-06-15.
"""

from iambridge.servers.sts.service import SecurityTokenService

__all__ = ["SecurityTokenService"]
