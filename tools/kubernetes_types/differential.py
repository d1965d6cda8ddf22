"""Plays random patches and applies through Kubernetes' own Go code and through ours, and prints where they differ.

    python tools/kubernetes_types/differential.py v0.37.2 [cases] [seed] [FILE]

Go must be on PATH. Exits 1 when anything differs. `metadata.uid` and times are not compared. With FILE, the cases and
Kubernetes' answers are written there: the golden cases of test_conform_golden_cases.py (unit tests of objects).
A patch never deletes and adds the same item: what Go does then depends on its map order and on aliased slices.
"""

import copy
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from iambridge.errors import BadRequest, Conflict
from iambridge.sandbox.cluster.objects import strategic_merge
from iambridge.sandbox.cluster.objects.apply import apply, track
from iambridge.sandbox.cluster.objects.conform import conform
from iambridge.sandbox.cluster.objects.types import type_of

POD = type_of("v1", "Pod")
WORDS = ["a", "b", "c", "d"]


def some(draw: random.Random, most: int = 3) -> list[str]:
    return draw.sample(WORDS, draw.randint(0, most))


def container(draw: random.Random, name: str) -> dict[str, Any]:
    out: dict[str, Any] = {"name": name, "image": draw.choice(WORDS)}
    if draw.random() < 0.5:
        out["command"] = some(draw)
    if draw.random() < 0.5:
        out["env"] = [{"name": one, "value": draw.choice(WORDS)} for one in some(draw)]
    if draw.random() < 0.4:
        out["ports"] = [
            {"containerPort": port, "protocol": draw.choice(["TCP", "UDP"])}
            for port in draw.sample([1, 2, 3], draw.randint(1, 2))
        ]
    if draw.random() < 0.3:
        out["resources"] = {"limits": {"cpu": draw.choice(["1", "2"])}}
    if draw.random() < 0.3:
        out["securityContext"] = {"capabilities": {"add": some(draw)}} if draw.random() < 0.5 else {}
    return out


