"""Every benchmark in turn, each beside its peer in one run. A missing peer is said, and its column skipped."""

import subprocess
import sys
from pathlib import Path

RUNS = (
    "policy.py",
    "sts.py",
    "s3_gateway.py",
    "start.py",
    "webhook.py",
    "authenticator.py",
    "cluster.py",
)


def main() -> int:
    """Exit code 1 if any benchmark could not run."""
    worst = 0
    for name in RUNS:
        print(f"\n== {name} ==", flush=True)
        worst = max(worst, subprocess.run([sys.executable, Path(__file__).with_name(name)], check=False).returncode)
    return min(worst, 1)


if __name__ == "__main__":
    sys.exit(main())
