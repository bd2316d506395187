"""What a plan, or going on with a run, is refused with."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.errors import BlockedError
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.words import counted


class GoingOnBlockedError(BlockedError):
    """A finding came up since the run began that does not let it go on."""


def refuse_blocked(findings: tuple[Finding, ...]) -> None:
    """Raise what blocks, each with its evidence and what to do instead."""
    blocking = [found for found in findings if found.severity is Severity.BLOCKS]
    if blocking:
        raise BlockedError(
            f"no plan: {_listed(blocking)}",
            hint="`mimir-migrate inspect` shows them together with everything else that was found.",
        )


def refuse_going_on(findings: tuple[Finding, ...]) -> None:
    """The same for a run that began before they were found.

    Raises:
        GoingOnBlockedError: Something blocks.
    """
    if findings:
        raise GoingOnBlockedError(
            f"the run cannot go on: {_listed(findings)}",
            hint="`resume` goes on once that is done; `rollback` goes back as things are.",
        )


def refuse_blast(step: str, others: Sequence[str]) -> None:
    """Raise what a step's deploy would change besides its own, a line each."""
    if others:
        raise BlockedError(
            f"the step `{step}` would change more than the configuration, the runtime "
            "configuration and checksums:\n" + "\n".join(f"    {other}" for other in others),
            hint="Deploy the values as they are first, so that only this tool's edit is left to "
            "go out; then plan again.",
        )


def _listed(findings: Sequence[Finding]) -> str:
    lines = []
    for found in findings:
        lines.append(f"[{found.id}] {found.title}")
        lines.extend(f"    {item.source}: {item.detail}" for item in found.evidence)
        if found.fix:
            lines.append(f"    -> {found.fix}")
    return (
        f"{counted(len(findings), 'finding')} must be dealt with first; nothing was changed\n"
        + "\n".join(lines)
    )
