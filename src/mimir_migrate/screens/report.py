"""Report: what was done, by whom, on what evidence."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from mimir_migrate.errors import MigrateError
from mimir_migrate.runs.report_document import unescaped
from mimir_migrate.screens.actions import bindings_of
from mimir_migrate.screens.page import Page
from mimir_migrate.screens.plan_views import diff_line
from mimir_migrate.screens.run_page import run_questions as questions
from mimir_migrate.widgets.bars import Heading, WhereLine
from mimir_migrate.widgets.glyphs import glyphs_of
from mimir_migrate.widgets.reader import Reader
from mimir_migrate.widgets.text import LastCell, Line, Span, cells, line, plain

if TYPE_CHECKING:
    from mimir_migrate.runs.status import RunStatus

WIDEST = 28
"""Cells that a column takes at most."""
_CODE = re.compile(r"(?<!\\)`")
"""What marks a name in Markdown, and not a backtick of a text from the world."""


class ReportScreen(Page):
    """The report of a run, from its journal only."""

    PLACE = "report"
    OF_RUN = True
    CSS_PATH: ClassVar[list[str | PurePath]] = ["page.tcss", "report.tcss"]
    AUTO_FOCUS = "#report"
    HELP = """\
**Report.** What was done, by whom, how long it took, and the evidence at each gate, from the
journal only. `x` exports it as Markdown, JSON or HTML, `w` makes a text to paste into a chat, `o`
opens another run.
"""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("report")]

    def body(self) -> ComposeResult:
        yield Heading("Report", id="title")
        yield Reader(id="report")

    # --- drawing -----------------------------------------------------------------------------

    def refresh_page(self) -> None:
        session = self.session
        if not session.run:
            self.query_one("#title", Heading).say("Report")
            self.query_one(Reader).show([line("No run is chosen.")])
            self.say("o opens another run; a run begins at 4 Plan.", "warn")
            questions.follow_newest(self, unfinished=False)
            return
        self.in_background("report", lambda: self._make(session.run), self._made, self._failed)

    def _make(self, run: str) -> tuple[str, RunStatus, str]:
        from mimir_migrate.runs import report

        operations = self.session.operations
        status = operations.status(run)
        return run, status, report.to_markdown(run, operations.events(run), status)

    def _made(self, made: tuple[str, RunStatus, str]) -> None:
        run, status, text = made
        if run != self.session.run:
            return
        self.session.status = status
        self.query_one(WhereLine).say(self.session.where(of_run=True))
        self.query_one("#title", Heading).say(f"Report of the run {run}: {status.state.value}")
        self.query_one(Reader).show(
            list(markdown_lines(text.replace("…", glyphs_of(self).ellipsis))), subject=run
        )
        self.say("x exports it, w makes a text for a chat, C copies what is shown.")
        self.refresh_bindings()

    def _failed(self, error: MigrateError) -> None:
        self.query_one(Reader).show([line((error.message, "bad")), line(error.hint)])

    # --- doing -------------------------------------------------------------------------------

    def impossible(self, action: str) -> str:
        if action in {"export", "hand_over"} and self.session.status is None:
            return "No run is chosen: o opens one."
        return ""

    def action_export(self) -> None:
        from mimir_migrate.runs import report
        from mimir_migrate.screens.modals.export import ask_export

        run, operations = self.session.run, self.session.operations

        def writer(ending: str) -> Callable[[], bytes]:
            return lambda: report.render(
                run, operations.events(run), ending, status=operations.status(run)
            ).encode()

        if run:
            forms = (
                (".md", "Markdown"),
                (".html", "one page"),
                (".txt", "plain text"),
                (".json", "every event"),
            )
            ask_export(
                self,
                f"report-{run}",
                {ending: (says, writer(ending)) for ending, says in forms},
                what="the report",
            )

    def action_hand_over(self) -> None:
        questions.show_hand_over(self)

    def action_pick(self) -> None:
        questions.pick_run(self)


def markdown_lines(text: str) -> Iterator[Line]:
    """Markdown with its headings, tables and code told apart; nothing in it is interpreted."""
    fenced = ""
    table: list[list[str]] = []
    for raw in [*(_unfolded(each) for each in text.splitlines()), ""]:
        if raw.startswith("|") and not fenced:
            if not _is_rule(raw):
                table.append(_cells(raw))
            continue
        yield from _table(table)
        table = []
        if raw.startswith("```"):
            fenced = "" if fenced else raw[3:] or "text"
            continue
        if fenced == "diff":
            yield diff_line(raw)
        elif fenced:
            yield line(f"  {raw}")
        elif raw.startswith("#"):
            yield line((unescaped(raw.lstrip("# ")), "accent"))
        else:
            yield line(unescaped(_CODE.sub("", raw)))


def _cells(raw: str) -> list[str]:
    """The cells of a table's row."""
    found = re.split(r"(?<!\\)\|", raw.removeprefix("|").removesuffix("|"))
    return [unescaped(_CODE.sub("", part.strip())) for part in found]


def _table(rows: list[list[str]]) -> Iterator[Line]:
    """A table with its head, columns below each other; a long cell moves what is right of it."""
    if not rows:
        return
    widths = [
        min(WIDEST, max(cells(row[column]) for row in rows if column < len(row)))
        for column in range(len(rows[0]))
    ]
    for number, row in enumerate(rows):
        padded = [
            part + " " * max(0, width - cells(part))
            for part, width in zip(row[:-1], widths, strict=False)
        ]
        before = [Span(f"{plain(part)}  ", "" if number else "dim") for part in padded]
        if number and before:
            before[0] = Span(before[0].text, "strong")
        yield (*before, LastCell(plain(row[-1]).rstrip(), "" if number else "dim"))


def _unfolded(text: str) -> str:
    """A line of what is folded elsewhere: here it stands open, under its summary."""
    if found := re.fullmatch(r"<details><summary>(.*)</summary>", text):
        return f"## {html.unescape(found[1])}"
    return "" if text == "</details>" else text


def _is_rule(text: str) -> bool:
    """Whether it is the line below a table's header."""
    return text.startswith("|") and set(text) <= set("|-: ")
