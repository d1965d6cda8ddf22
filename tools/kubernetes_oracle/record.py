"""Plays the battery of `tests/cases/cluster/battery/` on a real cluster and keeps its transcripts.

python tools/kubernetes_oracle/record.py KUBECONFIG [SCENARIO ...]
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/cluster"))
from battery import SCENARIOS, TRANSCRIPTS, Player


def main(kubeconfig: Path, wanted: list[str]) -> None:
    program = Path(sys.executable).with_name("kubectl")

    def kubectl(words: str, namespace: str, stdin: str) -> tuple[int, str, str]:
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run(
                [program, "--namespace", namespace, *words.split()],
                input=stdin,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                env={"KUBECONFIG": str(kubeconfig), "HOME": home, "PATH": os.environ["PATH"]},
            )
        return done.returncode, done.stdout, done.stderr

    TRANSCRIPTS.mkdir(exist_ok=True)
    (TRANSCRIPTS / "version").write_text(Player(kubeconfig, kubectl).minor() + "\n")
    for scenario in SCENARIOS:
        if not wanted or scenario.stem in wanted:
            played = Player(kubeconfig, kubectl).play(scenario)
            lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in played)
            (TRANSCRIPTS / f"{scenario.stem}.json").write_text(f"[\n{lines}\n]\n")
            print(f"{scenario.stem}: {len(played)} steps", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
