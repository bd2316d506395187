"""Puts faults into a running simulation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import msgspec

from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product, Ring, ring_named
from mimir_migrate.sandbox.simulation.faults import KNOWN, Faults
from mimir_migrate.sandbox.simulation.host import HostClock
from mimir_migrate.sandbox.simulation.process import SimulatedProcess
from mimir_migrate.sandbox.simulation.stores.foreign import ForeignWriter
from mimir_migrate.sandbox.simulation.stores.gossip import Network
from mimir_migrate.sandbox.simulation.stores.table import TableAccess
from mimir_migrate.sandbox.simulation.watch import MissWatch
from mimir_migrate.words import counted, meant

_WRONG_ADDRESS: Final = "10.255.255.254:9095"


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Half of a ring's observers that do not see one member."""

    ring: str
    member: str
    observers: frozenset[str]


class Faulty(Protocol):
    """What of a simulation faults reach."""

    product: Product
    clock: HostClock
    network: Network
    table: TableAccess
    faults: Faults
    watch: MissWatch

    def processes(self) -> Iterable[SimulatedProcess]:
        """All processes."""

    def named(self, pod: str) -> list[SimulatedProcess]:
        """The living processes of a pod's name."""


class ProcessFaults:
    """Makes things go wrong, and remembers what a split hides.

    Args:
        simulation: Where.
    """

    def __init__(self, simulation: Faulty) -> None:
        self._simulation = simulation
        self.split: Split | None = None
        self._split_rounds = 0
        self._split_fault = 0

    def inject(self, fault: str, arguments: Mapping[str, str]) -> str:
        """Make something go wrong; returns one line that says what.

        Arguments, each with `seconds=` of product time (left out: until `clear`): `pod=` names pods,
        separated by commas; `ring=`, `metric=`, `offset=` and `member=` as the fault needs them.

        Raises:
            UsageError: There is no such fault, or an argument is missing.
        """
        if fault == "clear":
            self.split = None
            count = self._simulation.faults.clear(arguments.get("fault", ""))
            return f"cleared {counted(count, 'fault')}"
        if fault not in KNOWN:
            raise UsageError(
                f"injecting {fault!r}: there is no such fault",
                hint=meant(fault, [*KNOWN, "clear"]),
            )
        special = {
            "split": self._inject_split,
            "restart": self._inject_restart,
            "clock-skew": self._inject_skew,
            "wrong-address": self._inject_address,
            "gossip-blocked": self._inject_block,
            "foreign-writer": self._inject_foreign,
        }.get(fault)
        if special is not None:
            return special(arguments)
        if fault == "token-changed":
            self._needed(fault, arguments, "pod")
        self._simulation.faults.add(fault, arguments)
        return f"{fault}: {arguments.get('pod') or 'every pod'}{_for(arguments)}"

    def _needed(self, fault: str, arguments: Mapping[str, str], name: str) -> str:
        if not arguments.get(name):
            raise UsageError(f"injecting {fault}: {name}= is missing")
        return arguments[name]

    def _inject_restart(self, arguments: Mapping[str, str]) -> str:
        pod = self._needed("restart", arguments, "pod")
        processes = self._simulation.named(pod)
        for process in processes:
            process.crash("killed")
        return f"restart: {counted(len(processes), 'process', 'processes')} of {pod} ended"

    def _inject_skew(self, arguments: Mapping[str, str]) -> str:
        offset = int(arguments.get("offset", "120"))
        pods = [
            p for pod in arguments.get("pod", "").split(",") for p in self._simulation.named(pod)
        ]
        pods = pods or [p for p in self._simulation.processes() if p.host.alive]
        for process in pods:
            process.host.skew = offset

        def undo() -> None:
            for process in pods:
                process.host.skew = 0

        self._simulation.faults.add("clock-skew", arguments, undo)
        return f"clock-skew: the clocks of {counted(len(pods), 'pod')} are {offset} s ahead{_for(arguments)}"

    def _inject_address(self, arguments: Mapping[str, str]) -> str:
        pod = self._needed("wrong-address", arguments, "pod")
        lifecyclers = [one for p in self._simulation.named(pod) for one in p.lifecyclers.values()]
        for one in lifecyclers:
            one.address_override = _WRONG_ADDRESS

        def undo() -> None:
            for one in lifecyclers:
                one.address_override = one.seat.address

        self._simulation.faults.add("wrong-address", arguments, undo)
        return f"wrong-address: {pod} registers as {_WRONG_ADDRESS}{_for(arguments)}"

    def _inject_block(self, arguments: Mapping[str, str]) -> str:
        pods = frozenset(filter(None, arguments.get("pod", "").split(",")))
        fault = self._simulation.faults.add(
            "gossip-blocked", arguments, lambda: self._simulation.network.unblock(fault.id)
        )
        self._simulation.network.block(fault.id, pods or None)
        who = f"{', '.join(sorted(pods))} and the rest" if pods else "every two pods"
        return f"gossip-blocked: between {who}{_for(arguments)}"

    def _inject_foreign(self, arguments: Mapping[str, str]) -> str:
        ring = self._ring(arguments.get("ring", "ingester"))
        tables = {
            str(p.configuration.value((*ring.path, "dynamodb", "table_name"))): p.configuration
            for p in self._simulation.processes()
            if p.configuration is not None
        }
        table = arguments.get("table") or next((name for name in tables if name), "")
        if not table:
            raise UsageError("injecting foreign-writer: no pod names a table")
        configuration = next(iter(tables.values()))
        writer = ForeignWriter(
            self._simulation.clock,
            self._simulation.table,
            table,
            configuration.ring_key(ring),
            wipes=arguments.get("wipe", "") == "true",
        )
        self._simulation.faults.add("foreign-writer", arguments, writer.stop)
        return f"foreign-writer: another cluster writes {ring.name} to {table}{_for(arguments)}"

    def _inject_split(self, arguments: Mapping[str, str]) -> str:
        """Half of the observers do not see one member for so many rounds of the watch."""
        ring = self._ring(self._needed("split", arguments, "ring"))
        seconds = int(arguments.get("seconds", "10"))
        observers = sorted(p.spec.name for p in self._simulation.watch.observers(ring.name))
        members = sorted(p.spec.name for p in self._simulation.watch.members(ring.name))
        member = arguments.get("member") or (members[0] if members else "")
        blind = observers[: (len(observers) + 1) // 2]
        if not blind or member not in members:
            raise UsageError(
                f"injecting split: the ring {ring.name} has no member and observer that count yet",
                hint="members and observers younger than the gate window are left out; wait for it",
            )
        self.split = Split(ring=ring.name, member=member, observers=frozenset(blind))
        self._split_rounds = seconds
        self._split_fault = self._simulation.faults.add("split", arguments, lasts=False).id
        rise = len(blind) * seconds
        return (
            f"split: {', '.join(blind)} do not see {member} in {ring.name} for {seconds} s; "
            f"lost_sight rises by {rise}"
        )

    def count_round(self) -> None:
        """A round of the watch is over: a split lasts for so many of them."""
        if self.split is None:
            return
        self._split_rounds -= 1
        if self._split_rounds <= 0:
            self.split = None
            self._simulation.faults.end(self._split_fault)

    def _ring(self, name: str) -> Ring:
        ring = ring_named(self._simulation.product, name)
        if ring is None or ring.left_because:
            raise UsageError(
                f"there is no ring {name!r} in {self._simulation.product.value} that can be moved"
            )
        return ring


def _for(arguments: Mapping[str, str]) -> str:
    return f" for {arguments['seconds']} s" if "seconds" in arguments else " until cleared"
