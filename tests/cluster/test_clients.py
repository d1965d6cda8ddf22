"""Other public clients do their everyday work: the cluster is not made for kubectl alone."""

import asyncio
import uuid
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")  # the clients' own deprecations


@pytest.fixture
def namespace() -> str:
    return "default"


def test_kubernetes(kubeconfig: Path, namespace: str) -> None:
    """The official Python client creates, lists, patches, watches and deletes."""
    import kubernetes

    api = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(kubeconfig)))
    name = f"official-{uuid.uuid4().hex[:6]}"
    body = kubernetes.client.V1ConfigMap(metadata=kubernetes.client.V1ObjectMeta(name=name), data={"a": "1"})
    created = api.create_namespaced_config_map(namespace, body)
    since = created.metadata.resource_version
    api.patch_namespaced_config_map(name, namespace, {"data": {"b": "2"}})
    api.delete_namespaced_config_map(name, namespace)
    seen = []
    stream = kubernetes.watch.Watch().stream(
        api.list_namespaced_config_map,
        namespace,
        resource_version=since,
        field_selector=f"metadata.name={name}",
        timeout_seconds=60,
    )
    for event in stream:
        seen.append((event["type"], event["object"].data))
        if event["type"] == "DELETED":
            break
    assert seen == [("MODIFIED", {"a": "1", "b": "2"}), ("DELETED", {"a": "1", "b": "2"})]
    with pytest.raises(kubernetes.client.ApiException) as refused:
        api.read_namespaced_config_map(name, namespace)
    assert refused.value.status == 404


def test_kubernetes_dynamic(kubeconfig: Path, namespace: str) -> None:
    """The dynamic client finds its way by discovery and applies server-side."""
    import kubernetes
    from kubernetes.dynamic import DynamicClient

    client = DynamicClient(kubernetes.config.new_client_from_config(str(kubeconfig)))
    jobs = client.resources.get(api_version="batch/v1", kind="Job")
    assert jobs.name == "jobs"
    config_maps = client.resources.get(api_version="v1", kind="ConfigMap")
    name = f"dynamic-{uuid.uuid4().hex[:6]}"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}
    config_maps.server_side_apply(body=body, namespace=namespace, field_manager="me")
    assert config_maps.get(name=name, namespace=namespace).data.a == "1"
    config_maps.delete(name=name, namespace=namespace)


def test_lightkube(kubeconfig: Path, namespace: str) -> None:
    """lightkube applies, lists by label and deletes."""
    import lightkube
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.core_v1 import ConfigMap

    config = lightkube.KubeConfig.from_file(str(kubeconfig))
    client = lightkube.Client(config=config, field_manager="tests", trust_env=False)
    name = f"light-{uuid.uuid4().hex[:6]}"
    item = ConfigMap(metadata=ObjectMeta(name=name, namespace=namespace, labels={"run": name}), data={"a": "1"})
    client.apply(item)
    client.apply(item)
    found = list(client.list(ConfigMap, namespace=namespace, labels={"run": name}))
    assert [each.data for each in found] == [{"a": "1"}]
    client.delete(ConfigMap, name, namespace=namespace)


def test_kr8s(kubeconfig: Path, namespace: str) -> None:
    """kr8s reads /version/ and works with an object."""
    import kr8s
    from kr8s.objects import ConfigMap

    api = kr8s.api(kubeconfig=str(kubeconfig))
    assert api.version()["major"] == "1"
    name = f"kr8s-{uuid.uuid4().hex[:6]}"
    item = ConfigMap({"metadata": {"name": name, "namespace": namespace}, "data": {"a": "1"}}, api=api)
    item.create()
    item.patch({"data": {"a": "2"}})
    item.refresh()
    assert item.raw["data"]["a"] == "2"
    item.delete()


def test_kubernetes_asyncio(kubeconfig: Path, namespace: str) -> None:
    """kubernetes_asyncio, which writes its booleans as `True`, watches."""
    import kubernetes_asyncio

    async def work() -> list[str]:
        configuration = kubernetes_asyncio.client.Configuration()
        await kubernetes_asyncio.config.load_kube_config(str(kubeconfig), client_configuration=configuration)
        async with kubernetes_asyncio.client.ApiClient(configuration) as client:
            api = kubernetes_asyncio.client.CoreV1Api(client)
            seen = []
            async with kubernetes_asyncio.watch.Watch() as watch:
                async for event in watch.stream(api.list_namespace, timeout_seconds=60):
                    seen.append(event["object"].metadata.name)
                    if "kube-system" in seen:
                        break
            return seen

    assert "default" in asyncio.run(work())
