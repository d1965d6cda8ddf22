"""The flags that a cluster's pod identity webhook runs with, read from the pods behind its configuration."""

from typing import Any

from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.errors import KubernetesError

_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
# of the original, of EKS, and of charts that rename it
_NAMES = ("pod-identity-webhook", "iam-for-pods")


async def webhook_flags(client: KubernetesClient) -> list[str] | None:
    """None when no webhook in the cluster is seen: there is none, it is EKS's own, or this caller may not look."""
    try:
        for configuration in (await client.get(_CONFIGURATIONS)).get("items") or []:
            for webhook in configuration.get("webhooks") or []:
                named = f"{configuration['metadata']['name']} {webhook.get('name', '')}"
                service = (webhook.get("clientConfig") or {}).get("service")
                if service and any(name in named for name in _NAMES):
                    flags = await _flags_behind(client, str(service["namespace"]), str(service["name"]))
                    if flags is not None:
                        return flags
    except KubernetesError:
        return None
    return None


async def _flags_behind(client: KubernetesClient, namespace: str, name: str) -> list[str] | None:
    service = await client.get(path_of("api", "v1", "namespaces", namespace, "services", name))
    selector: dict[str, Any] = (service.get("spec") or {}).get("selector") or {}
    if not selector:
        return None
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    pods = await client.get(path_of("api", "v1", "namespaces", namespace, "pods"), {"labelSelector": labels})
    for pod in pods.get("items") or []:
        for container in pod["spec"].get("containers") or []:
            words = [str(word) for key in ("command", "args") for word in container.get(key) or ()]
            first = next((index for index, word in enumerate(words) if word.startswith("-")), None)
            if first is not None:
                return words[first:]
    return None
