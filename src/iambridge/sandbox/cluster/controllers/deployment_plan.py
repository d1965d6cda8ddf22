"""What a Deployment needs next: pure, from it and its ReplicaSets. Source: kubernetes pkg/controller/deployment."""

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from iambridge.sandbox.cluster.controllers import deployment_status as judged
from iambridge.sandbox.cluster.controllers.pods import owner_reference
from iambridge.sandbox.cluster.controllers.rollout import Size, grown, limits, proportional, step

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MOST = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        _HISTORY,
        _DESIRED,
        _MOST,
    }
)
_HISTORY_LENGTH = 2000
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_NAME = 253

Object = dict[str, Any]


@dataclass(slots=True)
class Plan:
    """`status` is the whole new status, `revision` the Deployment's. `again` is in seconds. `events` are messages."""

    status: Object = field(default_factory=dict)
    revision: str = ""
    create: Object | None = None
    update: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    again: float | None = None


def template_hash(template: Mapping[str, Any], collisions: int | None) -> str:
    """A short name for a template. Its letters are those that Kubernetes uses, its value is our own."""
    data = msgspec.json.encode([template, collisions], order="deterministic")
    number = int.from_bytes(hashlib.sha256(data).digest()[:4])
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))


def same_template(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two templates make the same pods; the label that tells ReplicaSets apart does not count."""
    return _without_hash(one) == _without_hash(other)


def _without_hash(template: Mapping[str, Any]) -> Object:
    out = copy.deepcopy(dict(template))
    meta = out.get("metadata") or {}
    labels = meta.get("labels") or {}
    labels.pop(HASH, None)
    meta = {key: value for key, value in meta.items() if value}
    return {**{key: value for key, value in out.items() if key != "metadata"}, "metadata": meta}


def plan(deployment: Object, sets: Sequence[Object], busy: frozenset[str], now: float) -> Plan:
    """The next step. `sets` are the ReplicaSets that it controls; `busy` has the uids of those whose pods still run."""
    return _Rollout(deployment, sets, now).take(busy)


def _created(replica_set: Mapping[str, Any]) -> tuple[str, str]:
    return replica_set["metadata"].get("creationTimestamp", ""), replica_set["metadata"]["name"]


def _annotation(obj: Mapping[str, Any], name: str) -> int:
    text = (obj["metadata"].get("annotations") or {}).get(name, "")
    return int(text) if text.isdecimal() else 0


def _replicas(obj: Mapping[str, Any]) -> int:
    return int(obj["spec"].get("replicas") or 0)


def _size(replica_set: Mapping[str, Any]) -> Size:
    status = replica_set.get("status") or {}
    return Size(
        replica_set["metadata"]["name"],
        _replicas(replica_set),
        status.get("replicas") or 0,
        status.get("availableReplicas") or 0,
        (status.get("observedGeneration") or 0) >= replica_set["metadata"].get("generation", 0),
        _annotation(replica_set, _MOST),
    )


class _Rollout:
    def __init__(self, deployment: Object, sets: Sequence[Object], now: float) -> None:
        self._deployment = deployment
        self._now = now
        ordered = sorted((copy.deepcopy(each) for each in sets), key=_created)
        template = deployment["spec"]["template"]
        self._new = next((each for each in ordered if same_template(each["spec"]["template"], template)), None)
        self._old = [each for each in ordered if each is not self._new]
        self._before = {each["metadata"]["name"]: each for each in sets}
        self._conditions = [dict(each) for each in (deployment.get("status") or {}).get("conditions") or ()]
        self._plan = Plan()
        self._desired = _replicas(deployment)
        rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate")
        self._surge, self._unavailable = (
            limits(rolling["maxSurge"], rolling["maxUnavailable"], self._desired) if rolling else (0, 0)
        )

    @property
    def _all(self) -> list[Object]:
        return [*self._old, *([self._new] if self._new is not None else [])]

    def take(self, busy: frozenset[str]) -> Plan:
        spec = self._deployment["spec"]
        if self._deployment["metadata"].get("deletionTimestamp"):
            return self._finish(rollout=False)
        judged.judge_pause(self._deployment, self._conditions, self._now)
        self._sync_revision()
        scaling = any(
            _annotation(each, _DESIRED) != self._desired
            for each in self._all
            if _replicas(each) and _DESIRED in (each["metadata"].get("annotations") or {})
        )
        if spec.get("paused") or scaling:
            self._scale()
            if spec.get("paused"):
                self._clean_up()
            return self._finish(rollout=False)
        moved = self._recreate(busy) if spec["strategy"]["type"] == "Recreate" else self._roll()
        if not moved and judged.complete(self._deployment, self._deployment.get("status") or {}):
            self._clean_up()
        return self._finish(rollout=True)

    def _finish(self, *, rollout: bool) -> Plan:
        """Status and changed ReplicaSets."""
        result, sets = self._plan, self._all
        status = judged.counts(self._deployment, self._new, sets)
        least = self._desired - self._unavailable
        judged.judge_availability(self._conditions, status.get("availableReplicas", 0), least, self._now)
        if rollout:
            judged.judge_progress(self._deployment, status, self._conditions, self._new, self._now)
            judged.judge_failure(self._conditions, self._new, sets)
            result.again = judged.check_again(self._deployment, status, self._conditions, self._now)
        result.status = status | {"conditions": self._conditions}
        result.update = [each for each in sets if each != self._before.get(each["metadata"]["name"], each)]
        return result

    # Revisions.

    def _sync_revision(self) -> None:
        """The newest ReplicaSet has the highest revision, and the Deployment's annotations."""
        revision = max((_annotation(each, REVISION) for each in self._old), default=0) + 1
        if self._new is None:
            return
        meta = self._new["metadata"]
        annotations = meta["annotations"] = {**(meta.get("annotations") or {}), **self._copied()}
        known = _annotation(self._new, REVISION)
        if known < revision:
            if known:
                history = [*filter(None, annotations.get(_HISTORY, "").split(",")), str(known)]
                while len(",".join(history)) > _HISTORY_LENGTH:
                    history.pop(0)
                annotations[_HISTORY] = ",".join(history)
            annotations[REVISION] = str(revision)
        wait = self._deployment["spec"].get("minReadySeconds") or 0
        if (self._new["spec"].get("minReadySeconds") or 0) != wait:
            self._new["spec"]["minReadySeconds"] = wait
        self._plan.revision = annotations[REVISION]
        if judged.find(self._conditions, judged.PROGRESSING) is None and judged.deadline(self._deployment) is not None:
            words = f'Found new replica set "{meta["name"]}"'
            judged.put(self._conditions, judged.PROGRESSING, "True", "FoundNewReplicaSet", words, self._now)

    def _copied(self) -> dict[str, str]:
        annotations = self._deployment["metadata"].get("annotations") or {}
        return {key: value for key, value in annotations.items() if key not in _NOT_COPIED}

    def _create_new(self, size: int) -> None:
        """A ReplicaSet of the present template. Its name follows from the template, so it cannot be made twice."""
        spec, meta = self._deployment["spec"], self._deployment["metadata"]
        collisions = (self._deployment.get("status") or {}).get("collisionCount")
        short = template_hash(spec["template"], collisions)
        template = copy.deepcopy(spec["template"])
        labels = template.setdefault("metadata", {}).setdefault("labels", {})
        labels[HASH] = short
        selector = copy.deepcopy(spec["selector"])
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH: short}
        revision = max((_annotation(each, REVISION) for each in self._old), default=0) + 1
        annotations = {**self._copied(), REVISION: str(revision), **self._replica_annotations()}
        name = f"{meta['name'][: _LONGEST_NAME - 1 - len(short)]}-{short}"
        self._new = self._plan.create = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": meta["namespace"],
                "labels": dict(labels),
                "annotations": annotations,
                "ownerReferences": [owner_reference(self._deployment)],
            },
            "spec": {
                "replicas": size,
                "selector": selector,
                "template": template,
                **({"minReadySeconds": spec["minReadySeconds"]} if spec.get("minReadySeconds") else {}),
            },
        }
        self._plan.revision = str(revision)
        if size:
            self._plan.events.append(f"Scaled up replica set {name} from 0 to {size}")
        if judged.deadline(self._deployment) is not None:
            words = f'Created new replica set "{name}"'
            judged.put(self._conditions, judged.PROGRESSING, "True", "NewReplicaSetCreated", words, self._now)

    def _clean_up(self) -> None:
        """Old ReplicaSets beyond revisionHistoryLimit go, unless they have pods."""
        limit = self._deployment["spec"].get("revisionHistoryLimit")
        if limit is None or limit == judged.NO_LIMIT:
            return
        alive = [each for each in self._old if not each["metadata"].get("deletionTimestamp")]
        alive.sort(key=lambda each: _annotation(each, REVISION))
        for each in alive[: max(0, len(alive) - limit)]:
            status = each.get("status") or {}
            behind = each["metadata"].get("generation", 0) > (status.get("observedGeneration") or 0)
            if not _replicas(each) and not status.get("replicas") and not behind:
                self._plan.delete.append(each)

    # Sizes.

    def _replica_annotations(self) -> dict[str, str]:
        return {_DESIRED: str(self._desired), _MOST: str(self._desired + self._surge)}

    def _resize(self, replica_set: Object, size: int) -> bool:
        """Returns whether the size changed."""
        before = _replicas(replica_set)
        meta = replica_set["metadata"]
        meta["annotations"] = {**(meta.get("annotations") or {}), **self._replica_annotations()}
        if before == size:
            return False
        replica_set["spec"]["replicas"] = size
        way = "up" if size > before else "down"
        self._plan.events.append(f"Scaled {way} replica set {meta['name']} from {before} to {size}")
        return True

    def _roll(self) -> bool:
        old = [_size(each) for each in self._old]
        if self._new is None:
            self._create_new(grown(self._desired, self._surge, Size("", 0), old))
            return True
        sizes = step(self._desired, self._surge, self._unavailable, _size(self._new), old)
        for each in self._all:
            if sizes and each["metadata"]["name"] in sizes:
                self._resize(each, sizes[each["metadata"]["name"]])
        return sizes is None or bool(sizes)

    def _recreate(self, busy: frozenset[str]) -> bool:
        """No new pod before the last old one has ended."""
        moved = [self._resize(each, 0) for each in self._old if _replicas(each)]
        if moved:
            return True
        waiting = busy - ({self._new["metadata"]["uid"]} if self._new is not None else set())
        if waiting or judged.count(self._old, "status", "replicas"):
            return True
        if self._new is None:
            self._create_new(self._desired)
            return True
        return _replicas(self._new) != self._desired and self._resize(self._new, self._desired)

    def _scale(self) -> None:
        """A change of size while paused or amid a rollout does not hasten the rollout."""
        active = [each for each in self._all if _replicas(each)]
        if len(active) <= 1:
            latest = active or ([self._new] if self._new is not None else self._old[-1:])
            for each in latest:
                self._resize(each, self._desired)
            return
        new = self._new
        if new is not None and _size(new).serving == _replicas(new) == self._desired == _annotation(new, _DESIRED):
            for each in active:
                if each is not new:
                    self._resize(each, 0)
        elif (self._deployment["spec"].get("strategy") or {}).get("rollingUpdate"):
            active.sort(key=_created)
            counted = (self._deployment.get("status") or {}).get("replicas") or 0
            sizes = proportional(self._desired, self._surge, [_size(each) for each in active], counted)
            for each in active:
                self._resize(each, sizes[each["metadata"]["name"]])
