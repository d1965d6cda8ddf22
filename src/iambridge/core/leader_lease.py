"""Who leads, by a Lease: the rule of client-go's leaderelection (k8s.io/client-go/tools/leaderelection).

Nobody trusts another's clock: a holder is given up on when its Lease has not changed for the Lease's own duration, as
measured by the one who looks.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

DURATION_SECONDS = 15


def claim(spec: Mapping[str, Any], identity: str, *, now: dt.datetime, unchanged_for: float) -> dict[str, Any] | None:
    """The Lease spec by which `identity` takes or renews the Lease, or None while another holds it.

    `unchanged_for` is for how many seconds exactly this `spec` has been seen.
    """
    holder = spec.get("holderIdentity") or ""
    if holder not in {"", identity} and unchanged_for < (spec.get("leaseDurationSeconds") or DURATION_SECONDS):
        return None
    renewed = holder == identity
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": DURATION_SECONDS,
        "acquireTime": spec.get("acquireTime") if renewed and spec.get("acquireTime") else micro_time(now),
        "renewTime": micro_time(now),
        "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (not renewed),
    }


def released(spec: Mapping[str, Any], *, now: dt.datetime) -> dict[str, Any]:
    """The Lease spec by which its holder gives it up, so that the next one need not wait."""
    return {
        **spec,
        "holderIdentity": "",
        "leaseDurationSeconds": 1,
        "renewTime": micro_time(now),
    }


def micro_time(now: dt.datetime) -> str:
    """RFC 3339 with six digits: meta/v1 MicroTime."""
    return now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
