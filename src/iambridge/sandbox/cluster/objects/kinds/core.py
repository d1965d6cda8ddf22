"""Namespace, Node, ServiceAccount, ConfigMap, Secret and Lease.

Source: kubernetes pkg/apis/core/v1/defaults.go and pkg/apis/core/validation/validation.go.
"""

import base64
import copy
import json
from collections.abc import Mapping
from typing import Any

from iambridge.sandbox.cluster.objects import field_error, go_json, names
from iambridge.sandbox.cluster.objects.field_error import FieldError
from iambridge.sandbox.cluster.objects.kinds.base import Object, Strategy

_DATA_LIMIT = 1024 * 1024
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED_SECRET_DATA = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


class NamespaceStrategy(Strategy):
    def prepare_create(self, obj: Object) -> Object:
        out = super().prepare_create(obj)
        out["status"] = {"phase": "Active"}
        spec = out.setdefault("spec", {})
        if "kubernetes" not in (spec.get("finalizers") or ()):
            spec["finalizers"] = [*(spec.get("finalizers") or ()), "kubernetes"]
        return out

    def prepare_update(self, new: Object, old: Object, subresource: str = "") -> Object:
        out = super().prepare_update(new, old, subresource)
        if subresource != "finalize":
            out["spec"] = {**out.get("spec", {}), "finalizers": (old.get("spec") or {}).get("finalizers", [])}
        return out

    def validate_update(self, new: Object, old: Object, subresource: str = "") -> list[FieldError]:
        errors = super().validate_update(new, old, subresource)
        ends, phase = bool(new["metadata"].get("deletionTimestamp")), (new.get("status") or {}).get("phase", "")
        if subresource == "status" and phase != ("Terminating" if ends else "Active"):
            words = "may only be 'Active' if `deletionTimestamp` is empty"
            words = "may only be 'Terminating' if `deletionTimestamp` is not empty" if ends else words
            errors.append(field_error.bad_value("status.Phase", phase, words))
        return errors

    def default(self, obj: Object) -> Object:
        name = obj["metadata"].get("name")
        if not name:
            return obj
        labels = {**(obj["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": name}
        out = {**obj, "metadata": {**obj["metadata"], "labels": labels}}
        out["status"] = {"phase": "Active", **(obj.get("status") or {})}
        return out


class NodeStrategy(Strategy):
    def default(self, obj: Object) -> Object:
        status = obj.get("status") or {}
        if "capacity" in status and "allocatable" not in status:
            return {**obj, "status": {**status, "allocatable": dict(status["capacity"])}}
        return obj

    def prepare_create(self, obj: Object) -> Object:
        # a kubelet registers its node with status in the same call, so it stays
        out = super().prepare_create(obj)
        if obj.get("status"):
            out["status"] = copy.deepcopy(obj["status"])
        return out

    def validate(self, obj: Object) -> list[FieldError]:
        errors = []
        for index, taint in enumerate((obj.get("spec") or {}).get("taints") or ()):
            field = f"metadata.taints[{index}]"  # where kube-apiserver says that they are
            key, effect = taint.get("key", ""), taint.get("effect", "")
            errors += [field_error.bad_value(f"{field}.key", key, fault) for fault in names.qualified(key)]
            if not effect:
                errors.append(field_error.required(f"{field}.effect"))
            elif effect not in _EFFECTS:
                errors.append(field_error.not_supported(f"{field}.effect", effect, _EFFECTS))
        return errors


class ServiceAccountStrategy(Strategy):
    """No Secret is made for a ServiceAccount: tokens come from TokenRequest."""


class ConfigMapStrategy(Strategy):
    def validate(self, obj: Object) -> list[FieldError]:
        data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
        errors = []
        for name, keys in (("data", data), ("binaryData", binary)):
            errors += [
                field_error.bad_value(f"{name}[{key}]", key, fault) for key in keys for fault in names.config_key(key)
            ]
        errors += [
            field_error.bad_value(f"data[{key}]", key, "duplicate of key present in binaryData")
            for key in data
            if key in binary
        ]
        size = sum(len(value.encode()) for value in data.values()) + sum(map(_decoded, binary.values()))
        if size > _DATA_LIMIT:
            errors.append(field_error.too_long("", _DATA_LIMIT))
        return errors

    def immutable(self, new: Object, old: Object) -> list[FieldError]:
        return _frozen(new, old, ("data", "binaryData"))


class SecretStrategy(Strategy):
    def default(self, obj: Object) -> Object:
        out = _fold_string_data(dict(obj))
        return out if out.get("type") else {**out, "type": "Opaque"}

    def validate(self, obj: Object) -> list[FieldError]:
        data = obj.get("data") or {}
        errors = [field_error.bad_value(f"data[{key}]", key, fault) for key in data for fault in names.config_key(key)]
        if sum(map(_decoded, data.values())) > _DATA_LIMIT:
            errors.append(field_error.too_long("data", _DATA_LIMIT))
        errors += [
            field_error.required(f"data[{key}]")
            for key in _REQUIRED_SECRET_DATA.get(obj.get("type", ""), ())
            if key not in data
        ]
        errors += _secret_faults(obj.get("type", ""), data)
        annotations = obj["metadata"].get("annotations") or {}
        if obj.get("type") == "kubernetes.io/service-account-token" and not annotations.get(
            "kubernetes.io/service-account.name"
        ):
            errors.append(field_error.required("metadata.annotations[kubernetes.io/service-account.name]"))
        return errors

    def immutable(self, new: Object, old: Object) -> list[FieldError]:
        errors = _frozen(new, old, ("data",))
        if new.get("type") != old.get("type"):
            errors.append(field_error.bad_value("type", new.get("type"), "field is immutable"))
        return errors


class LeaseStrategy(Strategy):
    def validate(self, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        errors = []
        if "leaseDurationSeconds" in spec and spec["leaseDurationSeconds"] <= 0:
            errors.append(
                field_error.bad_value(
                    "spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"
                )
            )
        if spec.get("leaseTransitions", 0) < 0:
            words = "must be greater than or equal to 0"
            errors.append(field_error.bad_value("spec.leaseTransitions", spec["leaseTransitions"], words))
        return errors


def _decoded(text: str | None) -> int:
    """The size in bytes of a value; null is Go's empty one."""
    return len(base64.b64decode(text or ""))


def _secret_faults(kind: str, data: Mapping[str, str]) -> list[FieldError]:
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        return [field_error.required(f"data[{key}]") for key in ("username", "password")]
    errors = []
    for name in (".dockercfg", ".dockerconfigjson"):
        if kind == f"kubernetes.io/{name[1:]}" and name in data:
            try:
                json.loads(base64.b64decode(data[name]))
            except ValueError as error:
                words = go_json.of_json_error(error)
                errors.append(field_error.bad_value(f"data[{name}]", "<secret contents redacted>", words))
    return errors


def _fold_string_data(obj: Object) -> Object:
    """Put stringData, which is for writing only, into data, where it wins."""
    plain = obj.pop("stringData", None)
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}
    return obj


def _frozen(new: Mapping[str, Any], old: Mapping[str, Any], fields: tuple[str, ...]) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    errors = []
    if not new.get("immutable"):
        errors.append(field_error.forbidden("immutable", "field is immutable when `immutable` is set"))
    return errors + [
        field_error.forbidden(name, "field is immutable when `immutable` is set")
        for name in fields
        if (new.get(name) or {}) != (old.get(name) or {})
    ]
