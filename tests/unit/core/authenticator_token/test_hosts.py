from pathlib import Path
from typing import Any

import pytest
import yaml

from iambridge.core.authenticator_token import REGIONS, HostRules
from iambridge.core.authenticator_token.hosts import regional_host

CASES = yaml.safe_load((Path(__file__).parents[3] / "cases/authenticator/hosts.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['partition']} {case['host']}")
def test_hosts_of_a_partition(case: dict[str, Any]) -> None:
    """A partition's rules name its own STS endpoints exactly."""
    assert HostRules.of(case["partition"]).allows(case["host"]) is case["allowed"]


def test_regional_only() -> None:
    """With the global endpoint off and a region list, nothing else counts."""
    rules = HostRules.of("aws", regions=["eu-west-1"], global_endpoint=False)
    assert rules.allows("sts.eu-west-1.amazonaws.com")
    assert not rules.allows("sts.amazonaws.com")
    assert not rules.allows("sts.us-east-1.amazonaws.com")


def test_unknown_partition_is_an_error() -> None:
    """A partition that does not exist is a fault of the caller's, not an empty rule."""
    with pytest.raises(ValueError, match="unknown partition `moon`"):
        HostRules.of("moon")


def test_regions_are_those_of_botocore() -> None:
    """The table holds every region that botocore's endpoints name for each partition."""
    import botocore.session

    for partition, regions in REGIONS.items():
        assert set(botocore.session.get_session().get_available_regions("sts", partition)) <= set(regions)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "sts.eu-west-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
        ("us-iso-east-1", "sts.us-iso-east-1.c2s.ic.gov"),
        ("mars-north-1", "sts.mars-north-1.amazonaws.com"),
    ],
)
def test_a_regions_endpoint_is_of_its_partition(region: str, host: str) -> None:
    """One that is newer than the table counts as the commercial partition's."""
    assert regional_host(region) == host


def test_every_regional_endpoint_is_one_that_its_partition_allows() -> None:
    for partition, regions in REGIONS.items():
        assert all(HostRules.of(partition).allows(regional_host(region)) for region in regions)
