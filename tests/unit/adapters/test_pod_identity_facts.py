"""The ConfigMap and the container credentials file, as they change."""

import json
from pathlib import Path
from typing import Any

from iambridge.adapters import kubeconfig
from iambridge.adapters.kubernetes import KubernetesClient
from iambridge.adapters.pod_identity_facts import ClusterFacts
from iambridge.core.pod_identity import Settings

ROLE = "arn:aws:iam::111122223333:role/app"


def facts(file: Path | None = None) -> ClusterFacts:
    client = KubernetesClient(kubeconfig.anonymous("http://127.0.0.1:1"))
    return ClusterFacts(client, Settings(), now=lambda: 0.0, credentials_file=file)


def config_map(**entries: Any) -> dict[str, Any]:
    return {"data": {"config": json.dumps({key.replace("__", "/"): value for key, value in entries.items()})}}


def role(found: ClusterFacts, name: str) -> str:
    entry = found._facts("ns", name, None).config_map
    return entry.role_arn if entry is not None else ""


def test_a_bad_entry_keeps_its_last_good_value() -> None:
    """A bad entry keeps what it had, a good one beside it changes, one that is gone is gone, deletion clears all."""
    found = facts()
    found._config_map("ADDED", config_map(ns__a={"RoleARN": ROLE}, ns__b={"RoleARN": ROLE}, ns__c={"RoleARN": ROLE}))
    found._config_map("MODIFIED", config_map(ns__a={"RoleARN": 7}, ns__b={"rolearn": f"{ROLE}2"}, noslash={}))
    assert [role(found, name) for name in "abc"] == [ROLE, f"{ROLE}2", ""]
    found._config_map("MODIFIED", {"data": {"config": "{"}})
    assert role(found, "b") == f"{ROLE}2"
    found._config_map("DELETED", {})
    assert role(found, "b") == ""


def test_the_credentials_file_is_followed(tmp_path: Path) -> None:
    """New content counts, wrong content leaves the last good identities, an absent file clears them."""
    file = tmp_path / "identities.json"
    found = facts(file)
    file.write_text('{"identities": [{"namespace": "ns", "serviceAccount": "a"}]}')
    found._load_file()
    assert found._facts("ns", "a", None).container_credentials
    file.write_text("{")
    found._load_file()
    assert found._facts("ns", "a", None).container_credentials
    file.unlink()
    found._load_file()
    assert not found._facts("ns", "a", None).container_credentials
