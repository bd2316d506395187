"""Looking at a cluster and planning from what is seen; nothing is changed here."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mimir_migrate import __version__
from mimir_migrate.documents.values.files import SourceFile, ValuesFiles
from mimir_migrate.documents.values.loaded import Readings
from mimir_migrate.engine.history import edits_made, first_plan, inverses
from mimir_migrate.errors import MigrateError, UnreachableError
from mimir_migrate.inspection.binaries import DefaultsCache, image_of
from mimir_migrate.inspection.findings import against_going_on, judge, obvious_store
from mimir_migrate.inspection.inspect import inspect
from mimir_migrate.inspection.question import ValuesFacts
from mimir_migrate.inspection.summary import redacted
from mimir_migrate.inspection.terraform import terraform_findings
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.events import RunState
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Finding
from mimir_migrate.model.plan import Plan, Strategy
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.operations.environment import Environment, Look
from mimir_migrate.operations.runs import Runs
from mimir_migrate.plans import timing
from mimir_migrate.plans.choices import UnderWay, choices
from mimir_migrate.plans.facts import FactChange, compare, facts_of
from mimir_migrate.plans.files.blast import Remembering, other_changes
from mimir_migrate.plans.path import direction
from mimir_migrate.plans.planner import Order, Origin, make_plan
from mimir_migrate.plans.position import choose_rings
from mimir_migrate.plans.values_facts import values_facts
from mimir_migrate.ports import Files, Progress, World
from mimir_migrate.runs.places import named_by, same_release, seen_at
from mimir_migrate.runs.status import status_of
from mimir_migrate.runs.verify import Verification, verify
from mimir_migrate.settings import refuse_short_ttl, require

LOOKS_IN_A_WINDOW = 4
"""How often a watch looks while a gate's window goes by."""


