"""Policies on the tags of S3 objects, given and had, with boto3 over a real socket."""

from typing import TYPE_CHECKING, Any

from tests.unit.sandbox.aws.test_gateway import policy, refusal
from tests.unit.sandbox.aws.test_named_actions import allow, user

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.conftest import RunningAccount

BUCKET = "object-tags"


def test_the_tags_of_an_object_decide(running: "RunningAccount") -> None:
    """s3:ExistingObjectTag in a user's policy and in a bucket's; s3:RequestObjectTag in a header and in a body."""
    admin = running.client("s3")
    admin.create_bucket(Bucket=BUCKET)
    admin.put_object(Bucket=BUCKET, Key="mine", Body=b"m", Tagging="team=mine&x=y")
    admin.put_object(Bucket=BUCKET, Key="plain", Body=b"p")
    own = user(
        running,
        "object-tagger",
        allow("s3:GetObject", condition={"StringEquals": {"s3:ExistingObjectTag/team": "mine"}}),
        allow(
            ["s3:PutObject", "s3:PutObjectTagging"], condition={"StringEquals": {"s3:RequestObjectTag/team": "mine"}}
        ),
    )("s3")
    assert own.get_object(Bucket=BUCKET, Key="mine")["Body"].read() == b"m"
    assert refusal(own.get_object, Bucket=BUCKET, Key="plain")[0] == "AccessDenied"
    own.put_object(Bucket=BUCKET, Key="new", Body=b"", Tagging="team=mine")
    assert refusal(own.put_object, Bucket=BUCKET, Key="new", Body=b"")[0] == "AccessDenied"
    own.put_object_tagging(Bucket=BUCKET, Key="new", Tagging={"TagSet": [{"Key": "team", "Value": "mine"}]})
    other = {"TagSet": [{"Key": "team", "Value": "theirs"}]}
    assert refusal(own.put_object_tagging, Bucket=BUCKET, Key="new", Tagging=other)[0] == "AccessDenied"
    deny: dict[str, Any] = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    }
    deny["Condition"] = {"StringEquals": {"s3:ExistingObjectTag/x": "y"}}
    admin.put_bucket_policy(Bucket=BUCKET, Policy=policy(deny))
    assert "explicit deny" in refusal(admin.get_object, Bucket=BUCKET, Key="mine")[1]
    assert admin.get_object(Bucket=BUCKET, Key="plain")["Body"].read() == b"p"
