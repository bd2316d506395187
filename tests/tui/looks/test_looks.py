"""Whatever theme and window: text can be read, nothing is cut where there is room, and the theme stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tui_story as story
import tui_world as world
from rich.color import Color
from rich.style import Style
from tui_fakes import FakeOperations
from tui_harness import (
    SMALL,
    WIDE,
    a_plan,
    app_for,
    drive,
    press,
    screen_text,
    settle,
    type_text,
    with_run,
)

from mimir_migrate.model.stores import StoreState
from mimir_migrate.screens.modals.modal import Modal
from mimir_migrate.widgets.bars import PLACES, NextLine
from mimir_migrate.widgets.reader import Reader
from mimir_migrate.widgets.row_lines import laid_out
from mimir_migrate.widgets.rows import RowList
from mimir_migrate.widgets.text import Span, line, text_of, wrap
from mimir_migrate.widgets.themes import DARK, LIGHT, THEMES

LEAST = 4.5
"""WCAG 2.1, 1.4.3: the least contrast of text and ground, level AA."""
SIZES = [(200, 50), (120, 40), SMALL, (60, 20)]


def luminance(colour: Color) -> float:
    """Relative luminance, as WCAG defines it."""
    parts = [part / 255 for part in colour.get_truecolor()]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(style: Style) -> float:
    """The contrast that a style gives its text."""
    assert style.color is not None
    assert style.bgcolor is not None
    one, other = sorted((luminance(style.color), luminance(style.bgcolor)), reverse=True)
    return (one + 0.05) / (other + 0.05)


def too_faint(app: Any) -> dict[str, float]:
    """Words on the screen whose contrast is too little; behind a dialog nothing is meant to be read."""
    box = app.screen.query_one(".box").region if isinstance(app.screen, Modal) else None
    found: dict[str, float] = {}
    for y, strip in enumerate(app.screen._compositor.render_strips()):
        x = 0
        for segment in strip:
            inside = box is None or (
                box.contains(x, y) and box.contains(x + len(segment.text) - 1, y)
            )
            x += segment.cell_length
            if segment.style is None or not inside or not any(c.isalnum() for c in segment.text):
                continue
            ratio = contrast(segment.style)
            if ratio < LEAST:
                found[segment.text.strip()] = round(ratio, 2)
    return found


@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
def test_all_text_can_be_read_in_every_theme(theme: str, tmp_path: Path) -> None:
    """At least 4.5 to 1 on every screen and dialog, cursor and disabled keys included."""
    operations = FakeOperations()
    plan = a_plan(operations)
    run = with_run(operations, story.in_mirror(plan))
    ruler = next(f.pod.name for f in operations.facts.pods if f.pod.component == "ruler")
    healthy, operations.facts = operations.facts, world.inspection(silent=(ruler,))
    file = tmp_path / "theme"
    file.write_text(theme)
    faint: dict[str, dict[str, float]] = {}

    async def script(pilot: Any, app: Any) -> None:
        assert app.theme == theme

        async def look(name: str, *keys: str) -> None:
            await press(pilot, *keys)
            if found := too_faint(app):
                faint[name] = found

        await look("start")
        await look("inspect", "2", "tab", "enter")
        operations.facts = healthy
        await look("choices", "i", "3")
        await look("plan", "p")
        await look("question", "s")
        await look("values", "escape", "5")
        app.session.run = run
        operations.facts = world.inspection(
            StoreState.MEMBERLIST_DYNAMODB, mirror=True, missing="mimir-alertmanager-0"
        )
        await look("run", "6")
        await look("stores", "equals_sign", "end", "space")
        await look("found", "l", "slash")
        await type_text(pilot, "mirror")
        await look("found kept", "enter")
        await look("hold", "escape", "h")
        await look("help", "escape", "question_mark")
        await look("palette", "escape", "ctrl+p")
        await look("report", "escape", "7")

    drive(app_for(operations, theme_file=file, in_demo=True), script, WIDE)

    assert faint == {}


def test_the_theme_is_remembered(tmp_path: Path) -> None:
    """The next sitting begins with the one that was chosen; a file of something else is not followed."""
    file = tmp_path / "state" / "theme"

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "f8")

    drive(app_for(FakeOperations(), theme_file=file), script)
    assert app_for(FakeOperations(), theme_file=file).theme == LIGHT.name
    file.write_text("solarized")
    assert app_for(FakeOperations(), theme_file=file).theme == DARK.name


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_screen_is_named_and_reached(size: tuple[int, int]) -> None:
    """By its number, which stands in the first line whole, also at 60 columns."""

    async def script(pilot: Any, app: Any) -> None:
        for number, place in enumerate(PLACES, 1):
            await press(pilot, str(number))
            assert place == app.page.PLACE
            first = screen_text(app).splitlines()[0]
            assert f"[{number} {place.capitalize()}]" in first
            assert all(
                f"{other} {name.capitalize()[:3]}" in first for other, name in enumerate(PLACES, 1)
            )
            assert all(len(text) <= size[0] for text in screen_text(app).splitlines())

    drive(app_for(FakeOperations()), script, size)


def test_nothing_is_cut_where_the_list_has_room() -> None:
    """Findings and gates are wrapped as long as all of them can be seen."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2")
        findings = app.page.query_one("#findings", RowList)
        assert "…" not in "".join(shown(findings))
        assert len(findings._lines.lines) > len(findings.shown)
        await press(pilot, "6")
        assert "…" not in "".join(shown(app.page.query_one("#gates", RowList)))

    drive(app_for(operations), script, (120, 50))


