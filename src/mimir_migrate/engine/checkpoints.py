"""What stands before and after a step's change: soak, the operator's hold, gates, approval."""

from __future__ import annotations

from mimir_migrate.durations import format_duration
from mimir_migrate.engine.gate_wait import Checkpoint, GateWait, Judging
from mimir_migrate.engine.hold import HeldTooLongError, Holds, StopAskedError
from mimir_migrate.engine.watch import SHORTEST_PAUSE, Watch
from mimir_migrate.model.events import Continued, Held, WaitStarted


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

    def gates(self, at: Checkpoint) -> None:
        """Return once the gates were good for long enough, see `GateWait.until_passed`."""
        GateWait(
            at,
            watch=self._watch,
            judging=self._judging,
            holds=self._holds,
            operator=self._wait_out_hold,
            may_go_on=self._may_go_on,
        ).until_passed()

    def soak(self, at: Checkpoint, windows: int) -> None:
        """Watch for some windows before a change that closes the way back."""
        if windows <= 0:
            return
        seconds = windows * at.window
        self._journal.append(
            WaitStarted(
                step=at.step,
                waiting_for=f"soak of {format_duration(round(seconds, 1))} before the next change",
                bound=seconds,
            )
        )
        end = self._clock.now() + seconds
        while self._clock.now() < end:
            self._desk.read()
            self._wait_out_hold(at)
            self._watch.sample(at.step, at.window)
            self._clock.sleep(min(self._watch.pause(at.window), max(0.0, end - self._clock.now())))

    def approval(self, at: Checkpoint, why: str) -> None:
        """Wait until the operator approves the step.

        Raises:
            HeldTooLongError: Nobody came within the gate timeout.
            PlanStaleError: It was approved, and what the plan rests on is no longer so.
        """
        hold = self._holds.at(at.step)
        hold.open(
            Held(
                step=at.step,
                approval=True,
                reason=why,
                hint="`approve` goes on, `rollback` goes back.",
            )
        )
        while True:
            self._desk.read()
            for request in self._desk.approved:
                if request.step in {"", at.step}:
                    self._desk.approved.remove(request)
                    self._may_go_on(at)
                    hold.end(
                        Continued(
                            step=at.step,
                            by=request.by,
                            reason=request.reason,
                            answers=self._desk.answered(request),
                        )
                    )
                    return
            try:
                hold.last(why)
            except HeldTooLongError as error:
                raise HeldTooLongError(
                    f"no approval for the step {at.step} within "
                    f"{format_duration(round(self._holds.limit))}",
                    hint="`resume` waits again, `rollback` goes back.",
                ) from error
            self._rest(at)

    def _wait_out_hold(self, at: Checkpoint) -> None:
        """Where the operator asked to hold, wait until somebody says `continue`."""
        request = self._desk.hold
        if request is None:
            return
        hold = self._holds.at(at.step)
        hold.open(
            Held(
                step=at.step,
                reason=f"{request.by} asked to hold"
                + (f": {request.reason}" if request.reason else ""),
                hint="`continue` goes on, `rollback` goes back.",
                answers=self._desk.answered(request),
            )
        )
        while self._desk.hold is not None:
            if self._desk.stop:
                raise StopAskedError
            self._rest(at)
            self._desk.read()
        self._may_go_on(at)
        hold.close(self._desk.go_on.by if self._desk.go_on else "")

    def _may_go_on(self, at: Checkpoint) -> None:
        """Whether somebody's word is enough; after a change the gates go on being judged anyway."""
        if at.when == "before":
            self._watch.refuse_changed(at.step, self._watch.look(at.step))

    def _rest(self, at: Checkpoint) -> None:
        """Pass the time while somebody is waited for."""
        self._watch.attend(at.step, at.window)
        self._clock.sleep(SHORTEST_PAUSE)
