import base64
from typing import Any

import pytest

from iambridge.errors import BadRequest
from iambridge.sandbox.cluster.objects import protobuf
from iambridge.sandbox.cluster.objects.types import Type, type_of


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def record(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def one(value: Any, kind: Type) -> bytes | int:
    if kind.form == "struct":
        return message(value, kind)
    if kind.form == "string":
        return str(value).encode()
    if kind.form == "bytes":
        return base64.b64decode(value)
    if kind.form == "Quantity":
        return record(1, str(value).encode())
    if kind.form in {"Items", "list"}:
        return b"".join(record(1, one(item, kind.item)) for item in value)
    if kind.form == "IntOrString":
        return record(1, 1) + record(3, value.encode()) if isinstance(value, str) else record(1, 0) + record(2, value)
    assert kind.form in {"bool", "int32", "int64"}, kind.form
    return int(value)


def message(value: dict[str, Any], kind: Type) -> bytes:
    out = b""
    for field in kind.direct:
        if field.inline and field.number:
            out += record(field.number, message(value, field.type))
        elif field.name not in value or not field.number:
            continue
        elif field.type.form == "list":
            out += b"".join(record(field.number, one(item, field.type.item)) for item in value[field.name])
        elif field.type.form == "map":
            for key, item in value[field.name].items():
                out += record(field.number, record(1, key.encode()) + record(2, one(item, field.type.item)))
        else:
            out += record(field.number, one(value[field.name], field.type))
    return out


def envelope(value: dict[str, Any], extra: bytes = b"") -> bytes:
    head = record(1, value["apiVersion"].encode()) + record(2, value["kind"].encode())
    body = message(value, type_of(value["apiVersion"], value["kind"])) + extra
    return protobuf.MAGIC + record(1, head) + record(2, body)


JOB: dict[str, Any] = {
    "kind": "Job",
    "apiVersion": "batch/v1",
    "metadata": {"name": "j", "labels": {"a": "b"}},
    "spec": {
        "backoffLimit": 0,
        "template": {
            "metadata": {},
            "spec": {
                "containers": [
                    {
                        "name": "c",
                        "image": "i",
                        "command": ["sh", "-c"],
                        "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                        "ports": [{"containerPort": 80}],
                        "resources": {"limits": {"cpu": "1"}},
                    }
                ],
                "volumes": [{"name": "v", "secret": {"secretName": "s", "defaultMode": 420}}],
                "automountServiceAccountToken": False,
            },
        },
    },
    "status": {},
}


@pytest.mark.parametrize(
    "document",
    [
        JOB,
        {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {},
            "spec": {"audiences": ["a"], "expirationSeconds": 600, "boundObjectRef": None},
            "status": {"token": "", "expirationTimestamp": None},
        },
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}, "data": {"k": "AP8="}, "type": "Opaque"},
        {
            "kind": "SubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {},
            "spec": {"user": "u", "extra": {"k": ["v", "w"]}},
            "status": {"allowed": False},
        },
    ],
)
def test_what_is_encoded_is_decoded(document: dict[str, Any]) -> None:
    """Decoding an encoded object gives the JSON object back, inlined structs and maps included."""
    plain = {key: value for key, value in document.items() if key != "status"}
    if "boundObjectRef" in plain.get("spec", {}):
        plain = {**plain, "spec": {**plain["spec"]}}
        del plain["spec"]["boundObjectRef"]
    assert protobuf.decode(envelope(plain)) == document


def test_an_unknown_field_number_is_named() -> None:
    """A field that this server does not know is an error with its kind and number, never dropped."""
    with pytest.raises(BadRequest, match=r"Job: Job has no field number 999"):
        protobuf.decode(envelope(JOB, record(999, b"x")))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        protobuf.MAGIC,
        protobuf.MAGIC + b"\x0a\xff",
        protobuf.MAGIC + b"\x0b",
        envelope(JOB)[:-5],
        protobuf.MAGIC + record(2, b"x"),
    ],
)
def test_torn_bodies_are_refused(body: bytes) -> None:
    """A body that is no envelope, or ends too early, is a 400."""
    with pytest.raises(BadRequest):
        protobuf.decode(body)


def test_an_unknown_kind_is_named() -> None:
    """A protobuf body of a kind without a table is refused by name."""
    head = record(1, b"v9") + record(2, b"Thing")
    with pytest.raises(BadRequest, match='no kind "Thing" is registered for version "v9"'):
        protobuf.decode(protobuf.MAGIC + record(1, head))


def test_a_scale_is_read() -> None:
    """`kubectl scale` writes an autoscaling/v1 Scale to the /scale of a workload."""
    scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "d"}, "spec": {"replicas": 3}}
    assert protobuf.decode(envelope(scale)) == {**scale, "status": {"replicas": 0}}
