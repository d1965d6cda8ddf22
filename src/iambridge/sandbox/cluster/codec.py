"""Bodies in and out: content types, what a client accepts, Status errors.

Sources: apiserver endpoints/handlers/negotiation and responsewriters; apimachinery meta/v1 Status.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from iambridge.errors import (
    KubernetesError,
    NotAcceptable,
    RequestEntityTooLarge,
    UnknownStatus,
    UnsupportedMediaType,
    WebhookRejected,
)
from iambridge.sandbox.cluster import documents
from iambridge.sandbox.cluster.objects import protobuf
from iambridge.wire.http import Response

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
_MEDIA = {JSON: JSON, YAML: YAML, "*/*": JSON, "application/*": JSON}
_ACCEPTED = f"{JSON}, {YAML}, {PROTOBUF}"
MAX_BODY = 3 * 1024 * 1024
PATCHES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
_JSON_ONLY = f"{JSON}, {YAML}"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the answer shall be: `media` is JSON or YAML, `kind`, `group` and `version` what it is to be turned into."""

    media: str = JSON
    kind: str = ""
    group: str = ""
    version: str = ""

    @property
    def content_type(self) -> str:
        if not self.kind or self.group == "meta.k8s.io":
            return self.media  # a table says what it is in its body alone
        return f"{self.media};g={self.group};v={self.version};as={self.kind}"


@dataclass(frozen=True, slots=True)
class _Clause:
    media: str
    parameters: Mapping[str, str]
    quality: float


_TABLE_KINDS = {"Table", "PartialObjectMetadata", "PartialObjectMetadataList"}


def negotiate(accept: str, *, kinds: Sequence[tuple[str, str, str]] = ()) -> Accepted:
    """The first form of `accept` that can be served. `kinds` are the (kind, group, version) it may be turned into.

    Raises:
        NotAcceptable: none; a client that takes nothing but protobuf gets this.
    """
    clauses, known = _clauses(accept or "*/*"), False
    for clause in clauses:
        known = known or clause.media in _MEDIA or clause.media == PROTOBUF
        kind = clause.parameters.get("as", "")
        group, version = clause.parameters.get("g", ""), clause.parameters.get("v", "")
        if kind and (kind, group, version) not in kinds:
            continue
        media = _MEDIA.get(clause.media)
        if media is not None:
            return Accepted(media, kind, group, version)
    fix = "accept application/json besides; protobuf answers are not given"
    if known:
        raise NotAcceptable(f"only the following media types are accepted: {_ACCEPTED}", fix=fix)
    streams = f"{JSON};stream=watch, {PROTOBUF};stream=watch"
    raise NotAcceptable(
        f"406: Not Acceptable\n\nAvailable representations: {_ACCEPTED}, {streams}",
        fix=fix,
        details={},
    )


def _clauses(accept: str) -> list[_Clause]:
    clauses = []
    for part in accept.split(","):
        media, *rest = (word.strip() for word in part.split(";"))
        parameters = dict(word.split("=", 1) for word in rest if "=" in word)
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 0.0
        clauses.append(_Clause(media.lower(), parameters, quality))
    return sorted(clauses, key=lambda clause: -clause.quality)


@dataclass(frozen=True, slots=True)
class Body:
    """A decoded body. `duplicates` are faults such as `duplicate field "data.a"`; `patch` is the kind of patch."""

    value: Any
    duplicates: tuple[str, ...] = ()
    patch: str = ""


def decode(content_type: str, body: bytes, *, custom: bool = False) -> Body:
    """The object of a POST, PUT or DELETE. A `custom` kind has no protobuf.

    Raises:
        UnsupportedMediaType: not JSON, YAML or Kubernetes protobuf.
        BadRequest: the body cannot be read.
    """
    media = content_type.split(";", maxsplit=1)[0].strip().lower() or JSON
    _bound(body)
    if media == PROTOBUF and not custom:
        return Body(protobuf.decode(body))
    if media == JSON:
        return Body(*documents.json_object(body))
    if media == YAML:
        return Body(*documents.yaml_object(body))
    raise UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include:"
        f" {_JSON_ONLY if custom else _ACCEPTED}"
    )


