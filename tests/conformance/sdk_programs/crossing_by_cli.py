"""Takes a web identity to the AWS side with the AWS CLI, unmodified; prints what it met as JSON."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

bucket, allowed, refused = sys.argv[1:]
aws = Path(sys.executable).with_name("aws")


def run(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([aws, *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        sys.exit(done.stderr)
    return done


arn = json.loads(run("sts", "get-caller-identity", "--output", "json").stdout)["Arn"]
with tempfile.TemporaryDirectory() as directory:
    sent, got = Path(directory) / "sent", Path(directory) / "got"
    sent.write_text("from the SDK")
    run("s3", "cp", str(sent), f"s3://{bucket}/{allowed}")
    run("s3", "cp", f"s3://{bucket}/{allowed}", str(got))
    failed = run("s3api", "put-object", "--bucket", bucket, "--key", refused, "--body", str(sent), check=False)
    found = re.search(r"An error occurred \((\w+)\) .*?: (.*)", failed.stderr)
    error = {"code": found[1], "message": found[2]} if found else {}
    print(json.dumps({"arn": arn, "text": got.read_text(), "error": error}))
