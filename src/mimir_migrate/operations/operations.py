"""Everything that an operator can do, as one object."""

from __future__ import annotations

from functools import partial

from mimir_migrate.operations.asking import Asking
from mimir_migrate.operations.cleaning import Cleaning
from mimir_migrate.operations.copies import Copies
from mimir_migrate.operations.environment import Environment
from mimir_migrate.operations.planning import Planning
from mimir_migrate.operations.running import Running
from mimir_migrate.operations.runs import Runs
from mimir_migrate.operations.watching import Watching
from mimir_migrate.operations.working import Working
from mimir_migrate.ports import Clock


class Operations:
    """Inspect, plan, run, follow and ask: what the commands and the app call.

    Nothing is done here: each name is a method of the part that does it, and is documented there.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        runs = Runs(environment)
        self.resolve, self.events, self.status = runs.resolve, runs.events, runs.status
        self.runs, self.forget = runs.runs, runs.forget
        planning = Planning(environment, runs)
        self.look, self.sources, self.plan = planning.look, planning.sources, planning.plan
        self.verify, self.watch = planning.verify, planning.watch
        self.cleaning = partial(Cleaning, environment, planning)
        watching = Watching(environment)
        self.rollout, self.look_into = watching.rollout, watching.look_into
        copies = Copies(environment)
        self.fetch, self.is_only_copied = copies.fetch, copies.is_only_copied
        self.check_copy = copies.check
        asking = Asking(environment, runs, planning)
        self.ask, self.answer = asking.ask, asking.answer
        running = Running(environment, runs, planning, asking, copies)
        self.start, self.go_on = running.start, running.go_on
        self.refuse_stale, self.place = running.refuse_stale, running.place
        working = Working(environment, runs, planning)
        self.work, self.dry_run, self.dry_run_of = (
            working.work,
            working.dry_run,
            working.dry_run_of,
        )

    @property
    def clock(self) -> Clock:
        """Time, for whoever waits for a run or says how long ago something was."""
        return self._environment.clock

    @property
    def who(self) -> str:
        """`user@host` of the operator."""
        return self._environment.who
