"""Random schedules of what goes wrong around a run, each the same for its seed.

A schedule is drawn first, as data, and then walked: a run there or back, faults, kills of the runner,
answers that are lost, and an operator who takes the run on until it is over.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from faulty_world import FaultyWorld
from small_values import SMALL
from virtual_world import TABLE, Crash

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.errors import DeniedError, UnreachableError, UsageError
from mimir_migrate.model.changes import Change, CreateTable, Deploy, WriteFile
from mimir_migrate.model.events import (
    ChangeFailed,
    Event,
    Held,
    RunFinished,
    RunStarted,
    RunState,
)
from mimir_migrate.model.plan import Plan
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store

POD_FAULTS: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "clock-skew": ({"pod": "any", "offset": "4"}, {"pod": "any", "offset": "-15"}),
    "dynamodb-denied": ({"pod": "any"},),
    "dynamodb-throttled": ({"pod": "any"},),
    "errors-5xx": ({},),
    "foreign-writer": ({"ring": "ruler", "table": TABLE},),
    "frozen-mirror": ({"pod": "any"}, {}),
    "gossip-blocked": ({"pod": "any"},),
    "metric-missing": ({"pod": "any"}, {"metric": "cortex_request_duration_seconds_count"}),
    "metric-nan": ({"pod": "any"}, {"metric": "cortex_ring_members"}),
    "pod-garbage": ({"pod": "any"},),
    "pod-huge": ({"pod": "any"},),
    "pod-silent": ({"pod": "any"},),
    "restart": ({"pod": "any"},),
    "runtime-lost": ({"pod": "any"},),
    "token-changed": ({"pod": "any"},),
    "wrong-address": ({"pod": "any"},),
}
CLUSTER_FAULTS: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "autoscaler-adds-pods": ({"component": "ruler"}, {"component": "querier"}),
    "gitops-reverts": ({},),
    "member-joins": ({"component": "ruler"}, {"component": "distributor"}),
    "member-leaves": ({"component": "ruler"},),
    "old-pod-stays": ({"component": "any"},),
    "pod-evicted": ({"component": "any"},),
    "release-pending": ({},),
    "rollout-hangs": ({"component": "any"},),
}
SERVICE_FAULTS: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "api-409": ({"count": "2"}, {"count": "30"}),
    "api-410": ({"count": "2"}, {"count": "30"}),
    "api-429": ({"count": "3"}, {"count": "60"}),
    "api-500": ({"count": "3"}, {"count": "60"}),
    "api-drop": ({"count": "3"}, {"count": "60"}),
    "credentials-expired": ({},),
    "deploy-fails": ({"count": "0"}, {"count": "2"}, {"count": "5"}),
    "helm-killed": ({"count": "1"}, {"count": "4"}),
}
OWN_FAULTS = ("answers-lost", "aws-expired", "aws-throttled", "machine-skew", "slow-answers")
"""What befalls the tool alone, and no sandbox injects."""

BRIDGE_FAULTS = ("bridge-dead", "bridge-table-away")
"""Every replica of a ring bridge killed, or its table away from all of them."""
LONGEST_AWAY = 90.0
"""Seconds. Pods see an outage of T as up to 2 T, and wait 4 min for heartbeats."""
NATIVE = frozenset({"dynamodb-denied", "dynamodb-throttled", "foreign-writer"})
"""Faults of pods' own DynamoDB client, or by somebody else who has one."""

FAULTS = (*POD_FAULTS, *CLUSTER_FAULTS, *SERVICE_FAULTS, *OWN_FAULTS)
"""Every fault that a schedule can have."""

BLINDING = frozenset(
    {
        "dynamodb-denied",
        "dynamodb-throttled",
        "gossip-blocked",
        "pod-garbage",
        "pod-huge",
        "pod-silent",
        "wrong-address",
    }
)
"""The schedule itself takes sight from a pod, and the pod from the others' sight."""

