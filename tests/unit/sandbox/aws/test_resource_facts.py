"""Resource policies of KMS keys, queues, topics and secrets, with boto3 over a real socket."""

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import policy, refusal

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

ROOT = {"AWS": "arn:aws:iam::111122223333:root"}
EVERYONE = {"AWS": "*"}
ALL_KEYS = {"Effect": "Allow", "Principal": ROOT, "Action": "kms:*", "Resource": "*"}


def deny(action: str) -> dict[str, Any]:
    return {"Effect": "Deny", "Principal": EVERYONE, "Action": action, "Resource": "*"}


def test_a_key_policy_decides_about_a_key_by_whatever_name(running: "RunningAccount") -> None:
    """A Deny in a key policy holds for the administrator, also when the key is named by its alias."""
    kms = running.client("kms")
    key = kms.create_key(Policy=policy(ALL_KEYS, deny("kms:Encrypt")))["KeyMetadata"]
    kms.create_alias(AliasName="alias/law", TargetKeyId=key["KeyId"])
    for name in (key["KeyId"], key["Arn"], "alias/law"):
        code, message, _ = refusal(kms.encrypt, KeyId=name, Plaintext=b"x")
        assert (code, "explicit deny in a resource-based policy" in message) == ("AccessDeniedException", True)
    assert kms.describe_key(KeyId="alias/law")["KeyMetadata"]["Arn"] == key["Arn"]


def test_a_key_without_a_policy_of_its_own_is_the_accounts(running: "RunningAccount") -> None:
    """Under the default key policy identity policies decide; a key that is not there is NotFoundException."""
    kms = running.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert sealed
    missing = "11111111-2222-3333-4444-555555555555"
    assert refusal(kms.describe_key, KeyId=missing)[0] == "NotFoundException"


def test_a_queue_policy_denies_and_allows(running: "RunningAccount") -> None:
    """A queue's policy lets a user without policies send, and keeps the administrator from purging."""
    sqs, iam = running.client("sqs"), running.client("iam")
    iam.create_user(UserName="sender")
    sender = running.client("sqs", iam.create_access_key(UserName="sender")["AccessKey"])
    url = sqs.create_queue(QueueName="law")["QueueUrl"]
    assert "AccessDenied" in refusal(sender.send_message, QueueUrl=url, MessageBody="m")[0]
    named = {"AWS": "arn:aws:iam::111122223333:user/sender"}
    allow = {"Effect": "Allow", "Principal": named, "Action": "sqs:SendMessage", "Resource": "*"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(allow, deny("sqs:PurgeQueue"))})
    assert sender.send_message(QueueUrl=url, MessageBody="m")["MessageId"]
    assert "explicit deny in a resource-based policy" in refusal(sqs.purge_queue, QueueUrl=url)[1]


@pytest.mark.parametrize("reader", ["law-secret", "arn"])
def test_a_secrets_policy_denies(running: "RunningAccount", reader: str) -> None:
    """A Deny in a secret's policy holds by name and by ARN, and its Resource is the ARN with its suffix."""
    secrets = running.client("secretsmanager")
    name = f"law-secret-{reader}"
    arn = secrets.create_secret(Name=name, SecretString="x")["ARN"]
    statement = {**deny("secretsmanager:GetSecretValue"), "Resource": arn}
    secrets.put_resource_policy(SecretId=name, ResourcePolicy=policy(statement))
    wanted = arn if reader == "arn" else name
    assert "explicit deny" in refusal(secrets.get_secret_value, SecretId=wanted)[1]


def test_a_topic_policy_denies(running: "RunningAccount") -> None:
    """A topic works under its default policy, and a Deny in its policy holds."""
    sns = running.client("sns")
    arn = sns.create_topic(Name="law")["TopicArn"]
    assert sns.publish(TopicArn=arn, Message="m")["MessageId"]
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy(deny("sns:Publish")))
    assert "explicit deny" in refusal(sns.publish, TopicArn=arn, Message="m")[1]