def decode_patch(content_type: str, body: bytes, *, custom: bool = False) -> Body:
    """The patch of a PATCH, whose kind is its content type. A `custom` kind has no strategic merge patch.

    Raises:
        UnsupportedMediaType: not one of the four kinds.
        BadRequest: the body cannot be read.
    """
    media = content_type.split(";", maxsplit=1)[0].strip().lower()
    _bound(body)
    kinds = {name: one for name, one in PATCHES.items() if not custom or one != "strategic"}
    kind = kinds.get(media)
    if kind is None:
        known = ", ".join(sorted(PATCHES))
        if custom:
            known = ", ".join(kinds)
            raise UnsupportedMediaType(
                f"the body of the request was in an unknown format - accepted media types include: {known}"
            )
        raise UnsupportedMediaType("415: Unsupported Media Type", fix=f"send one of {known}", details={})
    if kind == "apply":
        return Body(*documents.apply_patch(body), kind)
    return Body(*documents.json_patch(body, kind), kind)


def _bound(body: bytes) -> None:
    if len(body) > MAX_BODY:
        raise RequestEntityTooLarge(f"Request entity too large: limit is {MAX_BODY}")


def encode(value: Mapping[str, Any], accepted: Accepted, *, pretty: bool = False) -> bytes:
    if accepted.media == YAML:
        return documents.to_yaml(value)
    encoded = msgspec.json.encode(value)
    return (msgspec.json.format(encoded, indent=2) if pretty else encoded) + b"\n"


def answer(
    value: Mapping[str, Any], accepted: Accepted, *, code: int = 200, headers: Headers = (), pretty: bool = False
) -> Response:
    return Response(code, (("content-type", accepted.content_type), *headers), encode(value, accepted, pretty=pretty))


def status_of(error: KubernetesError) -> dict[str, Any]:
    """The Status object of a refusal."""
    reason, code = error.code, int(error.status)
    if isinstance(error, UnknownStatus):
        reason = error.facts.get("reason", "")
    elif isinstance(error, WebhookRejected):
        reason, code = error.reason, int(error.answered)
    result: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
    }
    if reason:
        result["reason"] = reason
    if error.has_details:
        result["details"] = dict(error.details)
    return result | {"code": code}


def refusal(error: KubernetesError, accept: str = "", headers: Headers = ()) -> Response:
    """A refusal in a form that the client can read; JSON when it accepts none of ours."""
    try:
        accepted = negotiate(accept)
    except NotAcceptable:
        accepted = Accepted()
    retry = error.details.get("retryAfterSeconds")
    if retry:
        headers = (*headers, ("retry-after", str(retry)))
    status = status_of(error)
    return answer(status, accepted, code=status["code"], headers=headers)


def warning_headers(warnings: Sequence[str]) -> Headers:
    """RFC 7234 section 5.5 `Warning`, as kube-apiserver sends it: code 299, agent `-`."""
    return tuple(("warning", f"299 - {_quoted(text)}") for text in dict.fromkeys(warnings))


def _quoted(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'


def success(name: str = "", group: str = "", kind: str = "", uid: str = "", code: int = 0) -> dict[str, Any]:
    """The Status of a deletion and the like."""
    details = {"name": name, "group": group, "kind": kind, "uid": uid}
    details = {key: value for key, value in details.items() if value}
    result: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        result["details"] = details
    if code:
        result["code"] = code
    return result


def boolean(query: Mapping[str, str], parameter: str) -> bool:
    """A query parameter as kube-apiserver reads it: absent, `0` and `false` are false, and whatever else is true.

    Source: apimachinery pkg/runtime/conversion.go.
    """
    return parameter in query and query[parameter].lower() not in {"0", "false"}
