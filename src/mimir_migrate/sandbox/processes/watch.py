"""The sandbox's own watch over real processes: does every page show every living member?

Each second, for each Ready pod that serves a ring's page and each Ready pod that is a member of that
ring: does the page show it ACTIVE, with its address? Pods that became Ready less than the gate window ago
are left out, and so is what is stopping. A page that is not answered counts as lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
import yaml

from mimir_migrate import decoding
from mimir_migrate.durations import read_duration
from mimir_migrate.model.rings import Product, Ring, components_of, rings_of
from mimir_migrate.sandbox.interface import Response
from mimir_migrate.sandbox.processes.process import RealProcess

PERIOD: Final = 1.0
_PAGE_WITHIN: Final = 5.0
_TRIES: Final = 2
_RELOAD: Final = 10.0
_LEAST: Final = 15.0
"""Seconds that a pod is Ready before it counts: as in the measurements of real pods."""


class ProcessWatch:
    """Counts what is lost sight of.

    Args:
        product: Which product.
        processes: Those that run.
    """

    def __init__(self, product: Product, processes: Callable[[], Iterable[RealProcess]]) -> None:
        self._rings = [ring for ring in rings_of(product) if ring.movable]
        self._product = product
        self._processes = processes
        self._windows: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._away: float | None = None
        """Since when DynamoDB is away, on the loop's clock; None: it is there."""
        self.began = 0.0
        self.observations = 0
        self.lost_sight = 0
        self.by_ring: dict[str, dict[str, int]] = {}
        self.missed: dict[str, int] = {}
        """Lost sights by `ring observer member`."""
        self.late = 0
        """Pages that were answered only when they were asked again."""

    def begin(self) -> None:
        """Count from now on."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        """Stop counting."""
        if self._task is not None:
            self._task.cancel()

    def dynamodb_goes(self) -> None:
        """DynamoDB is away from now on: nobody can write a new member, or read one.

        Who is younger than the window by now, or comes later, counts from a window after the outage; who
        is older counts all the time.
        """
        self._away = asyncio.get_running_loop().time()

    def dynamodb_returns(self) -> None:
        """DynamoDB answers again."""
        now = asyncio.get_running_loop().time()
        for process in self._processes():
            if process.ready and self._is_too_young(process):
                process.ready_since = now
        self._away = None

    def _is_too_young(self, process: RealProcess) -> bool:
        """Whether an outage of DynamoDB met it before everybody could have read it."""
        return self._away is not None and (
            self._away - process.ready_since < self._window(process)
        )

    def status(self) -> Mapping[str, object]:
        """The counts."""
        most = sorted(self.missed.items(), key=lambda item: -item[1])[:20]
        return {
            "lost_sight": self.lost_sight,
            "observations": self.observations,
            "by_ring": {name: dict(counts) for name, counts in sorted(self.by_ring.items())},
            "missed": dict(most),
            "late": self.late,
        }

    async def is_complete(self) -> bool:
        """Whether every page that is served shows every Ready member."""
        for ring in self._rings:
            members = [one for one in self._processes() if one.ready and _writes(ring, one)]
            answers = await asyncio.gather(*(_page(one, ring) for one in self._observers(ring)))
            for page, _ in answers:
                if page is not None and any(_is_missed(page, one) for one in members):
                    return False
        return True

    def _observers(self, ring: Ring) -> list[RealProcess]:
        return [one for one in self._processes() if one.ready and _serves(ring, one)]

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            await asyncio.gather(*(self._look(ring) for ring in self._rings))
            await asyncio.sleep(max(0.05, PERIOD - (loop.time() - started)))

    async def _look(self, ring: Ring) -> None:
        """Ask every observer of one ring, and count for the pods that were Ready before and after."""
        now = asyncio.get_running_loop().time()
        members = [
            one for one in self._processes() if _writes(ring, one) and self._is_counted(one, now)
        ]
        observers = [one for one in self._observers(ring) if self._is_counted(one, now)]
        away = self._away is not None
        answers = await asyncio.gather(*(_page(one, ring) for one in observers))
        away = away or self._away is not None
        for observer, (page, late) in zip(observers, answers, strict=True):
            self.late += late
            if not page and away and _reads_store(ring, observer):
                continue  # no view of anybody's: without the table there is nothing to show
            if page is None or not (observer.ready or observer.silenced):
                continue
            still = [one for one in members if one.ready or one.silenced]
            self._count(ring.name, observer, still, page)

    def _is_counted(self, process: RealProcess, now: float) -> bool:
        old_enough = now - process.ready_since >= self._window(process)
        return process.ready and old_enough and not self._is_too_young(process)

    def _window(self, process: RealProcess) -> float:
        config = process.spec.config
        if config not in self._windows:
            self._windows[config] = max(_LEAST, gate_window(self._product, config))
        return self._windows[config]

    def _count(
        self, ring: str, observer: RealProcess, members: list[RealProcess], page: Mapping[str, Any]
    ) -> None:
        counts = self.by_ring.setdefault(ring, {"lost": 0, "observations": 0})
        for member in members:
            counts["observations"] += 1
            self.observations += 1
            if _is_missed(page, member):
                counts["lost"] += 1
                self.lost_sight += 1
                key = f"{ring} {observer.spec.name} {member.spec.name}"
                self.missed[key] = self.missed.get(key, 0) + 1


def gate_window(product: Product, config: str) -> float:
    """2 × the longest heartbeat period + `puller_sync_time` where DynamoDB is named + the reload period.

    Seconds; from a configuration as it is mounted, the products' defaults where it says nothing.
    """
    try:
        tree = yaml.safe_load(config) or {}
    except yaml.YAMLError:
        return 0.0
    beats, pulls = [0.0], [0.0]
    for ring in rings_of(product):
        if not ring.movable:
            continue
        beats.append(_duration(tree, ring.heartbeat_period_path, ring.heartbeat_period))
        if _at(tree, (*ring.path, "store")) in {"dynamodb", "multi"}:
            pulls.append(_duration(tree, (*ring.path, "dynamodb", "puller_sync_time"), "60s"))
    reload = _duration(tree, ("runtime_config", "period"), f"{_RELOAD}s")
    return 2 * max(beats) + max(pulls) + reload


def _duration(tree: Any, path: tuple[str, ...], default: str) -> float:
    found = _at(tree, path)
    return read_duration(default if found is None else str(found)) or 0.0


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def _writes(ring: Ring, process: RealProcess) -> bool:
    return any(role.writes for role in _roles(ring, process))


def _serves(ring: Ring, process: RealProcess) -> bool:
    return any(role.serves_page for role in _roles(ring, process))


def _reads_store(ring: Ring, process: RealProcess) -> bool:
    """Whether the pod's page is not a view that it has, but a read of the table at each request."""
    return any(role.page_reads_store for role in _roles(ring, process))