class Planning:
    """Inspects, judges and plans."""

    def __init__(self, environment: Environment, runs: Runs) -> None:
        self._environment = environment
        self._runs = runs
        self._caches: dict[str, DefaultsCache] = {}
        self._readings = Readings()

    def look(
        self,
        target: Target,
        *,
        to: Store | None = None,
        end: StoreState | None = None,
        rings: tuple[str, ...] = (),
        strategy: Strategy = Strategy.AUTO,
        progress: Progress | None = None,
        twice: bool = True,
    ) -> Look:
        """Inspect the cluster and judge what was found.

        `to` (or `end`, a state on both stores that they are to stay in), `rings` and `strategy` are what the operator means to do, where that is known; `twice` reads the
        tables' items a heartbeat apart where they could belong to somebody else.

        Raises:
            MigrateError: Kubernetes does not tell which pods there are, or the target lacks an entry.
        """
        require(target, "namespace", "release")
        world = self._environment.world_for(target)
        inspection = self.inspect(world, target, progress=progress, wait_for_heartbeat=twice)
        chosen = choose_rings(inspection, rings)
        if end is not None:
            to = _towards(end, inspection, chosen)
        goal = obvious_store(inspection, chosen) if to is None else to
        findings = judge(
            inspection,
            target=target,
            to=to,
            rings=chosen,
            strategy=strategy,
            values=self._values_facts(world, target, inspection),
            further=terraform_findings(world, inspection, target, rings=chosen)
            if goal is Store.DYNAMODB
            else (),
        )
        offered = choices(inspection, target, findings, self._under_way(inspection))
        return Look(inspection=inspection, findings=findings, choices=offered, rings=chosen)

    def _under_way(self, inspection: Inspection) -> UnderWay | None:
        """The newest run of this release that is not over, as far as this machine knows of one."""
        here = seen_at(inspection.identity)
        for listing in self._environment.store.list_runs():
            if not listing.unfinished:
                continue
            try:
                run = self._runs.status(listing.run)
            except MigrateError:
                continue  # `runs` says why it cannot be read; a look at the cluster goes on
            if same_release(seen_at(run), here):
                return UnderWay(
                    run=run.run,
                    to=Store(run.to),
                    rings=run.rings,
                    going_back=run.purpose == "rollback",
                )
        return None

    def verify(self, target: Target, rings: tuple[str, ...] = ()) -> Verification:
        """All gates' checks, now: two inspections a moment apart, so that counters can be compared.

        Raises:
            MigrateError: Kubernetes does not tell which pods there are.
        """
        require(target, "namespace", "release")
        world = self._environment.world_for(target)
        first = self.inspect(world, target)
        chosen = choose_rings(first, rings)
        window = timing.gate_window(first, chosen) or 1.0
        world.clock.sleep(min(window, 10.0))
        later = self.inspect(world, target)
        return verify(first, later, chosen, target.scale)

    def watch(
        self, target: Target, rings: tuple[str, ...] = (), *, seconds: float
    ) -> Iterator[tuple[float, Verification | UnreachableError]]:
        """Verify again and again for `seconds`: each time when, and what was found or why nothing was.

        Each look is held against one that is a window older, so that counters had time to move.

        Raises:
            MigrateError: At the first look Kubernetes does not tell which pods there are.
        """
        require(target, "namespace", "release")
        world = self._environment.world_for(target)
        past = deque([self.inspect(world, target)])
        chosen = choose_rings(past[0], rings)
        until = world.clock.now() + seconds
        while (left := until - world.clock.now()) > 0:
            window = timing.gate_window(past[-1], chosen) or 1.0
            world.clock.sleep(min(max(window / LOOKS_IN_A_WINDOW, 1.0), 30.0, left))
            try:
                later = self.inspect(world, target)
            except UnreachableError as error:
                yield world.clock.now(), error
                continue
            while len(past) > 1 and past[1].at <= later.at - window:
                past.popleft()
            yield later.at, verify(past[0], later, chosen, target.scale)
            past.append(later)

    def sources(self, target: Target) -> tuple[SourceFile, ...]:
        """The values files as they are now.

        Raises:
            MigrateError: One cannot be read, or the target names none.
        """
        require(target, "values")
        world_files = self._environment.world_for(target).files
        return values_sources(world_files, target)

    def inspect(
        self,
        world: World,
        target: Target,
        *,
        rings: tuple[str, ...] | None = None,
        cache: DefaultsCache | None = None,
        progress: Progress | None = None,
        wait_for_heartbeat: bool = False,
    ) -> Inspection:
        """Inspect as the environment says; left out, `cache` is the one that looks at this target share."""
        seen = inspect(
            world,
            target,
            rings=rings,
            progress=progress,
            wait_for_heartbeat=wait_for_heartbeat,
            cache=self._cache(target) if cache is None else cache,
            max_at_once=self._environment.max_at_once,
        )
        return redacted(seen, self._environment.redact)

    def _cache(self, target: Target) -> DefaultsCache:
        key = f"{target.kubernetes.context}/{target.kubernetes.namespace}"
        return self._caches.setdefault(key, DefaultsCache())

    def _values_facts(
        self,
        world: World,
        target: Target,
        inspection: Inspection,
        *,
        cache: DefaultsCache | None = None,
        beside_rings: bool = False,
    ) -> ValuesFacts | None:
        if not target.values.files:
            return None
        files = values_sources(world.files, target)
        contents = {file.path: file.content for file in files}
        return values_facts(
            ValuesFiles(
                files,
                product=inspection.product,
                root=target.values.root,
                readings=self._readings,
                bridge=target.through_bridge,
            ),
            release=inspection.release,
            rendered=world.renderer.values(contents),
            manifests=world.renderer.render(contents),
            binaries=_defaults(cache or self._cache(target), inspection),
            beside_rings=beside_rings,
        )

    def against_going_on(
        self,
        world: World,
        target: Target,
        order: Order,
        inspection: Inspection,
        cache: DefaultsCache,
    ) -> tuple[Finding, ...]:
        """What has come up that does not let a run go on which stands halfway."""
        rings = choose_rings(inspection, order.rings)
        values_now = self._values_facts(world, target, inspection, cache=cache, beside_rings=True)
        further: tuple[Finding, ...] = ()
        if order.to is Store.DYNAMODB:
            further = terraform_findings(world, inspection, target, rings=rings)
        return against_going_on(
            judge(
                inspection,
                target=target,
                to=order.to,
                rings=rings,
                strategy=order.strategy,
                values=values_now,
                further=further,
            )
        )

    def plan(
        self,
        target: Target,
        order: Order,
        *,
        look: Look | None = None,
        progress: Progress | None = None,
    ) -> Plan:
        """Make a plan from what is observed now.

        Raises:
            BlockedError: A finding blocks; its evidence and what to do are in the message.
            EditRefusedError: The values file cannot be edited safely.
        """
        require(target, "namespace", "release", "values")
        if order.to is Store.DYNAMODB or order.goal is not None:
            require(target, "table", "aws-region")
            refuse_short_ttl(target.dynamodb.ttl)
        seen = look or self.look(
            target,
            to=order.to,
            end=order.goal,
            rings=order.rings,
            strategy=order.strategy,
            progress=progress,
        )
        if order.goal is not None:
            to = _towards(order.goal, seen.inspection, seen.rings)
            order = msgspec.structs.replace(order, to=to)
        world = self._environment.world_for(target)
        return self.planned(
            world,
            target,
            order,
            seen.inspection,
            findings=seen.findings,
            restore=self._earlier_bytes(world, target, order),
        )

    def planned(
        self,
        world: World,
        target: Target,
        order: Order,
        inspection: Inspection,
        *,
        findings: tuple[Finding, ...] = (),
        restore: tuple[FileEdit, ...] = (),
    ) -> Plan:
        """The plan from an inspection that was made."""
        files = values_sources(world.files, target)
        now = world.clock.now()
        render = Remembering(world.renderer.render)
        can_render = other_changes(render, files, files) is not None

        def blast(before: Sequence[SourceFile], after: Sequence[SourceFile]) -> tuple[str, ...]:
            return other_changes(render, before, after) or ()

        return make_plan(
            inspection,
            target,
            order,
            files,
            readings=self._readings,
            origin=Origin(
                plan_id=time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)),
                created_at=now,
                tool_version=__version__,
            ),
            findings=findings,
            restore=restore,
            blast_check=blast if can_render else None,
        )

    def _earlier_bytes(self, world: World, target: Target, order: Order) -> tuple[FileEdit, ...]:
        """Edits that give back what the files were before the latest run the other way."""
        for listing in self._environment.store.list_runs():
            try:
                events = self._environment.store.open(listing.run).events()
                plan = first_plan(events)
            except (MigrateError, LookupError):
                continue
            same_files = plan.target.values.files == target.values.files
            if not same_files or not same_release(seen_at(plan.identity), named_by(target)):
                continue
            status = status_of(listing.run, events, now=world.clock.now())
            if status.state is RunState.ROLLED_BACK:
                continue
            if status.state is RunState.DONE and plan.to is order.to.other:
                return inverses(edits_made(events, world.files.read))
            return ()
        return ()

    def changed_facts(self, plan: Plan) -> tuple[FactChange, ...]:
        """What is not as it was when the plan was made, what matters first."""
        world = self._environment.world_for(plan.target)
        return self.drift(world, plan, self.inspect(world, plan.target))

    def drift(self, world: World, plan: Plan, inspection: Inspection) -> tuple[FactChange, ...]:
        """What an inspection finds otherwise than a plan has it."""
        files = values_sources(world.files, plan.target)
        return tuple(
            change
            for change in compare(plan, facts_of(inspection, plan.target, plan.rings, files))
            if change.before is not None
        )


def _towards(end: StoreState, inspection: Inspection, rings: tuple[str, ...]) -> Store:
    """The store towards which rings go, to stay in a state on both."""
    return direction(
        end,
        (store for ring in inspection.rings if ring.ring in rings for store in ring.primaries),
    )


def _defaults(cache: DefaultsCache, inspection: Inspection) -> dict[str, Mapping[str, Any] | None]:
    """The default configuration of every image that runs, as the inspection just read it."""
    found: dict[str, Mapping[str, Any] | None] = {}
    for facts in inspection.pods:
        if facts.pod.terminating:
            continue  # nothing that is deployed now is read by it
        binary = cache.get(image_of(facts.pod))
        found[image_of(facts.pod)] = binary.defaults.config if binary else None
    return found


def values_sources(files: Files, target: Target) -> tuple[SourceFile, ...]:
    """The target's values files as `files` has them now, in order of precedence.

    Raises:
        MigrateError: One cannot be read.
    """
    return tuple(SourceFile(path=path, content=files.read(path)) for path in target.values.files)
