import pytest

from iambridge.core.authenticator_token import REGIONS, HostRules


@pytest.mark.parametrize(
    ("partition", "host", "allowed"),
    [
        ("aws", "sts.amazonaws.com", True),
        ("aws", "sts.us-west-2.amazonaws.com", True),
        ("aws", "sts-fips.us-west-2.amazonaws.com", True),
        ("aws", "sts.us-west-2.api.aws", True),
        ("aws", "sts.cn-north-1.amazonaws.com.cn", False),
        ("aws-cn", "sts.cn-north-1.amazonaws.com.cn", True),
        ("aws-cn", "sts.cn-north-1.api.amazonwebservices.com.cn", True),
        ("aws-cn", "sts.amazonaws.com", False),
        ("aws-us-gov", "sts.us-gov-west-1.amazonaws.com", True),
        ("aws-us-gov", "sts.us-east-1.amazonaws.com", False),
        ("aws-iso", "sts.us-iso-east-1.c2s.ic.gov", True),
        ("aws-iso-b", "sts.us-isob-east-1.sc2s.sgov.gov", True),
        ("aws-iso-e", "sts.eu-isoe-west-1.cloud.adc-e.uk", True),
        ("aws-iso-f", "sts.us-isof-south-1.csp.hci.ic.gov", True),
        ("aws-eusc", "sts.eusc-de-east-1.amazonaws.eu", True),
        ("aws", "vpce-1.sts.us-east-1.vpce.amazonaws.com", False),
        ("aws", "", False),
    ],
)
def test_hosts_of_a_partition(partition: str, host: str, *, allowed: bool) -> None:
    """A partition's rules name its own STS endpoints exactly."""
    assert HostRules.of(partition).allows(host) is allowed


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
