"""Ages as kubectl prints them. Source: apimachinery pkg/util/duration HumanDuration."""

import datetime as dt
from collections.abc import Mapping
from typing import Any


def human_duration(seconds: float) -> str:
    """`2m5s`, `3h20m`, `47h`, `6d12h`, `2y10d`: two units at most, as kubectl rounds."""
    whole = int(seconds)
    if whole < 0:
        return "<invalid>" if whole < -1 else "0s"
    if whole < 120:
        return f"{whole}s"
    minutes = whole // 60
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 365 * 8:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def age(item: Mapping[str, Any], now: float) -> str:
    """The time since the object was created."""
    created = item["metadata"].get("creationTimestamp")
    if not created:
        return "<unknown>"
    return human_duration(now - dt.datetime.fromisoformat(created).timestamp())
