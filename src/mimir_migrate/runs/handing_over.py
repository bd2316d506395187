"""Where a run stands, in words to hand on: one line for a prompt, a text for a chat."""

from __future__ import annotations

from mimir_migrate.model.plan import change_words
from mimir_migrate.runs.status import RunStatus
from mimir_migrate.runs.story import evidence_lines
from mimir_migrate.words import joined


def brief(status: RunStatus) -> str:
    """One line for a prompt or a chat: where, what it waits for, the rollback."""
    place = status.step.words if status.step else "start"
    words = [f"{status.run} {status.state.value}: {status.release} {status.led}, {place}"]
    if status.waiting_for:
        words.append(("STALLED, " if status.stalled else "") + status.waits)
    if status.reason:
        words.append(status.reason.splitlines()[0])
    words += status.users_lost[-1:]
    words.append(f"rollback {status.way_back}")
    return "; ".join(words)


def hand_over(status: RunStatus) -> str:
    """A text to paste into a chat: where the run stands and what the next person decides."""
    subject = (
        f"mimir-migrate {status.run}: {joined(status.rings)} of {status.release} "
        f"({status.namespace} on {status.cluster}) {status.led}"
    )
    lines = [
        subject,
        f"state: {status.state.value}"
        + (f", {status.step.words}: {status.step.title}" if status.step else ""),
    ]
    if status.waiting_for:
        lines.append(status.waits)
    if status.reason:
        lines.append(f"ended: {status.reason}")
    lines += [f"changed: {change_words(change, short=True)}" for change in status.changed]
    if status.question is not None:
        lines += evidence_lines(status.question.asked, status.question.asked.seen_at, status.scale)
    lines += [f"users failed: {failed}" for failed in status.users_lost]
    lines.append(f"rollback {status.way_back}")
    lines += [f"rollback {more}" for more in status.rollback_lines]
    lines.append(f"next: {status.hint or 'nothing to decide now'}")
    return "\n".join(lines)