def _roles(ring: Ring, process: RealProcess) -> list[Any]:
    product = Product.CORTEX if ring.default_store == "consul" else Product.MIMIR
    found = (ring.role_of(name) for name in components_of(product, process.spec.component))
    return [role for role in found if role is not None]


def _is_missed(page: Mapping[str, Any], member: RealProcess) -> bool:
    """Whether a page's members, by id, lack a pod that lives."""
    shown: Any = page.get(member.spec.name)
    if shown is None or shown.get("state") != "ACTIVE":
        return True
    return str(shown.get("address", "")).rpartition(":")[0] != member.spec.ip


async def _page(process: RealProcess, ring: Ring) -> tuple[Mapping[str, Any] | None, bool]:
    """The members that a pod's page shows, by id, and whether it was answered late.

    Empty: no answer; None: it serves no such page. It is asked twice before it counts as unanswered: on a
    machine that is too busy this process may have slept through the answer.
    """
    for turn in range(_TRIES):
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(_PAGE_WITHIN):
                answer = await process.fetch(ring.page, "application/json")
            return members_on(answer), bool(turn)
    return {}, False


def members_on(answer: Response) -> Mapping[str, Any] | None:
    """The members of a ring's page by id; empty: not an answer; None: no such page, or the ring is off."""
    if answer.status == 404:
        return None
    if answer.status != 200:
        return {}
    if "json" not in answer.content_type:
        return None
    try:
        found = decoding.decode(answer.body, dict[str, Any])
    except msgspec.DecodeError:
        return {}
    return {str(one.get("id")): one for one in found.get("shards") or ()}
