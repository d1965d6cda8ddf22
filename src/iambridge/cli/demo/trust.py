"""The trust policy that the stories write for a ServiceAccount's role."""

import json

from iambridge.cli.demo.step import World


def service_account_trust(world: World, service_account: str) -> str:
    """A policy that lets `NAMESPACE:NAME`, and nobody else, assume the role by a token for STS."""
    issuer = world.names["issuer_host"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{world.names['account']}:oidc-provider/{issuer}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{issuer}:sub": f"system:serviceaccount:{service_account}",
                f"{issuer}:aud": "sts.amazonaws.com",
            }
        },
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
