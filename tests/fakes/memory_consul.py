"""A Consul in memory on the simulation's time: what its KV API answers to a ring's client.

`Value` is kept as it came. Indexes are those of the whole store, as Consul's are. Replicas can be killed:
a request goes to one of those that live, and is refused where none does.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable

from mimir_migrate.sandbox.interface import Scheduler
from mimir_migrate.sandbox.simulation.host import Host
from mimir_migrate.sandbox.simulation.stores.wire import NO_ANSWER, Answer, Request

LATENCY = 0.005


class MemoryConsul:
    """One Consul.

    Args:
        scheduler: Time, seconds of the scheduler.
        latency: Seconds on each way.
    """

    least_timeout = 0.0

    def __init__(self, scheduler: Scheduler, latency: float = LATENCY) -> None:
        self.scheduler = scheduler
        self.latency = latency
        self.values: dict[str, tuple[int, bytes]] = {}
        self.index = 100
        self.lives = True
        self.token = ""
        self.says: list[Answer] = []
        """Answers to give to the next requests, instead of true ones."""
        self.refuses_writes = 0
        """So many of the next PUTs are answered `false`."""
        self.asked: list[tuple[float, str, Request]] = []
        """When, by which pod, what."""
        self.counts: Counter[str] = Counter()
        self._waiting: list[tuple[str, int, Callable[[], None]]] = []

    def send(
        self, host: Host, request: Request, done: Callable[[Answer], None]
    ) -> Callable[[], None]:
        """Carry a request there and its answer back."""
        self.asked.append((self.scheduler.now(), host.name, request))
        open_ = True

        def answer(found: Answer) -> None:
            nonlocal open_
            if open_ and host.alive:
                open_ = False
                done(found)

        def end() -> None:
            nonlocal open_
            open_ = False

        def expire() -> None:
            answer(Answer(status=NO_ANSWER, problem="context deadline exceeded"))

        def back(found: Answer) -> None:
            self.scheduler.after(self.latency, lambda: answer(found))

        self.scheduler.after(self.latency, lambda: self._meet(request, back))
        self.scheduler.after(request.timeout, expire)
        return end

    def write(self, key: str, value: bytes) -> int:
        """Somebody writes; returns the index."""
        self.index += 1
        self.values[key] = self.index, value
        waiting, self._waiting = self._waiting, []
        for watched, above, wake in waiting:
            if watched == key and self.index > above:
                wake()
            else:
                self._waiting.append((watched, above, wake))
        return self.index

    def _meet(self, request: Request, back: Callable[[Answer], None]) -> None:
        self.counts[request.method] += 1
        if not self.lives:
            back(Answer(status=NO_ANSWER, problem=f"dial tcp {request.host}: connection refused"))
        elif self.says:
            back(self.says.pop(0))
        elif request.token != self.token:
            back(Answer(status=403, body=b"Permission denied"))
        elif request.method == "PUT":
            back(self._put(request))
        else:
            self._get(request, back)

    def _put(self, request: Request) -> Answer:
        current = self.values.get(request.key, (0, b""))[0]
        if self.refuses_writes or int(dict(request.query)["cas"]) != current:
            self.refuses_writes = max(0, self.refuses_writes - 1)
            self.counts["false"] += 1
            return Answer(status=200, body=b"false")
        self.write(request.key, request.body)
        return Answer(status=200, body=b"true")

    def _get(self, request: Request, back: Callable[[Answer], None]) -> None:
        query = dict(request.query)
        above = int(query.get("index", "0"))
        index, _ = self.values.get(request.key, (self.index, b""))
        if not above or index != above:
            back(self._found(request.key))
            return
        held = True

        def release() -> None:
            nonlocal held
            if held:
                held = False
                back(self._found(request.key))

        self._waiting.append((request.key, above, release))
        self.scheduler.after(int(query["wait"].removesuffix("ms")) / 1000, release)

    def _found(self, key: str) -> Answer:
        if key not in self.values:
            return Answer(status=404, index=self.index)
        index, value = self.values[key]
        pair = {"Key": key, "Value": base64.b64encode(value).decode(), "ModifyIndex": index}
        return Answer(status=200, index=index, body=json.dumps([pair]).encode())
