"""Random requests at the embedded cluster and at a real one: where status code or reason differ, both are printed.

    python tools/kubernetes_oracle/differential.py KUBECONFIG [REQUESTS] [SEED]

starts an embedded cluster by itself. A difference that is known (ours is 400 where theirs is 500) is counted and not
printed. Exits 1 when there is another.
"""

import copy
import json
import random
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/cluster"))
from api_client import ApiClient  # noqa: E402

CASES = json.loads((ROOT / "tests/cases/cluster/objects.json").read_text())
# how fast a namespace ends, and what a node is given, is another question
CASES = [case for case in CASES if case["path"] not in {"/api/v1/namespaces", "/api/v1/nodes"}]
VALUES: list[Any] = [None, True, False, 0, -1, 1.5, 10**12, "", "x", "A b", "a" * 300, "é\n", [], [1], [None], [{}], {}]
VALUES += [{"a": 1}, {"a": None}, {"": ""}, {"$patch": "delete"}, {"$patch": "replace"}, [["x"]], {"name": "x"}]
PATCHES = ("json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml")
WORDS = [
    "a",
    "b",
    "app",
    "web",
    "in",
    "notin",
    "(",
    ")",
    ",",
    "=",
    "==",
    "!=",
    "!",
    "<",
    ">",
    " ",
    "1",
    "-x",
    "a/b",
    "\\",
]
QUERIES = ("", "", "fieldValidation=Strict", "dryRun=All", "fieldManager=m", "fieldManager=m&force=true", "limit=1")

Path_ = tuple[str | int, ...]


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (*path, key)
        yield from places(inner, (*path, key))


def broken(draw: random.Random, original: Any) -> Any:
    """`original` with up to two values taken away, replaced or added."""
    found = copy.deepcopy(original)
    for _ in range(draw.randint(0, 2)):
        candidates = list(places(found))
        if not candidates:
            break
        *parents, last = draw.choice(candidates)
        holder = found
        for key in parents:
            holder = holder[key]
        action = draw.choice(("replace", "replace", "remove", "add"))
        if action == "remove":
            del holder[last]
        elif action == "add" and isinstance(holder, dict):
            holder[draw.choice(("zzz", "name", "kind", "spec"))] = copy.deepcopy(draw.choice(VALUES))
        else:
            holder[last] = copy.deepcopy(draw.choice(VALUES))
    return found


def operations(draw: random.Random, original: Any) -> list[Any]:
    found = []
    for _ in range(draw.randint(1, 3)):
        path = "/" + "/".join(map(str, draw.choice(list(places(original)))))
        op = draw.choice(("add", "remove", "replace", "test", "copy", "move", "nope"))
        found.append({"op": op, "path": path, "value": draw.choice(VALUES), "from": draw.choice((path, "/data", "/x"))})
    return found


def request(draw: random.Random) -> tuple[str, str, Any, str]:
    case = draw.choice(CASES)
    path, method = case["path"], draw.choice(("POST", "POST", "PUT", "PATCH", "PATCH", "DELETE", "GET"))
    if method not in case.get("methods", (method,)):
        method = "POST"
    query, body, kind = draw.choice(QUERIES), broken(draw, case["object"]), "application/json"
    if method == "GET":
        name = draw.choice(("labelSelector", "fieldSelector", "resourceVersion", "continue", "limit"))
        return method, f"{path}?{name}={_quoted(''.join(draw.choices(WORDS, k=draw.randint(0, 6))))}", None, kind
    if method != "POST":
        path += f"/{case['object']['metadata']['name']}"
    if method == "PATCH":
        patch = draw.choice(PATCHES)
        kind = f"application/{patch}"
        body = operations(draw, case["object"]) if patch.startswith("json") else body
        if patch.startswith("apply"):
            query = "fieldManager=m&force=true"
    if method == "DELETE":
        body = draw.choice(
            (None, {}, {"propagationPolicy": draw.choice(VALUES)}, {"preconditions": {"uid": "x"}}, body)
        )
    return method, f"{path}?{query}" if query else path, body, kind


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def answer(client: ApiClient, asked: tuple[str, str, Any, str], namespace: str) -> tuple[int, str, str]:
    method, path, body, kind = asked
    text = None if body is None else json.dumps(body)
    status, _, found = client.ask(
        method, path.replace("/namespaces/default/", f"/namespaces/{namespace}/"), text, {"Content-Type": kind}
    )
    if isinstance(found, dict) and found.get("kind") == "Status" and status >= 400:
        return status, found.get("reason", ""), found.get("message", "")
    return status, "", "" if status < 400 else str(found)


def play(ours: ApiClient, theirs: ApiClient, count: int, seed: int) -> Counter[str]:
    draw, tally = random.Random(seed), Counter[str]()
    namespace = f"differential-{uuid.uuid4().hex[:8]}"
    for client in (ours, theirs):
        client.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    for number in range(count):
        asked = request(draw)
        here = answer(ours, asked, namespace)
        try:
            there = answer(theirs, asked, namespace)
        except OSError as error:  # kube-apiserver gives up on some requests
            tally[f"no answer there: {type(error).__name__}"] += 1
            continue
        if here[:2] == there[:2]:
            tally["same words" if here == there else "same code and reason"] += 1
        elif here[0] == 400 and there[0] == 500:
            tally["400 here, 500 there"] += 1
        else:
            tally["different"] += 1
            print(number, *asked[:2], asked[3], json.dumps(asked[2])[:700])
            print(
                "   ours", here[0], here[1], here[2][:500], "\n   real", there[0], there[1], there[2][:500], flush=True
            )
    for client in (ours, theirs):
        client.ask("DELETE", f"/api/v1/namespaces/{namespace}")
        for case in CASES:
            if "/namespaces/" not in case["path"] and "methods" not in case:
                client.ask("DELETE", f"{case['path']}/{case['object']['metadata']['name']}")
    return tally


def main(kubeconfig: Path, count: int = 500, seed: int = 1) -> int:
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/cluster/embedded_server.py"), directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout is not None
            embedded = ApiClient(Path(json.loads(server.stdout.readline())["kubeconfig"]))
            tally = play(embedded, ApiClient(kubeconfig), count, seed)
        finally:
            server.communicate("", timeout=30)
    print(f"seed {seed}: {dict(tally)}")
    return int(tally["different"] > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:4])))
