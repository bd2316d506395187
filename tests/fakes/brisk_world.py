"""What makes a migration in virtual time quick, without making it another one.

A gate still asks for three good samples over its whole window; they are only taken further apart. And
while a change is made no virtual time passes, so that there is nobody to renew the lease meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import msgspec
import pytest
from virtual_world import VirtualCluster

from mimir_migrate.engine import runner, watch
from mimir_migrate.engine.effects import LeaseKeeper
from mimir_migrate.inspection import settings
from mimir_migrate.inspection.inspect import inspect as real_inspect
from mimir_migrate.inspection.pages import config as config_page
from mimir_migrate.inspection.pages.config import Config
from mimir_migrate.model.changes import LeaseClaim
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.target import Target
from mimir_migrate.operations import planning
from mimir_migrate.ports import World

LONG_LEASE = 600.0
"""Seconds that a lease may last so that it is renewed now and then and not at each sample."""


@contextmanager
def brisk(lease: float = 60.0) -> Iterator[None]:
    """Sample as seldom as the gates allow, in one thread, and work out the same thing once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "SAMPLES_PER_WINDOW", 1)
        patch.setattr(watch, "LONGEST_PAUSE", 60.0)
        patch.setattr(LeaseKeeper, "kept", lambda _: nullcontext())
        patch.setattr(runner, "LeaseClaim", partial(LeaseClaim, duration=lease))
        patch.setattr(settings, "merged", _merging_once())
        patch.setattr(planning, "inspect", _inspecting_once())
        yield


def _inspecting_once() -> Callable[..., Inspection]:
    """While nothing happens two inspections find the same, and in virtual time nothing mostly happens.

    A runner looks before a step, before its gates and at their first sample, all in one moment.
    """
    last: tuple[object, Inspection] | None = None

    def inspect(ports: World, target: Target, **how: Any) -> Inspection:
        nonlocal last
        cluster = ports.cluster
        if not isinstance(cluster, VirtualCluster) or how.get("progress"):
            return real_inspect(ports, target, **how)
        moment = cluster.moment(), how.get("rings"), how.get("stores")
        if last is None or last[0] != moment or cluster.is_faulty():
            found = real_inspect(ports, target, **how)
            last = (cluster.moment(), *moment[1:]), found
        return msgspec.structs.replace(last[1])

    return inspect


def _merging_once() -> Callable[[Config, Config], Config]:
    """Pods of one component have the same page, which is kept, over the same defaults."""
    known: dict[tuple[int, int], tuple[Config, Config, Config]] = {}

    def merged(defaults: Config, diff: Config) -> Config:
        key = id(defaults), id(diff)
        if key not in known:
            known[key] = defaults, diff, config_page.merged(defaults, diff)
        return known[key][2]

    return merged
