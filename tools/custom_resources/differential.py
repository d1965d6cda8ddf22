"""Plays random schemas and objects through Kubernetes' own Go code and through ours, and prints where they differ.

    python tools/custom_resources/differential.py v0.37.2 [cases] [seed] [FILE]

Go must be on PATH. Exits 1 when anything differs. Compared are the refusals of a definition, and for a valid one: what
is pruned, named as unknown and defaulted, and the faults of the object, created and as an update. With FILE, the cases
and Kubernetes' answers are written there: the golden cases of the unit tests.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.objects.conform import conform
from iambridge.sandbox.cluster.objects.custom import embedded, list_types, values
from iambridge.sandbox.cluster.objects.custom.defaulting import default
from iambridge.sandbox.cluster.objects.custom.pruning import prune
from iambridge.sandbox.cluster.objects.kinds import strategy
from iambridge.sandbox.cluster.objects.types import type_of

HERE = Path(__file__).parent
NAMES = ["a", "b", "c", "d"]
SCALARS: list[Any] = [None, True, False, 0, 1, -3, 7, 2.5, "", "x", "abc", "10.0.0.1", "2026-01-01", "jane@example.com"]
Case = dict[str, Any]


def scalar_schema(draw: random.Random) -> dict[str, Any]:
    kind = draw.choice(["string", "integer", "number", "boolean", "int-or-string", ""])
    out: dict[str, Any] = {"type": kind} if kind not in {"", "int-or-string"} else {}
    if kind == "int-or-string":
        out["x-kubernetes-int-or-string"] = True
    if kind == "" and draw.random() < 0.9:
        out["x-kubernetes-preserve-unknown-fields"] = True
    if kind == "string":
        out |= draw.choice(
            [
                {},
                {"minLength": 1},
                {"maxLength": 2},
                {"pattern": "^[a-z]+$"},
                {"enum": ["x", "abc"]},
                {"format": draw.choice(["ipv4", "date", "email", "uuid", "nonsense", "byte", "date-time"])},
            ]
        )
    if kind in {"integer", "number"}:
        out |= draw.choice(
            [
                {},
                {"minimum": 0},
                {"maximum": 5},
                {"minimum": 0, "exclusiveMinimum": True},
                {"multipleOf": 2},
                {"enum": [1, 7]},
                {"format": "int32" if kind == "integer" else "double"},
            ]
        )
    if draw.random() < 0.2:
        out["nullable"] = True
    if draw.random() < 0.2:
        out["default"] = draw.choice(SCALARS[1:])
    return out


def schema(draw: random.Random, depth: int) -> dict[str, Any]:
    kind = draw.choice(["scalar", "scalar", "object", "map", "list", "free", "embedded"]) if depth else "scalar"
    if kind == "scalar":
        return scalar_schema(draw)
    out: dict[str, Any]
    if kind == "object":
        out = with_properties(draw, depth)
    elif kind == "map":
        out = {"type": "object", "additionalProperties": draw.choice([True, schema(draw, depth - 1)])}
        if draw.random() < 0.2:
            out["maxProperties"] = 1
    elif kind == "list":
        out = listed(draw, depth)
    elif kind == "free":
        out = {"x-kubernetes-preserve-unknown-fields": True} | draw.choice([{}, {"type": "object"}])
    else:
        out = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
    if draw.random() < 0.25:
        out[draw.choice(["anyOf", "oneOf", "allOf"])] = [junctor(draw, out) for _ in range(draw.randint(1, 2))]
    if draw.random() < 0.1:
        out["not"] = junctor(draw, out)
    return out


def with_properties(draw: random.Random, depth: int) -> dict[str, Any]:
    out: dict[str, Any] = {"type": "object", "properties": {name: schema(draw, depth - 1) for name in some(draw)}}
    if draw.random() < 0.4:
        out["required"] = some(draw, 2)
    if draw.random() < 0.2:
        out["minProperties"] = 1
    if draw.random() < 0.2:
        out["x-kubernetes-map-type"] = "atomic"
    if draw.random() < 0.2:
        out["default"] = {name: draw.choice(SCALARS) for name in some(draw, 1)}
    if draw.random() < 0.15:
        out["x-kubernetes-preserve-unknown-fields"] = True
    return out


def listed(draw: random.Random, depth: int) -> dict[str, Any]:
    out: dict[str, Any] = {"type": "array", "items": schema(draw, depth - 1)}
    if draw.random() < 0.3:
        out["maxItems"] = 1
    choice = draw.random()
    if choice < 0.25:
        out |= {"x-kubernetes-list-type": "set", "items": scalar_schema(draw)}
    elif choice < 0.5:
        keys = draw.sample(NAMES, draw.randint(1, 2))
        properties = {name: {"type": draw.choice(["string", "integer"])} for name in NAMES}
        out |= {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": keys,
            "items": {
                "type": "object",
                "properties": properties,
                "required": keys if draw.random() < 0.8 else keys[:1],
            },
        }
    return out


def junctor(draw: random.Random, around: dict[str, Any]) -> dict[str, Any]:
    known = sorted(around.get("properties") or {})
    inner = draw.choice([{"minLength": 1}, {"minimum": 1}, {"enum": ["x", 1]}, {"maxItems": 1}, {"pattern": "^x"}])
    choice = draw.random()
    if choice < 0.5 and known:
        return {"properties": {draw.choice(known): inner}}
    if choice < 0.7 and known:
        return {"required": [draw.choice(known)]}
    return {"type": "string"} if choice > 0.97 else inner


def some(draw: random.Random, most: int = 3) -> list[str]:
    return draw.sample(NAMES, draw.randint(0, most))


def value(draw: random.Random, of: dict[str, Any], depth: int = 3) -> Any:
    """A value that fits more often than not."""
    if draw.random() < 0.12 or depth < 0:
        return draw.choice([*SCALARS, [], {}, [1], {"a": None}, {"z": {"y": 1}}])
    items, properties, more = of.get("items"), of.get("properties"), of.get("additionalProperties")
    if isinstance(items, dict):
        return [value(draw, items, depth - 1) for _ in range(draw.randint(0, 3))]
    if of.get("type") == "object":
        out = {name: value(draw, (properties or {}).get(name) or {}, depth - 1) for name in some(draw)}
        for name, one in (properties or {}).items():
            if draw.random() < 0.6:
                out[name] = value(draw, one, depth - 1)
        if more is not None:
            out |= {name: value(draw, more if isinstance(more, dict) else {}, depth - 1) for name in some(draw)}
        if of.get("x-kubernetes-embedded-resource") and draw.random() < 0.8:
            out |= {"apiVersion": draw.choice(["v1", "", "a/b/c"]), "kind": draw.choice(["Pod", "-", ""])}
        return out
    fits = {
        "string": ["", "x", "abc", "10.0.0.1", "2026-01-01"],
        "integer": [0, 1, 2, 7, -3, 2**40],
        "number": [0, 1, 2.5, 6],
        "boolean": [True, False],
    }
    return draw.choice(fits.get(of.get("type", ""), SCALARS))


_FAULTS: list[dict[str, Any]] = [
    {"type": ""},
    {"type": "int"},
    {"type": "null"},
    {"uniqueItems": True},
    {"x-kubernetes-preserve-unknown-fields": False},
    {"x-kubernetes-list-type": "set"},
    {"x-kubernetes-list-type": "odd"},
    {"x-kubernetes-map-type": "granular"},
    {"x-kubernetes-list-map-keys": ["a"]},
    {"x-kubernetes-list-type": "map"},
    {"additionalProperties": {"type": "string"}},
    {"items": {"type": "string"}},
    {"nullable": True},
    {"x-kubernetes-embedded-resource": True},
    {"$ref": "x"},
    {"id": "x"},
    {"x-kubernetes-int-or-string": True},
    {"pattern": "("},
    {"pattern": "(?=a)"},
    {"default": {"z": 1}},
    {"default": [1]},
    {"allOf": [{"properties": {"z": {"minLength": 1}}}]},
    {"anyOf": [{"description": "x"}, {"title": "y", "nullable": True}]},
    {"properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}},
    {"required": ["z"]},
    {"properties": {"kind": {"type": "integer"}}},
    {"not": {"type": "string", "items": {"type": "string"}}},
    {"type": "array"},
    {"additionalProperties": False},
    {"items": {"type": "object", "nullable": True}},
    {"patternProperties": {"x": {}}},
]


def spoiled(draw: random.Random, of: dict[str, Any]) -> None:
    """Put something in that may not be there, at the schema's root or somewhere below."""
    below = [
        one
        for one in [*(of.get("properties") or {}).values(), of.get("items"), of.get("additionalProperties")]
        if isinstance(one, dict)
    ]
    if below and draw.random() < 0.7:
        spoiled(draw, draw.choice(below))
        return
    of |= json.loads(json.dumps(draw.choice(_FAULTS)))


