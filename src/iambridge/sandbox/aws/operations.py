"""Which operation of which service a request calls, and with which parameters, before anything is decided. Pure.

moto must read the same operation from the request as we do: whatever could be read in two ways is refused.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from iambridge.errors import InvalidAction, MissingAction, NotImplementedBySandbox, ValidationError
from iambridge.sandbox.aws import cbor, known_parameters, query_protocol, rest_routes, xml_documents
from iambridge.sandbox.aws.catalogue import SERVICES, Service
from iambridge.sandbox.aws.service_models import Operation, ServiceModel, service_model
from iambridge.wire.http import Headers

# a template's resources would be made without deciding whether the caller may make them
_INSTEAD = {"cloudformation": "make the resources by their own services' calls"}
_CBOR_PATH = re.compile(r"/service/(\w+)/operation/(\w+)")
# of the partition that the account is in
_REGION = re.compile(r"(?!cn-|us-gov-|us-iso|eu-iso|eusc-)[a-z]{2}(?:-[a-z]{1,20}){1,3}-[0-9]{1,2}")
_DOTS = re.compile(r"/\.{0,2}/")
# they took the Query protocol before they took JSON, and still do
_FORMS = frozenset({"ec2", "query"})
_STILL_FORMS = frozenset({"sqs"})


@dataclass(frozen=True, slots=True)
class Call:
    """An operation and its parameters as far as authorization reads them.

    `flat` holds Query and EC2 form parameters, or a REST request's labels and query; `document` a JSON or
    CBOR body, or an XML body as `xml_documents` reads it. Of parameters that the operation's model does not have
    nothing is kept. `query` is what `flat` has of a REST request's query.
    `protocol` is `query`, `ec2`, `json`, `rest-json`, `rest-xml` or `cbor`.
    """

    service: Service
    operation: str
    protocol: str
    region: str
    flat: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
    headers: Headers = field(default_factory=Headers)
    query: tuple[tuple[str, str], ...] = ()

    @property
    def action(self) -> str:
        return f"{self.service.prefix}:{self.operation}"


class Asked(NamedTuple):
    """One decision to make. `resource` is an ARN or `*`; `context` holds the condition keys of this one alone.

    `unsure`: a `*` in `resource` stands for a part that exists and is not known here. `tags_read`: `context` has
    every tag of the resource, or it does not exist yet.
    """

    action: str
    resource: str
    context: tuple[tuple[str, str | tuple[str, ...]], ...] = ()
    unsure: bool = False
    tags_read: bool = False

    def having(self, key: str, value: str | tuple[str, ...]) -> "Asked":
        """With one more condition key."""
        return self._replace(context=(*self.context, (key, value)))


def identify(*, scope: str, region: str, method: str, path: str, query: str, headers: Headers, body: bytes) -> Call:
    """The call that a request makes, `scope` being the service it was signed for.

    Raises:
        NotImplementedBySandbox: a service, region or operation that the sandbox does not know.
        MissingAction, InvalidAction, ValidationError: a request that names no operation.
    """
    services = SERVICES.get(scope)
    if services is None:
        raise NotImplementedBySandbox(
            f"The service {scope[:64]} is not available in this sandbox.",
            cause=f"no service signs with `{scope[:64]}` in the sandbox's catalogue",
            fix=_INSTEAD.get(scope, "report the service and the client that needs it"),
        )
    if _REGION.fullmatch(region) is None:
        raise NotImplementedBySandbox(
            f"The region {region[:32]} is not available in this sandbox.",
            cause="the credential scope names no region of the partition `aws`",
            fix="sign for a region such as us-east-1",
        )
    target = headers.get("x-amz-target")
    if target:
        return _from_target(services, target, region, headers, body)
    if (found := _CBOR_PATH.fullmatch(path)) is not None:
        return _from_cbor(services, (found[1], found[2]), region, headers, body)
    rest = [service for service in services if service_model(service.model).metadata.protocol.startswith("rest-")]
    others = tuple(service for service in services if service not in rest)
    if not rest or (others and path == "/"):
        return _from_form(others, region, query, headers, body)
    return _from_path(rest[0], region=region, method=method, path=path, query=query, headers=headers, body=body)


def _from_target(services: tuple[Service, ...], target: str, region: str, headers: Headers, body: bytes) -> Call:
    prefix, _, name = target.rpartition(".")
    for service in services:
        model = service_model(service.model)
        if model.metadata.target_prefix == prefix and name in model.operations:
            document = known_parameters.of_document(service.model, model.operations[name], _document(body))
            return Call(service, name, "json", region, document=document, headers=headers)
    raise InvalidAction(f"The action {target[:128]} is not valid for this endpoint.")


def _from_cbor(
    services: tuple[Service, ...], named: tuple[str, str], region: str, headers: Headers, body: bytes
) -> Call:
    prefix, name = named
    for service in services:
        model = service_model(service.model)
        if model.metadata.target_prefix == prefix and name in model.operations:
            try:
                document = _plain(cbor.loads(body or b"\xa0"))
            except cbor.NotCbor as error:
                raise ValidationError("The request body is not valid CBOR.", cause=str(error)) from error
            if not isinstance(document, dict):
                raise ValidationError("The request body is not a map.")
            document = known_parameters.of_document(service.model, model.operations[name], document)
            return Call(service, name, "cbor", region, document=document, headers=headers)
    raise InvalidAction(f"The action {name[:128]} is not valid for this endpoint.")


def _plain(value: Any) -> Any:
    """A CBOR value as JSON has it: bytes in base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return value


