"""Workloads that kube-apiserver v1.37.2 was asked to make, and what it said: tests/cases/cluster/workload_faults.json."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from iambridge.core.service_account_token import SigningKey
from iambridge.sandbox.cluster.cluster import Cluster
from iambridge.wire.http import Headers, Request, Response

CASES = json.loads((Path(__file__).parents[1] / "cases/cluster/workload_faults.json").read_text())
PLURALS = {"Deployment": "deployments", "ReplicaSet": "replicasets", "DaemonSet": "daemonsets"}
OWN_WARNING = "on this node"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Response]:
    """What the embedded cluster says, by the case's name."""

    async def ask() -> dict[str, Response]:
        cluster = Cluster(
            tmp_path_factory.mktemp("cluster"),
            issuer_url="https://i",
            server_url="https://s",
            signing_keys=[SigningKey.generate("ES256")],
            static_tokens={"t": ("admin", ("system:masters",))},
        )
        await cluster.start()
        found = {}
        for case in CASES:
            path = f"/apis/apps/v1/namespaces/default/{PLURALS[case['body']['kind']]}"
            headers = Headers([("authorization", "Bearer t"), ("content-type", "application/json")])
            body = json.dumps(case["body"]).encode()
            found[case["name"]] = await cluster.app(
                Request("POST", path, "dryRun=All&fieldValidation=Strict", headers, body)
            )
        await cluster.close()
        return found

    return asyncio.run(ask())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_fault_is_told_as_kube_apiserver_tells_it(case: dict[str, Any], answers: dict[str, Response]) -> None:
    """The same code, the same causes at the same fields in the same words, the same warnings."""
    response = answers[case["name"]]
    assert isinstance(response.body, bytes)
    answer = json.loads(response.body)
    assert response.status == case["code"]
    details = answer.get("details") or {} if response.status >= 400 else {}
    causes = [[each["reason"], each["field"], each["message"]] for each in details.get("causes") or ()]
    # Go goes through a map of resources in any order
    assert sorted(causes) == sorted(case["causes"])
    if len(causes) < 2 and response.status >= 400:
        assert answer["message"] == case["message"]
    warnings = [value.split(" - ", 1)[1] for name, value in response.headers if name.lower() == "warning"]
    assert [each for each in warnings if OWN_WARNING not in each] == case["warnings"]