ENDINGS = {RunState.DONE, RunState.ROLLED_BACK}
COMPONENTS = ("ingester", "ruler", "distributor", "querier")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes wrong."""

    name: str
    at: float
    """Seconds after the run's beginning."""
    seconds: float
    arguments: Mapping[str, str]
    draw: float
    """Chooses the pod among those that there are by then."""


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """Where a runner dies."""

    after: int
    """The number of the event, or of the change, at which it dies."""
    change: bool
    """At a change, not at an event."""
    made: bool
    """After the change was made, not before."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is up to chance in one trial."""

    seed: int
    product: Product
    to: Store
    rings: tuple[str, ...]
    walked_there: bool
    """Where the run goes back to memberlist: whether this tool moved the rings before."""
    back: bool
    """Whether the operator asks to roll back in the end."""
    faults: tuple[Fault, ...]
    kills: tuple[Kill | None, ...]
    """For each runner; None: it is not killed."""
    pauses: tuple[float, ...]
    """Seconds until the operator takes the run on."""
    through_bridge: bool = False


def draw_through_bridge(seed: int) -> Schedule:
    """The schedule of a seed, for a stock Mimir and a ring bridge that has a fault of its own as well."""
    drawn = draw(seed)
    rng = random.Random(f"bridge {seed}")
    own = Fault(
        name=rng.choice(BRIDGE_FAULTS),
        at=rng.uniform(1, 700),
        seconds=rng.uniform(20, LONGEST_AWAY),
        arguments={},
        draw=rng.random(),
    )
    return msgspec.structs.replace(
        drawn,
        product=Product.MIMIR,
        walked_there=drawn.to is Store.MEMBERLIST,
        faults=(own, *(fault for fault in drawn.faults if fault.name not in NATIVE)),
        through_bridge=True,
    )


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = random.Random(seed)
    return Schedule(
        seed=seed,
        product=rng.choice(list(Product)),
        to=rng.choice(list(Store)),
        rings=rng.choice(((), ("ruler",), ("ruler",))),
        walked_there=rng.random() < 0.2,
        back=rng.random() < 0.4,
        faults=tuple(_fault(rng) for _ in range(rng.randint(2, 4))),
        kills=tuple(_kill(rng) for _ in range(4)),
        pauses=tuple(rng.uniform(0, 200) for _ in range(3)),
    )


def _fault(rng: random.Random) -> Fault:
    name = rng.choice(FAULTS)
    known = {**POD_FAULTS, **CLUSTER_FAULTS, **SERVICE_FAULTS}.get(name, ({},))
    arguments = dict(rng.choice(known))
    if arguments.get("component") == "any":
        arguments["component"] = rng.choice(COMPONENTS)
    return Fault(
        name=name,
        at=rng.uniform(1, 500),
        seconds=rng.uniform(20, 200),
        arguments=arguments,
        draw=rng.random(),
    )


def _kill(rng: random.Random) -> Kill | None:
    if rng.random() < 0.5:
        return None
    change = rng.random() < 0.3
    return Kill(
        after=rng.randint(1, 8) if change else rng.randint(8, 60),
        change=change,
        made=rng.random() < 0.5,
    )


class Trial(msgspec.Struct, kw_only=True):
    """One schedule, walked."""

    schedule: Schedule
    told: list[str]
    """What went wrong and what was asked, in order."""
    endings: list[RunFinished]
    """How each runner of the run ended; a runner that was killed has none."""
    world: FaultyWorld
    plan: Plan
    start: bytes
    """The values file before the run."""
    blinded: set[str] = msgspec.field(default_factory=set)
    """Pods that the schedule itself takes sight from."""
    happened: list[str] = msgspec.field(default_factory=list)
    """The faults that came to be while the run was under way."""
    killed: int = 0

    @property
    def lost(self) -> dict[str, int]:
        """Living members that were lost sight of through no doing of the schedule."""
        return {
            words: count
            for words, count in self.world.missed.items()
            if not self.blinded & set(words.split()[1:])
        }

    @property
    def _chosen(self) -> str:
        more = " MIMIR_MIGRATE_THROUGH_BRIDGE=1" if self.schedule.through_bridge else ""
        return f"MIMIR_MIGRATE_SEED={self.schedule.seed}{more}"

    def story(self) -> str:
        """Everything needed to see what happened."""
        return "\n".join(
            [
                f"seed {self.schedule.seed}",
                f"replay it: {self._chosen} pytest -n 0 -k replayed tests",
                *self.told,
            ]
        )

    def outcomes(self) -> Counter[str]:
        """What came of it, by kind."""
        found: Counter[str] = Counter()
        for event in self.world.events(list(self.world.store.journals)[-1]):
            if isinstance(event, Held) and not event.approval:
                found[f"held: {event.gate.value if event.gate else 'the cluster'}"] += 1
            if isinstance(event, ChangeFailed):
                found["change failed"] += 1
        for ending in self.endings:
            found[f"runner ended: {ending.state.value}"] += 1
        found["runner killed"] += self.killed
        return found


