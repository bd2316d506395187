"""What the screens share: the services they were handed, and what was seen and chosen so far."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec

from mimir_migrate.errors import MigrateError, UsageError
from mimir_migrate.flags import FLAGS, LISTS
from mimir_migrate.model.plan import Plan, Strategy
from mimir_migrate.model.scale import Scale
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import DeployMethod, Target
from mimir_migrate.runs.places import named_by, same_release, seen_at
from mimir_migrate.widgets.bars import Where

if TYPE_CHECKING:
    from mimir_migrate.operations import Look, Operations
    from mimir_migrate.runs.status import RunStatus


class TargetFinder(Protocol):
    """Finds what can be offered for an entry of the target."""

    def offers(self, entry: str, target: Target) -> tuple[str, ...]:
        """What there is to choose from for one entry of the target.

        Args:
            entry: Its flag's name: `context`, `namespace`, `release`, `values`, …
            target: What the operator said already.

        Returns:
            What was found; empty: nothing to offer.

        Raises:
            MigrateError: The cluster or a file could not be asked.
        """


class Demo(Protocol):
    """Starts a sandbox with journals of its own, and ends it."""

    def start(self, progress: Callable[[str], None]) -> tuple[Target, Operations]:
        """Start it and wait until it answers; `progress` is told what is being done.

        Returns:
            The sandbox's target, and what can be done on it.

        Raises:
            MigrateError: It did not come up.
        """

    def end(self) -> None:
        """End it and every run in it; nothing of it is left."""

    def inject(self, fault: str) -> None:
        """Let something go wrong in it, or end every fault with `clear`.

        Raises:
            MigrateError: It does not answer.
        """

    def answers_after(self) -> float:
        """Ask its cluster something small: the seconds that it took to answer, or to be given up."""

    def follow_line(self, run: str) -> str:
        """The line that follows a run of it from another terminal."""


class LooksOnly:
    """Operations that only look: what would change something is refused, whoever asks for it."""

    REFUSED = frozenset({"start", "go_on", "ask", "forget", "work"})

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def __getattr__(self, name: str) -> Any:
        """What the operations can do, as long as it changes nothing."""
        if name in self.REFUSED:
            return self._refuse
        return getattr(self._operations, name)

    @staticmethod
    def _refuse(*_arguments: Any, **_options: Any) -> Any:
        raise UsageError(
            "the app was started with --read-only, so it changes nothing",
            hint="Start it without --read-only.",
        )


class OwnWork(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator was at before a demo, and comes back to after it."""

    target: Target
    operations: Operations
    run: str
    status: RunStatus | None


