"""What goes wrong on command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from mimir_migrate.sandbox.simulation.host import HostClock

KNOWN: Final = (
    "clock-skew",
    "dynamodb-denied",
    "dynamodb-throttled",
    "errors-5xx",
    "foreign-writer",
    "frozen-mirror",
    "gossip-blocked",
    "metric-missing",
    "metric-nan",
    "pod-garbage",
    "pod-huge",
    "pod-silent",
    "restart",
    "runtime-lost",
    "split",
    "token-changed",
    "wrong-address",
)
"""Every fault that a simulation can be told to have; `clear` ends them."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault that is there now."""

    id: int
    name: str
    pods: frozenset[str] = frozenset()
    """The pods that it befalls; empty: all."""
    detail: Mapping[str, str] = {}
    undo: Callable[[], None] = lambda: None

    def befalls(self, pod: str) -> bool:
        """Whether a pod has it."""
        return not self.pods or pod in self.pods


class Faults:
    """The faults of one simulation.

    Args:
        clock: For faults that end by themselves.
    """

    def __init__(self, clock: HostClock) -> None:
        self._clock = clock
        self._next = 0
        self._active: dict[int, Fault] = {}

    def add(
        self,
        name: str,
        arguments: Mapping[str, str],
        undo: Callable[[], None] = lambda: None,
        *,
        lasts: bool = True,
    ) -> Fault:
        """Note a fault; it ends after its `seconds` of product time, or when it is cleared.

        Args:
            name: Which.
            arguments: As they were given; `pod` names pods, separated by commas.
            undo: Called when it ends.
            lasts: False where somebody else ends it, whatever `seconds` says.
        """
        self._next += 1
        id_ = self._next
        pods = frozenset(filter(None, arguments.get("pod", "").split(",")))
        fault = Fault(id=id_, name=name, pods=pods, detail=dict(arguments), undo=undo)
        self._active[id_] = fault
        if lasts and "seconds" in arguments:
            self._clock.after(float(arguments["seconds"]), lambda: self.end(id_))
        return fault

    def end(self, id_: int) -> None:
        """End one fault, if it is still there."""
        fault = self._active.pop(id_, None)
        if fault is not None:
            fault.undo()

    def clear(self, name: str = "") -> int:
        """End all faults, or all of one name; returns how many."""
        ids = [id_ for id_, fault in self._active.items() if name in {"", fault.name}]
        for id_ in ids:
            self.end(id_)
        return len(ids)

    def of(self, name: str) -> Iterator[Fault]:
        """The active faults of one name."""
        return (fault for fault in tuple(self._active.values()) if fault.name == name)

    def any_of(self, names: Sequence[str], pod: str) -> bool:
        """Whether a pod has one of these faults now."""
        return bool(self._active) and any(self.has(name, pod) for name in names)

    def has(self, name: str, pod: str) -> bool:
        """Whether a pod has a fault now."""
        return bool(self._active) and any(fault.befalls(pod) for fault in self.of(name))

    def shown(self) -> list[str]:
        """Each active fault in one line."""
        return [
            " ".join([fault.name, *(f"{key}={value}" for key, value in fault.detail.items())])
            for fault in self._active.values()
        ]