def test_a_policy_that_would_not_be_enforced_is_not_taken(running: "RunningAccount") -> None:
    """A service whose resource policies are not read refuses to store one."""
    efs = running.client("efs")
    identity = efs.create_file_system(CreationToken="law")["FileSystemId"]
    text = json.dumps({"Version": "2012-10-17", "Statement": []})
    code, message, _ = refusal(efs.put_file_system_policy, FileSystemId=identity, Policy=text)
    assert (code, "elasticfilesystem:PutFileSystemPolicy" in message) == ("NotImplemented", True)


def test_a_functions_policy_lets_a_user_invoke_it(running: "RunningAccount") -> None:
    """AddPermission for one user: that user invokes the function without a policy of their own, and nobody else does."""
    iam, functions = running.client("iam"), running.client("lambda")
    trust = policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
    role = iam.create_role(RoleName="law-function", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("m.py", "def h(event, context): return 1")
    functions.create_function(
        FunctionName="law", Runtime="python3.12", Role=role, Handler="m.h", Code={"ZipFile": code.getvalue()}
    )
    clients = {}
    for name in ("invoker", "bystander"):
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        clients[name] = running.client("lambda", iam.create_access_key(UserName=name)["AccessKey"])
        if name == "invoker":
            functions.add_permission(FunctionName="law", StatementId="s", Action="lambda:GetFunction", Principal=arn)
    assert clients["invoker"].get_function(FunctionName="law")["Configuration"]["FunctionName"] == "law"
    assert refusal(clients["bystander"].get_function, FunctionName="law")[0] == "AccessDeniedException"
    assert refusal(clients["invoker"].delete_function, FunctionName="law")[0] == "AccessDeniedException"


def test_policies_of_repositories_tables_and_streams_deny(running: "RunningAccount") -> None:
    """A Deny in the policy of a repository, a table or a stream holds for the administrator."""
    ecr, dynamodb, kinesis = (running.client(name) for name in ("ecr", "dynamodb", "kinesis"))
    ecr.create_repository(repositoryName="law")
    everywhere = {"Effect": "Deny", "Principal": EVERYONE, "Action": "ecr:ListImages"}
    ecr.set_repository_policy(repositoryName="law", policyText=policy(everywhere))
    assert "explicit deny in a resource-based policy" in refusal(ecr.list_images, repositoryName="law")[1]
    table = dynamodb.create_table(
        TableName="law",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]["TableArn"]
    dynamodb.put_resource_policy(ResourceArn=table, Policy=policy({**deny("dynamodb:Scan"), "Resource": table}))
    assert "explicit deny in a resource-based policy" in refusal(dynamodb.scan, TableName="law")[1]
    kinesis.create_stream(StreamName="law", ShardCount=1)
    stream = kinesis.describe_stream_summary(StreamName="law")["StreamDescriptionSummary"]["StreamARN"]
    denied = policy({**deny("kinesis:ListShards"), "Resource": stream})
    kinesis.put_resource_policy(ResourceARN=stream, Policy=denied)
    assert "explicit deny in a resource-based policy" in refusal(kinesis.list_shards, StreamName="law")[1]


def test_a_group_is_known_by_its_uuid(running: "RunningAccount") -> None:
    """A Deny on the full ARN of an Auto Scaling group, UUID included, holds for a call by name."""
    scaling, iam, ec2 = running.client("autoscaling"), running.client("iam"), running.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    scaling.create_launch_configuration(LaunchConfigurationName="law", ImageId=image, InstanceType="t3.micro")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="law",
        LaunchConfigurationName="law",
        MinSize=0,
        MaxSize=2,
        AvailabilityZones=["us-east-1a"],
    )
    arn = scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["AutoScalingGroupARN"]
    iam.create_user(UserName="scaler")
    action = {"Action": "autoscaling:SetDesiredCapacity"}
    document = policy({"Effect": "Allow", "Resource": "*", **action}, {"Effect": "Deny", "Resource": arn, **action})
    iam.put_user_policy(UserName="scaler", PolicyName="p", PolicyDocument=document)
    client = running.client("autoscaling", iam.create_access_key(UserName="scaler")["AccessKey"])
    assert "explicit deny" in refusal(client.set_desired_capacity, AutoScalingGroupName="law", DesiredCapacity=1)[1]
