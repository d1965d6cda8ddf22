"""meta/v1 Time as text."""

import datetime as dt


def timestamp(seconds: float) -> str:
    """RFC 3339 in whole seconds, from seconds since the epoch."""
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
