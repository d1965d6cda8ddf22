import pytest

from iambridge.wire.eks import region_of_endpoint


@pytest.mark.parametrize(
    ("server", "region"),
    [
        ("https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com", "eu-west-1"),
        ("https://0123.sk1.us-gov-east-1.eks.amazonaws.com", "us-gov-east-1"),
        ("https://0123.yl4.cn-north-1.eks.amazonaws.com.cn", "cn-north-1"),
        ("https://0123.gr7.eks-cluster.ap-southeast-2.api.aws", "ap-southeast-2"),
        ("https://127.0.0.1:6443", ""),
        ("https://gr7.eu-west-1.eks.amazonaws.com.example.org", ""),
        ("https://api.eks.example.org", ""),
    ],
)
def test_the_region_of_an_endpoint(server: str, region: str) -> None:
    assert region_of_endpoint(server) == region