def shown(rows: RowList) -> list[str]:
    """What a list draws."""
    return ["".join(s.text for s in rows.render_line(y)) for y in range(rows.size.height)]


def test_the_cursor_goes_from_row_to_row_over_wrapped_lines() -> None:
    """Down is the next row, not the next line of this one, and a click takes the row it is on."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "tab")
        findings = app.page.query_one("#findings", RowList)
        keys = [row.key for row in findings.shown]
        await press(pilot, "home", "down")
        assert findings.key == keys[1]
        at = findings._lines.first(1)
        assert "▌" in shown(findings)[at]

    drive(app_for(operations), script, (120, 50))


def test_a_key_of_settings_is_broken_between_its_words() -> None:
    """After a sign that joins its parts, never inside one."""
    path = "mimir.structuredConfig.ingester.ring.kvstore.multi.mirror_enabled"
    lines = [text_of(part) for part in wrap(line(path), 24)]

    assert "".join(lines) == path
    assert all(text[-1] in "./,:=-_" for text in lines[:-1])


def test_words_are_found_in_the_log() -> None:
    """`/` goes to the first, n and N on and back, Escape ends it."""
    operations = FakeOperations()
    with_run(operations, story.done(a_plan(operations)), alive=False)
    said: list[str] = []

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "l", "home", "slash")
        await type_text(pilot, "helm revision")
        await press(pilot, "enter")
        log = app.page.query_one("#log", Reader)
        for key in ("n", "N"):
            said.append(app.screen.query_one(NextLine).said)
            at = log._at
            assert "helm revision" in text_of(log._lines[at])
            await press(pilot, key)
            assert log._at != at
        await press(pilot, "escape")
        assert log.filter == ""
        await settle(pilot)

    drive(app_for(operations, run=story.RUN), script, WIDE)

    assert said[0].startswith("Line 1 of 6 that hold 'helm revision'")
    assert said[1].startswith("Line 2 of 6")


@pytest.mark.parametrize(
    ("needed", "height", "given"),
    [
        ((1, 3, 1), 5, (1, 3, 1)),
        ((9, 2, 2), 6, (1, 2, 2)),
        ((2, 2, 2), 4, (2, 1, 1)),
        ((3, 3), 1, (1, 1)),
    ],
)
def test_as_few_rows_as_can_be_are_cut(
    needed: tuple[int, ...], height: int, given: tuple[int, ...]
) -> None:
    """One long row does not take the room that makes several others whole."""
    lines = laid_out(
        len(needed), height, lambda place: [(Span(str(n)),) for n in range(needed[place])]
    )
    assert tuple(lines.height(place) for place in range(len(needed))) == given
    assert len(lines.lines) <= max(height, len(needed))
