"""The policies AWS manages, as moto's data module has them. Read at first need, without importing moto.

moto generates `moto/iam/aws_managed_policies.py` from a real account now and then, so a document may lag behind AWS's
newest version of it; the sandbox says so. Nothing of it is kept here.
"""

import base64
import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import msgspec


class AwsManagedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`document` is the default version's text."""

    name: str
    arn: str
    id: str
    path: str
    created: str
    updated: str
    default_version: str
    document: str


@cache
def _raw() -> dict[str, msgspec.Raw]:
    spec = importlib.util.find_spec("moto")
    if spec is None or not spec.submodule_search_locations:
        return {}
    file = Path(next(iter(spec.submodule_search_locations))) / "iam/aws_managed_policies.py"
    text = file.read_text()
    start = text.index('"""') + 3
    return msgspec.json.decode(text[start : text.rindex('"""')], type=dict[str, msgspec.Raw])


@cache
def aws_managed_policy(arn: str) -> AwsManagedPolicy | None:
    """The policy of this ARN, or None."""
    name = arn.rsplit("/", 1)[-1]
    raw = _raw().get(name)
    if raw is None:
        return None
    policy = _policy(name, msgspec.json.decode(raw))
    return policy if policy.arn == arn else None


def all_aws_managed_policies() -> list[AwsManagedPolicy]:
    return [_policy(name, msgspec.json.decode(raw)) for name, raw in _raw().items()]


def _policy(name: str, found: dict[str, Any]) -> AwsManagedPolicy:
    return AwsManagedPolicy(
        name=name,
        arn=f"arn:aws:iam::aws:policy{found['Path']}{name}",
        # moto does not keep AWS's ids: this one only stays the same from call to call
        id="ANPA" + base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()[:17],
        path=found["Path"],
        created=_timestamp(found["CreateDate"]),
        updated=_timestamp(found["UpdateDate"]),
        default_version=found["DefaultVersionId"],
        document=msgspec.json.encode(found["Document"]).decode(),
    )


def _timestamp(text: str) -> str:
    return text.replace("+00:00", "Z")
