"""What stands before and after a step's change: soak, the operator's hold, gates, the question."""

from __future__ import annotations

from mimir_migrate.durations import spoken
from mimir_migrate.engine.asking.hold import DEFAULT_HOLD, HoldAskedError, Holds
from mimir_migrate.engine.asking.question import Questions, Subject
from mimir_migrate.engine.gate_wait import Checkpoint, GateWait, Judging
from mimir_migrate.engine.watch import SHORTEST_PAUSE, Watch
from mimir_migrate.model.events import Held, WaitStarted


class Checkpoints:
    """Walks a run through its checkpoints.

    Args:
        watch: What looks at the cluster.
        holds: What holds the run.
    """

    def __init__(self, watch: Watch, holds: Holds) -> None:
        self._watch = watch
        self._holds = holds
        self._desk = holds.desk
        self._clock = holds.clock
        self._journal = holds.journal
        self._judging = Judging(watch, holds)
        self._questions = Questions(watch, self._judging, holds, self._may_go_on)

    def begin_leg(self) -> None:
        """What was overridden and asked in an earlier leg is over."""
        self._judging.begin_leg()
        self._questions.begin_leg()
        self._desk.at_step("")

    def gates(self, at: Checkpoint) -> None:
        """Return once the gates were good for long enough, see `GateWait.until_passed`."""
        GateWait(
            at,
            watch=self._watch,
            judging=self._judging,
            holds=self._holds,
            operator=self.wait_out_hold,
            may_go_on=self._may_go_on,
        ).until_passed()

    def soak(self, at: Checkpoint, windows: int) -> None:
        """Watch for some windows before a change that closes the rollback."""
        if windows <= 0:
            return
        seconds = windows * at.window
        self._journal.append(
            WaitStarted(
                step=at.step,
                waiting_for=f"soak of {at.scale.words(seconds)} before the next change",
                bound=seconds,
            )
        )
        end = self._clock.now() + seconds
        while self._clock.now() < end:
            self._desk.read()
            self.wait_out_hold(at)
            self._watch.sample(at.step, at.window)
            self._clock.sleep(min(self._watch.pause(at.window), max(0.0, end - self._clock.now())))

    def before(self, at: Checkpoint, about: Subject | None) -> None:
        """Return once a step's change may be made: its gates passed and its question was answered.

        `about` is the question; None: the step does not ask.

        Raises:
            HeldTooLongError: Nobody came in time.
            PlanStaleError: The operator went on, and what the plan rests on is no longer so.
            StopAskedError: The run was held and the operator asked to stop.
        """
        while True:
            self.gates(at)
            if about is None or self._questions.ask(at, about):
                return

    def refuse_asked_hold(self) -> None:
        """Right before a change: whatever the operator asked for comes first.

        Raises:
            HoldAskedError: To hold.
            RollbackAskedError: To roll back.
        """
        self._desk.read()
        if self._desk.hold is not None:
            raise HoldAskedError

    def wait_out_hold(self, at: Checkpoint) -> None:
        """Where the operator asked to hold, wait until somebody says `continue`.

        Raises:
            HeldTooLongError: Nobody did for as long as the hold lasts.
            StopAskedError: The operator asked to stop.
        """
        request = self._desk.hold
        if request is None:
            return
        limit = request.seconds or DEFAULT_HOLD
        why = f"{request.by} asked to hold" + (f": {request.reason}" if request.reason else "")
        hold = self._holds.at(at.step)
        self._desk.hold = None
        hold.open(
            Held(
                step=at.step,
                reason=why,
                hint="`continue` goes on, `rollback` goes back. After "
                f"{spoken(limit)} the runner ends, and `resume` goes on.",
                limit=limit,
                answers=self._desk.answered(request),
            )
        )
        while self._desk.go_on is None:
            hold.last(why)
            self._watch.attend(at.step, at.window)
            self._clock.sleep(SHORTEST_PAUSE)
            self._desk.read()
            self._desk.drop_hold("the run is held already")
        hold.heed_stop()
        self._may_go_on(at)
        hold.close(self._desk.go_on.by)

    def _may_go_on(self, at: Checkpoint) -> None:
        """Whether somebody's word is enough; after a change the gates go on being judged anyway."""
        if at.when != "after":
            self._watch.refuse_changed(at.step, self._watch.look(at.step))
