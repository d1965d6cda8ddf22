"""How a webhook's trust is spelled: its MutatingWebhookConfiguration and its Secret, read and patched."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

Object = Mapping[str, Any]


def bundles(configuration: Object) -> tuple[bytes, ...]:
    """The caBundles (PEM), one a webhook; what is not base64 is empty."""
    return tuple(_decoded(_client(webhook).get("caBundle")) for webhook in configuration.get("webhooks") or ())


def hosts(configuration: Object, service: str, namespace: str) -> tuple[str, ...]:
    """The names that a serving certificate needs: those of the Service, and those that the configuration asks for."""
    names = _service_names(service, namespace)
    for webhook in configuration.get("webhooks") or ():
        client = _client(webhook)
        named = client.get("service")
        if named:
            names += _service_names(named.get("name", ""), named.get("namespace", ""))
        elif client.get("url"):
            names.append(urlsplit(client["url"]).hostname or "")
    return tuple(dict.fromkeys(name for name in names if name))


def other_keeper(configuration: Object) -> str:
    """Who else writes the caBundle, as far as the configuration says so."""
    annotations = configuration["metadata"].get("annotations") or {}
    if any(key.startswith("cert-manager.io/inject-") for key in annotations):
        return "cert-manager writes the caBundle too: take its annotation away, or --self-managed-tls"
    return ""


def bundle_patch(configuration: Object, bundle: bytes) -> list[dict[str, Any]]:
    """A JSON patch of every caBundle and nothing else, for the very configuration that was judged."""
    value = base64.b64encode(bundle).decode()
    version = configuration["metadata"]["resourceVersion"]
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        *(
            {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": value}
            for index in range(len(configuration.get("webhooks") or ()))
        ),
    ]


def secret_data(secret: Object) -> dict[str, bytes]:
    """A Secret's data; what is not base64 is empty."""
    return {key: _decoded(value) for key, value in (secret.get("data") or {}).items()}


def secret_patch(secret: Object, data: Mapping[str, bytes]) -> dict[str, Any]:
    """A merge patch of some of a Secret's data, for the very Secret that was judged."""
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"metadata": {"resourceVersion": secret["metadata"]["resourceVersion"]}, "data": encoded}


def _client(webhook: Object) -> Object:
    client: Object = webhook.get("clientConfig") or {}
    return client


def _service_names(service: str, namespace: str) -> list[str]:
    whole = f"{service}.{namespace}.svc"
    return [whole, f"{service}.{namespace}", service, f"{whole}.cluster.local"]


def _decoded(text: str | None) -> bytes:
    try:
        return base64.b64decode(text or "")
    except binascii.Error:
        return b""
