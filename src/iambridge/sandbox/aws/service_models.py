"""botocore's service models, read without importing botocore: only the parts that routing, validation and XML need.

The models are data files inside the botocore distribution (Apache-2.0), whose format its documentation describes
under "loaders". Reading one costs 5 to 30 ms of CPU, so each is read at first need and kept.
"""

import gzip
import importlib.util
from functools import cache
from pathlib import Path

import msgspec


class Member(msgspec.Struct, frozen=True):
    """A reference to a shape from a structure, list or map."""

    shape: str
    location: str = ""
    location_name: str = msgspec.field(name="locationName", default="")
    query_name: str = msgspec.field(name="queryName", default="")
    host_label: bool = msgspec.field(name="hostLabel", default=False)


class Shape(msgspec.Struct, frozen=True):
    """`minimum` and `maximum` bound a string's or list's length and a number's value."""

    type: str
    members: dict[str, Member] = {}
    required: tuple[str, ...] = ()
    member: Member | None = None
    key: Member | None = None
    value: Member | None = None
    minimum: float | None = msgspec.field(name="min", default=None)
    maximum: float | None = msgspec.field(name="max", default=None)
    pattern: str = ""
    enum: tuple[str, ...] = ()
    flattened: bool = False
    sensitive: bool = False
    payload: str = ""
    document: bool = False


class Http(msgspec.Struct, frozen=True):
    method: str = "POST"
    request_uri: str = msgspec.field(name="requestUri", default="/")


class OutputShape(msgspec.Struct, frozen=True):
    shape: str
    result_wrapper: str = msgspec.field(name="resultWrapper", default="")


class Operation(msgspec.Struct, frozen=True):
    name: str
    http: Http = Http()
    input: OutputShape | None = None
    output: OutputShape | None = None


class Metadata(msgspec.Struct, frozen=True):
    api_version: str = msgspec.field(name="apiVersion")
    protocol: str
    target_prefix: str = msgspec.field(name="targetPrefix", default="")
    xml_namespace: str = msgspec.field(name="xmlNamespace", default="")
    json_version: str = msgspec.field(name="jsonVersion", default="1.0")
    protocols: tuple[str, ...] = ()


class ServiceModel(msgspec.Struct, frozen=True):
    metadata: Metadata
    operations: dict[str, Operation]
    shapes: dict[str, Shape]


@cache
def data_directory() -> Path:
    """Where the botocore distribution keeps its models."""
    spec = importlib.util.find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the sandbox needs botocore: install iambridge[sandbox]")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


@cache
def service_model(name: str) -> ServiceModel:
    """The newest model of a botocore service name, e.g. `iam`, `elbv2`.

    Raises:
        KeyError: botocore has no such service.
    """
    directory = data_directory() / name
    versions = sorted(directory.glob("*/service-2.json*")) if directory.is_dir() else []
    if not versions:
        raise KeyError(name)
    content = versions[-1].read_bytes()
    if versions[-1].suffix == ".gz":
        content = gzip.decompress(content)
    return msgspec.json.decode(content, type=ServiceModel)
