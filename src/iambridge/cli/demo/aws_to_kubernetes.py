"""Story B: an IAM user, a role and an EC2 instance become Kubernetes users (aws-auth)."""

import json
import time

from iambridge.cli.demo.forged_tokens import expired_login
from iambridge.cli.demo.step import Crossing, Step, World

_LOGGED_OUT = "You must be logged in to the server"


def _as(who: str, **more: str | None) -> dict[str, str | None]:
    """The environment of somebody who holds only `who`'s keys and the kubeconfig that logs in by them."""
    return {
        "KUBECONFIG": "people.kubeconfig",
        "AWS_ACCESS_KEY_ID": "{" + who + "_key}",
        "AWS_SECRET_ACCESS_KEY": "{secret_" + who + "}",
        "AWS_SESSION_TOKEN": None,
        **more,
    }


def _trust(service: str = "", user: str = "") -> dict[str, object]:
    principal = {"Service": service} if service else {"AWS": user}
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }


def _trust_files(world: World) -> None:
    account = world.names["account"]
    world.write("node-trust.json", json.dumps(_trust(service="ec2.amazonaws.com")))
    world.write("karpenter-trust.json", json.dumps(_trust(user=f"arn:aws:iam::{account}:user/pod-reader")))


def _expired_login(world: World) -> None:
    world.names["secret_login"] = expired_login(
        world.names["aws"], world.names["reader_key"], world.names["secret_reader"], world.names["cluster"], time.time()
    )


_REMOVED = json.dumps({"data": {"mapUsers": "[]\n"}})


def preparation() -> tuple[Step, ...]:
    """The mapping, and the principals that it names."""
    return (
        Step("B1", "Who of AWS is whom in Kubernetes: the aws-auth ConfigMap, and RBAC for one group.",
             "kubectl apply -f examples/aws-auth/", shows=("configmap/aws-auth",)),
        Step("B2", "The mapping as the authenticator reads it.", "kubectl get configmap aws-auth -n kube-system -o yaml",
             shows=("mapRoles: |", "system:node:{{EC2PrivateDNSName}}", "system:bootstrappers", "system:nodes",
                    "system:masters", "mapUsers: |"), output_lines=24),
        Step("B3", "An IAM user. It has no IAM policy at all: GetCallerIdentity needs none.",
             "aws iam create-user --user-name pod-reader", shows=("user/pod-reader",)),
        Step("B4", "Its keys.", "aws iam create-access-key --user-name pod-reader --output json",
             keep={"reader_key": "AccessKey.AccessKeyId", "secret_reader": "AccessKey.SecretAccessKey"}),
        Step("B5", "A kubeconfig without a secret in it: kubectl asks `iambridge token`, which presigns GetCallerIdentity.",
             "sh -c 'iambridge kubeconfig --cluster-name {cluster} --server {kubernetes} --certificate-authority {ca}"
             " > people.kubeconfig'"),
    )  # fmt: skip


def crossing() -> tuple[Step, ...]:
    """Who gets in, as whom."""
    return (
        Step("B6", "The user lists pods: token, STS, mapUsers, RBAC.", "kubectl get pods -n s3-echoer",
             environment=_as("reader"), shows=("s3-echoer-",),
             crossing=Crossing("IAM user pod-reader", "list pods", "allowed")),
        Step("B7", "The same user deletes: RBAC says no, by name.", "kubectl delete pods --all -n s3-echoer",
             environment=_as("reader"), exit_code=None,
             shows=("Forbidden", 'User "pod-reader" cannot'),
             crossing=Crossing("IAM user pod-reader", "delete pods", "Forbidden")),
        Step("B8", "AWS's own client makes the token instead of ours.",
             "sh -c 'kubectl --server={kubernetes} --certificate-authority={ca} --kubeconfig=/dev/null auth whoami"
             ' --token="$(aws eks get-token --cluster-name {cluster} --query status.token --output text)"\'',
             environment=_as("reader"), shows=("pod-reader", "pod-readers"),
             crossing=Crossing("IAM user pod-reader", "aws eks get-token", "allowed")),
        Step("B9", "A role in mapRoles, which that user may assume.",
             "aws iam create-role --role-name karpenter --assume-role-policy-document file://karpenter-trust.json",
             prepare=_trust_files, shows=("role/karpenter",), output_lines=4),
        Step("B10", "The user assumes it.",
             "aws sts assume-role --role-arn arn:aws:iam::{account}:role/karpenter --role-session-name demo --output json",
             environment=_as("reader"), keep={"karpenter_key": "Credentials.AccessKeyId",
             "secret_karpenter": "Credentials.SecretAccessKey", "secret_session": "Credentials.SessionToken"}),
        Step("B11", "As the role it has the role's groups.", "kubectl auth whoami",
             environment=_as("karpenter", AWS_SESSION_TOKEN="{secret_session}"), shows=("karpenter", "system:masters"),
             crossing=Crossing("role session karpenter/demo", "log in", "allowed")),
    )  # fmt: skip


