"""Looks whether the cluster has EKS's own pod identity webhook, which answers to the same annotations."""

import asyncio
import logging

from iambridge.adapters.kubernetes import KubernetesClient, path_of
from iambridge.errors import BridgeError, Forbidden, NotFound

_log = logging.getLogger(__name__)

CONFIGURATION, WEBHOOK = "pod-identity-webhook", "iam-for-pods.amazonaws.com"
_AGAIN_SECONDS = 1.0


async def has_eks_webhook(client: KubernetesClient) -> bool:
    """Asks until there is an answer. Without the right to look, no is assumed, and that is logged."""
    path = path_of("apis", "admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", CONFIGURATION)
    while True:
        try:
            configuration = await client.get(path)
        except NotFound:
            return False
        except Forbidden:
            _log.warning("may not look for EKS's own webhook (get mutatingwebhookconfigurations/%s)", CONFIGURATION)
            return False
        except BridgeError:  # the informers say that the API server is not there
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return any(webhook.get("name") == WEBHOOK for webhook in configuration.get("webhooks") or ())
