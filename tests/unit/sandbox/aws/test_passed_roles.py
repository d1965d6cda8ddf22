"""iam:PassRole wherever a request hands a role to a service, with boto3 over a real socket."""

from typing import TYPE_CHECKING

from tests.unit.sandbox.aws.test_gateway import policy, refusal
from tests.unit.sandbox.aws.test_named_actions import allow, user

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

ACCOUNT = "111122223333"


def test_a_role_inside_a_request_is_passed(running: "RunningAccount") -> None:
    """The role of an EventBridge target, deep in the request, needs iam:PassRole for events.amazonaws.com."""
    trust = policy({"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"})
    role = running.client("iam").create_role(RoleName="target", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    running.client("events").put_rule(Name="passing", ScheduleExpression="rate(1 minute)")
    given = {"Rule": "passing", "Targets": [{"Id": "1", "Arn": queue, "RoleArn": role}]}
    without = user(running, "passer-without", allow("events:*"))("events")
    assert f"iam:PassRole on resource: {role}" in refusal(without.put_targets, **given)[1]
    for service, passes in (("events.amazonaws.com", True), ("ec2.amazonaws.com", False)):
        passing = allow("iam:PassRole", role, condition={"StringEquals": {"iam:PassedToService": service}})
        own = user(running, f"passer-{service}", allow("events:*"), passing)("events")
        if passes:
            assert own.put_targets(**given)["FailedEntryCount"] == 0
        else:
            assert "iam:PassRole" in refusal(own.put_targets, **given)[1]
    assert without.put_targets(Rule="passing", Targets=[{"Id": "1", "Arn": queue}])["FailedEntryCount"] == 0