def walk(seed: int, through_bridge: bool = False) -> Trial:
    """Walk the schedule of a seed."""
    schedule = draw_through_bridge(seed) if through_bridge else draw(seed)
    trial = _begin(schedule)
    world = trial.world
    for fault in schedule.faults:
        world.sandbox.cluster.after(fault.at, _happening(trial, fault))
    _arm(trial, schedule.kills[0])
    run = world.apply(trial.plan)
    for pause, kill in zip(schedule.pauses, schedule.kills[1:], strict=True):
        _note(trial, run)
        if _is_over(trial):
            break
        world.sandbox.run_for(pause)
        _arm(trial, kill)
        _take_on(trial, run)
    _note(trial, run)
    _arm(trial, None)
    _clear(world)
    if not _is_over(trial):
        world.sandbox.run_for(400)
    for _ in range(6):
        if _is_over(trial):
            break
        _take_on(trial, run)
        _note(trial, run)
    world.settle()
    return trial


def _begin(schedule: Schedule) -> Trial:
    values = SMALL[schedule.product]
    back = schedule.to is Store.MEMBERLIST
    if back and not schedule.walked_there:
        values = moved_values(schedule.product, schedule.rings)
    world = FaultyWorld(
        schedule.product,
        values,
        seed=schedule.seed,
        tables=(TABLE,) if back and not schedule.walked_there else (),
        through_bridge=schedule.through_bridge,
    )
    world.options = msgspec.structs.replace(world.options, gate_timeout=240.0)
    if back and schedule.walked_there:
        world.migrate(Store.DYNAMODB, schedule.rings)
    plan = world.plan(schedule.to, schedule.rings)
    trial = Trial(
        schedule=schedule, told=[], endings=[], world=world, plan=plan, start=world.values
    )
    trial.told.append(
        f"{schedule.product.value}{' through the bridge' if schedule.through_bridge else ''} {','.join(plan.rings)} to {schedule.to.value}"
        + (", back in the end" if schedule.back else "")
    )
    return trial


def moved_values(product: Product, rings: tuple[str, ...]) -> bytes:
    """The values file of a cluster whose rings are on DynamoDB."""
    if (product, rings) not in _MOVED:
        world = FaultyWorld(product, SMALL[product])
        content = world.values
        for step in world.plan(Store.DYNAMODB, rings).steps:
            for edit in step.edits:
                content = file_edits.apply(edit, content)
        _MOVED[product, rings] = content
    return _MOVED[product, rings]


_MOVED: dict[tuple[Product, tuple[str, ...]], bytes] = {}


def _clear(world: FaultyWorld) -> None:
    """Nothing goes wrong any more, whoever it was."""
    world.failing.clear()
    world.delay, world.clock.ahead, world.changes.lose = 0.0, 0.0, 0
    world.sandbox.inject("clear")
    if world.bridge is not None:
        world.bridge.lives, world.bridge.table_away_since = True, None


def _take_on(trial: Trial, run: str) -> None:
    way = "rollback" if trial.schedule.back else "resume"
    trial.told.append(f"{way} at {trial.world.clock.now():.0f}")
    if trial.schedule.back:
        trial.world.rollback(run)
    else:
        trial.world.resume(run)


def _note(trial: Trial, run: str) -> None:
    last = trial.world.events(run)[-1]
    if isinstance(last, RunFinished) and (not trial.endings or trial.endings[-1] is not last):
        trial.endings.append(last)
        trial.told.append(
            f"it ended {last.state.value} at {trial.world.clock.now():.0f}: {last.reason}"
        )


