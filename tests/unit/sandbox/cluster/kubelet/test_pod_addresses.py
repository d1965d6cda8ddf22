import ipaddress
import socket
import sys

import pytest

from iambridge.sandbox.cluster.kubelet.pod_addresses import PodAddresses, claim


def test_addresses_are_unique_and_not_soon_given_again() -> None:
    """No two pods share one; one that was given back is taken again only when its turn comes."""
    addresses = PodAddresses(ipaddress.IPv4Network("127.64.0.0/29"))
    first = [addresses.take(f"pod-{number}") for number in range(3)]
    assert first == ["127.64.0.1", "127.64.0.2", "127.64.0.3"]
    assert addresses.take("pod-1") == first[1]
    addresses.give_back("pod-0")
    assert [addresses.take(f"later-{number}") for number in range(4)] == [
        "127.64.0.4", "127.64.0.5", "127.64.0.6", "127.64.0.1",
    ]  # fmt: skip
    assert addresses.take("too many") == "127.0.0.1"


def test_a_pod_keeps_the_address_that_it_had() -> None:
    """After a restart of the node: the address before, unless it is taken or of another block."""
    addresses = PodAddresses(ipaddress.IPv4Network("127.64.0.0/29"))
    assert addresses.take("a", before="127.64.0.5") == "127.64.0.5"
    assert addresses.take("b", before="127.64.0.5") == "127.64.0.1"
    assert addresses.take("c", before="127.65.0.5") == "127.64.0.2"


def test_without_a_block_all_share_the_host_s() -> None:
    """A machine with one loopback address has no other to give."""
    assert PodAddresses(None).take("a", before="127.64.0.1") == "127.0.0.1"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers on every loopback address")
def test_two_sandboxes_have_different_blocks() -> None:
    """The same directory gets the same block, while another that comes to it finds it taken."""
    one, two = claim("seed"), claim("seed")
    assert one.network is not None
    assert two.network is not None
    assert not one.network.overlaps(two.network)
    with socket.create_server((one.take("a"), 0)) as server:
        assert server.getsockname()[0] in map(str, one.network)
    kept = one.network
    one.close()
    again = claim("seed")
    assert again.network == kept
    again.close()
    two.close()
