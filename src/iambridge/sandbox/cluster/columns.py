"""The columns that `kubectl get` prints, per kind. Source: pkg/printers/internalversion/printers.go."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from iambridge.sandbox.cluster import pod_columns, service_columns, workload_columns
from iambridge.sandbox.cluster.durations import age, human_duration
from iambridge.sandbox.cluster.objects.custom.json_path import first
from iambridge.sandbox.cluster.objects.kinds.events import to_core
from iambridge.sandbox.cluster.resources import Resource

Item = Mapping[str, Any]
Cells = list[Any]

_NAME_TEXT = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a"
    " client to request the generation of an appropriate name automatically."
)
_AGE_TEXT = "CreationTimestamp is a timestamp representing the server time when this object was created."


@dataclass(frozen=True, slots=True)
class Column:
    """`priority` 0 is always shown, 1 with `-o wide`. `kind` is its OpenAPI type."""

    name: str
    kind: str = "string"
    priority: int = 0
    format: str = ""
    description: str = ""

    def definition(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.kind,
            "format": self.format,
            "description": self.description or self.name,
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class Columns:
    """`cells(item, now)` gives one row; `now` is in seconds since the epoch."""

    columns: tuple[Column, ...]
    cells: Callable[[Item, float], Cells]

    def definitions(self) -> list[dict[str, Any]]:
        return [column.definition() for column in self.columns]


NAME = Column("Name", format="name", description=_NAME_TEXT)
AGE = Column("Age", description=_AGE_TEXT)


def _wide(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, priority=1) for name in names)


def _named(item: Item, now: float) -> Cells:
    return [item["metadata"]["name"], age(item, now)]


def _config_map(item: Item, now: float) -> Cells:
    size = len(item.get("data") or ()) + len(item.get("binaryData") or ())
    return [item["metadata"]["name"], size, age(item, now)]


def _secret(item: Item, now: float) -> Cells:
    return [item["metadata"]["name"], item.get("type", ""), len(item.get("data") or ()), age(item, now)]


def _namespace(item: Item, now: float) -> Cells:
    return [item["metadata"]["name"], (item.get("status") or {}).get("phase", ""), age(item, now)]


def _lease(item: Item, now: float) -> Cells:
    return [item["metadata"]["name"], (item.get("spec") or {}).get("holderIdentity", ""), age(item, now)]


def _created_at(item: Item, now: float) -> Cells:
    del now
    return [item["metadata"]["name"], item["metadata"].get("creationTimestamp")]


def _webhooks(item: Item, now: float) -> Cells:
    return [item["metadata"]["name"], len(item.get("webhooks") or ()), age(item, now)]


def _binding(item: Item, now: float) -> Cells:
    role = item["roleRef"]
    subjects = item.get("subjects") or ()

    def named(kind: str) -> str:
        return ", ".join(
            f"{each.get('namespace', '')}/{each['name']}" if kind == "ServiceAccount" else each["name"]
            for each in subjects
            if each.get("kind") == kind
        )

    return [
        item["metadata"]["name"],
        f"{role['kind']}/{role['name']}",
        age(item, now),
        named("User"),
        named("Group"),
        named("ServiceAccount"),
    ]


def _node(item: Item, now: float) -> Cells:
    status = item.get("status") or {}
    ready = next((each["status"] for each in status.get("conditions") or () if each["type"] == "Ready"), None)
    words = [{"True": "Ready"}.get(ready, "NotReady") if ready is not None else "Unknown"]
    if (item.get("spec") or {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    info = status.get("nodeInfo") or {}
    addresses = {each["type"]: each["address"] for each in status.get("addresses") or ()}
    return [
        item["metadata"]["name"],
        ",".join(words),
        ",".join(_node_roles(item["metadata"].get("labels") or {})) or "<none>",
        age(item, now),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", "<none>"),
        addresses.get("ExternalIP", "<none>"),
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _node_roles(labels: Mapping[str, str]) -> list[str]:
    prefix = "node-role.kubernetes.io/"
    roles = {key.removeprefix(prefix) for key in labels if key.startswith(prefix) and key != prefix}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    return sorted(roles)


def _event(item: Item, now: float) -> Cells:
    involved = item.get("involvedObject") or {}
    series = item.get("series") or {}
    first = item.get("firstTimestamp") or item.get("eventTime")
    last = series.get("lastObservedTime") or item.get("lastTimestamp") or first
    source = item.get("source") or {}
    component = source.get("component") or item.get("reportingComponent") or ""
    host = source.get("host") or item.get("reportingInstance") or ""
    return [
        _since(last, now),
        item.get("type", ""),
        item.get("reason", ""),
        f"{involved.get('kind', '').lower()}/{involved.get('name', '')}",
        involved.get("fieldPath", ""),
        f"{component}, {host}" if host else component,
        (item.get("message") or "").strip(),
        _since(first, now),
        series.get("count") or item.get("count") or 1,
        item["metadata"]["name"],
    ]


def _since(moment: str | None, now: float) -> str:
    if not moment:
        return "<unknown>"
    return human_duration(now - dt.datetime.fromisoformat(moment).timestamp())


def _job(item: Item, now: float) -> Cells:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    wanted, parallel = spec.get("completions"), spec.get("parallelism") or 0
    succeeded = status.get("succeeded") or 0
    total = str(wanted) if wanted is not None else (f"1 of {parallel}" if parallel > 1 else "1")
    template = (spec.get("template") or {}).get("spec") or {}
    return [
        item["metadata"]["name"],
        _job_status(item),
        f"{succeeded}/{total}",
        _job_duration(status, now),
        age(item, now),
        *pod_columns.names_and_images(template),
        workload_columns.label_selector(spec.get("selector")),
    ]


def _job_status(item: Item) -> str:
    status = item.get("status") or {}
    held = {each["type"] for each in status.get("conditions") or () if each.get("status") == "True"}
    for condition, word in (
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("", ""),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ):
        if not condition:
            if item["metadata"].get("deletionTimestamp"):
                return "Terminating"
        elif condition in held:
            return word
    return "Running"


def _job_duration(status: Item, now: float) -> str:
    if not status.get("startTime"):
        return ""
    start = dt.datetime.fromisoformat(status["startTime"]).timestamp()
    end = status.get("completionTime")
    return human_duration((dt.datetime.fromisoformat(end).timestamp() if end else now) - start)


_TEMPLATE = _wide("Containers", "Images", "Selector")
_EVENT_COLUMNS = (
    Column("Last Seen"),
    Column("Type"),
    Column("Reason"),
    Column("Object"),
    *_wide("Subobject", "Source"),
    Column("Message"),
    *_wide("First Seen"),
    *_wide("Count"),
    Column("Name", priority=1, format="name"),
)
_NODE_COLUMNS = (
    NAME,
    Column("Status"),
    Column("Roles"),
    AGE,
    Column("Version"),
    *_wide("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"),
)
_JOB_COLUMNS = (
    NAME,
    Column("Status"),
    Column("Completions"),
    Column("Duration"),
    AGE,
    *_TEMPLATE,
)
_DAEMON_COUNTS = ("Desired", "Current", "Ready", "Up-to-date", "Available")
_CREATED = Columns((NAME, Column("Created At", "date")), _created_at)
_BINDINGS = Columns((NAME, Column("Role"), AGE, *_wide("Users", "Groups", "ServiceAccounts")), _binding)
_DEFAULT = Columns((NAME, AGE), _named)
_WEBHOOKS = Columns((NAME, Column("Webhooks", "integer"), AGE), _webhooks)

_COLUMNS: dict[str, Columns] = {
    "configmaps": Columns((NAME, Column("Data"), AGE), _config_map),
    "events": Columns(_EVENT_COLUMNS, _event),
    "events.events.k8s.io": Columns(_EVENT_COLUMNS, lambda item, now: _event(to_core(item), now)),
    "namespaces": Columns((NAME, Column("Status"), AGE), _namespace),
    "nodes": Columns(_NODE_COLUMNS, _node),
    "pods": Columns(
        (
            NAME,
            Column("Ready"),
            Column("Status"),
            Column("Restarts"),
            AGE,
            *_wide("IP", "Node", "Nominated Node", "Readiness Gates"),
        ),
        pod_columns.cells,
    ),
    "secrets": Columns((NAME, Column("Type"), Column("Data"), AGE), _secret),
    "services": Columns(
        (NAME, Column("Type"), *map(Column, ("Cluster-IP", "External-IP", "Port(s)")), AGE, *_wide("Selector")),
        service_columns.cells,
    ),
    "serviceaccounts": _DEFAULT,
    "jobs.batch": Columns(_JOB_COLUMNS, _job),
    "deployments.apps": Columns(
        (NAME, Column("Ready"), Column("Up-to-date"), Column("Available"), AGE, *_TEMPLATE), workload_columns.deployment
    ),
    "replicasets.apps": Columns(
        (NAME, *(Column(name, "integer") for name in ("Desired", "Current", "Ready")), AGE, *_TEMPLATE),
        workload_columns.replica_set,
    ),
    "daemonsets.apps": Columns(
        (NAME, *(Column(name, "integer") for name in _DAEMON_COUNTS), Column("Node Selector"), AGE, *_TEMPLATE),
        workload_columns.daemon_set,
    ),
    "controllerrevisions.apps": Columns(
        (NAME, Column("Controller"), Column("Revision"), AGE), workload_columns.controller_revision
    ),
    "leases.coordination.k8s.io": Columns((NAME, Column("Holder"), AGE), _lease),
    "roles.rbac.authorization.k8s.io": _CREATED,
    "clusterroles.rbac.authorization.k8s.io": _CREATED,
    "rolebindings.rbac.authorization.k8s.io": _BINDINGS,
    "clusterrolebindings.rbac.authorization.k8s.io": _BINDINGS,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
}


SCALE = Columns(
    (Column("Name", description=_NAME_TEXT), Column("Desired", "integer"), Column("Available", "integer"), AGE),
    workload_columns.scale,
)


def columns_of(resource: Resource) -> Columns:
    """The columns of a kind; Name and Age for a built-in one that has none of its own."""
    if resource.custom is not None:
        return printer_columns(resource.custom.columns)
    return _COLUMNS.get(resource.name, _DEFAULT)


def printer_columns(said: Sequence[Mapping[str, Any]]) -> Columns:
    """A CustomResourceDefinition's additionalPrinterColumns. Source: registry/customresource/tableconvertor."""
    columns = tuple(
        Column(
            one["name"],
            one["type"],
            one.get("priority") or 0,
            one.get("format") or "",
            one.get("description") or f"Custom resource definition column (in JSONPath format): {one['jsonPath']}",
        )
        for one in said
    )

    def cells(item: Item, now: float) -> Cells:
        return [item["metadata"]["name"], *(_printed(first(item, one["jsonPath"]), one["type"], now) for one in said)]

    return Columns((NAME, *columns), cells)


def _printed(value: Any, kind: str, now: float) -> Any:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "integer":
            return int(value) if number else None
        case "number":
            return float(value) if number else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return _since_date(value, now) if isinstance(value, str) else None
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _since_date(moment: str, now: float) -> str:
    try:
        return _since(moment, now)
    except ValueError:
        return "<invalid>"


def rows(columns: Columns, items: Sequence[Item], now: float) -> list[Cells]:
    return [columns.cells(item, now) for item in items]
