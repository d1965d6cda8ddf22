"""IAM's policy simulator, every parameter and every refusal, with boto3."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sandbox.aws.test_gateway import policy, refusal

from iambridge.sandbox.aws.statement_positions import positions

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

PREFIX = "arn:aws:iam::111122223333"
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
OBJECT, OTHER = "arn:aws:s3:::b/k", "arn:aws:s3:::c/k"


@pytest.fixture(scope="module")
def iam(running: "RunningAccount") -> Any:
    client = running.client("iam", parameter_validation=False)
    client.create_user(UserName="simulated")
    client.put_user_policy(UserName="simulated", PolicyName="inline", PolicyDocument=policy(READ))
    return client


def only(found: Any) -> Any:
    (result,) = found["EvaluationResults"]
    return result


def test_an_action_has_one_result_and_each_resource_its_own(iam: Any) -> None:
    """The action's decision is the strictest, with the statements behind it; its resource is an ARN's form."""
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": OTHER}
    result = only(
        iam.simulate_custom_policy(
            PolicyInputList=[policy(READ), policy(deny)], ActionNames=["s3:GetObject"],
            ResourceArns=[OBJECT, OTHER, "arn:aws:s3:::d/k"],
        )
    )  # fmt: skip
    assert (result["EvalActionName"], result["EvalDecision"]) == ("s3:GetObject", "explicitDeny")
    assert result["EvalResourceName"] == "arn:${Partition}:s3:::${BucketName}/${ObjectName}"
    assert [statement["SourcePolicyId"] for statement in result["MatchedStatements"]] == ["PolicyInputList.2"]
    told = [(one["EvalResourceName"], one["EvalResourceDecision"]) for one in result["ResourceSpecificResults"]]
    assert told == [(OBJECT, "allowed"), (OTHER, "explicitDeny"), ("arn:aws:s3:::d/k", "implicitDeny")]


def test_without_resources_all_are_meant(iam: Any) -> None:
    result = only(iam.simulate_custom_policy(PolicyInputList=[policy(READ)], ActionNames=["s3:GetObject"]))
    assert (result["EvalResourceName"], result["EvalDecision"]) == ("*", "implicitDeny")
    assert "ResourceSpecificResults" not in result


@pytest.mark.parametrize(
    ("action", "resource", "form"),
    [
        ("s3:ListBucket", "arn:aws:s3:::b", "arn:${Partition}:s3:::${BucketName}"),
        ("sts:GetCallerIdentity", OBJECT, "*"),
        ("s3:NoSuchAction", OBJECT, "*"),
        ("nosuchservice:Do", OBJECT, "*"),
        ("EC2:runinstances", "arn:aws:ec2:us-east-1:111122223333:subnet/x", "subnet/${SubnetId}"),
    ],
)
def test_the_form_of_an_arn_is_the_actions(iam: Any, action: str, resource: str, form: str) -> None:
    """Also of actions and services that nobody knows."""
    result = only(
        iam.simulate_custom_policy(PolicyInputList=[policy(READ)], ActionNames=[action], ResourceArns=[resource])
    )
    assert result["EvalResourceName"].endswith(form)
    assert len(result["ResourceSpecificResults"]) == 1


def test_the_example_of_awss_own_reference(iam: Any) -> None:
    """The document, keys and answer that the AWS CLI Command Reference shows, positions included."""
    document = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":'
        '{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
    )
    asked: dict[str, Any] = {"PolicyInputList": [document], "ActionNames": ["dynamodb:CreateBackup"]}
    late, early = (
        only(
            iam.simulate_custom_policy(
                **asked,
                ContextEntries=[
                    {"ContextKeyName": "aws:CurrentTime", "ContextKeyValues": [moment], "ContextKeyType": "date"}
                ],
            )
        )
        for moment in ("2019-04-25T11:00:00Z", "2014-04-25T11:00:00Z")
    )
    assert (late["EvalDecision"], early["EvalDecision"]) == ("allowed", "implicitDeny")
    (matched,) = late["MatchedStatements"]
    assert matched["SourcePolicyId"] == "PolicyInputList.1"
    assert matched["StartPosition"] == {"Line": 1, "Column": 38}
    assert matched["EndPosition"] == {"Line": 1, "Column": 167}
    assert early["MatchedStatements"] == []


def test_positions_in_a_document_of_several_lines() -> None:
    """Whatever stands before the statements, and whatever their strings hold."""
    text = '{\n  "Id": "{[\\"x", "Version": "2012-10-17",\n  "Statement" : [ {"Sid": "]"} ,\n    {\n  } ]\n}'
    assert json.loads(text)["Statement"][1] == {}
    assert positions(text, 0) == {"StartPosition": {"Line": 3, "Column": 20}, "EndPosition": {"Line": 3, "Column": 31}}
    assert positions(text, 1) == {"StartPosition": {"Line": 4, "Column": 6}, "EndPosition": {"Line": 5, "Column": 4}}


def test_policies_are_told_by_name_and_kind(iam: Any) -> None:
    """Inline ones of a user and of its group, managed ones of the account and AWS's."""
    iam.create_group(GroupName="simulated-group")
    iam.put_group_policy(GroupName="simulated-group", PolicyName="of-group", PolicyDocument=policy(READ))
    iam.add_user_to_group(GroupName="simulated-group", UserName="simulated")
    arn = iam.create_policy(PolicyName="managed", PolicyDocument=policy({**READ, "Action": "s3:PutObject"}))
    iam.attach_user_policy(UserName="simulated", PolicyArn=arn["Policy"]["Arn"])
    iam.attach_user_policy(UserName="simulated", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    found = iam.simulate_principal_policy(
        PolicySourceArn=f"{PREFIX}:user/simulated",
        ActionNames=["s3:GetObject", "s3:PutObject", "iam:GetUser"],
        ResourceArns=[OBJECT],
    )["EvaluationResults"]
    sources = [
        {(one["SourcePolicyId"], one["SourcePolicyType"]) for one in result["MatchedStatements"]} for result in found
    ]
    assert sources[0] <= {("inline", "user"), ("of-group", "group")}
    assert sources[0]
    assert sources[1:] == [{("managed", "user-managed")}, {("IAMReadOnlyAccess", "aws-managed")}]


def test_what_a_boundary_does_is_told(iam: Any) -> None:
    """Whether it allows the action, whatever the other policies say; nothing of it without one."""
    asked: dict[str, Any] = {"ActionNames": ["s3:GetObject"], "ResourceArns": [OBJECT, OTHER]}
    plain = only(iam.simulate_custom_policy(PolicyInputList=[policy(READ)], **asked))
    assert "PermissionsBoundaryDecisionDetail" not in plain
    bounded = only(
        iam.simulate_custom_policy(
            PolicyInputList=[policy({**READ, "Resource": "*"})], PermissionsBoundaryPolicyInputList=[policy(READ)], **asked
        )
    )  # fmt: skip
    assert bounded["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    told = [
        one["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]
        for one in bounded["ResourceSpecificResults"]
    ]
    assert told == [True, False]


def test_a_resource_policy_has_its_accounts_side(iam: Any) -> None:
    """It admits the caller alone at home; another account's owner needs both sides."""
    grant = policy({**READ, "Resource": OTHER, "Principal": {"AWS": f"{PREFIX}:user/simulated"}})
    asked: dict[str, Any] = {
        "PolicyInputList": [policy({**READ, "Resource": OBJECT})],
        "ActionNames": ["s3:GetObject"], "ResourceArns": [OTHER],
        "ResourcePolicy": grant, "CallerArn": f"{PREFIX}:user/simulated",
    }  # fmt: skip
    home = only(iam.simulate_custom_policy(**asked))
    assert home["EvalDecision"] == "allowed"
    assert home["MatchedStatements"][0]["SourcePolicyType"] == "resource"
    for owner in ("999999999999", "arn:aws:iam::999999999999:root"):
        assert only(iam.simulate_custom_policy(**asked, ResourceOwner=owner))["EvalDecision"] == "implicitDeny"
    queue = "arn:aws:sqs:us-east-1:999999999999:q"
    send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue}
    theirs = {
        **asked, "ActionNames": ["sqs:SendMessage"], "ResourceArns": [queue], "PolicyInputList": [policy(READ)],
        "ResourcePolicy": policy({**send, "Principal": {"AWS": f"{PREFIX}:user/simulated"}}),
    }  # fmt: skip
    assert only(iam.simulate_custom_policy(**theirs))["EvalDecision"] == "implicitDeny"
    both = {**theirs, "PolicyInputList": [policy(send)]}
    assert only(iam.simulate_custom_policy(**both))["EvalDecision"] == "allowed"


def test_a_caller_may_have_anothers_policies(iam: Any) -> None:
    """CallerArn: as Bob, as if Bob had the source's policies."""
    iam.create_user(UserName="bob", Tags=[{"Key": "team", "Value": "blue"}])
    own = {**READ, "Resource": "arn:aws:s3:::${aws:username}/*"}
    iam.create_role(
        RoleName="source",
        AssumeRolePolicyDocument=policy(
            {"Effect": "Allow", "Principal": {"AWS": f"{PREFIX}:root"}, "Action": "sts:AssumeRole"}
        ),
    )
    iam.put_role_policy(RoleName="source", PolicyName="own", PolicyDocument=policy(own))
    asked: dict[str, Any] = {"ActionNames": ["s3:GetObject"], "ResourceArns": ["arn:aws:s3:::bob/k"]}
    source = f"{PREFIX}:role/source"
    assert only(iam.simulate_principal_policy(PolicySourceArn=source, **asked))["EvalDecision"] == "implicitDeny"
    as_bob = iam.simulate_principal_policy(PolicySourceArn=source, CallerArn=f"{PREFIX}:user/bob", **asked)
    assert only(as_bob)["EvalDecision"] == "allowed"


def test_a_scenario_must_name_its_resources(iam: Any) -> None:
    """ResourceHandlingOption."""
    arns = [f"arn:aws:ec2:us-east-1:111122223333:{kind}/x" for kind in ("instance", "image", "security-group")]
    asked: dict[str, Any] = {
        "PolicyInputList": [policy({"Effect": "Allow", "Action": "ec2:*", "Resource": "*"})],
        "ActionNames": ["ec2:RunInstances"], "ResourceHandlingOption": "EC2-VPC-InstanceStore",
    }  # fmt: skip
    code, message, _ = refusal(iam.simulate_custom_policy, **asked, ResourceArns=arns)
    assert (code, message.rpartition(": ")[2]) == ("InvalidInput", "network-interface")
    arns.append("arn:aws:ec2:us-east-1:111122223333:network-interface/x")
    assert only(iam.simulate_custom_policy(**asked, ResourceArns=arns))["EvalDecision"] == "allowed"
    unknown = {**asked, "ResourceHandlingOption": "EC2-Moon"}
    assert refusal(iam.simulate_custom_policy, **unknown, ResourceArns=arns)[0] == "InvalidInput"


def entry(kind: str, *values: str, name: str = "aws:SomeKey") -> dict[str, Any]:
    return {"ContextEntries": [{"ContextKeyName": name, "ContextKeyValues": list(values), "ContextKeyType": kind}]}


RESOURCE_POLICY = policy({**READ, "Principal": "*"})
INVALID: dict[str, dict[str, Any]] = {
    "document": {"PolicyInputList": ["{}"]},
    "resource-document": {"ResourcePolicy": "{}", "CallerArn": f"{PREFIX}:user/simulated"},
    "action": {"ActionNames": ["s3:Get*"]},
    "resource": {"ResourceArns": ["bucket"]},
    "two-boundaries": {"PermissionsBoundaryPolicyInputList": [policy(READ)] * 2},
    "no-caller": {"ResourcePolicy": RESOURCE_POLICY},
    "session-as-caller": {"CallerArn": "arn:aws:sts::111122223333:assumed-role/r/s"},
    "service-as-caller": {"CallerArn": "ec2.amazonaws.com"},
    "owner": {"ResourceOwner": "somebody"},
    "numeric": entry("numeric", "five"),
    "boolean": entry("boolean", "perhaps"),
    "date": entry("dateList", "2020-01-01", "yesterday"),
    "ip": entry("ip", "300.1.1.1"),
    "binary": entry("binary", "?"),
    "two-values": entry("string", "a", "b"),
}


@pytest.mark.parametrize("case", INVALID)
def test_what_cannot_be_simulated_is_invalid_input(iam: Any, case: str) -> None:
    """Never a guess, and never another code than the reference's."""
    asked = {"PolicyInputList": [policy(READ)], "ActionNames": ["s3:GetObject"], **INVALID[case]}
    assert refusal(iam.simulate_custom_policy, **asked)[0] == "InvalidInput"


def test_a_source_is_a_user_a_group_or_a_role(iam: Any) -> None:
    session = "arn:aws:sts::111122223333:assumed-role/r/s"
    assert refusal(iam.simulate_principal_policy, PolicySourceArn=session, ActionNames=["s3:GetObject"]) == (
        "InvalidInput", f"Invalid Entity Arn: {session} does not clearly define entity type and name.", 400,
    )  # fmt: skip
    group = f"{PREFIX}:group/nobodys"
    assert (
        refusal(iam.simulate_principal_policy, PolicySourceArn=group, ActionNames=["s3:GetObject"])[0] == "NoSuchEntity"
    )


def test_several_values_are_a_list(iam: Any) -> None:
    """ContextEntries: a list type of one value stays a set; ForAnyValue and numbers read what was given."""
    condition = {"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}, "NumericLessThan": {"s3:max-keys": "10"}}
    asked: dict[str, Any] = {
        "PolicyInputList": [policy({**READ, "Condition": condition})],
        "ActionNames": ["s3:GetObject"], "ResourceArns": [OBJECT],
    }  # fmt: skip
    entries = [
        {"ContextKeyName": "aws:TagKeys", "ContextKeyValues": ["b", "a"], "ContextKeyType": "stringList"},
        {"ContextKeyName": "s3:max-keys", "ContextKeyValues": ["9"], "ContextKeyType": "numeric"},
    ]
    assert only(iam.simulate_custom_policy(**asked, ContextEntries=entries))["EvalDecision"] == "allowed"
    missing = only(iam.simulate_custom_policy(**asked, ContextEntries=entries[:1]))
    assert (missing["EvalDecision"], missing["MissingContextValues"]) == ("implicitDeny", ["s3:max-keys"])
    assert missing["ResourceSpecificResults"][0]["MissingContextValues"] == ["s3:max-keys"]
