"""What a simulated process writes to its log, in the products' own words and form (logfmt).

Which lines there are, and where they come from, is read off logs of real Cortex 1.21 and Mimir 2.16
processes, and off the source of Cortex' DynamoDB client.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from mimir_migrate.model.rings import Product

KEPT: Final = 500
"""Lines that are kept of one process: `kubectl logs` shows what the kubelet has not rotated away."""
_PLAIN = re.compile(r"[^\s\"=]+")


class PodLog:
    """The last lines of one process.

    Args:
        now: The time, seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lines: deque[str] = deque(maxlen=KEPT)

    @property
    def lines(self) -> tuple[str, ...]:
        """Oldest first."""
        return tuple(self._lines)

    def say(self, level: str, caller: str, message: str, **fields: object) -> None:
        """One line; `caller` is the source file that says it in the products."""
        at = datetime.fromtimestamp(self._now(), tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        said = {"ts": at, "caller": caller, "level": level, "msg": message, **fields}
        self._lines.append(" ".join(f"{key}={_value(value)}" for key, value in said.items()))

    def starts(self, product: Product, version: str, revision: str, address: str) -> None:
        """The first lines: what starts, and where it listens."""
        said = f"(version={version}, branch=HEAD, revision={revision})"
        self.say("info", "main.go", f"Starting {_name(product)}", version=said)
        listens = {"http": f"{address}:8080", "grpc": f"{address}:9095"}
        self.say("info", "server.go", "server listening on addresses", **listens)

    def started(self, product: Product) -> None:
        """It is ready."""
        self.say("info", f"{product.value}.go", f"{_name(product).capitalize()} started")

    def plain(self, text: str) -> None:
        """A line that is written before there is a logger."""
        self._lines.append(text)


def _name(product: Product) -> str:
    """Cortex says its name where Mimir says what it is."""
    return "Cortex" if product is Product.CORTEX else "application"


def _value(value: object) -> str:
    """As logfmt has it: quoted where there is a space, a quote or an equals sign in it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
