"""What `stop` comes to, in the words of the command and of the app, from where the run stands."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.model.events import RunState
from mimir_migrate.runs.status import RunStatus


def stop_words(status: RunStatus) -> Sequence[str]:
    """What the runner does when it is asked to stop now, a sentence each.

    Where a question or a hold stands, `engine.asking.hold.Hold.heed_stop` ends the runner before any
    answer to it; else the step under way is walked to its end.
    """
    if status.approval_for:
        step = status.approval_for
        ends = "the runner ends now, and nothing is changed."
        return (f"{step} waits for its approval and is not made: {ends}",)
    if status.state is RunState.HELD:
        where = f" at the step {status.step.id}" if status.step else ""
        return (f"The run is held{where}: the runner ends now, and nothing more is changed.",)
    if status.step is None:
        return ("No step is under way: the runner ends before the first one.",)
    return (
        f"The step {status.step.id} is finished, its changes and its gates included; then the runner ends.",
        "Where it has to wait for an approval, or is held, it ends there and changes nothing more.",
    )
