"""`s3-echoer [--key-prefix PREFIX] BUCKET`: puts what it reads from stdin into an object of the bucket.

Compatible with github.com/mhausenblas/s3-echoer: the key, the line on stdout, the exit codes. Credentials and endpoint
come from boto3's own default chain, the region from AWS_DEFAULT_REGION or AWS_REGION. As there, the only argument is
the bucket, whatever it looks like: `--help` would be one.
"""

import os
import sys
import time
from typing import NoReturn

import boto3
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

_KEY_PREFIX = "s3echoer-"


def main() -> None:
    arguments = sys.argv[1:]
    prefix = _KEY_PREFIX
    if len(arguments) >= 2 and arguments[0] == "--key-prefix":
        prefix = arguments[1]
        arguments = arguments[2:]
    if len(arguments) != 1:
        _fail("Can't continue, no bucket name was provided!")
    bucket = arguments[0]
    key = f"{prefix}{int(time.time())}"  # before stdin is read, which may take as long as its writer likes
    try:
        body = sys.stdin.buffer.read()
    except OSError as error:
        _fail(f"Can't read from stdin: {error}")
    print(f"Uploading user input to S3 using {bucket}/{key}\n", flush=True)
    region = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or None
    try:
        boto3.client("s3", region_name=region).put_object(Bucket=bucket, Key=key, Body=body)
    except (BotoCoreError, Boto3Error, ClientError, ValueError) as error:
        _fail(f"Can't upload to S3: {error}")


def _fail(message: str) -> NoReturn:
    """One line on stderr, dated as Go's log package dates it."""
    print(f"{time.strftime('%Y/%m/%d %H:%M:%S')} {message}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
