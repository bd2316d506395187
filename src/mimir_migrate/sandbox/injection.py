"""Brings a fault to the part of the sandbox that can have it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Protocol

from mimir_migrate.errors import UsageError
from mimir_migrate.sandbox.interface import Simulation
from mimir_migrate.sandbox.kubernetes.api_faults import API_FAULTS, ApiFaults
from mimir_migrate.sandbox.kubernetes.cluster_faults import CLUSTER_FAULTS, ClusterFaults
from mimir_migrate.sandbox.simulation.faults import KNOWN
from mimir_migrate.words import meant

BRIDGE_FAULTS: Final[Mapping[str, str]] = {
    "bridge-killed": "a replica's process is killed with SIGKILL (pod=; seconds= keeps it away)",
    "bridge-away": "every replica is killed, and none starts (seconds=)",
    "bridge-storage-away": "DynamoDB does not answer the bridge (seconds=)",
    "bridge-storage-throttled": "DynamoDB throttles a part of the bridge's requests (part=, seconds=)",
    "bridge-storage-slow": "each request of the bridge takes longer (milliseconds=, seconds=)",
}
"""Faults of a sandbox's ring bridge, and what each of them does."""
CLEAR = "clear"
"""Ends all faults, or the one that `fault=` names."""


class OtherFaults(Protocol):
    """Faults of a part that not every sandbox has."""

    def inject(self, fault: str, arguments: Mapping[str, str]) -> str:
        """Turn a fault on; returns one line that says what."""

    def clear(self, fault: str = "") -> None:
        """Turn one fault off, or all of them."""


class SandboxFaults:
    """Injects and clears faults of every part.

    Args:
        cluster: Faults of the cluster.
        simulation: Faults of the processes.
        api: Faults of the API server; None: there is no server.
        known: Names of the faults that the processes can have.
        bridge: Faults of the ring bridge; None: there is none.
    """

    def __init__(
        self,
        cluster: ClusterFaults,
        simulation: Simulation,
        api: ApiFaults | None = None,
        known: Collection[str] = KNOWN,
        bridge: OtherFaults | None = None,
    ) -> None:
        self._bridge = bridge
        self._cluster = cluster
        self._simulation = simulation
        self._api = api
        self._known = known

    def inject(self, fault: str, arguments: Mapping[str, str]) -> str:
        """Turn a fault on; returns one line that says what.

        Raises:
            UsageError: There is no such fault, or an argument is missing.
        """
        if fault == CLEAR:
            return self._clear(arguments.get("fault", ""))
        if fault in CLUSTER_FAULTS:
            return self._cluster.inject(fault, arguments)
        if fault in API_FAULTS and self._api is not None:
            return self._api.inject(fault, arguments)
        if self._bridge is not None and fault in BRIDGE_FAULTS:
            return self._bridge.inject(fault, arguments)
        if fault in self._known:
            return self._simulation.inject(fault, arguments)
        if fault in BRIDGE_FAULTS:
            raise UsageError(
                f"injecting {fault}: no ring bridge runs in this sandbox",
                hint="`sandbox up --through bridge` starts one with it.",
            )
        there = (*self._known, *CLUSTER_FAULTS, *API_FAULTS)
        own = BRIDGE_FAULTS if self._bridge is not None else ()
        raise UsageError(
            f"injecting {fault!r}: there is no such fault",
            hint=meant(fault, [*sorted((*there, *own)), "clear"]),
        )

    def _clear(self, fault: str) -> str:
        self._cluster.clear(fault)
        if self._api is not None:
            self._api.clear(fault)
        if self._bridge is not None:
            self._bridge.clear(fault)
        self._simulation.inject(CLEAR, {"fault": fault} if fault else {})
        return f"cleared {fault or 'all faults'}"
