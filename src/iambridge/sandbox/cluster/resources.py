"""Which kinds are served, under which names, and what may be done with each.

A kind that nothing acts on is not here, and so it is absent from discovery. Sources: pkg/registry/*/storage and
pkg/apis/*/register.go of Kubernetes.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from iambridge.sandbox.cluster.objects.custom.version import CustomVersion

_ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_CREATE = ("create",)
_STATUS_VERBS = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """`kind` and `group`, `version` are those of the body, where they differ from the resource's own."""

    name: str
    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = ""


STATUS = Subresource("status", _STATUS_VERBS)
SCALE = Subresource("scale", _STATUS_VERBS, "Scale", "autoscaling", "v1")
DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource. `virtual` ones are answered and never stored.

    `update_creates`: a PUT of what is not there creates it. `update_blind`: a PUT may leave the resourceVersion out.
    `returns_deleted`: DELETE answers with the object instead of a Status. `custom` is what a CustomResourceDefinition
    says of the kind, None for a built-in one; it is `terminating` once the definition is being deleted. `stored_as` is
    the name of the resource whose stored objects these are in another spelling.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    verbs: tuple[str, ...] = _ALL_VERBS
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[Subresource, ...] = ()
    virtual: bool = False
    update_creates: bool = False
    update_blind: bool = True
    returns_deleted: bool = False
    singular_name: str = ""
    list_name: str = ""
    custom: CustomVersion | None = None
    terminating: bool = False
    stored_as: str = ""

    @property
    def singular(self) -> str:
        return self.singular_name or self.kind.lower()

    @property
    def name(self) -> str:
        """`pods` or `jobs.batch`: how SystemClient, the store and messages call it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        return self.list_name or f"{self.kind}List"

    @property
    def stored_name(self) -> str:
        """The name under which the store holds the objects."""
        return self.stored_as or self.name

    @property
    def stored_api_version(self) -> str:
        """What objects are stored at, whatever version they are asked for in."""
        if self.stored_as:
            return "v1"
        return f"{self.group}/{self.custom.stored}" if self.custom is not None else self.api_version

    def subresource(self, name: str) -> Subresource | None:
        return next((each for each in self.subresources if each.name == name), None)


_RBAC = "rbac.authorization.k8s.io"
_AUTHN = "authentication.k8s.io"
_AUTHZ = "authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"

_CORE = (
    Resource("", "v1", "Binding", "bindings", verbs=_CREATE, virtual=True),
    Resource("", "v1", "ConfigMap", "configmaps", short_names=("cm",)),
    Resource("", "v1", "Event", "events", short_names=("ev",), update_creates=True),
    Resource(
        "",
        "v1",
        "Namespace",
        "namespaces",
        namespaced=False,
        verbs=tuple(verb for verb in _ALL_VERBS if verb != "deletecollection"),
        short_names=("ns",),
        subresources=(Subresource("finalize", ("update",)), STATUS),
        returns_deleted=True,
    ),
    Resource("", "v1", "Node", "nodes", namespaced=False, short_names=("no",), subresources=(STATUS,)),
    Resource(
        "",
        "v1",
        "Pod",
        "pods",
        short_names=("po",),
        categories=("all",),
        subresources=(
            Subresource("binding", _CREATE, "Binding", "", "v1"),
            Subresource("eviction", _CREATE, "Eviction", "policy", "v1"),
            Subresource("log", ("get",)),
            STATUS,
        ),
        returns_deleted=True,
    ),
    Resource("", "v1", "Secret", "secrets"),
    Resource(
        "",
        "v1",
        "Service",
        "services",
        short_names=("svc",),
        categories=("all",),
        subresources=(STATUS,),
        update_creates=True,
        returns_deleted=True,
    ),
    Resource(
        "",
        "v1",
        "ServiceAccount",
        "serviceaccounts",
        short_names=("sa",),
        subresources=(Subresource("token", _CREATE, "TokenRequest", _AUTHN, "v1"),),
        returns_deleted=True,
    ),
)

_WEBHOOKS = tuple(
    Resource(
        _ADMISSION, "v1", kind, f"{kind.lower()}s", namespaced=False, categories=("api-extensions",), update_blind=False
    )
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
)

_REVIEWS = (
    Resource(_AUTHN, "v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False, verbs=_CREATE, virtual=True),
    Resource(_AUTHN, "v1", "TokenReview", "tokenreviews", namespaced=False, verbs=_CREATE, virtual=True),
    Resource(_AUTHZ, "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", verbs=_CREATE, virtual=True),
    *(
        Resource(_AUTHZ, "v1", kind, f"{kind.lower()}s", namespaced=False, verbs=_CREATE, virtual=True)
        for kind in ("SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview")
    ),
)

_RBAC_KINDS = tuple(
    Resource(_RBAC, "v1", kind, f"{kind.lower()}s", namespaced=not kind.startswith("Cluster"), update_creates=True)
    for kind in ("ClusterRoleBinding", "ClusterRole", "RoleBinding", "Role")
)

_APPS = (
    Resource("apps", "v1", "ControllerRevision", "controllerrevisions"),
    *(
        Resource("apps", "v1", kind, f"{kind.lower()}s", short_names=(short,), categories=("all",), subresources=extra)
        for kind, short, extra in (
            ("DaemonSet", "ds", (STATUS,)),
            ("Deployment", "deploy", (SCALE, STATUS)),
            ("ReplicaSet", "rs", (SCALE, STATUS)),
        )
    ),
)

BUILT_IN: tuple[Resource, ...] = (
    *_CORE,
    *_WEBHOOKS,
    *_APPS,
    *_REVIEWS,
    Resource("batch", "v1", "Job", "jobs", categories=("all",), subresources=(STATUS,)),
    Resource("events.k8s.io", "v1", "Event", "events", short_names=("ev",), update_creates=True, stored_as="events"),
    Resource("coordination.k8s.io", "v1", "Lease", "leases", update_creates=True, update_blind=False),
    *_RBAC_KINDS,
    Resource(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources=(STATUS,),
        update_blind=False,
    ),
)


class Resources:
    """The served resources by name and by path. `replace_custom` sets those of CustomResourceDefinitions."""

    def __init__(self, built_in: Iterable[Resource] = BUILT_IN) -> None:
        self._built_in = tuple(built_in)
        self._all: tuple[Resource, ...] = ()
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_name: dict[str, Resource] = {}
        self.generation = 0
        self.listeners: list[Callable[[], None]] = []
        self.replace_custom(())

    def replace_custom(self, custom: Iterable[Resource]) -> None:
        """A custom kind in the place of a built-in one is not served."""
        taken = {each.name for each in self._built_in}
        self._all = (*self._built_in, *(each for each in custom if each.name not in taken))
        self._by_path = {(each.group, each.version, each.plural): each for each in self._all}
        self._by_name = {each.name: each for each in reversed(self._all)}
        self.generation += 1
        for listener in self.listeners:
            listener()

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._all)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def named(self, name: str) -> Resource:
        """The resource that `pods` or `jobs.batch` means.

        Raises:
            KeyError: it is not served.
        """
        return self._by_name[name]

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        return next((each for each in self._all if (each.api_version, each.kind) == (api_version, kind)), None)

    def group_versions(self) -> dict[str, list[str]]:
        """The versions of each group, in the order served; the core group is empty."""
        found: dict[str, list[str]] = {}
        for each in self._all:
            versions = found.setdefault(each.group, [])
            if each.version not in versions:
                versions.append(each.version)
        return found

    def of_group_version(self, group: str, version: str) -> list[Resource]:
        return sorted(
            (each for each in self._all if (each.group, each.version) == (group, version)), key=lambda each: each.plural
        )
