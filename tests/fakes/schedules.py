"""Random schedules of what goes wrong around a run, each the same for its seed."""

from __future__ import annotations

import random
from collections.abc import Mapping

import msgspec
from small_values import SMALL
from virtual_world import Crash, VirtualWorld

from mimir_migrate.errors import UnreachableError, UsageError
from mimir_migrate.model.events import Event, RunFinished, RunStarted, RunState
from mimir_migrate.model.plan import Plan
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store

FAULTS: Mapping[str, Mapping[str, str]] = {
    "clock-skew": {"pod": "ruler", "offset": "4"},
    "dynamodb-throttled": {"pod": "any"},
    "errors-5xx": {},
    "frozen-mirror": {"pod": "any"},
    "gossip-blocked": {"pod": "any"},
    "metric-missing": {"pod": "any"},
    "metric-nan": {"pod": "any"},
    "pod-garbage": {"pod": "any"},
    "pod-silent": {"pod": "any"},
    "restart": {"pod": "any"},
    "runtime-lost": {"pod": "any"},
    "member-joins": {"component": "ruler"},
    "member-leaves": {"component": "ruler"},
    "old-pod-stays": {"component": "any"},
    "pod-evicted": {"component": "any"},
    "release-pending": {},
    "rollout-hangs": {"component": "any"},
    "rings-unreadable": {},
    "kubernetes-away": {},
}
"""Every fault of a schedule with its arguments; `any` is drawn."""

BLINDING = frozenset({"dynamodb-throttled", "gossip-blocked", "pod-garbage", "pod-silent"})
"""The schedule itself takes sight from a pod, and the pod from the others' sight."""

ENDINGS = {RunState.DONE, RunState.ROLLED_BACK}


class Trial(msgspec.Struct, kw_only=True):
    """One schedule, walked."""

    seed: int
    told: list[str]
    """What went wrong and what was asked, in order."""
    endings: list[RunFinished]
    """How each runner of the run ended; a runner that was killed has none."""
    world: VirtualWorld
    plan: Plan
    start: bytes
    """The values file before the run."""
    back: bool
    """Whether the operator asked for the way back in the end."""

    blinded: set[str] = msgspec.field(default_factory=set)
    """Pods that the schedule itself takes sight from."""

    @property
    def lost(self) -> dict[str, int]:
        """Living members that were lost sight of through no doing of the schedule."""
        return {
            words: count
            for words, count in self.world.missed.items()
            if not self.blinded & set(words.split()[1:])
        }

    def story(self) -> str:
        """Everything needed to see what happened."""
        return "\n".join(
            [f"seed {self.seed}", *self.told, *(f"{e.state}: {e.reason}" for e in self.endings)]
        )


def walk(seed: int) -> Trial:
    """Walk one schedule: a run there or back, faults, kills, and an operator who takes it on."""
    rng = random.Random(seed)
    product = rng.choice(list(Product))
    world = VirtualWorld(product, SMALL[product], seed=seed)
    world.options = msgspec.structs.replace(world.options, gate_timeout=240.0)
    to = rng.choice(list(Store))
    rings = rng.choice(((), ("ruler",)))
    if to is Store.MEMBERLIST:
        world.migrate(Store.DYNAMODB, rings)
    plan = world.plan(to, rings)
    trial = Trial(
        seed=seed,
        told=[],
        endings=[],
        world=world,
        plan=plan,
        start=world.values,
        back=rng.random() < 0.4,
    )
    trial.told.append(f"{product.value} {','.join(plan.rings)} to {to.value}")
    for _ in range(rng.randint(1, 4)):
        _schedule(rng, trial, rng.uniform(1, 600))
    _kill(rng, trial)
    run = world.apply(plan)
    for _ in range(3):
        _note(trial, run)
        if _is_over(trial):
            break
        world.sandbox.run_for(rng.uniform(0, 200))
        _kill(rng, trial)
        _take_on(trial, run)
    world.listeners.clear()
    world.failing.clear()
    world.sandbox.inject("clear")
    world.sandbox.run_for(400)
    for _ in range(6):
        _note(trial, run)
        if _is_over(trial):
            break
        _take_on(trial, run)
    world.settle()
    return trial


def _take_on(trial: Trial, run: str) -> None:
    if trial.back:
        trial.told.append("rollback")
        trial.world.rollback(run)
    else:
        trial.told.append("resume")
        trial.world.resume(run)


def _note(trial: Trial, run: str) -> None:
    last = trial.world.events(run)[-1]
    if isinstance(last, RunFinished) and (not trial.endings or trial.endings[-1] is not last):
        trial.endings.append(last)
        trial.told.append(f"it ended {last.state.value}: {last.reason}")


def _is_over(trial: Trial) -> bool:
    return bool(trial.endings) and trial.endings[-1].state in ENDINGS


def _schedule(rng: random.Random, trial: Trial, at: float) -> None:
    fault = rng.choice(sorted(FAULTS))
    arguments = dict(FAULTS[fault])
    components = ("ingester", "ruler", "distributor", "querier")
    seconds = rng.uniform(10, 200)
    draw = rng.random()
    component = rng.choice(components)

    def happen() -> None:
        world = trial.world
        if fault in {"rings-unreadable", "kubernetes-away"}:
            part = "dynamodb" if fault == "rings-unreadable" else "kubernetes"
            world.failing[part] = UnreachableError(f"{part} does not answer")
            world.sandbox.cluster.after(seconds, lambda: world.failing.pop(part, None))
        else:
            given = {**arguments, "seconds": f"{seconds:.0f}"}
            if given.get("pod") == "any":
                pods = sorted(pod["name"] for pod in world.sandbox.simulation.status()["pods"])
                given["pod"] = pods[int(draw * len(pods))]
            if given.get("component") == "any":
                given["component"] = component
            if given.get("pod") == "ruler":
                given.pop("pod")
            if fault in BLINDING:
                trial.blinded.add(given["pod"])
            try:
                trial.told.append(
                    f"{fault} at {world.clock.now():.0f}: {world.sandbox.inject(fault, given)}"
                )
            except UsageError as error:
                trial.told.append(f"nothing: {error}")
            return
        trial.told.append(f"{fault} at {world.clock.now():.0f} for {seconds:.0f} s")

    trial.world.sandbox.cluster.after(at, happen)


def _kill(rng: random.Random, trial: Trial) -> None:
    """Perhaps the runner dies right after writing one of its next events."""
    trial.world.listeners.clear()
    if rng.random() < 0.5:
        return
    left = rng.randint(1, 60)

    def count(run: str, event: Event) -> None:
        nonlocal left
        left -= not isinstance(event, RunStarted)  # which is written before there is a runner
        if left == 0:
            trial.told.append(f"killed after {type(event).__name__}")
            raise Crash

    trial.world.listeners.append(count)
