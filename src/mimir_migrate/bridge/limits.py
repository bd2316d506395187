"""What keeps the service's memory bounded, and slow readers from holding others."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MOST_CONNECTIONS: Final = 4096
"""Connections at a time. A pod keeps two or three for each ring."""
MOST_WAITING: Final = 64 * 1024 * 1024
"""Bytes of answers that clients have not taken yet, and of values that are coming in."""
LARGEST_BODY: Final = 16 * 1024 * 1024
"""Bytes of one value as it is sent; 500 members of 512 tokens are 1.3 MB."""
PATIENCE: Final = 20.0
"""Seconds for an answer to be taken; Mimir's client gives up its request after as long."""


class Budget:
    """Bytes under way. Where there are too many, whoever has kept theirs for longest loses its connection.

    Args:
        most: Bytes at a time.
    """

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._held: OrderedDict[object, tuple[int, Callable[[], None]]] = OrderedDict()
        self.held = 0
        """Bytes under way now."""
        self.cut = 0
        """Clients that were too slow."""

    def take(self, who: object, size: int, cut: Callable[[], None]) -> None:
        """Note that a request is about to hold so many bytes.

        Args:
            who: The request.
            size: Bytes.
            cut: Closes its connection.
        """
        self.give_back(who)
        self._held[who] = size, cut
        self.held += size
        while self.held > self._most and len(self._held) > 1:
            slowest, (freed, close) = self._held.popitem(last=False)
            del slowest
            self.held -= freed
            self.cut += 1
            close()

    def give_back(self, who: object) -> None:
        """Note that a request holds none any more."""
        self.held -= self._held.pop(who, (0, None))[0]
