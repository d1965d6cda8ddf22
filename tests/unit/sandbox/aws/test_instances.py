"""EC2 instances: their metadata service, the roles passed to them, and what tags decide."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

IMAGE = "ami-12c6146b"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def user_key(running: "RunningAccount", name: str, *statements: dict[str, Any]) -> Any:
    iam = running.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(*statements))
    return iam.create_access_key(UserName=name)["AccessKey"]


def launch(client: Any, **arguments: Any) -> dict[str, Any]:
    made: dict[str, Any] = client.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, **arguments)["Instances"][0]
    return made


def metadata_endpoint(running: "RunningAccount", instance_id: str) -> str:
    found = running.client("ec2").describe_instances(InstanceIds=[instance_id])
    tags: dict[str, str] = {tag["Key"]: tag["Value"] for tag in found["Reservations"][0]["Instances"][0]["Tags"]}
    return tags["iambridge:metadata-endpoint"]


def fetch(url: str, *, method: str = "GET", **headers: str) -> tuple[int, str]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=names)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


@pytest.fixture(scope="module")
def node(running: "RunningAccount") -> dict[str, Any]:
    """An instance with a profile, whose role EC2 may assume."""
    iam = running.client("iam")
    trust = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
    iam.create_role(RoleName="node-role", AssumeRolePolicyDocument=trust)
    iam.create_instance_profile(InstanceProfileName="node-profile")
    iam.add_role_to_instance_profile(InstanceProfileName="node-profile", RoleName="node-role")
    return launch(running.client("ec2"), IamInstanceProfile={"Name": "node-profile"})


def test_a_process_is_its_instance_by_the_endpoint_alone(running: "RunningAccount", node: dict[str, Any]) -> None:
    """boto3's own instance metadata provider gets the profile's role, with the instance id as session name."""
    program = (
        "import boto3, os\n"
        f"client = boto3.client('sts', region_name='us-east-1', endpoint_url={running.url!r}, verify={running.ca!r})\n"
        "print(client.get_caller_identity()['Arn'])\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata_endpoint(running, node["InstanceId"]),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.strip() == f"arn:aws:sts::111122223333:assumed-role/node-role/{node['InstanceId']}", done.stderr


def test_metadata_needs_a_token(running: "RunningAccount", node: dict[str, Any]) -> None:
    """IMDSv2: without a token 401, with a bad life 400, with a token the instance's own facts."""
    url = metadata_endpoint(running, node["InstanceId"])
    assert fetch(f"{url}/latest/meta-data/instance-id")[0] == 401
    ttl = "X_aws_ec2_metadata_token_ttl_seconds"
    assert fetch(f"{url}/latest/api/token", method="PUT")[0] == 400
    assert fetch(f"{url}/latest/api/token", method="PUT", **{ttl: "21601"})[0] == 400
    status, token = fetch(f"{url}/latest/api/token", method="PUT", **{ttl: "60"})
    assert status == 200
    held = {"X_aws_ec2_metadata_token": token}
    assert fetch(f"{url}/latest/meta-data/instance-id", **held) == (200, node["InstanceId"])
    assert fetch(f"{url}/latest/meta-data/local-hostname", **held) == (200, node["PrivateDnsName"])
    assert fetch(f"{url}/latest/meta-data/placement/region", **held) == (200, "us-east-1")
    assert json.loads(fetch(f"{url}/latest/dynamic/instance-identity/document", **held)[1])["region"] == "us-east-1"
    assert fetch(f"{url}/latest/meta-data/instance-id", Host="evil.example", **held)[0] == 403


def test_an_instance_without_a_profile_has_no_credentials(running: "RunningAccount") -> None:
    """Without an instance profile, security-credentials is 404; after termination nobody answers."""
    ec2 = running.client("ec2")
    bare = launch(ec2)["InstanceId"]
    url = metadata_endpoint(running, bare)
    ttl = {"X_aws_ec2_metadata_token_ttl_seconds": "60"}
    token = fetch(f"{url}/latest/api/token", method="PUT", **ttl)[1]
    held = {"X_aws_ec2_metadata_token": token}
    assert fetch(f"{url}/latest/meta-data/iam/security-credentials/", **held)[0] == 404
    ec2.terminate_instances(InstanceIds=[bare])
    with pytest.raises(urllib.error.URLError):
        fetch(f"{url}/latest/meta-data/instance-id", **held)


def test_launching_with_a_profile_needs_pass_role(running: "RunningAccount", node: dict[str, Any]) -> None:
    """RunInstances with a profile asks for iam:PassRole on its role beside ec2:RunInstances."""
    key = user_key(running, "launcher", {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"})
    client = running.client("ec2", key)
    launch(client)
    with pytest.raises(ClientError) as caught:
        launch(client, IamInstanceProfile={"Name": "node-profile"})
    assert caught.value.response["Error"]["Code"] == "UnauthorizedOperation"
    assert "iam:PassRole on resource: arn:aws:iam::111122223333:role/node-role" in str(caught.value)


def test_tagging_at_launch_needs_create_tags(running: "RunningAccount") -> None:
    """TagSpecifications ask for ec2:CreateTags with ec2:CreateAction."""
    condition = {"StringEquals": {"ec2:CreateAction": "RunInstances", "aws:RequestTag/team": "a"}}
    key = user_key(
        running,
        "tagger",
        {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"},
        {"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "*", "Condition": condition},
    )
    client = running.client("ec2", key)
    launch(client, TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "a"}]}])
    with pytest.raises(ClientError) as caught:
        launch(client, TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "b"}]}])
    assert "ec2:CreateTags" in str(caught.value)