def instance() -> tuple[Step, ...]:
    """An EC2 instance with an instance profile comes in as its node; one without does not."""
    launch = "aws ec2 run-instances --image-id ami-12c6146b --instance-type t3.micro --output json"
    alone = {"KUBECONFIG": "{directory}/people.kubeconfig", "AWS_CA_BUNDLE": "{ca}", "AWS_ENDPOINT_URL": "{aws}"}
    endpoint = "aws ec2 describe-tags --output json --filters Name=key,Values=iambridge:metadata-endpoint Name=resource-id,Values="
    return (
        Step("B12", "The nodes' role, which only EC2 may assume.",
             "aws iam create-role --role-name node --assume-role-policy-document file://node-trust.json", output_lines=4),
        Step("B13", "An instance profile.", "aws iam create-instance-profile --instance-profile-name node", output_lines=4,
             beside=True),
        Step("B14", "The role goes into the profile.",
             "aws iam add-role-to-instance-profile --instance-profile-name node --role-name node"),
        Step("B15", "An instance with the profile.", f"{launch} --iam-instance-profile Name=node", output_lines=4,
             keep={"instance": "Instances.0.InstanceId", "dns": "Instances.0.PrivateDnsName"}),
        Step("B16", "An instance without a profile.", launch, output_lines=4, beside=True,
             keep={"bare_instance": "Instances.0.InstanceId"}),
        Step("B17", "The metadata service of the first, on loopback.", endpoint + "{instance}", keep={"imds": "Tags.0.Value"}),
        Step("B18", "The metadata service of the second.", endpoint + "{bare_instance}", beside=True,
             keep={"bare_imds": "Tags.0.Value"}),
        Step("B19", "A process with nothing but IMDS comes in as the node.", "kubectl auth whoami", alone=True,
             environment={**alone, "AWS_EC2_METADATA_SERVICE_ENDPOINT": "{imds}"},
             shows=("system:node:{dns}", "system:bootstrappers", "system:nodes"),
             crossing=Crossing("EC2 instance with profile", "log in as its node", "allowed")),
        Step("B20", "Beside an instance without a profile it has nothing to log in with.", "kubectl auth whoami", alone=True,
             environment={**alone, "AWS_EC2_METADATA_SERVICE_ENDPOINT": "{bare_imds}"}, exit_code=None, beside=True,
             shows=("this instance has no instance profile",),
             crossing=Crossing("EC2 instance without profile", "log in", "no credentials")),
    )  # fmt: skip


def refusals() -> tuple[Step, ...]:
    """Who stays out."""
    return (
        Step("B21", "The account's administrator: everything in AWS, and absent from aws-auth.", "kubectl get pods -n s3-echoer",
             environment={"KUBECONFIG": "people.kubeconfig"}, exit_code=None, shows=(_LOGGED_OUT, "Unauthorized"),
             crossing=Crossing("IAM user not in aws-auth", "log in", "Unauthorized")),
        Step("B22", "The right key id with a wrong secret.", "kubectl get pods -n s3-echoer",
             environment=_as("reader", AWS_SECRET_ACCESS_KEY="{secret_admin}"), exit_code=None, shows=("Unauthorized",),
             crossing=Crossing("wrong secret key", "log in", "Unauthorized")),
        Step("B23", "A token for another cluster: the cluster's name is signed into it.",
             "sh -c 'kubectl --server={kubernetes} --certificate-authority={ca} --kubeconfig=/dev/null auth whoami"
             ' --token="$(iambridge token --cluster-name another --token-only)"\'',
             environment=_as("reader"), exit_code=None, shows=("Unauthorized",),
             crossing=Crossing("token for another cluster", "log in", "Unauthorized")),
        Step("B24", "A token of sixteen minutes ago; it lives fifteen from its X-Amz-Date.",
             "kubectl --server={kubernetes} --certificate-authority={ca} --kubeconfig=/dev/null --token={secret_login} auth whoami",
             prepare=_expired_login, exit_code=None, shows=("Unauthorized",),
             crossing=Crossing("expired token", "log in", "Unauthorized")),
        Step("B25", "Taken out of aws-auth ...", f"kubectl patch configmap aws-auth -n kube-system -p '{_REMOVED}'"),
        Step("B26", "... the user is out within two seconds, with no restart.", "kubectl get pods -n s3-echoer",
             environment=_as("reader"), exit_code=None, within=2, shows=("Unauthorized",),
             crossing=Crossing("user removed from aws-auth", "log in", "Unauthorized")),
        Step("B27", "Put back ...", "kubectl apply -f examples/aws-auth/aws-auth.yaml"),
        Step("B28", "... and in again.", "kubectl get pods -n s3-echoer", environment=_as("reader"), within=2,
             shows=("s3-echoer-",), crossing=Crossing("user restored to aws-auth", "list pods", "allowed")),
    )  # fmt: skip