def _is_over(trial: Trial) -> bool:
    return bool(trial.endings) and trial.endings[-1].state in ENDINGS


def _happening(trial: Trial, fault: Fault) -> Callable[[], None]:
    def happen() -> None:
        if _is_over(trial):
            return
        try:
            said = _kind_of(fault)(trial, fault)
        except UsageError as error:
            trial.told.append(f"nothing: {error}")
            return
        trial.happened.append(fault.name)
        trial.told.append(
            f"{fault.name} at {trial.world.clock.now():.0f} for {fault.seconds:.0f} s: {said}"
        )

    return happen


def _kind_of(fault: Fault) -> Callable[[Trial, Fault], str]:
    if fault.name in BRIDGE_FAULTS:
        return _strike_bridge
    return _own if fault.name in OWN_FAULTS else _inject


def _strike_bridge(trial: Trial, fault: Fault) -> str:
    bridge = trial.world.bridge
    assert bridge is not None
    dead = fault.name == "bridge-dead"

    def over() -> None:
        if dead:
            bridge.lives = True
        else:
            bridge.table_away_since = None

    if dead:
        bridge.lives = False
    else:
        bridge.table_away_since = bridge.scheduler.now()
    trial.world.sandbox.cluster.after(fault.seconds, over)
    return "all replicas"


def _inject(trial: Trial, fault: Fault) -> str:
    world = trial.world
    given = {**fault.arguments, "seconds": f"{fault.seconds:.0f}"}
    if given.get("pod") == "any":
        there: Any = world.sandbox.simulation.status()["pods"]
        pods = sorted(pod["name"] for pod in there)
        given["pod"] = pods[int(fault.draw * len(pods))]
    if fault.name in BLINDING:
        trial.blinded.add(given["pod"])
    said = world.sandbox.inject(fault.name, given)
    if fault.name in SERVICE_FAULTS:

        def clear() -> None:
            world.sandbox.inject("clear", {"fault": fault.name})

        world.sandbox.cluster.after(fault.seconds, clear)
    return said


def _own(trial: Trial, fault: Fault) -> str:
    world = trial.world
    failing = {
        "aws-expired": DeniedError("Query: ExpiredTokenException", hint="log in again"),
        "aws-throttled": UnreachableError("Query: ThrottlingException"),
    }
    if fault.name in failing:
        world.failing["dynamodb"] = failing[fault.name]
    elif fault.name == "answers-lost":
        world.changes.lose = 1 + int(fault.draw * 4)
    elif fault.name == "slow-answers":
        world.delay = 1 + fault.draw * 6
    elif fault.name == "machine-skew":
        world.clock.ahead = 240 * (fault.draw - 0.5)

    def over() -> None:
        if fault.name in failing:
            world.failing.pop("dynamodb", None)
        elif fault.name == "slow-answers":
            world.delay = 0.0
        elif fault.name == "machine-skew":
            world.clock.ahead = 0.0

    world.sandbox.cluster.after(fault.seconds, over)
    return f"{fault.draw:.2f}"


def _arm(trial: Trial, kill: Kill | None) -> None:
    """Perhaps the runner dies right after writing an event, or at a change."""
    world = trial.world
    world.listeners.clear()
    world.changes.fuse = lambda change, made: None
    if kill is None:
        return
    left = kill.after

    def burn(what: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            trial.killed += 1
            trial.told.append(f"killed {what} at {world.clock.now():.0f}")
            raise Crash

    def hear(run: str, event: Event) -> None:
        if not isinstance(event, RunStarted):  # which is written before there is a runner
            burn(f"after {type(event).__name__}")

    def touch(change: Change, made: bool) -> None:
        if isinstance(change, CreateTable | WriteFile | Deploy) and made is kill.made:
            burn(f"{'after' if made else 'before'} {type(change).__name__}")

    if kill.change:
        world.changes.fuse = touch
    else:
        world.listeners.append(hear)


__all__ = ["FAULTS", "Schedule", "Trial", "draw", "walk"]
