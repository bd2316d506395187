"""Addresses for pods on loopback: one block 127.0.x.0/24 a sandbox, one address a pod.

Linux answers on the whole of 127.0.0.0/8 without any set-up, so no root and no namespace is needed.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import Final

from mimir_migrate.errors import UsageError

PODS: Final = 100
"""Addresses kept for pods: gossip is told of all of them, so that each new pod is found by the others."""
_FIRST_POD: Final = 10
_FIRST_OTHER: Final = 120
_LAST_OTHER: Final = 180
_FIRST_SERVICE: Final = 200
_LAST: Final = 250
_BLOCKS: Final = range(77, 250)
"""Away from 127.0.0.x and 127.0.1.x, which systems use themselves."""
_PORTS: Final = (8080, 9095, 7946)
"""The ports that both products listen on: a program on 0.0.0.0 takes them from every address."""


class OtherPods:
    """Addresses of pods that are neither Mimir nor Cortex: gossip is told of none of them.

    Args:
        block: The sandbox's block.
    """

    def __init__(self, block: int) -> None:
        numbers = range(_FIRST_OTHER, _LAST_OTHER + 1)
        self._free = deque(f"127.0.{block}.{number}" for number in numbers)

    def take(self) -> str:
        """An address for a new pod: the one that was free for the longest time.

        Raises:
            UsageError: All are in use.
        """
        if not self._free:
            raise UsageError("more other pods at once than there are addresses for")
        return self._free.popleft()

    def give_back(self, address: str) -> None:
        """A pod is gone; its address comes last."""
        self._free.append(address)


class Addresses:
    """The addresses of one sandbox; no other sandbox of this machine has the same while it lives."""

    def __init__(self) -> None:
        self.block, self._claim = _claim()
        first, last = _FIRST_POD, _FIRST_POD + PODS
        self._free = deque(f"127.0.{self.block}.{number}" for number in range(first, last))
        self.reserved = tuple(self._free)
        """Every address that a pod may get."""
        self.others = OtherPods(self.block)
        self._services: dict[str, str] = {}

    def take(self) -> str:
        """An address for a new pod: the one that was free for the longest time.

        Raises:
            UsageError: All are in use.
        """
        if not self._free:
            raise UsageError(f"more than {PODS} pods at once: there are no more addresses")
        return self._free.popleft()

    def give_back(self, address: str) -> None:
        """A pod is gone; its address comes last."""
        if address in self.reserved and address not in self._free:
            self._free.append(address)

    def of_service(self, name: str) -> str:
        """The address that stands for a service; the same for the same name."""
        if name not in self._services:
            number = _FIRST_SERVICE + len(self._services)
            if number > _LAST:
                raise UsageError("more services than there are addresses for")
            self._services[name] = f"127.0.{self.block}.{number}"
        return self._services[name]

    def close(self) -> None:
        """Leave the block to others."""
        self._claim.close()


def _claim() -> tuple[int, socket.socket]:
    """The first block that nobody holds, and what holds it: a name that ends with its process."""
    for block in _BLOCKS:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0mimir-migrate-sandbox-127.0.{block}")
        except OSError:
            claim.close()
            continue
        _check_ports(f"127.0.{block}.{_FIRST_POD}")
        return block, claim
    raise UsageError("every block of loopback addresses is held by another sandbox")


def _check_ports(address: str) -> None:
    for port in _PORTS:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                raise UsageError(
                    f"no process can listen on {address}:{port}: {error.strerror}",
                    hint=f"End what listens on 0.0.0.0:{port}; pods need that port on their addresses.",
                ) from error
