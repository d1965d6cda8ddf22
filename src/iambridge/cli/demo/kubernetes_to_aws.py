"""Story A: a pod's ServiceAccount becomes an IAM role session and writes to a bucket (IRSA)."""

import json
import time
from pathlib import Path

from iambridge.cli.demo.forged_tokens import expired, flipped, from_another_issuer
from iambridge.cli.demo.step import Crossing, Step, World
from iambridge.cli.demo.trust import service_account_trust

_ROLE = "arn:aws:iam::{account}:role/s3-echoer"
_ASSUME = f"aws sts assume-role-with-web-identity --role-arn {_ROLE} --role-session-name by-hand --web-identity-token"
_POD = "pod s3-echoer/s3-echoer"


def _trust_policy(world: World) -> None:
    world.write("trust-policy.json", service_account_trust(world, "s3-echoer:s3-echoer"))


def _permission_policy(world: World) -> None:
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::s3-echoer-demo/s3echoer-*"}
    world.write("permissions.json", json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2))


def _forge(world: World) -> None:
    token, now = world.names["secret_token"], int(time.time())
    world.write("flipped.jwt", flipped(token))
    world.write("foreign.jwt", from_another_issuer(token))
    world.write("expired.jwt", expired(token, Path(world.names["signing_key"]), now))


def crossing() -> tuple[Step, ...]:
    """What must work, in order."""
    return (
        Step("A1", "A bucket to write to. S3 is moto's, behind a gateway that checks every request.",
             "aws s3 mb s3://s3-echoer-demo", shows=("make_bucket: s3-echoer-demo",)),
        Step("A2", "The account learns to trust the cluster's issuer. IAM fetches the top certificate's thumbprint.",
             "aws iam create-open-id-connect-provider --url {issuer} --client-id-list sts.amazonaws.com",
             shows=("oidc-provider/{issuer_host}",), beside=True),
        Step("A3", "A role that one ServiceAccount may assume: the trust policy names it by :sub and :aud.",
             "aws iam create-role --role-name s3-echoer --assume-role-policy-document file://trust-policy.json",
             prepare=_trust_policy, shows=("system:serviceaccount:s3-echoer:s3-echoer",), output_lines=8, beside=True),
        Step("A4", "What the role may do: write s3echoer-* into that one bucket, and nothing else.",
             "aws iam put-role-policy --role-name s3-echoer --policy-name write --policy-document file://permissions.json",
             prepare=_permission_policy),
        Step("A5", "The workload. Its ServiceAccount carries eks.amazonaws.com/role-arn; nothing else mentions AWS.",
             "kubectl apply -f examples/s3-echoer/", shows=("serviceaccount/s3-echoer created", "job.batch/s3-echoer created")),
        Step("A6", "The pod runs as a process and finds its credentials by itself.",
             "kubectl wait --for=condition=complete job/s3-echoer -n s3-echoer --timeout=30s", shows=("condition met",)),
        Step("A7", "What the pod identity webhook injected when the API server asked it.",
             "kubectl get pod -n s3-echoer -l job-name=s3-echoer -o yaml",
             shows=("name: AWS_ROLE_ARN", f"value: {_ROLE}", "name: AWS_WEB_IDENTITY_TOKEN_FILE",
                    "value: /var/run/secrets/eks.amazonaws.com/serviceaccount/token", "name: aws-iam-token",
                    "mountPath: /var/run/secrets/eks.amazonaws.com/serviceaccount", "audience: sts.amazonaws.com",
                    "expirationSeconds: 86400", "path: token")),
        Step("A8", "What the program said.", "kubectl logs job/s3-echoer -n s3-echoer",
             shows=("Uploading user input to S3 using s3-echoer-demo/s3echoer-",)),
        Step("A9", "The object is there.", "aws s3api list-objects-v2 --bucket s3-echoer-demo --output json",
             shows=('"Size": 27',), keep={"object": "Contents.0.Key"}),
        Step("A10", "And it is what the pod wrote, byte for byte.", "aws s3 cp s3://s3-echoer-demo/{object} -",
             shows=("This is an in-cluster test\n",), crossing=Crossing(_POD, "s3:PutObject s3-echoer-demo", "allowed")),
    )  # fmt: skip


def refusals() -> tuple[Step, ...]:
    """What must not work, each with the client's real error."""
    denied = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    return (
        Step("A11", "Three pods that must fail, started together.", "kubectl apply -f examples/refusals/jobs.yaml",
             shows=("job.batch/other-bucket created",)),
        Step("A12", "A ServiceAccount without the annotation gets nothing injected: no credentials anywhere.",
             "kubectl logs job/without-annotation -n s3-echoer", within=20, shows=("Unable to locate credentials",),
             crossing=Crossing("pod s3-echoer/plain", "s3:PutObject s3-echoer-demo", "no credentials")),
        Step("A13", "Another ServiceAccount may claim the role; the trust policy does not let it.",
             "kubectl logs job/other-service-account -n s3-echoer", within=20, shows=("AccessDenied", denied),
             crossing=Crossing("pod s3-echoer/intruder", "sts:AssumeRoleWithWebIdentity", "AccessDenied")),
        Step("A14", "The right pod, another bucket.", "kubectl logs job/other-bucket -n s3-echoer", within=20,
             shows=("AccessDenied", "assumed-role/s3-echoer/", "is not authorized to perform: s3:PutObject",
                    "because no identity-based policy allows the s3:PutObject action"),
             crossing=Crossing(_POD, "s3:PutObject s3-echoer-other", "AccessDenied")),
        Step("A15", "A genuine token to spoil: the same TokenRequest that a kubelet makes.",
             "kubectl create token s3-echoer -n s3-echoer --audience sts.amazonaws.com -o json",
             keep={"secret_token": "status.token"}),
        Step("A16", "One bit of its signature flipped.", f"{_ASSUME} file://flipped.jwt", prepare=_forge, exit_code=None,
             shows=("InvalidIdentityToken",),
             crossing=Crossing("token with one flipped bit", "sts:AssumeRoleWithWebIdentity", "InvalidIdentityToken")),
        Step("A17", "The same claims from an issuer that nobody registered.", f"{_ASSUME} file://foreign.jwt", exit_code=None,
             shows=("InvalidIdentityToken", "No OpenIDConnect provider found in your account for"),
             crossing=Crossing("token of another issuer", "sts:AssumeRoleWithWebIdentity", "InvalidIdentityToken"), beside=True),
        Step("A18", "A token of this issuer whose time is over (the demo signs it; no server bends its clock).",
             f"{_ASSUME} file://expired.jwt", exit_code=None,
             shows=("ExpiredTokenException", "Token expired: current date/time"),
             crossing=Crossing("expired token", "sts:AssumeRoleWithWebIdentity", "ExpiredTokenException"), beside=True),
        Step("A19", "And nobody at all: an unsigned call.",
             "aws s3api get-object --bucket s3-echoer-demo --key {object} --no-sign-request stolen", exit_code=None,
             shows=("AccessDenied",), crossing=Crossing("unsigned request", "s3:GetObject s3-echoer-demo", "AccessDenied"), beside=True),
    )  # fmt: skip
