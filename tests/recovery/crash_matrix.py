"""Every point at which a runner can die, derived from a run that lives, and what comes after each.

A point is a place between two things that outlive the process: a change of the world (renewals of the
lease included) and an event on disk. "After event 7" and "before change 3" are the same point where
nothing lies between them, so that a run of n changes and events has n points; after the last one it
is over.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec
from small_values import SMALL
from virtual_world import Crash, VirtualWorld

from mimir_migrate.documents.edits import sha256
from mimir_migrate.model.changes import (
    Change,
    CreateTable,
    Deploy,
    Outcome,
    RenewLease,
    WriteFile,
)
from mimir_migrate.model.events import Event, Recorded, RunFinished, RunState
from mimir_migrate.model.facts import Inspection, MemberState
from mimir_migrate.model.plan import Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.ports import Changes, Journal


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A migration that is interrupted."""

    product: Product
    strategy: Strategy
    to: Store
    rings: tuple[str, ...] = ("ruler",)
    through_bridge: bool = False

    @property
    def name(self) -> str:
        """For a table and a test's id."""
        rings = "+".join(self.rings) or "all"
        through = " through the bridge" if self.through_bridge else ""
        return f"{self.product.value} {self.strategy.value} {rings} to {self.to.value}{through}"


SCENARIOS = tuple(
    Scenario(product=product, strategy=strategy, to=to, rings=rings)
    for product, strategy, rings in (
        (Product.MIMIR, Strategy.AUTO, ("ruler",)),
        (Product.MIMIR, Strategy.STATIC, ("ruler",)),
        (Product.CORTEX, Strategy.AUTO, ("ingester", "ruler")),
        (Product.CORTEX, Strategy.STATIC, ("ruler",)),
    )
    for to in Store
)


BRIDGED = Scenario(
    product=Product.MIMIR, strategy=Strategy.AUTO, to=Store.DYNAMODB, through_bridge=True
)
EVERY = (*SCENARIOS, BRIDGED)


QUICK = tuple(one for one in SCENARIOS if one.to is Store.DYNAMODB)
"""Those that need no other migration before them."""


START = {
    Product.CORTEX: SMALL[Product.CORTEX],
    Product.MIMIR: SMALL[Product.MIMIR].replace(
        b"    ruler:\n      ring:\n",
        b"    ruler:\n      ring:\n"
        b"        kvstore: {store: memberlist}   # the default, and said all the same\n",
    ),
}
"""The values files at the start. Taken back by a look at the cluster alone, Mimir's key would go: it
says what is the default."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that outlives the process."""

    kind: str
    """`change` or `event`."""
    what: str
    """The kind of the change or event."""
    renewal: bool = False


Dies = Callable[[int, Mark], bool]
"""Whether the process dies at a place, before what is due there."""


class Mortal:
    """Counts what outlives the process, and lets the process die before what is due.

    Args:
        dies: Where; None: it lives.
    """

    def __init__(self, dies: Dies | None = None) -> None:
        self.marks: list[Mark] = []
        self.asked: list[Change] = []
        self.depth = 0
        """Above 0 while a change is being made."""
        self._dies = dies

    def come_to(self, mark: Mark) -> None:
        """Die before it, or let it pass."""
        if self._dies is not None and self._dies(len(self.marks), mark):
            self._dies = None
            raise Crash
        self.marks.append(mark)


def dying_at(place: int) -> Dies:
    """Dies at that place alone."""
    return lambda at, _: at == place


class MortalChanges:
    """Implements `ports.Changes`: passes on to `inner`, counted."""

    def __init__(self, inner: Changes, mortal: Mortal) -> None:
        self._inner = inner
        self._mortal = mortal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def perform(self, change: Change) -> Outcome:
        self._mortal.come_to(
            Mark(
                kind="change",
                what=type(change).__name__,
                renewal=isinstance(change, RenewLease),
            )
        )
        self._mortal.asked.append(change)
        self._mortal.depth += 1
        try:
            return self._inner.perform(change)
        finally:
            self._mortal.depth -= 1


class MortalJournal:
    """Implements `ports.Journal`: passes on to `inner`, counted."""

    def __init__(self, inner: Journal, mortal: Mortal) -> None:
        self._inner = inner
        self._mortal = mortal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def append(self, event: Event) -> Recorded:
        self._mortal.come_to(Mark(kind="event", what=type(event).__name__))
        return self._inner.append(event)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that outlives a run, for comparing two of them."""

    values: str
    """The values file's sha256."""
    written: tuple[str, ...]
    """The sha256 of the file after each write."""
    deployed: tuple[str, ...]
    """What was deployed each time that it differed from the last."""
    tables: tuple[str, ...]
    generations: Mapping[str, int]
    """How often each workload was changed."""
    pods: Mapping[str, int]
    """Ready pods by component."""
    states: Mapping[str, StoreState | None]
    stored: bool
    """Whether DynamoDB holds exactly the living members, in each ring that is on it."""