def cases(count: int, seed: int) -> list[Case]:
    draw = random.Random(seed)
    return [case(draw) for _ in range(count)]


def case(draw: random.Random) -> Case:
    spec = schema(draw, 3)
    root = {"type": "object", "properties": {"spec": spec, "status": {"type": "object"}}}
    if draw.random() < 0.1:
        root["required"] = ["spec"]
    if draw.random() < 0.4:
        spoiled(draw, root)
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": root},
                    "subresources": draw.choice([{}, {"status": {}}]),
                }
            ],
        },
        "status": {"storedVersions": ["v1"]},
    }
    head = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    found, old = ({**head, "spec": value(draw, spec)} for _ in range(2))
    if draw.random() < 0.5:
        old = {**found, "status": {}}
    return {"definition": definition, "object": found, "old": old}


def ours(one: Case) -> dict[str, Any]:
    rules = strategy("apiextensions.k8s.io", "CustomResourceDefinition")
    definition = rules.default(
        conform(one["definition"], type_of("apiextensions.k8s.io/v1", "CustomResourceDefinition")).object
    )
    faults = rules.validate_create(definition)
    if faults:
        return {"definition": [str(fault) for fault in faults]}
    root = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

    def settled(obj: dict[str, Any]) -> tuple[Any, list[str]]:
        pruned, unknown = prune(obj, root)
        return default(pruned, root), unknown

    found, unknown = settled(one["object"])
    old, _ = settled(one["old"])
    errors = values.validate(found, root) + embedded.faults(found, root) + list_types.faults(found, root)
    update = values.validate(found, root, old=old)
    return {
        "object": found,
        "unknown": unknown,
        "errors": [str(fault) for fault in errors],
        "update": [str(fault) for fault in update],
    }


