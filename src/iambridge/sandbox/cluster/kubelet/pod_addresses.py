"""An address of its own for each pod: on loopback, where no other sandbox of the machine gives the same ones.

Linux answers on every address of 127.0.0.0/8 without being told to. A node holds 127.B.C.0/20, by a socket that is
bound to the block's first address and never listens. Where the machine has only 127.0.0.1, all pods share that.
"""

import errno
import hashlib
import ipaddress
import logging
import socket
from collections.abc import Iterator

from iambridge.sandbox.cluster.kubelet.pod_status import HOST_ADDRESS

_log = logging.getLogger(__name__)

_FIRST_BLOCK = int(ipaddress.IPv4Address("127.64.0.0"))  # below it lie 127.0.0.1, resolvers and /etc/hosts' 127.0.1.1
_BLOCKS = 1024
_PREFIX = 20
_BLOCK_SIZE = 1 << (32 - _PREFIX)
_KUBELET_PORT = 10250
_MOST_TRIES = 64


class PodAddresses:
    """`network` is None when the machine has one loopback address only. `close` it."""

    def __init__(self, network: ipaddress.IPv4Network | None, claim: socket.socket | None = None) -> None:
        self.network = network
        self._claim = claim
        self._held: dict[str, str] = {}
        self._next = 1

    def take(self, uid: str, *, before: str = "") -> str:
        """An address for the pod `uid`: the one that it had `before`, if that is free, else the next in turn.

        With every address of the block in use the pod shares the host's.
        """
        if uid in self._held:
            return self._held[uid]
        taken = set(self._held.values())
        for candidate in self._candidates(before):
            if candidate not in taken:
                self._held[uid] = candidate
                return candidate
        if self.network is not None:
            _log.warning("no address is left in %s: pod %s shares the host's", self.network, uid)
        return HOST_ADDRESS

    def give_back(self, uid: str) -> None:
        self._held.pop(uid, None)

    def close(self) -> None:
        if self._claim is not None:
            self._claim.close()

    def _candidates(self, before: str) -> Iterator[str]:
        network = self.network
        if network is None:
            return
        if before and before != str(network[0]) and ipaddress.IPv4Address(before) in network:
            yield before
        usable = network.num_addresses - 2
        for _ in range(usable):
            number, self._next = self._next, self._next % usable + 1
            yield str(network[number])


def claim(seed: str) -> PodAddresses:
    """A block that nobody else holds: the same one for the same `seed`, unless another sandbox came first."""
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) % _BLOCKS
    for offset in range(_MOST_TRIES):
        first = _FIRST_BLOCK + (start + offset) % _BLOCKS * _BLOCK_SIZE
        network = ipaddress.IPv4Network((first, _PREFIX))
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            holder.bind((str(network[0]), _KUBELET_PORT))
        except OSError as error:
            holder.close()
            if error.errno == errno.EADDRINUSE:
                continue
            break
        return PodAddresses(network, holder)
    return PodAddresses(None)
