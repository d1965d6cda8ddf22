"""The part of kustomize that `deploy/` uses, so that its manifests can be printed without it.

Source: the kustomization file reference. What is not modelled is refused by name. A test compares the text with
`kubectl kustomize`.
"""

import copy
from collections.abc import Mapping, Sequence
from posixpath import join, normpath
from typing import Any

import yaml

from iambridge.errors import InputError

Object = dict[str, Any]

_FILE = "kustomization.yaml"
_KNOWN = {"apiVersion", "kind", "namespace", "resources", "images", "patches"}
_FIRST = (
    *("Namespace", "ResourceQuota", "StorageClass", "CustomResourceDefinition", "ServiceAccount", "PodSecurityPolicy"),
    *("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ConfigMap", "Secret", "Endpoints", "Service"),
    *("LimitRange", "PriorityClass", "PersistentVolume", "PersistentVolumeClaim", "Deployment", "StatefulSet"),
    *("CronJob", "PodDisruptionBudget"),
)
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


def components_of(files: Mapping[str, str]) -> tuple[str, ...]:
    """The names under `components/`. `files` maps paths below the base to their text."""
    suffix = f"/{_FILE}"
    return tuple(
        sorted(
            path.removeprefix("components/").removesuffix(suffix)
            for path in files
            if path.startswith("components/") and path.endswith(suffix)
        )
    )


def render(files: Mapping[str, str], *, components: Sequence[str] = (), namespace: str = "", image: str = "") -> str:
    """The YAML of the base with `components`, in another `namespace`, with another `image` (NAME[:TAG]).

    Raises:
        InputError: no such component, or a kustomization that uses what is not modelled.
    """
    unknown = [name for name in components if name not in components_of(files)]
    if unknown:
        raise InputError(
            f"there is no component {unknown[0]}", where="--component", fix=f"one of {', '.join(components_of(files))}"
        )
    base = _kustomization(files, "")
    objects = _objects(files, "", base)
    for name in components:
        directory = f"components/{name}"
        component = _kustomization(files, directory)
        objects += _objects(files, directory, component)
        for patch in component.get("patches") or ():
            _patch(objects, patch)
    for one in base.get("images") or ():
        tag = f":{one['newTag']}" if one.get("newTag") else ""
        _set_image(objects, one["name"], image or f"{one.get('newName', one['name'])}{tag}")
    if namespace:
        objects = [_moved(obj, str(base.get("namespace", "default")), namespace) for obj in objects]
    return "---\n".join(_text(obj) for obj in sorted(objects, key=_place))


def _kustomization(files: Mapping[str, str], directory: str) -> Object:
    path = join(directory, _FILE)
    document: Object = yaml.safe_load(files[path])
    for field in document.keys() - _KNOWN:
        raise InputError(f"the field {field} of a kustomization is not modelled", where=path, fix="kubectl kustomize")
    return document


def _objects(files: Mapping[str, str], directory: str, kustomization: Object) -> list[Object]:
    found: list[Object] = []
    for name in kustomization.get("resources") or ():
        found += [one for one in yaml.safe_load_all(files[normpath(join(directory, name))]) if one]
    return found


def _patch(objects: list[Object], patch: Object) -> None:
    """A JSON patch (RFC 6902) on the one object that its target names."""
    target = patch["target"]
    chosen = [one for one in objects if one["kind"] == target["kind"] and one["metadata"]["name"] == target["name"]]
    if len(chosen) != 1:
        raise InputError(f"a patch names {len(chosen)} objects", where=f"{target['kind']}/{target['name']}")
    for operation in yaml.safe_load(patch["patch"]):
        _apply(chosen[0], operation)


def _apply(document: Object, operation: Object) -> None:
    *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:])
    place: Any = document
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    key = int(last) if isinstance(place, list) and last != "-" else last
    match operation["op"], place:
        case "add", list():
            place.insert(len(place) if key == "-" else key, copy.deepcopy(operation["value"]))
        case (("add" | "replace"), _):
            place[key] = copy.deepcopy(operation["value"])
        case "remove", _:
            del place[key]
        case _:
            raise InputError(
                f"the operation {operation['op']} of a JSON patch is not modelled", fix="kubectl kustomize"
            )


def _set_image(objects: list[Object], name: str, image: str) -> None:
    for obj in objects:
        spec = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
        for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
            if container.get("image") == name:
                container["image"] = image


def _moved(obj: Object, old: str, new: str) -> Object:
    """The object in namespace `new`, with all that names `old`: references, DNS names of Services, `old/name` pairs."""
    moved: Object = _renamed(obj, old, new)
    metadata = moved["metadata"]
    if moved["kind"] == "Namespace":
        metadata["name"] = new
    elif moved["kind"] not in _CLUSTER_SCOPED:
        metadata["namespace"] = new
    return moved


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {
            key: new if key == "namespace" and part == old else _renamed(part, old, new) for key, part in value.items()
        }
    if isinstance(value, list):
        return [_renamed(part, old, new) for part in value]
    if isinstance(value, str):
        value = value.replace(f".{old}.svc", f".{new}.svc")
        return f"{new}/{value.removeprefix(f'{old}/')}" if value.startswith(f"{old}/") else value
    return value


def _place(obj: Object) -> tuple[int, str, str]:
    """Kustomize's default order ("legacy"): what others need comes first, webhooks come last."""
    kind, metadata = obj["kind"], obj["metadata"]
    place = _FIRST.index(kind) if kind in _FIRST else len(_FIRST)
    if kind in _LAST:
        place += 1 + _LAST.index(kind)
    group, _, version = obj["apiVersion"].rpartition("/")
    return place, f"{group}_{version}_{kind}", f"{metadata.get('namespace', '')}/{metadata['name']}"


class _Dumper(yaml.SafeDumper):
    pass


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    """Quoted as Go's YAML library quotes: only what would be read as something else, and in double quotes."""
    tag = "tag:yaml.org,2002:str"
    if "\n" in value:
        return dumper.represent_scalar(tag, value, style="|")
    plain = dumper.represent_scalar(tag, value)
    read_as = dumper.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
    ambiguous = not value or read_as not in {tag, "tag:yaml.org,2002:yaml"}
    return dumper.represent_scalar(tag, value, style='"') if ambiguous else plain


_Dumper.add_representer(str, _string)


def _text(obj: Object) -> str:
    text: str = yaml.dump(obj, Dumper=_Dumper, sort_keys=True, default_flow_style=False)
    return text
