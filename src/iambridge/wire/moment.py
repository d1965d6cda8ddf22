"""Moments as AWS writes them."""

import datetime as dt
from functools import lru_cache


@lru_cache(maxsize=1024)
def zulu(epoch: int) -> str:
    """Seconds since the epoch in UTC: `2026-11-23T18:00:00Z`."""
    return dt.datetime.fromtimestamp(epoch, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Moment(int):
    """Seconds since the epoch in an answer of the Query protocol: a date in XML, a number in JSON.

    Source: what Envoy and Kong read from STS, which ask for JSON (`"Expiration": 1.514869445E9`).
    """

    def __str__(self) -> str:
        return zulu(int(self))
