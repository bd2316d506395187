"""Waiting for a deploy command that outlived the runner that had started it."""

from __future__ import annotations

from mimir_migrate.durations import spoken
from mimir_migrate.engine.asking.desk import Desk
from mimir_migrate.engine.asking.hold import HeldTooLongError
from mimir_migrate.engine.effects import LeaseKeeper
from mimir_migrate.model.events import Continued, WaitStarted
from mimir_migrate.ports import Clock, Deploys, Journal

_PAUSE = 0.5
"""Seconds between two looks: the kernel answers them, the cluster is not asked."""


def wait_for_leftover(
    deploys: Deploys | None,
    *,
    journal: Journal,
    desk: Desk,
    keeper: LeaseKeeper,
    clock: Clock,
    limit: float,
) -> None:
    """Return once no deploy command of a dead runner runs any more, or the operator asked to stop.

    Until then nothing may be planned from what is observed: the command may still change it.

    Raises:
        HeldTooLongError: It ran for `limit` seconds more.
        RollbackAskedError: The rollback was asked for; it has to wait as well.
    """
    reason = deploys.left_running() if deploys is not None else ""
    if deploys is None or not reason:
        return
    journal.append(WaitStarted(step="", waiting_for=f"its end: {reason}", bound=limit))
    end = clock.now() + limit
    while deploys.left_running():
        desk.read()
        if desk.stop is not None:
            return
        if clock.now() >= end:
            raise HeldTooLongError(
                f"{reason}, and did for {spoken(limit)} more",
                hint="See what it waits for, or end it with `kill` and its children with it; then "
                "`resume` goes on, `rollback` goes back.",
            )
        keeper.renew_if_due()
        clock.sleep(_PAUSE)
    journal.append(Continued(step="", by="the deploy command ended"))
