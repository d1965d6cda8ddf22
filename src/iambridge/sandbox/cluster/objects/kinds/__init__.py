"""What each kind does on its way into the store: reset, default, validate, keep immutable."""

from iambridge.sandbox.cluster.objects.kinds.base import Strategy
from iambridge.sandbox.cluster.objects.kinds.registry import strategy

__all__ = ["Strategy", "strategy"]
