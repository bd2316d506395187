"""The demo's guided tour in plain lines, for where there is no terminal: it does what it tells."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mimir_migrate.cli.colours import width
from mimir_migrate.cli.options import narrate
from mimir_migrate.cli.sandbox.demo_cluster import DemoStage
from mimir_migrate.cli.sandbox.ending import values_words
from mimir_migrate.durations import spoken
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.scale import slower
from mimir_migrate.settings import load_target

if TYPE_CHECKING:
    from mimir_migrate.model.plan import Plan
    from mimir_migrate.operations import Operations
    from mimir_migrate.operations.requests import Wish
    from mimir_migrate.runs.status import RunStatus

FAULT = "errors-5xx"
"""Users' requests fail: what no run goes past by itself."""
_PAUSE = 0.3
"""Seconds between two looks at the run."""
_WITHIN = 900.0
"""Real seconds within which each part of the tour must have come to its end."""


def tour(folder: Path, *, json: bool) -> int:
    """Lead through inspect, choices, plan, the values' difference, a switch, a fault, and the rollback.

    Args:
        folder: The demo's folder.
        json: Whether the run's events go to stdout as lines of JSON besides.
    """
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.operations import RunOptions

    target = load_target(str(folder / "target.toml"), {})
    work, stage = operations(), DemoStage(folder)
    values = Path(target.values.files[-1])
    before = values.read_bytes()
    plan = _looking(work, folder)
    told = _Run(work, work.start(plan, options=RunOptions()), json=json)
    _say(
        "5. The run",
        "A process of its own walks the plan; on a real cluster it goes on "
        "where this terminal does not. Here the demo ends with it: Ctrl-C takes the cluster away. From a second "
        f"terminal: {stage.follow_line(told.run)}",
    )
    told.until(lambda status: status.question is not None)
    _approving(told)
    _say(
        "7. A fault",
        "The tour lets users' requests fail (`sandbox inject errors-5xx`). The gate users-fine sees it, and "
        "the run is held: it changes nothing more until somebody has looked.",
    )
    stage.inject(FAULT)
    told.until(lambda status: status.state.value == "held" and status.question is None)
    stage.inject("clear")
    _say(
        "8. Continue",
        f"The fault is over. `mimir-migrate continue {told.run}` says so to the run. What users lost by it "
        "is told to the end, as USERS FAILED: that is the tour's doing, and not the migration's.",
    )
    told.go_on()
    _say(
        "9. Rollback",
        f"`mimir-migrate rollback {told.run}` goes back from anywhere, by the same steps backwards.",
    )
    told.roll_back()
    return _ending(told, same=values.read_bytes() == before)


def _looking(work: Operations, folder: Path) -> Plan:
    """Inspect, choices, plan, and what the plan does to the values file."""
    from mimir_migrate.cli.pictures import plan_summary, print_look
    from mimir_migrate.model.stores import Store
    from mimir_migrate.plans.planner import Order

    target = load_target(str(folder / "target.toml"), {})
    _say(
        "1. Inspect, 2. choices",
        "`mimir-migrate inspect` asks every pod, Kubernetes and DynamoDB, and changes nothing. Rings first, "
        "then findings, then the roads side by side; * is the one that the tool would take.",
    )
    print_look(work.look(target, to=Store.DYNAMODB), target.scale)
    _say(
        "3. Plan",
        "`mimir-migrate plan --to dynamodb`: this cluster is healthy, so the advice is to stay. The tour "
        "moves on all the same. Each step with its gates:",
    )
    plan = work.plan(target, Order(to=Store.DYNAMODB))
    for number, step in enumerate(plan.steps, 1):
        marks = " (switches the primary store)" if step.crossing else ""
        marks += " (quick rollback ends here)" if step.closes_way_back else ""
        print(f"  {number}. {step.id}: {step.title}{marks}")
    print(f"  {plan_summary(plan)}")
    _say(
        "4. The values file",
        "What the first rollout changes in it: these lines, and no other byte. Durations in the file are "
        "the simulation's own.",
    )
    print(next((step.diff for step in plan.steps if step.diff), ""))
    return plan


def _approving(told: _Run) -> None:
    _say(
        "6. The switch asks",
        "Before a primary store changes the run asks, with the evidence above. `mimir-migrate approve` "
        "answers this question and no other; the tour does so now.",
    )
    told.approve()


def _ending(told: _Run, *, same: bool) -> int:
    state = told.work.status(told.run).state.value
    values = values_words(same=same, whole=state == "rolled-back", stays=False)
    _say(
        "10. The end",
        f"The run is {state}{'; ' if values else ''}{values}. On a cluster of yours "
        "`mimir-migrate report RUN` tells all of it again from the journal; this run goes with the demo. "
        "Begin there with `mimir-migrate init`.",
    )
    return ExitCode.DONE if same and state == "rolled-back" else ExitCode.FAILED


def _say(title: str, text: str) -> None:
    told = textwrap.fill(text, width(), break_long_words=False, break_on_hyphens=False)
    narrate(f"\n=== tour {title} ===\n{told}")


class _Run:
    """The run that the tour leads through, told as it grows."""

    def __init__(self, work: Operations, run: str, *, json: bool) -> None:
        from mimir_migrate.cli.telling import Story

        self.work, self.run = work, run
        self._story = Story(as_json=json)
        self._after = 0

    def until(self, come: Callable[[RunStatus], bool]) -> RunStatus:
        """Tell what happens until the run has come to something, or is over."""
        from mimir_migrate.errors import CommandError
        from mimir_migrate.model.events import RunState

        ended = {RunState.DONE, RunState.ROLLED_BACK, RunState.FAILED, RunState.STOPPED}
        limit = self.work.clock.now() + _WITHIN
        while self.work.clock.now() < limit:
            for recorded in self.work.events(self.run, self._after):
                self._after = recorded.seq
                self._story.tell(recorded)
            status = self.work.status(self.run)
            if come(status) or status.state in ended | {RunState.DEAD}:
                return status
            self.work.clock.sleep(_PAUSE)
        raise CommandError(
            f"the tour waited {spoken(_WITHIN)} for the run {self.run} and it did not go on",
            returncode=1,
            hint=_too_busy(self.work.status(self.run).scale.factor),
        )

    def approve(self) -> None:
        """Answer the question that stands."""
        from mimir_migrate.model.events import RequestKind
        from mimir_migrate.operations.requests import Wish

        standing = self.work.status(self.run).question
        if standing is not None:
            self._ask(Wish(kind=RequestKind.APPROVE, seen=standing.number))
        self.until(lambda status: status.question is None)

    def go_on(self) -> None:
        """End the hold, and wait until the run works again or asks for its next step."""
        from mimir_migrate.model.events import RequestKind
        from mimir_migrate.operations.requests import Wish

        hold = self.work.status(self.run).hold
        self._ask(Wish(kind=RequestKind.CONTINUE, seen=hold))
        self.until(lambda status: not status.hold or status.question is not None)

    def roll_back(self) -> None:
        """Go back, to the end."""
        from mimir_migrate.operations import RunOptions

        self.work.go_on(self.run, "rollback", RunOptions(approve_all=True))
        self.until(lambda status: status.state.value == "rolled-back")

    def _ask(self, wish: Wish) -> None:
        self.work.ask(self.run, wish)


def _too_busy(factor: float) -> str:
    speed = slower(factor)
    if speed is None:
        return "The machine may be too busy; a lower speed would not help."
    return f"The machine may be too busy: --speed {speed:g} gives everything more time."
