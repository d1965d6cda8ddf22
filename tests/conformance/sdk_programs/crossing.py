"""Takes a web identity to the AWS side with boto3, unmodified; prints what it met as JSON."""

import json
import sys

import boto3
from botocore.exceptions import ClientError

bucket, allowed, refused = sys.argv[1:]
s3 = boto3.client("s3")
who = boto3.client("sts").get_caller_identity()
s3.put_object(Bucket=bucket, Key=allowed, Body=b"from the SDK")
said = {"arn": who["Arn"], "text": s3.get_object(Bucket=bucket, Key=allowed)["Body"].read().decode(), "error": {}}
try:
    s3.put_object(Bucket=bucket, Key=refused, Body=b"no")
except ClientError as error:
    said["error"] = {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
print(json.dumps(said))
