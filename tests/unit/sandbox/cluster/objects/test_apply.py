import copy
import json
from typing import Any

import pytest

from iambridge.errors import BadRequest, Conflict
from iambridge.sandbox.cluster.objects import apply as apply_module
from iambridge.sandbox.cluster.objects import kinds
from iambridge.sandbox.cluster.objects.apply import LAST_APPLIED, apply, track
from iambridge.sandbox.cluster.objects.conform import conform
from iambridge.sandbox.cluster.objects.types import type_of

T0, T1, T2 = (f"2026-01-01T00:00:0{second}Z" for second in range(3))
POD = type_of("v1", "Pod")
CONFIG_MAP = type_of("v1", "ConfigMap")


def config_map(data: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    out: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "n", **metadata},
    }
    return out if data is None else {**out, "data": data}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    meta = {"name": "p", "namespace": "n"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": list(containers), **spec}}


def defaulted(obj: dict[str, Any]) -> dict[str, Any]:
    return kinds.strategy("", "Pod").default(conform(obj, POD).object)


def entries(obj: dict[str, Any]) -> dict[tuple[str, str], Any]:
    return {(one["manager"], one["operation"]): one["fieldsV1"] for one in obj["metadata"].get("managedFields", ())}


def test_create_owns_what_kubernetes_says_it_owns() -> None:
    """The creator owns every field, with `.` only where a container was not there before."""
    created = track(
        None, defaulted(pod({"name": "c", "image": "x"}, volumes=[{"name": "v"}])), POD, manager="m", now=T0
    )
    fields = entries(created)["m", "Update"]
    assert set(fields) == {"f:spec"}
    assert fields["f:spec"]["f:containers"]['k:{"name":"c"}'][":".replace(":", ".")] == {}
    assert "." not in fields["f:spec"]
    assert "." not in fields["f:spec"]["f:containers"]
    assert fields["f:spec"]["f:volumes"]["."] == {}
    assert fields["f:spec"]["f:securityContext"] == {}


def test_an_update_takes_only_what_it_changes() -> None:
    """The updater takes the changed fields, the rest stays with its owner, and times move only with ownership."""
    created = track(None, config_map({"a": "1", "b": "1"}), CONFIG_MAP, manager="one", now=T0)
    updated = track(created, config_map({"a": "2", "b": "1"}), CONFIG_MAP, manager="two", now=T1)
    assert entries(updated) == {
        ("one", "Update"): {"f:data": {".": {}, "f:b": {}}},
        ("two", "Update"): {"f:data": {"f:a": {}}},
    }
    again = track(updated, config_map({"a": "2", "b": "1"}), CONFIG_MAP, manager="three", now=T2)
    assert again["metadata"]["managedFields"] == updated["metadata"]["managedFields"]


def test_conflict_words_and_force() -> None:
    """Changing another's field is 409 with a cause for each path; force takes it over."""
    created = track(None, defaulted(pod({"name": "c", "image": "x"})), POD, manager="kubectl-create", now=T0)
    wanted = pod({"name": "c", "image": "y"})
    with pytest.raises(Conflict) as refused:
        apply(created, wanted, POD, manager="m", force=False, now=T1)
    path = '.spec.containers[name="c"].image'
    assert refused.value.message == f'Apply failed with 1 conflict: conflict with "kubectl-create" using v1: {path}'
    assert refused.value.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl-create" using v1', "field": path}
    ]
    forced = apply(created, wanted, POD, manager="m", force=True, now=T1)
    assert forced["spec"]["containers"][0]["image"] == "y"
    assert "f:image" not in entries(forced)["kubectl-create", "Update"]["f:spec"]["f:containers"]['k:{"name":"c"}']


def test_several_conflicts_are_listed_by_manager() -> None:
    """Several conflicts are grouped under their managers, paths sorted."""
    live = track(None, config_map({"a": "1", "b": "1"}), CONFIG_MAP, manager="one", now=T0)
    with pytest.raises(Conflict) as refused:
        apply(live, config_map({"b": "2", "a": "2"}), CONFIG_MAP, manager="m", force=False, now=T1)
    assert (
        refused.value.message == 'Apply failed with 2 conflicts: conflicts with "one" using v1:\n- .data.a\n- .data.b'
    )


def test_what_is_no_longer_applied_goes() -> None:
    """A field that only this applier owned is removed when it stops applying it; a shared one stays."""
    first = apply(None, config_map({"a": "1", "b": "1"}), CONFIG_MAP, manager="m", force=False, now=T0)
    shared = apply(first, config_map({"b": "1"}), CONFIG_MAP, manager="other", force=False, now=T1)
    left = apply(shared, config_map({}), CONFIG_MAP, manager="m", force=False, now=T2)
    assert left["data"] == {"b": "1"}
    assert apply(left, config_map(), CONFIG_MAP, manager="other", force=False, now=T2).get("data") is None


