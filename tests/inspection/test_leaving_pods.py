"""A pod that is about to go says nothing of what comes: one finding is about it, not four."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from small_values import SMALL
from virtual_world import VirtualWorld

from mimir_migrate.errors import UnreachableError
from mimir_migrate.model.facts import Pod
from mimir_migrate.model.findings import Severity
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.operations import Operations
from mimir_migrate.ports import Page

OLD = "cortex-ruler-old"


class WithOld:
    """A cluster in which a pod of an older image terminates."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def pods(self) -> Sequence[Pod]:
        found = tuple(self._inner.pods())
        ruler = next(pod for pod in found if pod.component == "ruler")
        old = msgspec.structs.replace(
            ruler,
            name=OLD,
            uid=OLD,
            ip="10.9.9.9",
            image="cortex:v1.10.0",
            image_id="sha256:old",
            ready=False,
            deleted_at=1.0,
            revision="older",
        )
        return (*found, old)


class Silent:
    """Pages of which the old pod serves none any more."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def get(self, pod: Pod, path: str, *, accept: str = "*/*", limit: int = 33_554_432) -> Page:
        if pod.name == OLD:
            raise UnreachableError("connection refused")
        page: Page = self._inner.get(pod, path, accept=accept, limit=limit)
        return page


@pytest.mark.parametrize("to", [Store.DYNAMODB, None])
def test_a_terminating_pod_of_an_old_image_is_one_finding(to: Store | None) -> None:
    """`old-pods-alive`: its image is not asked for, its version is none of the release's."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
    environment = world.operations._environment
    reading = environment.world_for(world.target)
    odd = msgspec.structs.replace(
        reading, cluster=WithOld(reading.cluster), pages=Silent(reading.pages)
    )
    plain = world.operations.look(world.target, to=to, rings=("ruler",))
    work = Operations(msgspec.structs.replace(environment, world_for=lambda _: odd))

    found = work.look(world.target, to=to, rings=("ruler",))

    before = {one.id for one in plain.findings if one.severity is Severity.BLOCKS}
    more = {one.id for one in found.findings if one.severity is Severity.BLOCKS} - before
    assert more == {"old-pods-alive"}