def _from_form(services: tuple[Service, ...], region: str, query: str, headers: Headers, body: bytes) -> Call:
    flat = query_protocol.form(query, body)
    action = flat.get("Action", "")
    if not action:
        raise MissingAction("Missing Action")
    version = flat.get("Version", "")
    models = [(service, service_model(service.model)) for service in services]
    for service, model in models:
        named = action in model.operations and (len(models) == 1 or model.metadata.api_version == version)
        if named and _takes_forms(service, model):
            protocol = "ec2" if model.metadata.protocol == "ec2" else "query"
            # IAM reads its own, by its model
            if service.prefix != "iam":
                flat = known_parameters.of_form(service.model, model.operations[action], flat)
            return Call(service, action, protocol, region, flat=flat, headers=headers)
    raise InvalidAction(f"The action {action[:128]} is not valid for this endpoint.")


def _takes_forms(service: Service, model: ServiceModel) -> bool:
    return service.prefix in _STILL_FORMS or bool(_FORMS & {model.metadata.protocol, *model.metadata.protocols})


def _from_path(
    service: Service,
    *,
    region: str,
    method: str,
    path: str,
    query: str,
    headers: Headers,
    body: bytes,
) -> Call:
    model = service_model(service.model)
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise ValidationError("The query is not valid UTF-8.") from error
    parameters: dict[str, list[str]] = {}
    for name, value in pairs:
        parameters.setdefault(name, []).append(value)
    selecting = rest_routes.subresources(service.model) & parameters.keys()
    if len(selecting) > 1:
        raise _conflicting(selecting)
    found = rest_routes.match(
        service.model,
        method=method,
        path=path,
        query={name: values[0] for name, values in parameters.items()},
        headers=[name.lower() for name, _ in headers.items],
    )
    if found is None:
        raise NotImplementedBySandbox(
            f"{method} {path[:128]} is not an operation of {service.prefix} that this sandbox knows.",
            fix="report the operation and the client that needs it",
        )
    operation = found.operation
    if service.prefix != "s3" and any("%" in label or _DOTS.search(f"/{label}/") for label in found.labels.values()):
        # signatures hold for a path with `..` and for one without; and some readers decode a name twice
        raise ValidationError("A part of the path holds an escape or a dot segment.")
    known = known_parameters.of_query(service.model, operation, parameters)
    lists = known_parameters.query_lists(service.model, operation.name)
    if twice := {name for name, values in parameters.items() if len(values) > 1 and name not in lists}:
        raise _conflicting(twice)
    return Call(
        service,
        operation.name,
        model.metadata.protocol,
        region,
        flat={**_flat(known), **found.labels},
        document=_of_rest(service, model, operation, body),
        headers=headers,
        query=tuple((name, value) for name, values in known.items() for value in values),
    )


def _conflicting(names: Iterable[str]) -> ValidationError:
    return ValidationError("Conflicting query string parameters: " + ", ".join(sorted(name[:64] for name in names)))


def _flat(parameters: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """A list of several values is spelled as the Query protocol spells one: none of them stands for all."""
    flat: dict[str, str] = {}
    for name, values in parameters.items():
        flat |= {name: values[0]} if len(values) == 1 else {f"{name}.{at}": value for at, value in enumerate(values, 1)}
    return flat


def _of_rest(service: Service, model: ServiceModel, operation: Operation, body: bytes) -> dict[str, Any]:
    if not body or service.prefix == "s3":
        return {}
    if model.metadata.protocol == "rest-xml":
        return xml_documents.read(body)
    if not known_parameters.document_shape(service.model, operation.name):
        return {}
    return known_parameters.of_document(service.model, operation, _document(body))


def _document(body: bytes) -> dict[str, Any]:
    try:
        # duplicate keys could be read in two ways: the last wins here and in moto (json.loads) alike
        value = json.loads((body or b"{}").decode())
    except (ValueError, RecursionError) as error:
        raise ValidationError("The request body is not valid JSON.") from error
    if not isinstance(value, dict):
        raise ValidationError("The request body is not a JSON object.")
    return value
