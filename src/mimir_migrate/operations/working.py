"""The runner of a run, and the same code walked dry."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mimir_migrate.durations import parse_duration
from mimir_migrate.engine.history import first_plan
from mimir_migrate.engine.journals.copied import CopiedJournal
from mimir_migrate.engine.journals.hooked import HookedJournal
from mimir_migrate.engine.memory import MemoryJournal
from mimir_migrate.engine.runner import Runner
from mimir_migrate.engine.services import Services
from mimir_migrate.errors import ExitCode, MigrateError
from mimir_migrate.model.changes import RenewLease
from mimir_migrate.model.events import RunFinished, RunState
from mimir_migrate.model.plan import Plan
from mimir_migrate.model.target import Target
from mimir_migrate.operations.environment import DryRun, Environment, RunOptions
from mimir_migrate.operations.navigator import RunNavigator
from mimir_migrate.operations.planning import Planning
from mimir_migrate.operations.runs import Runs
from mimir_migrate.ports import Changes, Journal, World


class Working:
    """Walks runs: for real in a process of its own, or with recorders in place of what writes."""

    def __init__(self, environment: Environment, runs: Runs, planning: Planning) -> None:
        self._environment = environment
        self._runs = runs
        self._planning = planning

    def work(self, run: str, purpose: str, options: RunOptions) -> ExitCode:
        """Be the runner of a run. Called in a process of its own."""
        environment = self._environment
        journal = environment.store.open_for_runner(run)
        plan = first_plan(journal.events())
        try:
            world = environment.world_for(plan.target)
            changes = environment.changes_for(plan.target, run)
            journal = self._with_copy(journal, plan.target)
            journal, before_change = self._with_hooks(journal, plan.target)
            services = self._services(plan, journal, world, changes, options)
            services = msgspec.structs.replace(services, before_change=before_change)
            runner = Runner(services, plan)
        except Exception as error:  # noqa: BLE001 - a runner that cannot begin says so as well
            return self._could_not_begin(journal, error)
        return runner.run(purpose, takeover=options.takeover)

    def _with_copy(self, journal: Journal, target: Target) -> Journal:
        """The journal with its copy in the cluster, where the target asks for one."""
        environment = self._environment
        if environment.copies_for is None or not target.journal.in_cluster:
            return journal
        copies = environment.copies_for(target)
        return CopiedJournal(journal, copies, environment.clock, by=environment.who)

    def _with_hooks(self, journal: Journal, target: Target) -> tuple[Journal, Callable[[], None]]:
        """The journal with the target's hooks, where it has some, and what stands before a change."""
        hooks_for = self._environment.hooks_for
        if hooks_for is None or not target.hooks.commands:
            return journal, lambda: None
        limit = parse_duration(target.hooks.timeout)
        hooked = HookedJournal(journal, hooks_for(target), target.hooks, limit=limit)
        return hooked, hooked.before_change

    def _could_not_begin(self, journal: Journal, error: Exception) -> ExitCode:
        """Journal that a runner ended before it took the lease."""
        code = ExitCode.FAILED
        if isinstance(error, MigrateError):
            code = error.exit_code
            said = [error.message.rstrip("."), error.hint.rstrip(".")]
        else:
            details = self._environment.keep_details(error, f"the run {journal.run}")
            said = [
                f"something that nobody foresaw stopped the runner ({type(error).__name__})",
                f"The details are in {details}" if details else "",
            ]
        said.append("Nothing was changed; `resume` goes on from here, `rollback` goes back")
        reason = ". ".join(filter(None, said))
        journal.append(RunFinished(state=RunState.FAILED, reason=reason, exit_code=int(code)))
        return code

    def dry_run(self, plan: Plan, *, purpose: str = "apply", run: str = "") -> DryRun:
        """Walk the same code with recorders in the place of everything that writes."""
        environment = self._environment
        world = environment.world_for(plan.target)
        changes, files, recorded = environment.recorder(world.files)
        world = msgspec.structs.replace(world, files=files)
        journal = MemoryJournal(run or "dry-run", world.clock)
        if run:
            past = environment.store.open(run)
            journal = MemoryJournal(run, world.clock, past.events(), past.open_requests())
        services = self._services(
            plan, journal, world, changes, RunOptions(approve_all=True), dry=True
        )
        code = Runner(services, plan).run(purpose)
        leg = next(
            (
                recorded_event.event.plan
                for recorded_event in reversed(journal.events())
                if hasattr(recorded_event.event, "plan")
            ),
            plan,
        )
        last = journal.events()[-1].event
        return DryRun(
            plan=leg,
            changes=tuple(change for change in recorded() if not isinstance(change, RenewLease)),
            exit_code=code,
            reason=getattr(last, "reason", ""),
        )

    def dry_run_of(self, run: str, purpose: str) -> DryRun:
        """What resuming or rolling back a run would do."""
        run = self._runs.resolve(run)
        plan = first_plan(self._environment.store.open(run).events())
        return self.dry_run(plan, purpose=purpose, run=run)

    def _services(
        self,
        plan: Plan,
        journal: Journal,
        world: World,
        changes: Changes,
        options: RunOptions,
        *,
        dry: bool = False,
    ) -> Services:
        return Services(
            world=world,
            changes=changes,
            journal=journal,
            navigator=RunNavigator(self._planning, world, plan.target),
            who=self._environment.who,
            host=self._environment.host,
            pid=self._environment.pid,
            approve_all=options.approve_all,
            gate_timeout=options.gate_timeout,
            adopted=not dry and self._environment.store.adopted_events(journal.run) > 0,
            canonical=options.canonical,
            keep_details=self._environment.keep_details,
            dry=dry,
        )
