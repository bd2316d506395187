"""What goes wrong between the ring bridge and DynamoDB on command: away, throttled, slow."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Mapping
from typing import Any, Final

AWAY: Final = "away"
THROTTLED: Final = "throttled"
SLOW: Final = "slow"
_HELD: Final = 30.0
"""Seconds that a request is held while the table is away, unless it comes back before."""
_TYPE: Final = "com.amazonaws.dynamodb.v20120810#"


class BadDays:
    """The faults that are on, by kind."""

    def __init__(self) -> None:
        self._on: dict[str, float] = {}
        self._back = threading.Event()
        self._back.set()

    def set(self, asked: Mapping[str, Any]) -> None:
        """Turn a kind on or off.

        Args:
            asked: `kind`, and `amount`: the part of requests that are throttled, the seconds that each takes
                longer, anything for `away`; 0 turns it off.
        """
        kind, amount = str(asked["kind"]), float(asked["amount"])
        if amount:
            self._on[kind] = amount
        else:
            self._on.pop(kind, None)
        if AWAY in self._on:
            self._back.clear()
        else:
            self._back.set()

    def meet(self) -> tuple[str, bytes] | None:
        """What a request gets instead of being done, status and body; None: it is to be done."""
        if AWAY in self._on:
            self._back.wait(_HELD)
            return "503 Service Unavailable", _error("ServiceUnavailable", "the table is away")
        threading.Event().wait(self._on.get(SLOW, 0.0))
        if random.random() < self._on.get(THROTTLED, 0.0):
            kind = "ProvisionedThroughputExceededException"
            return "400 Bad Request", _error(kind, "too many requests for the table")
        return None


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"__type": f"{_TYPE}{kind}", "message": message}).encode()
