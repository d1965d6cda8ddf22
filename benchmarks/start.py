"""What `iambridge up` costs until it is ready, and what it holds then.

    python benchmarks/start.py [--rounds 3]

Both sides, an empty data directory each time: CPU (user and system) of all its processes until it says that it is
ready, wall time, and the proportional set size (PSS) of all its processes together half a second later, before moto is
first needed. From /proc, so Linux only.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from sts import await_text, process_cpu, process_tree, started


def pss(pid: int) -> float:
    """MB of memory, what is shared counted by parts."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def once(directory: Path, *words: str) -> tuple[float, float, float]:
    """CPU seconds, wall seconds, MB."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "iambridge", "up", "--data-dir", str(directory / "data"), *words]
    with started(command, directory / "log") as process:
        await_text(directory / "log", "iambridge is ready")
        ready = time.perf_counter() - began
        cpu = sum(map(process_cpu, process_tree(process.pid)))
        time.sleep(0.5)
        return cpu, ready, sum(map(pss, process_tree(process.pid)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{'':28}{'CPU':>9}{'wall':>9}{'PSS':>9}")
    for name, words in (("up, both sides", ()), ("up --aws-only", ("--aws-only",))):
        found = []
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory(prefix="iambridge-bench-") as directory:
                found.append(once(Path(directory), *words))
        cpu, wall, memory = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{name:28}{cpu:>7.2f} s{wall:>7.2f} s{memory:>6.0f} MB")


if __name__ == "__main__":
    main()