def test_a_container_that_is_no_longer_applied_goes_with_its_defaults() -> None:
    """Dropping a list element removes it with the fields that nobody else owns."""
    live = defaulted(
        apply(
            None, pod({"name": "a", "image": "x"}, {"name": "b", "image": "x"}), POD, manager="m", force=False, now=T0
        )
    )
    left = apply(live, pod({"name": "a", "image": "x"}), POD, manager="m", force=False, now=T1)
    assert [one["name"] for one in left["spec"]["containers"]] == ["a"]


def test_applying_twice_changes_nothing() -> None:
    """The second, equal apply is the identity, timestamps included."""
    once = apply(None, config_map({"a": "1"}), CONFIG_MAP, manager="m", force=False, now=T0)
    assert apply(once, config_map({"a": "1"}), CONFIG_MAP, manager="m", force=False, now=T1) == once


def test_written_managed_fields_are_honoured() -> None:
    """managedFields that a client wrote are kept; `[{}]` wipes them; garbage falls back to the live ones."""
    live = track(None, config_map({"a": "1"}), CONFIG_MAP, manager="one", now=T0)
    mine = [
        {
            "manager": "x",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": T0,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:a": {}}},
        }
    ]
    written = track(live, config_map({"a": "1"}, managedFields=mine), CONFIG_MAP, manager="kubectl", now=T1)
    assert written["metadata"]["managedFields"] == mine
    assert (
        "managedFields"
        not in track(live, config_map({"a": "1"}, managedFields=[{}]), CONFIG_MAP, manager="k", now=T1)["metadata"]
    )
    broken = [{"manager": "x", "operation": "Apply", "fieldsV1": {"bogus": {}}}]
    kept = track(live, config_map({"a": "1"}, managedFields=broken), CONFIG_MAP, manager="k", now=T1)
    assert entries(kept) == entries(live)


def test_kubectl_takes_over_its_own_client_side_apply() -> None:
    """`kubectl apply --server-side` after a client-side apply has no conflict on what that applied, and syncs it."""
    last = json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": {"a": "1"}}
    )
    live = track(
        None,
        config_map({"a": "1"}, annotations={LAST_APPLIED: last}),
        CONFIG_MAP,
        manager="kubectl-client-side-apply",
        now=T0,
    )
    taken = apply(live, config_map({"a": "2"}), CONFIG_MAP, manager="kubectl", force=False, now=T1)
    assert taken["data"] == {"a": "2"}
    assert json.loads(taken["metadata"]["annotations"][LAST_APPLIED])["data"] == {"a": "2"}
    with pytest.raises(Conflict):
        apply(live, config_map({"a": "2"}), CONFIG_MAP, manager="another", force=False, now=T1)


def test_undeclared_fields_are_refused() -> None:
    """An applied field that the type does not declare is refused with its path."""
    with pytest.raises(BadRequest) as refused:
        apply(None, pod({"name": "c", "imag": "x"}), POD, manager="m", force=False, now=T0)
    assert refused.value.message == (
        'failed to create typed patch object (n/p; /v1, Kind=Pod): .spec.containers[name="c"].imag: field not declared in schema'
    )
    with pytest.raises(BadRequest, match=r"metadata\.managedFields must be nil"):
        apply(None, config_map(managedFields=[{"manager": "x"}]), CONFIG_MAP, manager="m", force=False, now=T0)


def test_status_written_through_its_subresource_is_its_own_entry() -> None:
    """The same manager has one entry for each subresource, and reset paths are never owned."""
    live = track(None, defaulted(pod({"name": "c", "image": "x"})), POD, manager="m", now=T0, reset=(("status",),))
    assert all("f:status" not in fields for fields in entries(live).values())
    new = copy.deepcopy(live)
    new["status"] = {"phase": "Running"}
    done = track(live, new, POD, manager="m", now=T1, subresource="status", reset=(("spec",), ("metadata",)))
    assert {(one["manager"], one.get("subresource", "")) for one in done["metadata"]["managedFields"]} == {
        ("m", ""),
        ("m", "status"),
    }


def test_updaters_are_capped() -> None:
    """More than ten updaters fold into ancient-changes and lose no field."""
    live = track(None, config_map({"k": "0"}), CONFIG_MAP, manager="first", now=T0)
    for index in range(15):
        live = track(
            live,
            config_map({**live["data"], f"k{index}": "1"}),
            CONFIG_MAP,
            manager=f"m{index}",
            now=f"2026-01-01T00:01:{index:02}Z",
        )
    owned = apply_module.decode_managed(live["metadata"]["managedFields"])
    assert len(owned) == 10
    assert "ancient-changes" in {owner.manager for owner in owned}
    paths = {path for entry in owned.values() for path in entry.fields}
    assert {("f:data", f"f:{key}") for key in live["data"]} <= paths
