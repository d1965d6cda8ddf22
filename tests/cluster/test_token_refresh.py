"""A projected token is replaced in time, atomically, under a process that reads it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from iambridge.core.service_account_token import SigningKey
from iambridge.sandbox.cluster.client import SystemClient
from iambridge.sandbox.cluster.cluster import Cluster
from iambridge.sandbox.cluster.controllers.job import JobController
from iambridge.sandbox.cluster.events import EventRecorder
from iambridge.sandbox.cluster.kubelet.host import Host, KubeletConfiguration
from iambridge.sandbox.cluster.kubelet.mount_mode import MountMode
from iambridge.sandbox.cluster.kubelet.pod_volumes import PodVolumes
from iambridge.sandbox.cluster.kubelet.process import Warden

pytestmark = pytest.mark.embedded_only(reason="needs a kubelet that runs the pods")

_ADMIN = ("kubernetes-admin", ("system:masters", "system:authenticated"))
_LIFE_SECONDS = 3600


@contextlib.asynccontextmanager
async def _cluster(directory: Path) -> AsyncIterator[SystemClient]:
    cluster = Cluster(
        directory / "cluster",
        issuer_url="https://127.0.0.1:1",
        server_url="https://127.0.0.1:2",
        signing_keys=[SigningKey.generate()],
        static_tokens={},
        token_review=None,
    )
    await cluster.start()
    try:
        client = cluster.client(*_ADMIN)
        await client.create("namespaces", "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
        await client.create(
            "serviceaccounts", "n", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        )
        yield client
    finally:
        await cluster.close()


def _pod() -> dict[str, Any]:
    token = {"serviceAccountToken": {"path": "token", "audience": "a", "expirationSeconds": _LIFE_SECONDS}}
    spec = {
        "containers": [{"name": "main", "image": "example", "command": ["true"]}],
        "automountServiceAccountToken": False,
        "volumes": [{"name": "v", "projected": {"sources": [token]}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "spec": spec}


def test_a_token_is_replaced_at_80_percent_of_its_life(tmp_path: Path) -> None:
    """Kept before 80 % of its life, replaced after; a process that reads all the while finds one or the other whole."""

    async def play() -> None:
        clock = [time.time()]
        async with _cluster(tmp_path) as client:
            pod = await client.create("pods", "n", _pod())
            events = EventRecorder(client, "kubelet", lambda: clock[0])
            configuration = KubeletConfiguration(tmp_path / "pods", "127.0.0.1", 1)
            mode = MountMode.REWRITE
            host = Host(configuration, client, events, mode, Warden(), lambda: clock[0], lambda: 0.0)
            volumes = PodVolumes(host, pod, tmp_path / "volumes")
            await volumes.prepare()
            file = tmp_path / "volumes/v/token"
            first = file.read_text()
            # it looks whether to stop before it reads, so that the last reading is of the last token
            last = f"[ -e {tmp_path}/stop ] && last=1"
            reads = f'while :; do {last}; cat {file} || echo FAILED; echo; [ "$last" ] && exit; done'
            reader = await asyncio.create_subprocess_exec("sh", "-c", reads, stdout=asyncio.subprocess.PIPE)
            output = asyncio.create_task(reader.communicate())
            clock[0] += 0.8 * _LIFE_SECONDS - 5
            await volumes.prepare()
            assert file.read_text() == first
            clock[0] += 10
            await volumes.prepare()
            second = file.read_text()
            (tmp_path / "stop").touch()
            read = {line for line in (await output)[0].decode().split("\n") if line}
            assert second != first
            assert read <= {first, second}
            assert second in read

    asyncio.run(play())


def test_a_job_does_not_wait_for_a_pod_that_went_unseen(tmp_path: Path) -> None:
    """A pod made and gone while the Job controller's watch was down is forgotten, and another is made."""

    async def play() -> None:
        async with _cluster(tmp_path) as client:
            template = {"spec": {**_pod()["spec"], "restartPolicy": "Never"}}
            job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": template}}
            made = await client.create("jobs.batch", "n", job)
            controller = JobController(client, client, now=time.time)
            # as if the controller had made this pod, and the watch never told of it
            controller._created[made["metadata"]["uid"]] = {"j-gone"}
            running = asyncio.create_task(controller.run())
            pods: list[dict[str, Any]] = []
            while not pods:
                await asyncio.sleep(0.02)
                pods, _ = await client.list("pods", "n")
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert [each["metadata"]["ownerReferences"][0]["name"] for each in pods] == ["j"]

    asyncio.run(asyncio.wait_for(play(), 20))
