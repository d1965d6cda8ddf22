"""When a token that is in use is replaced."""

REFRESH_FRACTION = 0.8
_OLDEST_SECONDS = 24 * 3600.0
_JITTER_SECONDS = 10.0


def refresh_time(issued: float, expires: float, jitter: float, *, fraction: float = REFRESH_FRACTION) -> float:
    """At `fraction` of its life or at 24 hours, less up to 10 seconds. Times are seconds, `jitter` is in [0, 1).

    Source: kubernetes pkg/kubelet/token requiresRefresh.
    """
    return issued + min(fraction * (expires - issued), _OLDEST_SECONDS) - jitter * _JITTER_SECONDS
