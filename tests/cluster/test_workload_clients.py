"""Other public clients work with Deployments and their scale: on any cluster with its controllers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import _KUBECTLS, Kubectl, in_new_namespace
from .played_kubelet import pods, serve, workload
from .plumbing import eventually

pytestmark = pytest.mark.filterwarnings("ignore")  # the clients' own deprecations


@pytest.fixture
def kubectl(kubeconfig: Path, tmp_path: Path) -> Iterator[Kubectl]:
    """One kubectl, in a namespace of its own, for what is not the client's to do."""
    with in_new_namespace(Kubectl(_KUBECTLS[-1], kubeconfig, tmp_path)) as tool:
        yield tool


def test_kubernetes(kubeconfig: Path, kubectl: Kubectl) -> None:
    """The official client creates, scales in three ways and watches until all replicas are there."""
    import kubernetes

    client = kubernetes.config.new_client_from_config(str(kubeconfig))
    api = kubernetes.client.AppsV1Api(client)
    namespace = kubectl.namespace
    created = api.create_namespaced_deployment(namespace, workload("Deployment", "web", replicas=1))
    assert created.status.replicas is None
    assert api.read_namespaced_deployment_scale("web", namespace).spec.replicas == 1
    scale = api.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 2}})
    assert (scale.kind, scale.spec.replicas, scale.status.selector) == ("Scale", 2, "app=web")
    scale.spec.replicas = 3
    scale.metadata.resource_version = None
    api.replace_namespaced_deployment_scale("web", namespace, scale)
    stream = kubernetes.watch.Watch().stream(api.list_namespaced_deployment, namespace, timeout_seconds=60)
    for event in stream:
        if event["object"].status.replicas == 3:
            break
    stream.close()
    assert event["object"].status.updated_replicas == 3
    stale = api.read_namespaced_deployment_scale("web", namespace)
    stale.metadata.resource_version = "1"
    with pytest.raises(kubernetes.client.ApiException) as refused:
        api.replace_namespaced_deployment_scale("web", namespace, stale)
    assert refused.value.status == 409
    api.delete_namespaced_deployment("web", namespace, propagation_policy="Foreground")
    eventually(lambda: api.list_namespaced_replica_set(namespace).items == [])
    client.close()


def test_lightkube(kubeconfig: Path, kubectl: Kubectl) -> None:
    """lightkube applies a Deployment, reads and replaces its Scale, and waits for its condition."""
    import lightkube
    from lightkube.codecs import from_dict
    from lightkube.resources.apps_v1 import Deployment

    config = lightkube.KubeConfig.from_file(str(kubeconfig))
    client = lightkube.Client(config=config, field_manager="tests", trust_env=False, namespace=kubectl.namespace)
    client.apply(from_dict(workload("Deployment", "web", replicas=1)))
    # a Scale that is put while the controller writes its first status is a conflict, even without a resourceVersion
    eventually(lambda: len(pods(kubectl, "web")) == 1)
    client.wait(Deployment, "web", for_conditions=["Progressing"])
    scale = client.get(Deployment.Scale, "web")
    assert scale.spec is not None
    assert scale.metadata is not None
    scale.spec.replicas = 2
    # whatever the controller writes meanwhile
    scale.metadata.resourceVersion = None
    client.replace(scale, "web")
    eventually(lambda: len(pods(kubectl, "web")) == 2)
    serve(kubectl, *pods(kubectl, "web"))
    found = client.wait(Deployment, "web", for_conditions=["Available"])
    assert found.status is not None
    assert found.status.availableReplicas == 2
    client.delete(Deployment, "web")


def test_kr8s(kubeconfig: Path, kubectl: Kubectl) -> None:
    """kr8s scales by the replicas of the object, and knows when all are ready."""
    import kr8s
    from kr8s.objects import Deployment

    api = kr8s.api(kubeconfig=str(kubeconfig), namespace=kubectl.namespace)
    item = Deployment(workload("Deployment", "web", replicas=1), namespace=kubectl.namespace, api=api)
    item.create()
    item.patch({"spec": {"replicas": 2}}, subresource="scale", type="merge")
    eventually(lambda: len(pods(kubectl, "web")) == 2)
    serve(kubectl, *pods(kubectl, "web"))

    def ready() -> bool:
        item.refresh()
        return bool(item.ready())

    eventually(ready)
    assert sorted(pod.name for pod in item.pods()) == sorted(pod["metadata"]["name"] for pod in pods(kubectl, "web"))
    item.delete()
