"""The STS endpoints of each AWS partition, and which of them a token may name.

The regions are those of botocore's endpoints.json (1.44.5); an operator may pass a newer list.
"""

from collections.abc import Iterable
from dataclasses import dataclass

REGIONS: dict[str, tuple[str, ...]] = {
    "aws": (
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-central-1",
        "ca-west-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "mx-central-1",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    ),
    "aws-cn": (
        "cn-north-1",
        "cn-northwest-1",
    ),
    "aws-us-gov": (
        "us-gov-east-1",
        "us-gov-west-1",
    ),
    "aws-iso": (
        "us-iso-east-1",
        "us-iso-west-1",
    ),
    "aws-iso-b": (
        "us-isob-east-1",
        "us-isob-west-1",
    ),
    "aws-iso-e": ("eu-isoe-west-1",),
    "aws-iso-f": (
        "us-isof-east-1",
        "us-isof-south-1",
    ),
    "aws-eusc": ("eusc-de-east-1",),
}

_DOMAINS = {
    "aws": ("amazonaws.com", "api.aws"),
    "aws-us-gov": ("amazonaws.com", "api.aws"),
    "aws-cn": ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    "aws-iso": ("c2s.ic.gov",),
    "aws-iso-b": ("sc2s.sgov.gov",),
    "aws-iso-e": ("cloud.adc-e.uk",),
    "aws-iso-f": ("csp.hci.ic.gov",),
    "aws-eusc": ("amazonaws.eu", "api.amazonwebservices.eu"),
}


def regional_host(region: str) -> str:
    """The STS endpoint of `region`; a region that no partition's list has counts as one of partition `aws`."""
    partition = next((name for name, regions in REGIONS.items() if region in regions), "aws")
    return f"sts.{region}.{_DOMAINS[partition][0]}"


@dataclass(frozen=True, slots=True)
class HostRules:
    """The exact `host` or `host:port` spellings that a token may name; nothing matches by pattern."""

    hosts: frozenset[str]

    @classmethod
    def of(
        cls,
        partition: str = "aws",
        *,
        regions: Iterable[str] | None = None,
        extra: Iterable[str] = (),
        global_endpoint: bool = True,
    ) -> "HostRules":
        """The regional, FIPS and dual-stack endpoints of `regions` (default: all that this version knows).

        `sts.amazonaws.com` counts in partition `aws` only, unless `global_endpoint` is off. `extra` are the operator's
        own, `host[:port]`: a VPC endpoint or a sandbox.

        Raises:
            ValueError: a partition that does not exist.
        """
        if partition not in _DOMAINS:
            raise ValueError(f"unknown partition `{partition}`; there are {', '.join(_DOMAINS)}")
        found = set(extra)
        for region in REGIONS.get(partition, ()) if regions is None else regions:
            for domain in _DOMAINS[partition]:
                found |= {f"sts.{region}.{domain}", f"sts-fips.{region}.{domain}"}
        if partition == "aws" and global_endpoint:
            found.add("sts.amazonaws.com")
        return cls(frozenset(found))

    @classmethod
    def only(cls, hosts: Iterable[str]) -> "HostRules":
        """Nothing but `hosts`, for a server that must not call AWS at all."""
        return cls(frozenset(hosts))

    def allows(self, host: str) -> bool:
        return host in self.hosts