def settle(answer: dict[str, Any]) -> dict[str, Any]:
    """Go walks its maps in no order, and shows a whole schema by the fields of its internal struct."""
    out = dict(answer)
    if "definition" in out:
        out["definition"] = [re.sub(r"Invalid value: \{.*\}: only \[", "only [", text) for text in out["definition"]]
    for name in ("definition", "errors", "update", "unknown"):
        if name in out:
            out[name] = sorted(set(out[name] or ()))
    return out


def theirs(version: str, played: list[Case]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "go.mod").write_text("module custom_resources\n\ngo 1.25\n")
        (folder / "main.go").write_text((HERE / "main.go").read_text())
        for words in (
            ["get", f"k8s.io/apiextensions-apiserver@{version}"],
            ["mod", "tidy"],
            ["build", "-o", "oracle", "."],
        ):
            subprocess.run(["go", *words], cwd=folder, check=True)
        lines = "".join(json.dumps(one) + "\n" for one in played)
        done = subprocess.run([folder / "oracle"], input=lines, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main(version: str, count: str = "1000", seed: str = "1", file: str = "") -> int:
    played = cases(int(count), int(seed))
    answers = [settle(answer) for answer in theirs(version, played)]
    different = 0
    for one, wanted in zip(played, answers, strict=True):
        try:
            found = settle(ours(one))
        except BadRequest:
            continue  # metadata of an embedded resource with a wrong type, which ends decoding in both
        if found != wanted:
            different += 1
            root = one["definition"]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            print(
                json.dumps(
                    {"schema": root["properties"]["spec"], "object": one["object"]["spec"], "old": one["old"]["spec"]}
                )
            )
            for name in sorted(found.keys() | wanted.keys()):
                if found.get(name) != wanted.get(name):
                    print(f"  {name}: Kubernetes {json.dumps(wanted.get(name))}")
                    print(f"  {name}: ours       {json.dumps(found.get(name))}")
    valid = sum("object" in answer for answer in answers)
    print(f"{different} of {len(played)} cases differ; {valid} definitions were valid")
    if file:
        rows = [{**one, "answer": answer} for one, answer in zip(played, answers, strict=True)]
        Path(file).write_text("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
