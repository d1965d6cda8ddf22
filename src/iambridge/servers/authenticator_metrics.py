"""The authenticator's metrics: the original's names, and what it lacks. No label is chosen by a caller."""

from collections.abc import Sequence

from iambridge.core.aws_auth import Source
from iambridge.wire.prometheus import Counter, Histogram, render

_PREFIX = "aws_iam_authenticator_"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_E2E_SECONDS = (1.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0)


class AuthenticatorMetrics:
    """`uknown_user` of the original is `unknown_user` here."""

    def __init__(self) -> None:
        self.latency = Histogram(
            f"{_PREFIX}authenticate_latency_seconds", "Time to answer /authenticate", _SECONDS, ("result",)
        )
        self.sts_responses = Counter(f"{_PREFIX}sts_responses_total", "Answers of STS", ("ResponseCode", "StsRegion"))
        self.sts_failures = Counter(f"{_PREFIX}sts_connection_failures_total", "STS not reached", ("StsRegion",))
        self.throttled = Counter(f"{_PREFIX}sts_throttling_total", "Reviews answered 429")
        self.ec2_calls = Counter(f"{_PREFIX}ec2_describe_instances_calls_total", "DescribeInstances calls")
        self.denied = Counter(f"{_PREFIX}denied_total", "Refused tokens, by the check that failed", ("reason",))
        self.break_glass = Counter(f"{_PREFIX}break_glass_total", "Logins by a break-glass ARN")
        self.cache_hits = Counter(f"{_PREFIX}identity_cache_hits_total", "Reviews that needed no STS")
        self.entries = Counter(f"{_PREFIX}mapping_entries", "Entries in effect", ("source",), kind="gauge")
        self.faults = Counter(f"{_PREFIX}mapping_faults", "Faults of the mapping", ("source", "severity"), kind="gauge")
        self.stale = Counter(
            f"{_PREFIX}mapping_stale_sections",
            "Sections served from their last good version",
            ("source",),
            kind="gauge",
        )

        self.from_copy = Counter(
            f"{_PREFIX}mapping_from_copy",
            "1 while the persisted copy is in effect for a source",
            ("source",),
            kind="gauge",
        )
        self.dynamic_file_failures = Counter(f"{_PREFIX}dynamicfile_failures_total", "Dynamic files that do not count")
        self.dynamic_latency = Histogram(
            f"{_PREFIX}dynamic_e2e_latency_seconds", "From LastUpdatedDateTime to effect", _E2E_SECONDS, ("type",)
        )
        self.dynamic_file_enabled = Counter(f"{_PREFIX}dynamic_file_enabled", "DynamicFile is a backend", kind="gauge")
        self.dynamic_file_only = Counter(f"{_PREFIX}dynamic_file_only", "DynamicFile is the backend", kind="gauge")

    def observe_sources(self, sources: Sequence[Source]) -> None:
        for source in sources:
            mappings = source.mappings
            self.entries.set(len(mappings.entries) + len(mappings.accounts), source.name)
            self.faults.set(len(mappings.errors), source.name, "error")
            self.faults.set(len(mappings.faults) - len(mappings.errors), source.name, "warning")
            self.stale.set(len(mappings.stale), source.name)
            self.from_copy.set(int(source.from_copy), source.name)

    def render(self) -> bytes:
        return render(vars(self).values())