class Session:
    """One sitting at the app. Screens read it when they come to the front."""

    def __init__(
        self,
        operations: Operations,
        *,
        clock: Callable[[], float],
        target: Target | None = None,
        finder: TargetFinder | None = None,
        demo: Demo | None = None,
        in_demo: bool = False,
        read_only: bool = False,
        target_file: str = "",
        folder: Path | None = None,
        run: str = "",
    ) -> None:
        self.operations: Operations = (
            cast("Operations", LooksOnly(operations))  # each of its methods asks or refuses
            if read_only
            else operations
        )
        self.read_only = read_only
        """Whether nothing may be started, gone on with or asked of a run."""
        self.target_file = target_file
        """The file that the target is read from, as it is now; empty: none, or other entries."""
        self.target = target or Target()
        self.finder = finder
        self.demo = demo
        self.in_demo = in_demo
        """Whether everything here is on a sandbox that ends with the sitting, runs included."""
        self.typed = False
        """Whether entries of the target were typed that stand in no file."""
        self._own: OwnWork | None = None
        self.clock = clock
        self.folder = folder or Path.cwd()
        """Where exports go unless another place is named."""
        self.look: Look | None = None
        self.changed_at = 0.0
        """When the run that is followed changed something last; what was seen before that is old."""
        self.looked_after = 0.0
        """The last such change that what was seen is known to come after."""
        self.looking = False
        """Whether an inspection is under way."""
        self.to = Store.DYNAMODB
        self.goal: StoreState | None = None
        """A state on both stores in which the rings are to stay; None: on `to` only."""
        self.rings: tuple[str, ...] = ()
        """Chosen rings; empty: every ring that can be moved."""
        self.staying = False
        """Whether the choice is to stay, so that there is nothing to plan."""
        self.strategy = Strategy.AUTO
        self.plan: Plan | None = None
        self.plan_error: MigrateError | None = None
        self.walked: tuple[Plan, str] | None = None
        """The plan that a run was started with from here, and the run."""
        self.step = ""
        """The step of the plan that is being read."""
        self.run = run
        """The run that is followed; empty: none."""
        self.status: RunStatus | None = None
        self.asked = ""
        """What was asked of the runner of that run and is not in its journal yet; empty: nothing."""

    @property
    def scale(self) -> Scale:
        """How durations and costs of the target's cluster are shown."""
        return self.target.scale

    @property
    def look_is_past(self) -> bool:
        """Whether the run that is followed changed something since the cluster was inspected."""
        after = max(self.looked_after, self.look.inspection.at) if self.look else 0.0
        return self.look is not None and after < self.changed_at

    @property
    def end(self) -> StoreState:
        """The state in which the rings are to end."""
        return self.goal or StoreState.only(self.to)

    # --- target ------------------------------------------------------------------------------

    def missing(self) -> tuple[str, ...]:
        """Entries that the next thing to do cannot do without."""
        needed = ["namespace", "release", "values", "table", "aws-region"]
        if self.target.deploy.method is DeployMethod.HELM:
            needed.append("chart")
        elif self.target.deploy.method is DeployMethod.COMMAND:
            needed.append("deploy-command")
        return tuple(entry for entry in needed if not entry_of(self.target, entry))

    def missing_to_look(self) -> tuple[str, ...]:
        """Entries that an inspection cannot do without."""
        return tuple(
            entry for entry in ("namespace", "release") if not entry_of(self.target, entry)
        )

    def set_target(self, target: Target) -> None:
        """Work on another target: what was seen of the earlier one is forgotten."""
        if target == self.target:
            return
        self.target = target
        self.target_file = ""
        self.look = None
        self.changed_at = self.looked_after = 0.0
        self.forget_plan()

    def enter_demo(self, target: Target, operations: Operations) -> None:
        """Work on a demo from now on."""
        self._own = OwnWork(
            target=self.target, operations=self.operations, run=self.run, status=self.status
        )
        self.operations, self.run, self.status, self.in_demo = operations, "", None, True
        self.set_target(target)

    @property
    def own(self) -> OwnWork | None:
        """What there is to come back to when the demo is left; None: the app was opened on it."""
        return self._own

    def leave_demo(self) -> None:
        """Come back to what the operator was at."""
        own, self._own = self._own, None
        if own is not None:
            self.operations, self.run, self.status = own.operations, own.run, own.status
            self.in_demo = False
            self.set_target(own.target)

    def is_of_target(self, status: RunStatus) -> bool:
        """Whether a run is of the release that the target names."""
        seen = self.look.inspection.identity if self.look else None
        # A run of another release says nothing about the one that the target names.
        place = named_by(self.target) if seen is None else seen_at(seen)
        return bool(self.target.kubernetes.release) and same_release(seen_at(status), place)

    @property
    def walked_by(self) -> str:
        """The run that was started with the present plan; empty: none was."""
        return self.walked[1] if self.walked is not None and self.walked[0] is self.plan else ""

    def forget_plan(self) -> None:
        """A plan made for other choices is not a plan for these."""
        self.plan, self.plan_error, self.step = None, None, ""
        self.walked = None

    @property
    def active(self) -> bool:
        """Whether a runner is at work on the run that is followed, as of its last status."""
        return self.status is not None and self.status.runner_pid is not None

    def where(self, *, of_run: bool) -> Where:
        """The permanent line: of the run that is followed, or of the target."""
        status = self.status
        plain = "SIMULATION" if self.in_demo else ""
        if of_run and status is not None:
            return Where(
                read_only=self.read_only,
                run=f"{status.run} {status.state.value}",
                context=status.context,
                cluster=status.cluster,
                namespace=status.namespace,
                release=status.release,
                account=status.account,
                region=status.region,
                way_back=_rollback_words(status),
                simulation=status.scale.mark or plain,
            )
        seen = self.look.inspection.identity if self.look else None
        kubernetes = self.target.kubernetes
        here = status is not None and self.is_of_target(status)
        run = f"{status.run} {status.state.value}" if status is not None else self.run
        if status is not None and not here:
            run += f", of {status.release} on {status.cluster}"
        return Where(
            read_only=self.read_only,
            run=run,
            context=kubernetes.context or "the current one",
            cluster=seen.server if seen else "",
            namespace=kubernetes.namespace,
            release=kubernetes.release,
            account=seen.account if seen else "",
            region=(seen.region if seen else "") or self.target.aws.region,
            way_back=_rollback_words(status) if here and status is not None else "",
            simulation=self.scale.mark or plain,
        )


def _rollback_words(status: RunStatus) -> str:
    """The rollback in a few words; where it closes is said before it does."""
    if status.way_back.startswith(("under way", "over")):
        return status.way_back.partition(",")[0].partition(":")[0]
    if not status.way_back.startswith("open"):
        return "takes more than a switch"
    if status.runner_pid is not None and status.way_back_closes:
        return f"quick until {status.way_back_closes.rpartition(', ')[2]}"
    return "open"


def entry_of(target: Target, entry: str) -> str:
    """What the target says for an entry; several values are joined by commas."""
    section, key, _ = FLAGS[entry]
    value = getattr(getattr(target, section), key)
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value.value if isinstance(value, DeployMethod) else value)


def with_entry(target: Target, entry: str, value: str) -> Target:
    """The target with another value for an entry.

    Raises:
        ValueError: `deploy-method` is not one of its three.
    """
    section, key, _ = FLAGS[entry]
    given: object = value
    if entry in LISTS:
        given = tuple(part.strip() for part in value.split(",") if part.strip())
    elif entry == "deploy-method":
        given = DeployMethod(value)
    part = msgspec.structs.replace(getattr(target, section), **{key: given})
    return msgspec.structs.replace(target, **{section: part})
