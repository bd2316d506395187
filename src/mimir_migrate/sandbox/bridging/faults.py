"""What goes wrong with the ring bridge on command: its replicas, and its way to DynamoDB."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from aiohttp import ClientError, ClientSession

from mimir_migrate.durations import spoken
from mimir_migrate.errors import UsageError
from mimir_migrate.sandbox.aws.bad_days import AWAY, SLOW, THROTTLED
from mimir_migrate.sandbox.bridging.replicas import BridgeReplicas
from mimir_migrate.sandbox.bridging.wire import HttpWire
from mimir_migrate.sandbox.kubernetes.cluster import Cluster


class BridgeFaults:
    """The faults of one bridge. Each takes `seconds=` of the sandbox's time; left out: until cleared.

    Args:
        cluster: The cluster, for its time and its kubelet.
        replicas: The bridge's processes.
        aws_port: Where moto listens.
        wire: What carries simulated pods' requests, whose time does not wait for a bridge that is at fault;
            None: the pods are real.
    """

    def __init__(
        self,
        cluster: Cluster,
        replicas: BridgeReplicas,
        aws_port: int,
        wire: HttpWire | None = None,
    ) -> None:
        self._wire = wire
        self._cluster = cluster
        self._replicas = replicas
        self._url = f"http://127.0.0.1:{aws_port}/sandbox/bad-days"
        self._undo: dict[str, Callable[[], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> tuple[str, ...]:
        """The faults that are on."""
        return tuple(sorted(self._undo))

    def inject(self, fault: str, arguments: Mapping[str, str]) -> str:
        """Turn a fault on; returns one line that says what.

        Raises:
            UsageError: An argument is wrong, or no replica runs.
        """
        self.clear(fault)
        seconds = arguments.get("seconds", "")
        means: dict[str, Callable[[Mapping[str, str]], str]] = {
            "bridge-killed": self._kill,
            "bridge-away": self._take_away,
            "bridge-storage-away": partial(self._spoil, AWAY, "", 1.0),
            "bridge-storage-throttled": partial(self._spoil, THROTTLED, "part", 1.0),
            "bridge-storage-slow": partial(self._spoil, SLOW, "milliseconds", 1000.0),
        }
        said = means[fault](arguments)
        self._note_waiting()
        if seconds and fault in self._undo:
            self._cluster.after(float(seconds), lambda: self._end(fault))
        return f"{fault}: {said}{f' for {spoken(float(seconds))}' if seconds else ''}"

    def clear(self, fault: str = "") -> None:
        """Turn one fault off, or all of them."""
        for name in [name for name in self._undo if fault in {"", name}]:
            self._end(name)

    def _end(self, fault: str) -> None:
        if undo := self._undo.pop(fault, None):
            undo()
        self._note_waiting()

    def _note_waiting(self) -> None:
        if self._wire is not None:
            self._wire.wait_for_answers(not self._undo)

    def _kill(self, arguments: Mapping[str, str]) -> str:
        living = sorted(one.spec.name for one in self._replicas.living())
        pod = arguments.get("pod") or next(iter(living), "")
        if pod not in living:
            raise UsageError(f"bridge-killed: no replica runs in a pod {pod or 'of the bridge'!r}")
        if arguments.get("seconds"):
            self._hold("bridge-killed", pod)
        self._replicas.crash(pod)
        return f"{pod} was killed"

    def _take_away(self, _: Mapping[str, str]) -> str:
        self._hold("bridge-away", "")
        return f"{len(self._replicas.crash(''))} replicas were killed, and none starts"

    def _hold(self, fault: str, pod: str) -> None:
        release = self._replicas.hold(pod)

        def undo() -> None:
            release()
            self._cluster.kubelet.reconsider()

        self._undo[fault] = undo

    def _spoil(self, kind: str, argument: str, unit: float, arguments: Mapping[str, str]) -> str:
        """Let requests to DynamoDB go wrong; half of them, or half a second each, where nothing is said."""
        given = arguments.get(argument, "") if argument else ""
        try:
            amount = float(given) / unit if given else _USUAL
        except ValueError as error:
            raise UsageError(
                f"bridge-storage-{kind}: {argument}={given} is not a number"
            ) from error
        self._tell(kind, amount)
        self._undo[f"bridge-storage-{kind}"] = lambda: self._tell(kind, 0.0)
        detail = {
            THROTTLED: f", {amount:.0%} of requests",
            SLOW: f", by {spoken(amount)} a request",
        }
        return f"DynamoDB is {kind} for the bridge{detail.get(kind, '')}"

    def _tell(self, kind: str, amount: float) -> None:
        task = asyncio.get_running_loop().create_task(self._post(kind, amount))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(self, kind: str, amount: float) -> None:
        with suppress(ClientError):
            async with (
                ClientSession() as session,
                session.post(self._url, json={"kind": kind, "amount": amount}) as answer,
            ):
                await answer.read()


_USUAL: Final = 0.5
"""Half of the requests, or half a second, where an amount is left out."""
