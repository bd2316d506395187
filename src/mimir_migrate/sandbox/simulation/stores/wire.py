"""What goes between a Consul client and whoever answers it: requests that may be answered late or never."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from mimir_migrate.sandbox.simulation.host import Host

NO_ANSWER: Final = 0
"""The status of a request that nobody answered: refused, cut, or given up."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request of Consul's KV API."""

    method: str
    host: str
    """`consul.host`: name and port, `https://` before them for TLS."""
    key: str
    query: tuple[tuple[str, str], ...] = ()
    token: str = ""
    body: bytes = b""
    timeout: float
    """Seconds of the scheduler after which the client gives up."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    index: int = 0
    """`X-Consul-Index`; 0: there was none."""
    body: bytes = b""
    problem: str = ""
    """Why there was no answer."""


class Wire(Protocol):
    """Carries requests of simulated pods."""

    @property
    def least_timeout(self) -> float:
        """Seconds of the scheduler that every request has: what is real answers in real time."""

    def send(
        self, host: Host, request: Request, done: Callable[[Answer], None]
    ) -> Callable[[], None]:
        """Send a request of a pod; `done` is called once, later. Returns what gives it up unheard."""


class NobodyThere:
    """Where no Consul and no bridge runs: every connection is refused."""

    least_timeout = 0.0

    def send(
        self, host: Host, request: Request, done: Callable[[Answer], None]
    ) -> Callable[[], None]:
        """Refuse, a moment later."""
        said = f"dial tcp {request.host}: connect: connection refused"
        answer = Answer(status=NO_ANSWER, problem=said)
        return host.after(_REFUSED_AFTER, lambda: done(answer)).cancel


_REFUSED_AFTER: Final = 0.001
