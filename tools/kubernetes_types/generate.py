"""Regenerates the embedded cluster's package data from Kubernetes' own Go modules: types, OpenAPI, bootstrap RBAC.

Run it in development, with Go on PATH, when a new Kubernetes minor release should be known:

    python tools/kubernetes_types/generate.py v0.37.2

It writes `types.json.gz`, `schema.json.gz` and `bootstrap_rbac.json.gz` beside `sandbox/cluster/objects`. Field numbers
and names are facts; descriptions and policy come from Kubernetes under Apache-2.0 (see NOTICE).
"""

import gzip
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
OBJECTS = HERE.parents[1] / "src/iambridge/sandbox/cluster/objects"
DOCUMENTS = (
    "api__v1",
    "apis__admissionregistration.k8s.io__v1",
    "apis__apiextensions.k8s.io__v1",
    "apis__apps__v1",
    "apis__authentication.k8s.io__v1",
    "apis__authorization.k8s.io__v1",
    "apis__autoscaling__v1",
    "apis__batch__v1",
    "apis__coordination.k8s.io__v1",
    "apis__events.k8s.io__v1",
    "apis__policy__v1",
    "apis__rbac.authorization.k8s.io__v1",
)
POLICY = (
    "cluster-roles",
    "cluster-role-bindings",
    "controller-roles",
    "controller-role-bindings",
    "namespace-roles",
    "namespace-role-bindings",
)
FLAGS = {"omitempty": 1, "omitzero": 2, "inline": 4}


def run(*command: str, cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


def reflect(version: str, folder: Path) -> dict[str, Any]:
    (folder / "go.mod").write_text("module kubernetes_types\n\ngo 1.25\n")
    (folder / "main.go").write_text((HERE / "main.go").read_text())
    run("go", "get", f"k8s.io/api@{version}", f"k8s.io/apiextensions-apiserver@{version}", cwd=folder)
    return json.loads(run("go", "run", "-mod=mod", ".", cwd=folder))


def kubernetes_source(version: str, folder: Path) -> Path:
    release = "v1." + version.removeprefix("v0.")
    return Path(json.loads(run("go", "mod", "download", "-json", f"k8s.io/kubernetes@{release}", cwd=folder))["Dir"])


def openapi(source: Path) -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    for document in DOCUMENTS:
        text = (source / "api/openapi-spec/v3" / f"{document}_openapi.json").read_text()
        schemas |= json.loads(text)["components"]["schemas"]
    return schemas


def wanted(schemas: dict[str, Any], kinds: dict[str, str]) -> dict[str, Any]:
    """The definitions of our kinds and their lists, with everything that they refer to."""
    start = [name + suffix for name in kinds.values() for suffix in ("", "List")]
    start += [
        name
        for name in schemas
        if name.endswith((".v1.Scale", ".v1.APIResourceList", ".v1.APIGroupList", ".v1.APIGroup", ".v1.APIVersions"))
    ]
    found: dict[str, Any] = {}
    while start:
        name = start.pop()
        if name in found or name not in schemas:
            continue
        found[name] = schemas[name]
        start += re.findall(r'#/components/schemas/([^"]+)"', json.dumps(schemas[name]))
    groups = {api_version.rpartition("/")[0].rpartition("/")[0] for api_version in kinds}
    for schema in found.values():
        gvks = schema.get("x-kubernetes-group-version-kind", [])
        kept = [gvk for gvk in gvks if gvk["group"] in groups and gvk["version"] == "v1"]
        if gvks:
            schema["x-kubernetes-group-version-kind"] = kept
    return dict(sorted(found.items()))


def topology(prop: dict[str, Any]) -> list[Any]:
    return [
        prop.get("x-kubernetes-list-type") or prop.get("x-kubernetes-map-type", ""),
        prop.get("x-kubernetes-list-map-keys", []),
    ]


def join(reflected: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    types: dict[str, Any] = {}
    for name, fields in sorted(reflected["types"].items()):
        schema = schemas.get(name, {})
        rows = []
        for one in fields:
            flags = sum(bit for key, bit in FLAGS.items() if one[key])
            row = [one["name"], one["number"], one["type"], flags, one["patch"], one["mergeKey"]]
            row += topology(schema.get("properties", {}).get(one["name"], {}))
            while row and not row[-1]:
                row.pop()
            rows.append(row)
        types[name] = {"atomic": schema.get("x-kubernetes-map-type") == "atomic", "fields": rows}
    return {"kinds": dict(sorted(reflected["kinds"].items())), "types": types}


def bootstrap_rbac(source: Path) -> list[Any]:
    folder = source / "plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata"
    items = []
    for name in POLICY:
        for item in yaml.safe_load((folder / f"{name}.yaml").read_text())["items"]:
            item["metadata"].pop("creationTimestamp", None)
            items.append(item)
    return items


def write(name: str, value: Any) -> None:
    data = json.dumps(value, separators=(",", ":")).encode()
    path = OBJECTS / name
    path.write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{path}: {path.stat().st_size} bytes")


def main(version: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        reflected = reflect(version, folder)
        source = kubernetes_source(version, folder)
        schemas = openapi(source)
        write("types.json.gz", join(reflected, schemas))
        write("schema.json.gz", wanted(schemas, reflected["kinds"]))
        write("bootstrap_rbac.json.gz", bootstrap_rbac(source))


if __name__ == "__main__":
    main(sys.argv[1])
