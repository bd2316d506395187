"""Findings as rows, what blocks first, and each to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mimir_migrate.inspection.causes import Cause
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.rows import Row, cell
from mimir_migrate.widgets.text import Line, line
from mimir_migrate.words import counted

_ORDER = {Severity.BLOCKS: 0, Severity.WARNS: 1, Severity.INFORMS: 2}


def tally(counts: Mapping[Severity, int]) -> str:
    """How many findings block, warn and inform: `none blocks, 2 warn, 1 informs`."""
    words = {
        Severity.BLOCKS: ("blocks", "block"),
        Severity.WARNS: ("warns", "warn"),
        Severity.INFORMS: ("informs", "inform"),
    }
    return ", ".join(
        counted(counts[severity], one, many) if counts[severity] else f"none {one}"
        for severity, (one, many) in words.items()
    )


def finding_rows(causes: Sequence[Cause], signs: Glyphs) -> list[Row]:
    """Findings, blockers first; below each what hangs on it."""
    rows: list[Row] = []
    for cause in sorted(causes, key=lambda cause: _ORDER[cause.finding.severity]):
        below = len(cause.hanging)
        more = f" ({counted(below, 'finding')} more because of it)" if below else ""
        rows.append(_finding_row(cause.finding, signs, more=more, folds=bool(below)))
        rows += [_finding_row(finding, signs, depth=1) for finding in cause.hanging]
    return rows


def finding_key(finding: Finding) -> str:
    """What a finding is known by from one inspection to the next."""
    return f"finding:{finding.id}:{','.join(finding.rings)}:{','.join(finding.pods)}"


def _finding_row(
    finding: Finding, signs: Glyphs, *, more: str = "", folds: bool = False, depth: int = 0
) -> Row:
    sign, style = {
        Severity.BLOCKS: (signs.bad, "bad"),
        Severity.WARNS: (signs.warn, "warn"),
        Severity.INFORMS: (signs.note, ""),
    }[finding.severity]
    word = "unknown" if finding.unknown else finding.severity.value
    return Row(
        key=finding_key(finding),
        depth=depth,
        folds=folds,
        cells=(cell(f"{sign} {word}", style), line(finding.title, (more, "dim"))),
        words=f"{finding.id} {' '.join(finding.rings)} {' '.join(finding.pods)}",
    )


def finding_lines(finding: Finding, signs: Glyphs, hanging: Sequence[Finding] = ()) -> list[Line]:
    """A finding to read: what, evidence, what to do, and what hangs on it."""
    found = [line((finding.title, "strong")), line("")]
    if finding.fix:
        found += [line(("What to do", "accent")), line(finding.fix), line("")]
    found.append(line(("Evidence", "accent")))
    for evidence in finding.evidence:
        found.append(line((f"{signs.arrow} {evidence.source}", "key")))
        found += [line(f"  {part}") for part in evidence.detail.split("\n")]
    if not finding.evidence:
        found.append(line(("none was needed", "dim")))
    found += [line(""), line(("id ", "dim"), finding.id)]
    if finding.rings:
        found.append(line(("rings ", "dim"), ", ".join(finding.rings)))
    if finding.pods:
        found.append(line(("pods ", "dim"), ", ".join(finding.pods)))
    if hanging:
        found += [line(""), line(("Not known because of it", "accent"))]
        found += [line(f"- {each.title}") for each in hanging]
    return found
