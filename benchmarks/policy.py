"""Policy decisions per CPU second: ours against iam-simulate's, the same pre-parsed corpus, one thread each, one run.

Like for like are iam-simulate and the last row: iam-simulate always returns its analysis of every statement. In the
first row the outcome alone is read, as a server does before it has a denial to tell; the reasons stay there to be read.

Run: .venv/bin/python benchmarks/policy.py
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.oracle.policy_corpus import case, compiled
from tests.oracle.test_iam_simulate import PEER, install

from iambridge.core.iam_policy import authorize

CASES, SECONDS, PEER_ROUNDS = 1000, 3.0, 60


def per_second(judge: Callable[[], Any]) -> float:
    """Decisions a CPU second, after two rounds of warming up."""
    judge()
    judge()
    rounds, start = 0, time.process_time()
    while time.process_time() - start < SECONDS:
        judge()
        rounds += 1
    return rounds * CASES / (time.process_time() - start)


def main() -> None:
    random_ = random.Random(1)
    cases = [case(random_) for _ in range(CASES)]
    corpus = [compiled(one) for one in cases]
    cache = Path(os.environ.get("IAMBRIDGE_CACHE") or Path.home() / ".cache/iambridge")
    cache.mkdir(parents=True, exist_ok=True)
    peer = subprocess.run(
        ["node", str(PEER), str(install(cache)), "bench", str(PEER_ROUNDS)],
        input="\n".join(json.dumps(one) for one in cases), capture_output=True, text=True, check=True,
    )  # fmt: skip
    theirs = float(peer.stdout.splitlines()[-1])
    modes: dict[str, Callable[[], Any]] = {
        "authorize, the outcome read": lambda: [authorize(r, p).allowed for r, p in corpus],
        "authorize, its reasons read": lambda: [authorize(r, p).reasons for r, p in corpus],
        "explain=True, every statement's reason read": lambda: [
            authorize(r, p, explain=True).reasons for r, p in corpus
        ],
    }
    rows = [("iam-simulate, its analysis of every statement", theirs)]
    rows += [(f"iambridge: {name}", per_second(judge)) for name, judge in modes.items()]
    for name, speed in rows:
        print(f"{name:56} {speed:10,.0f} decisions/CPU s  {speed / theirs:6.2f}x")


if __name__ == "__main__":
    main()
