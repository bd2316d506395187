"""One migration in virtual time into which something goes wrong, and what may be said of its end."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec
from faulty_world import FaultyWorld
from quick_world import asking
from schedules import moved_values
from small_values import SMALL
from virtual_world import TABLE

from mimir_migrate.model.events import (
    Asked,
    ChangeDone,
    Continued,
    Event,
    Held,
    RequestKind,
    RunFinished,
    RunState,
    StepDone,
    StepStarted,
)
from mimir_migrate.model.plan import Gate, Plan
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.operations.requests import Wish

CORTEX = Product.CORTEX
Act = Callable[[], object]


class Migration:
    """A world and one run in it.

    Args:
        rings: What is moved.
        to: Where to.
        product: Which product.
        values: Its values file; left out: the small one.
    """

    def __init__(
        self,
        *rings: str,
        to: Store = Store.DYNAMODB,
        product: Product = CORTEX,
        values: bytes = b"",
    ) -> None:
        if to is Store.MEMBERLIST:
            moved = moved_values(product, rings)
            self.world = FaultyWorld(product, moved, tables=(TABLE,))
        else:
            self.world = FaultyWorld(product, values or SMALL[product])
        self.start = self.world.values
        self.plan: Plan = self.world.plan(to, rings)
        self.run = ""
        self.befallen: set[str] = set()
        """Pods that a fault was meant for."""

    def pod(self, component: str) -> str:
        """The name of a pod of a component."""
        pods = self.world.sandbox.simulation.status()["pods"]
        return str(next(pod["name"] for pod in pods if pod["component"] == component))

    def inject(self, fault: str, **given: str) -> Act:
        """What turns a fault on; `pod="ruler"` is a pod of that component by then."""

        def act() -> None:
            arguments = dict(given)
            if "pod" in arguments and "-" not in arguments["pod"]:
                arguments["pod"] = self.pod(arguments["pod"])
            self.befallen |= {arguments["pod"]} if "pod" in arguments else set()
            self.world.sandbox.inject(fault, arguments)

        return act

    def clear(self) -> None:
        """The fault is over."""
        self.world.sandbox.inject("clear")
        self.world.failing.clear()

    def at(self, step: str, act: Act, kind: type[Event] = StepStarted, *, nth: int = 1) -> None:
        """Do something once, at a step's first or n-th event of a kind."""
        seen, left = "", nth

        def hear(run: str, event: Event) -> None:
            nonlocal seen, left
            seen = event.step if isinstance(event, StepStarted) else seen
            left -= isinstance(event, kind) and seen == step
            if not left:
                self.world.listeners.remove(hear)
                act()

        self.world.listeners.append(hear)

    def while_held_at(self, step: str, act: Act, seconds: float = 120.0) -> None:
        """The operator holds the run before a step, then something happens, and then it goes on."""

        def hold() -> None:
            run = list(self.world.store.journals)[-1]
            self.world.ask(run, RequestKind.HOLD)
            act()
            self.world.sandbox.cluster.after(
                seconds, lambda: self.world.ask(run, RequestKind.CONTINUE)
            )

        self.at(step, hold)

    def after(self, step: str, act: Act) -> None:
        """Do something right after a step's deploy, which comes after its edit."""
        self.at(step, act, ChangeDone, nth=2)

    def once_held(self, act: Act, seconds: float = 30.0) -> None:
        """Do something once, so many seconds after the run was held."""

        def hear(run: str, event: Event) -> None:
            if isinstance(event, Held) and "asked to hold" not in event.reason:
                self.world.listeners.remove(hear)
                self.world.sandbox.cluster.after(seconds, act)

        self.world.listeners.append(hear)

    def patience(self, seconds: float) -> None:
        """How long a hold is waited out."""
        self.world.options = msgspec.structs.replace(self.world.options, gate_timeout=seconds)

    def _approve(self, run: str, event: Event) -> None:
        """The operator looks, and approves what the approval from the start does not cover."""

        def approve() -> None:
            journal = self.world.store.journals[run]
            request = asking(journal, Wish(kind=RequestKind.APPROVE), self.world.clock.now())
            if request.question:
                journal.leave(request)

        if isinstance(event, Asked):
            self.world.sandbox.cluster.after(30.0, approve)

    def go(self) -> RunFinished:
        """Walk it; how it ended."""
        self.world.listeners.append(self._approve)
        self.run = self.world.apply(self.plan)
        return self.world.ending(self.run)

    def resume(self) -> RunFinished:
        """Go on with it."""
        self.world.resume(self.run)
        return self.world.ending(self.run)

    def rollback(self) -> RunFinished:
        """Go back."""
        self.world.rollback(self.run)
        return self.world.ending(self.run)

    def of(self, kind: type) -> list[Event]:
        """The run's events of one kind."""
        return [event for event in self.world.events(self.run) if isinstance(event, kind)]

    @property
    def steps(self) -> list[str]:
        """The steps that were done."""
        return [event.step for event in self.world.events(self.run) if isinstance(event, StepDone)]

    def held(self, gate: Gate | None, *words: str) -> Held:
        """The first hold, which is for this gate and says these words."""
        found = next(
            event
            for event in self.world.events(self.run)
            if isinstance(event, Held) and "asked to hold" not in event.reason
        )
        assert found.gate is gate, found
        for word in words:
            assert word in found.reason, found
        assert found.hint, found
        return found

    def went_on(self) -> None:
        """The hold ended by itself, and the run is done."""
        last = self.of(Continued)[-1]
        assert last.by != "olga@laptop"  # type: ignore[attr-defined]
        self.done()

    def done(self, *, blinded: Collection[str] = ()) -> None:
        """It is done, rightly so, and nobody was ever lost sight of.

        Args:
            blinded: Pods that the fault itself took sight from.
        """
        self._ended(RunState.DONE, self.plan.to, blinded)

    def taken_back(self, *, blinded: Collection[str] = ()) -> None:
        """It is where it began, byte for byte, and nobody was ever lost sight of."""
        self._ended(RunState.ROLLED_BACK, self.plan.to.other, blinded)
        assert self.world.values == self.start

    def _ended(self, state: RunState, store: Store, blinded: Collection[str]) -> None:
        ending = self.world.ending(self.run)
        assert ending.state is state, ending
        world = self.world
        world.settle()
        found = world.operations.look(world.target).inspection
        now = {ring.ring: ring.state for ring in found.rings if ring.ring in self.plan.rings}
        assert now == dict.fromkeys(self.plan.rings, StoreState.only(store))
        before = world.lost_sight
        world.sandbox.run_for(120)
        assert world.lost_sight == before, "the rings are split in the end"
        self.nobody_lost(blinded)

    def nobody_lost(self, blinded: Collection[str] = ()) -> None:
        """Nobody was lost sight of, but by and of pods that the fault took sight from."""
        lost = [words for words in self.world.missed if not set(words.split()[1:]) & set(blinded)]
        assert not lost, lost


__all__ = ["CORTEX", "Act", "ChangeDone", "Migration"]
