"""The battery's answers are those that a real kube-apiserver gave, but for the differences that are explained.

`tests/cases/cluster/transcripts/` was recorded by `tools/kubernetes_oracle/record.py`; `explained.yaml` there says of
each difference where it is and why. A difference that nobody explained fails, and so does an explanation of none. A real cluster of the same minor version
(`version` there) has to answer alike without any explanation.
"""

import json
import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from .battery import SCENARIOS, TRANSCRIPTS, Player
from .conftest import _KUBECTLS, Kubectl
from .transcript import differences

EXPLAINED = yaml.safe_load((TRANSCRIPTS / "explained.yaml").read_text())


def player(kubeconfig: Path, home: Path) -> Player:
    tool = Kubectl(_KUBECTLS[-1], kubeconfig, home)

    def kubectl(words: str, namespace: str, stdin: str) -> tuple[int, str, str]:
        done = tool.within(namespace).run(*words.split(), stdin=stdin)
        return done.code, done.out, done.error

    try:
        return Player(kubeconfig, kubectl)
    except LookupError as error:
        pytest.skip(str(error))


def explains(entry: dict[str, Any], step: str, place: str, ours: Any) -> bool:
    """`step` and `at` are globs; `ours` says what the embedded cluster has there: `absent` is nothing."""
    if not fnmatchcase(step, entry.get("step", "*")) or not fnmatchcase(place, entry.get("at", "*")):
        return False
    return "ours" not in entry or (ours is ... if entry["ours"] == "absent" else ours == entry["ours"])


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_the_battery_answers_as_the_real_server_did(scenario: Path, kubeconfig: Path, tmp_path: Path) -> None:
    """Status, headers and body of every step."""
    recorded = json.loads((TRANSCRIPTS / f"{scenario.stem}.json").read_text())
    stage = player(kubeconfig, tmp_path)
    real = bool(os.environ.get("IAMBRIDGE_TEST_KUBECONFIG"))
    if real and (version := stage.minor()) != (wanted := (TRANSCRIPTS / "version").read_text().strip()):
        pytest.skip(f"recorded on Kubernetes {wanted}; this cluster is {version}")
    played = stage.play(scenario)
    assert len(played) == len(recorded), "the battery has changed: record the transcripts anew"
    explained = [] if real else EXPLAINED.get(scenario.stem, [])
    used, unexplained = set(), []
    for number, (ours, theirs) in enumerate(zip(played, recorded, strict=True)):
        step = next(str(ours[key]) for key in ("ask", "watch", "kubectl") if key in ours)
        for place, here, there in differences(ours, theirs):
            found = next((n for n, each in enumerate(explained) if explains(each, step, place, here)), None)
            if found is None:
                unexplained.append(f"{number} {step} {place}\n    here: {here!r}\n    real: {there!r}")
            else:
                used.add(found)
    assert not unexplained, "\n" + "\n".join(unexplained)
    idle = [each for number, each in enumerate(explained) if number not in used]
    assert not idle, f"explained, and not different any more: {idle}"
