"""One policy rule and what it matches. Source: kubernetes pkg/apis/rbac/v1/evaluation_helpers.go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LISTS = (
    ("apiGroups", "api_groups"),
    ("resources", "resources"),
    ("resourceNames", "resource_names"),
    ("nonResourceURLs", "non_resource_urls"),
    ("verbs", "verbs"),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A PolicyRule. `resources` hold `pods` or `pods/log`; `*` matches all, and `*/scale` a subresource of all."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()

    @classmethod
    def of(cls, rule: Mapping[str, Any]) -> "Rule":
        return cls(**{name: tuple(rule.get(key) or ()) for key, name in _LISTS})

    def to_json(self) -> dict[str, list[str]]:
        return {key: list(getattr(self, name)) for key, name in sorted(_LISTS) if getattr(self, name)}

    def matches_verb(self, verb: str) -> bool:
        return "*" in self.verbs or verb in self.verbs

    def matches_group(self, group: str) -> bool:
        return "*" in self.api_groups or group in self.api_groups

    def matches_resource(self, resource: str, subresource: str) -> bool:
        combined = f"{resource}/{subresource}" if subresource else resource
        if "*" in self.resources or combined in self.resources:
            return True
        return bool(subresource) and f"*/{subresource}" in self.resources

    def matches_name(self, name: str) -> bool:
        return not self.resource_names or name in self.resource_names

    def matches_path(self, path: str) -> bool:
        return any(path_covers(url, path) for url in self.non_resource_urls)

    def __str__(self) -> str:
        """As Kubernetes' CompactString prints a rule in an escalation error."""
        labels = (
            ("APIGroups", self.api_groups),
            ("Resources", self.resources),
            ("NonResourceURLs", self.non_resource_urls),
            ("ResourceNames", self.resource_names),
            ("Verbs", self.verbs),
        )
        quoted = (
            f"{label}:[{' '.join(chr(34) + one + chr(34) for one in values)}]" for label, values in labels if values
        )
        return "{" + ", ".join(quoted) + "}"


def path_covers(pattern: str, path: str) -> bool:
    """Whether a nonResourceURL pattern (`*`, exact, or a prefix ending in `*`) covers `path`."""
    return pattern in {"*", path} or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))