class Trial:
    """One world in which a scenario is walked, with or without a death."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = VirtualWorld(
            scenario.product,
            START[scenario.product],
            through_bridge=scenario.through_bridge,
        )
        if scenario.to is Store.MEMBERLIST:
            self.world.migrate(Store.DYNAMODB, scenario.rings, scenario.strategy)
            self.world.settle()
        self.inner = self.world.changes
        self.inner.performed.clear()
        self.start = self.world.values
        self.start_states = self.states()
        self.start_pods = self.pods()
        self.run = ""

    def watched(self, dies: Dies | None = None) -> Mortal:
        """Count from here on, and die where that is due."""
        mortal = Mortal(dies)
        self.world.changes = MortalChanges(self.inner, mortal)  # type: ignore[assignment]
        store = self.world.store
        store.open_for_runner = (  # type: ignore[method-assign]
            lambda run: MortalJournal(store.journals[run], mortal)
        )
        return mortal

    def apply(self, dies: Dies | None = None) -> Mortal:
        """Walk the scenario; the process may die."""
        scenario = self.scenario
        mortal = self.watched(dies)
        self.run = self.world.migrate(scenario.to, scenario.rings, scenario.strategy)
        return mortal

    def go_on(self, command: str, dies: Dies | None = None) -> Mortal:
        """`resume` or `rollback`; the process may die."""
        mortal = self.watched(dies)
        getattr(self.world, command)(self.run)
        return mortal

    @property
    def ended(self) -> RunFinished | None:
        """How the last process ended; None: it died."""
        last = self.world.events(self.run)[-1]
        return last if isinstance(last, RunFinished) else None

    def states(self) -> dict[str, StoreState | None]:
        """The state of every ring that can be moved."""
        return _states(self.world.inspect())

    def pods(self) -> dict[str, int]:
        """Ready pods by component."""
        return dict(
            Counter(
                pod["metadata"]["labels"]["app.kubernetes.io/component"]
                for pod in self.world.sandbox.objects.select("pods", "observability")
                if not pod["metadata"].get("deletionTimestamp")
            )
        )

    def told(self) -> Told:
        """What is so now, and what was done since the start."""
        written = [
            change.edit.after_sha256
            for change in self.inner.performed
            if isinstance(change, WriteFile)
        ]
        deployed, now = [], sha256(self.start)
        content = now
        for change in self.inner.performed:
            if isinstance(change, WriteFile):
                content = change.edit.after_sha256
            if isinstance(change, Deploy) and content != now:
                deployed.append(content)
                now = content
        seen = self.world.inspect()
        return Told(
            values=hashlib.sha256(self.world.values).hexdigest(),
            written=tuple(written),
            deployed=tuple(deployed),
            tables=tuple(
                change.table.name
                for change in self.inner.performed
                if isinstance(change, CreateTable)
            ),
            generations=self._generations(),
            pods=self.pods(),
            states=_states(seen),
            stored=_is_stored(seen),
        )

    def _generations(self) -> dict[str, int]:
        return {
            f"{plural}/{item['metadata']['name']}": item["metadata"].get("generation", 0)
            for plural in ("statefulsets", "deployments")
            for item in self.world.sandbox.objects.select(plural, "observability")
        }

    def check_rolled_back(self, where: str) -> None:
        """Everything is where it was, to the byte."""
        ended = self.ended
        assert ended is not None, where
        assert ended.state is RunState.ROLLED_BACK, (where, ended)
        assert self.world.values == self.start, where
        self.world.settle()
        assert self.states() == self.start_states, where
        assert self.pods() == self.start_pods, where
        assert not self.world.missed, (where, self.world.missed)
        assert self.world.leases.holder("mimir-migrate-" + self.scenario.product.value) is None

    def check_done(self, where: str) -> None:
        """The same end as that of a run that lived, each change in effect exactly once."""
        ended = self.ended
        assert ended is not None, where
        assert ended.state is RunState.DONE, (where, ended)
        self.world.settle()
        told, wanted = self.told(), undisturbed(self.scenario)[1]
        for field in told.__struct_fields__:
            have, want = getattr(told, field), getattr(wanted, field)
            assert have == want, (where, field, have, want)
        assert told.stored, where
        assert not self.world.missed, (where, self.world.missed)
        assert self.world.leases.holder("mimir-migrate-" + self.scenario.product.value) is None

    def check_done_again(self, where: str) -> None:
        """A second run forward came to the same end, over what the first left in DynamoDB."""
        ended = self.ended
        assert ended is not None, where
        assert ended.state is RunState.DONE, (where, ended)
        self.world.settle()
        told, wanted = self.told(), undisturbed(self.scenario)[1]
        assert told.values == wanted.values, where
        assert told.states == wanted.states, where
        assert told.stored, where
        assert not self.world.missed, (where, self.world.missed)


def _states(seen: Inspection) -> dict[str, StoreState | None]:
    return {ring.ring: ring.state for ring in seen.rings if ring.movable and ring.enabled}


def _is_stored(seen: Inspection) -> bool:
    """Whether DynamoDB holds exactly the living members of each ring that is on it."""
    on_dynamodb = {ring for ring, state in _states(seen).items() if state is StoreState.DYNAMODB}
    held = {
        items.ring: {member.ip for member in items.members if member.state is MemberState.ACTIVE}
        for items in seen.items
    }
    return all(
        held.get(ring) == {pod.pod.ip for pod in seen.pods if pod.pod.component == ring}
        for ring in on_dynamodb
    )


@cache
def undisturbed(scenario: Scenario) -> tuple[tuple[Mark, ...], Told]:
    """What a run that nothing happens to passes, and what comes of it."""
    trial = Trial(scenario)
    mortal = trial.apply()
    ended = trial.ended
    assert ended is not None
    assert ended.state is RunState.DONE, ended
    assert not trial.world.missed, trial.world.missed
    trial.world.settle()
    return tuple(mortal.marks), trial.told()


def points(scenario: Scenario) -> range:
    """The points of a scenario. After the last event the run is over, and there is none."""
    return range(len(undisturbed(scenario)[0]))
