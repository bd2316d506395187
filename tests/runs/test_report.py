"""The report: what came of a run first, then how, then the evidence, in four forms."""

from __future__ import annotations

import html
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from quick_world import QuickWorld

from mimir_migrate.cli import run as call
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import (
    Continued,
    Held,
    LegStarted,
    Recorded,
    RunFinished,
    RunState,
)
from mimir_migrate.runs.report import blocks_of, render
from mimir_migrate.runs.report_document import (
    Block,
    Code,
    Folded,
    Heading,
    Items,
    Lines,
    Paragraph,
    Table,
    to_html,
    to_markdown,
    to_text,
    unescaped,
)
from mimir_migrate.runs.report_summary import waited_for_people

HOSTILE = (
    "<script>alert(1)</script>",
    "</details></main><h1>done</h1>",
    "![x](http://evil.test/p.png) [go](http://evil.test)",
    "`a` | b *c* _d_ \\ &lt;",
    "```\n# owned\n```",
    "\x1b[2Jgone\u202eback",
)


@pytest.fixture(scope="module")
def finished() -> QuickWorld:
    """A run that reached its end, with an approval."""
    world = QuickWorld()
    assert world.run(world.start()) is ExitCode.DONE
    return world


def titles(blocks: tuple[Block, ...]) -> list[str]:
    return [block.text for block in blocks if isinstance(block, Heading)]


def test_what_came_of_it_stands_before_how(finished: QuickWorld) -> None:
    """Verdict, who, when, how long, files; then steps, approvals, and only then every event."""
    blocks = blocks_of("run-1", finished.journal.events())

    assert titles(blocks)[0] == "Run run-1: done"
    order = ["Steps", "Approvals", "What the run made", "What happened", "Diffs"]
    assert [one for one in titles(blocks) if one in order] == order
    text = to_text(blocks)
    head = text[: text.index("Steps\n")]
    assert "started by olga@laptop at " in head
    assert "approvals: 2, gates overridden: 0; people are named as their own machines" in head
    assert "file values.yaml: was sha256 " in head


def test_diffs_and_evidence_are_folded_and_plain_text_has_them_open(
    finished: QuickWorld,
) -> None:
    """Each step's own diff; each step's gates."""
    blocks = blocks_of("run-1", finished.journal.events())
    folded = [block for block in blocks if isinstance(block, Folded)]

    diffs = [one for one in folded if any(isinstance(inner, Lines) for inner in one.blocks)]
    assert [one.summary.partition(":")[0] for one in diffs] == ["both", "swap", "settle"]
    assert to_markdown(blocks).count("<details>") == len(folded)
    assert to_html("x", blocks).count("<details>") == len(folded)
    assert "stores-equal" in to_text(blocks)
    assert "+" in to_text(blocks)


def test_a_rollback_says_that_the_bytes_are_back_and_what_is_left() -> None:
    """And which command shows what is left."""
    world = QuickWorld()
    run = world.start()
    world.run(run)
    world.run(run, purpose="rollback")
    text = render("run-1", world.journal.events(), ".txt")

    assert "the last edit led to the bytes from before" in text
    assert "mimir-migrate clean shows what is left" in text
    assert "(rollback)" in text


def test_the_time_that_people_were_waited_for_is_told_apart() -> None:
    """A question that stood over lunch is no slow step."""
    events = [
        Held(step="a", reason="so"),
        Continued(step="a", by="ana"),
        Held(step="b", reason="so"),
        Held(step="b", reason="still"),
        RunFinished(state="held", reason="too long", exit_code=3),  # type: ignore[arg-type]
    ]
    recorded = [
        Recorded(seq=number, at=number * 10.0, event=event)
        for number, event in enumerate(events, 1)
    ]
    assert waited_for_people(recorded) == 10.0 + 20.0


def test_a_rollback_ends_what_was_waited_for() -> None:
    """The question that it leaves unanswered stands no longer; walking back is no waiting."""
    world = QuickWorld()
    plan = world.start()
    held = Recorded(seq=1, at=10.0, event=Held(step="a", reason="so"))
    begun = Recorded(seq=2, at=25.0, event=LegStarted(purpose="rollback", plan=plan))
    over = Recorded(
        seq=3, at=900.0, event=RunFinished(state=RunState.ROLLED_BACK, reason="", exit_code=0)
    )
    assert waited_for_people([held, begun, over]) == 15.0


class Tags(HTMLParser):
    """The tags and attributes of a page, and whether they close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_the_world_stays_text_in_every_form(text: str) -> None:
    """In a heading, a cell, a list, a diff, a summary and a name, whatever it holds."""
    blocks: tuple[Block, ...] = (
        Heading(text, 1),
        Paragraph((text, Code(text))),
        Items((text,)),
        Table(("a", "b"), ((text, Code(text)),)),
        Lines(text, "diff"),
        Folded(text, (Lines(text),)),
    )
    page = Tags(to_html(text, blocks))
    assert page.seen <= {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "p", "code", "ul", "li"),
        *("div", "table", "thead", "tr", "th", "tbody", "td", "pre", "span", "details", "summary"),
    }
    assert page.attributes <= {
        "lang",
        "charset",
        "name",
        "content",
        "http-equiv",
        "class",
        "scope",
    }

    made = MarkdownIt("commonmark").enable("table").render(to_markdown(blocks))
    for tag in ("<script", "<img", "<a ", "<em>", "<strong>", "<h1>done"):
        assert tag not in made, tag
    assert made.count("<h1>") == 1
    assert made.count("<td>") == 2
    assert "\x1b" not in to_markdown(blocks) + to_text(blocks) + to_html("", blocks)
    assert "\u202e" not in to_markdown(blocks) + to_text(blocks) + to_html("", blocks)


@pytest.mark.parametrize("text", HOSTILE[:4])
def test_whoever_shows_markdown_as_lines_shows_what_was_said(text: str) -> None:
    """The app has no reader of Markdown."""
    assert unescaped(to_markdown((Paragraph(text),)).strip()) == text


def test_the_page_loads_nothing_and_prints_what_is_folded(finished: QuickWorld) -> None:
    """No script, no address, colours for light and dark, and paper."""
    page = render("run-1", finished.journal.events(), ".html")

    assert "<script" not in page
    assert "src=" not in page
    assert "url(" not in page
    assert "default-src 'none'" in html.unescape(page)
    for words in ("prefers-color-scheme: dark", "@media print", "details-content"):
        assert words in page


def test_several_forms_are_written_at_once_and_a_wrong_one_before_any(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is half written because of an ending."""
    from mimir_migrate.adapters.journal.store import JournalStore

    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(tmp_path / "state"))
    world = QuickWorld()
    world.run(world.start())
    store = JournalStore(tmp_path / "state")
    with store.create("20260101-000000-aaaa") as journal:
        for recorded in world.journal.events():
            journal.append(recorded.event)
    made = [tmp_path / f"r{ending}" for ending in (".md", ".html", ".txt", ".json")]

    assert call(["report", *(word for path in made for word in ("-o", str(path)))]) == 0
    assert all(path.stat().st_size for path in made)
    assert call(["report", "-o", str(tmp_path / "x.md"), "-o", str(tmp_path / "x.pdf")]) == 2
    assert not (tmp_path / "x.md").exists()
    assert ".txt" in capsys.readouterr().err
