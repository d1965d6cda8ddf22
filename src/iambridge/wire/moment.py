"""Moments as AWS writes them."""

import datetime as dt
from functools import lru_cache
from typing import Self


@lru_cache(maxsize=1024)
def zulu(epoch: int) -> str:
    """Seconds since the epoch in UTC: `2026-11-23T18:00:00Z`."""
    return dt.datetime.fromtimestamp(epoch, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Moment(str):
    """A moment in an answer of the Query protocol: a date in XML, in JSON the number of `seconds` since the epoch.

    Source: what Envoy and Kong read from STS, which ask for JSON (`"Expiration": 1.514869445E9`).
    """

    __slots__ = ("seconds",)
    seconds: int

    def __new__(cls, seconds: int) -> Self:
        made = super().__new__(cls, zulu(seconds))
        made.seconds = seconds
        return made


@lru_cache(maxsize=1024)
def moment(seconds: int) -> Moment:
    """The moment of these seconds since the epoch: calls of one second end together."""
    return Moment(seconds)