def pod(draw: random.Random) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": "p", "namespace": "n"}
    for name in ("labels", "annotations"):
        if draw.random() < 0.5:
            meta[name] = {one: draw.choice(WORDS) for one in some(draw)}
    if draw.random() < 0.5:
        meta["finalizers"] = [f"{one}/x" for one in some(draw)]
    spec: dict[str, Any] = {"containers": [container(draw, one) for one in draw.sample(WORDS, draw.randint(1, 3))]}
    if draw.random() < 0.5:
        spec["volumes"] = [
            {"name": one, **draw.choice([{"emptyDir": {}}, {"secret": {"secretName": "s"}}])} for one in some(draw)
        ]
    if draw.random() < 0.5:
        spec["nodeSelector"] = {one: draw.choice(WORDS) for one in some(draw)}
    if draw.random() < 0.3:
        spec["tolerations"] = [{"key": one} for one in some(draw)]
    if draw.random() < 0.3:
        spec["imagePullSecrets"] = [{"name": one} for one in some(draw)]
    if draw.random() < 0.2:
        spec["restartPolicy"] = draw.choice(["Always", "Never"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def patch(draw: random.Random) -> dict[str, Any]:
    out = pod(draw)
    spec, meta = out["spec"], out["metadata"]
    if draw.random() < 0.4:
        kept = {one["name"] for one in spec["containers"]}
        spec["containers"] += [{"$patch": "delete", "name": one} for one in some(draw, 1) if one not in kept]
    if draw.random() < 0.1:
        spec["containers"].insert(0, {"$patch": "replace"})
    if draw.random() < 0.4:
        order = [one["name"] for one in spec["containers"] if "$patch" not in one and "name" in one]
        order = list(dict.fromkeys(order + some(draw)))
        spec["$setElementOrder/containers"] = [{"name": one} for one in order]
    if draw.random() < 0.2:
        spec["nodeSelector"] = draw.choice([{"$patch": "replace", "z": "1"}, {"$patch": "delete"}, None, {"a": None}])
    if draw.random() < 0.3:
        meta["$deleteFromPrimitiveList/finalizers"] = [
            f"{one}/x" for one in some(draw) if f"{one}/x" not in meta.get("finalizers", ())
        ]
    if draw.random() < 0.2:
        spec["volumes"] = [{"$retainKeys": ["name", "emptyDir"], "name": draw.choice(WORDS), "emptyDir": {}}]
    if draw.random() < 0.2:
        spec["containers"][-1]["image"] = None
    return out


def ours_patch(case: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"object": strategic_merge.apply(case["before"], case["patch"], POD)}
    except BadRequest as error:
        return {"error": error.message}


def ours_steps(case: dict[str, Any]) -> dict[str, Any]:
    live: dict[str, Any] | None = None
    errors = []
    for second, one in enumerate(case["steps"]):
        now = f"2026-01-01T00:00:{second:02}Z"
        try:
            if one["operation"] == "apply":
                merged = apply(live, one["object"], POD, manager=one["manager"], force=one["force"], now=now)
            else:
                merged = track(live, conform(one["object"], POD).object, POD, manager=one["manager"], now=now)
        except Conflict as error:
            errors.append(error.message)
            continue
        errors.append("")
        live = conform(merged, POD).object
    return {"object": live or {}, "errors": errors}


def settle(answer: dict[str, Any]) -> dict[str, Any]:
    out = copy.deepcopy(answer)
    meta = (out.get("object") or {}).get("metadata") or {}
    meta.pop("uid", None)
    meta.pop("creationTimestamp", None)
    for entry in meta.get("managedFields") or ():
        entry.pop("time", None)
    if "managedFields" in meta:
        meta["managedFields"].sort(key=lambda entry: (entry["operation"], entry["manager"]))
    if "error" in out:
        out["error"] = True
    return _cleaned(out)


def _cleaned(value: Any) -> Any:
    """Less nulls and directives that Go leaves in new list items, since decoding drops both afterwards."""
    if isinstance(value, dict):
        return {key: _cleaned(one) for key, one in value.items() if one is not None and not key.startswith("$")}
    return [_cleaned(one) for one in value] if isinstance(value, list) else value


def cases(count: int, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    out: list[dict[str, Any]] = []
    for _ in range(count):
        out.append({"before": pod(draw), "patch": patch(draw)})
        steps = []
        for _ in range(draw.randint(2, 5)):
            operation = draw.choice(["apply", "apply", "update"])
            steps.append(
                {
                    "operation": operation,
                    "manager": draw.choice(["one", "two", "three"]),
                    "force": draw.random() < 0.6,
                    "object": pod(draw),
                }
            )
        out.append({"steps": steps})
    return out


def answers(version: str, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "go.mod").write_text("module oracle\n\ngo 1.25\n")
        (folder / "main.go").write_text((Path(__file__).parent / "oracle/main.go").read_text())
        modules = [f"k8s.io/{name}@{version}" for name in ("api", "apimachinery", "client-go")]
        subprocess.run(["go", "get", *modules], cwd=folder, check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["go", "build", "-mod=mod", "-o", "oracle", "."], cwd=folder, check=True)
        text = "\n".join(json.dumps(case) for case in asked)
        done = subprocess.run([folder / "oracle"], input=text, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main(version: str, count: int = 200, seed: int = 1, record: str = "") -> int:
    asked = cases(count, seed)
    differing = 0
    golden = []
    for case, theirs in zip(asked, answers(version, asked), strict=True):
        found = settle(ours_steps(case) if "steps" in case else ours_patch(case))
        wanted = settle(theirs)
        golden.append(json.dumps({**case, "wanted": wanted}, separators=(",", ":"), sort_keys=True))
        if found != wanted:
            differing += 1
            if differing <= 5:
                print(json.dumps({"case": case, "ours": found, "theirs": wanted}))
    if record:
        Path(record).write_text("\n".join(golden) + "\n")
    print(f"{len(asked)} cases, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:4]), *sys.argv[4:]))