def test_an_instances_tags_decide_who_ends_it(running: "RunningAccount") -> None:
    """aws:ResourceTag is read from the instance before the decision, for every instance that is named."""
    condition = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    statement = {"Effect": "Allow", "Action": "ec2:TerminateInstances", "Resource": "*", "Condition": condition}
    key = user_key(running, "ender", statement)
    ec2 = running.client("ec2")
    specification = [{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "a"}]}]
    mine = launch(ec2, TagSpecifications=specification)["InstanceId"]
    other = launch(ec2)["InstanceId"]
    client = running.client("ec2", key)
    with pytest.raises(ClientError) as caught:
        client.terminate_instances(InstanceIds=[mine, other])
    assert f"instance/{other}" in str(caught.value)
    client.terminate_instances(InstanceIds=[mine])


@pytest.fixture(scope="module")
def template(running: "RunningAccount", node: dict[str, Any]) -> str:
    """The id of a launch template with the node's profile, an image and tags for the instance."""
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "a"}]}]
    content = {"ImageId": IMAGE, "IamInstanceProfile": {"Name": "node-profile"}, "TagSpecifications": tags}
    made = running.client("ec2").create_launch_template(LaunchTemplateName="law", LaunchTemplateData=content)
    identity: str = made["LaunchTemplate"]["LaunchTemplateId"]
    return identity


ROLE = "arn:aws:iam::111122223333:role/node-role"
LAUNCH = {"Effect": "Allow", "Action": ["ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateTags"], "Resource": "*"}
PASS = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": ROLE}


def fleet(client: Any, template: str) -> list[Any]:
    found: list[Any] = client.create_fleet(
        LaunchTemplateConfigs=[
            {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "$Latest"},
                "Overrides": [{"InstanceType": "t3.micro"}],
            }
        ],
        TargetCapacitySpecification={"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "on-demand"},
        Type="instant",
    )["Instances"]
    return found


def launched_by_name(client: Any, template: str) -> Any:
    del template
    return client.run_instances(LaunchTemplate={"LaunchTemplateName": "law"}, MinCount=1, MaxCount=1)


@pytest.mark.parametrize("start", [fleet, launched_by_name])
def test_a_templates_role_is_passed_too(running: "RunningAccount", template: str, start: Any) -> None:
    """A fleet or an instance from a template needs iam:PassRole on the role in the template."""
    name = f"template-{start.__name__}"
    client = running.client("ec2", user_key(running, name, LAUNCH))
    with pytest.raises(ClientError) as caught:
        start(client, template)
    assert f"iam:PassRole on resource: {ROLE}" in str(caught.value)
    running.client("iam").put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(LAUNCH, PASS))
    assert start(client, template)


@pytest.mark.parametrize("start", [fleet, launched_by_name])
def test_an_instance_from_a_template_has_its_role(running: "RunningAccount", template: str, start: Any) -> None:
    """As Karpenter's nodes do: EC2 tells the profile, the metadata service the role; the request's own profile wins."""
    ec2 = running.client("ec2")
    before = {item["InstanceId"] for group in ec2.describe_instances()["Reservations"] for item in group["Instances"]}
    start(ec2, template)
    after = [item for group in ec2.describe_instances()["Reservations"] for item in group["Instances"]]
    (instance,) = [item for item in after if item["InstanceId"] not in before]
    assert instance["IamInstanceProfile"]["Arn"] == "arn:aws:iam::111122223333:instance-profile/node-profile"
    url = metadata_endpoint(running, instance["InstanceId"])
    seconds = {"x_aws_ec2_metadata_token_ttl_seconds": "60"}
    _, token = fetch(f"{url}/latest/api/token", method="PUT", **seconds)
    said = fetch(f"{url}/latest/meta-data/iam/security-credentials/", x_aws_ec2_metadata_token=token)
    assert said == (200, "node-role")


def test_the_requests_profile_goes_before_its_templates(running: "RunningAccount", template: str) -> None:
    """EC2 takes what the request says; nothing is added to it."""
    running.client("iam").create_instance_profile(InstanceProfileName="its-own")
    made = running.client("ec2").run_instances(
        LaunchTemplate={"LaunchTemplateId": template},
        IamInstanceProfile={"Name": "its-own"},
        MinCount=1,
        MaxCount=1,
    )
    found = running.client("ec2").describe_instances(InstanceIds=[made["Instances"][0]["InstanceId"]])
    assert found["Reservations"][0]["Instances"][0]["IamInstanceProfile"]["Arn"].endswith("/its-own")


@pytest.mark.parametrize(
    ("kind", "resource"),
    [("image", "image/ami-12c6146b"), ("template", "launch-template/{template}"), ("tag", "instance/*")],
)
def test_a_deny_on_what_a_template_names_holds(
    running: "RunningAccount", template: str, kind: str, resource: str
) -> None:
    """Image, template and tags are decided on as if the request had named them."""
    arn = f"arn:aws:ec2:*:*:{resource.format(template=template)}"
    deny: dict[str, Any] = {"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": arn}
    if kind == "tag":
        deny["Condition"] = {"StringEquals": {"aws:RequestTag/team": "a"}}
    client = running.client("ec2", user_key(running, f"deny-{kind}", LAUNCH, PASS, deny))
    for start in (fleet, launched_by_name):
        with pytest.raises(ClientError) as caught:
            start(client, template)
        assert "ec2:RunInstances on resource" in str(caught.value)
        assert "explicit deny" in str(caught.value)
