from pathlib import Path
from typing import Any

import pytest
import yaml

from iambridge.core.authenticator_token import REGIONS, HostRules

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
