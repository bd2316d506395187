"""When the start is over: every page shows every member that is Ready, and the watch begins to count."""

from __future__ import annotations

import json
from collections.abc import Iterable

from mimir_migrate.model.rings import Product, rings_of
from mimir_migrate.sandbox.interface import PodPhase, Process
from mimir_migrate.sandbox.simulation.simulation import Simulation


def rings_are_complete(product: Product, processes: Iterable[Process]) -> bool:
    """Whether every Ready process that serves a ring's page shows all Ready members ACTIVE.

    Rings that are off serve no page in JSON and are passed over; so are those that are not moved.
    """
    ready = [one for one in processes if one.phase is PodPhase.RUNNING and one.ready]
    for ring in rings_of(product):
        if not ring.movable:
            continue
        pages = []
        wanted = set()
        for process in ready:
            role = ring.role_of(process.spec.component)
            if role is None:
                continue
            if role.serves_page:
                pages.append(_active(process, ring.page))
            if role.writes:
                wanted.add(process.spec.ip)
        if any(page is not None and not wanted <= page for page in pages):
            return False
    return True


def begin_watch(simulation: Simulation) -> None:
    """Count what is lost sight of from now on: pods that start all at once still look for each other."""
    watch = simulation.watch
    watch.lost_sight = 0
    watch.observations = 0
    watch.by_ring.clear()
    watch.missed.clear()


def _active(process: Process, path: str) -> set[str] | None:
    """Addresses that a ring's page shows ACTIVE; None: the process serves no such page."""
    try:
        answer = process.get(path, "application/json")
        shards = json.loads(answer.body)["shards"] if answer.status == 200 else None
    except (TimeoutError, ValueError, KeyError, TypeError):
        return None
    if shards is None:
        return set() if answer.status == 200 else None
    return {one["address"].rpartition(":")[0] for one in shards if one["state"] == "ACTIVE"}
