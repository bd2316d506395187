"""Colour in a terminal and nowhere else, and nothing of the world's text that would steer it."""

from __future__ import annotations

import io
import sys

import pytest

from mimir_migrate.cli import colours, pictures


class Terminal(io.StringIO):
    """A stdout that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """From here on; a fixture would be undone by the capture that begins with the test."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    made = Terminal()
    monkeypatch.setattr(sys, "stdout", made)
    return made


def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Added and removed lines, verdicts, headings."""
    on_a_terminal(monkeypatch)
    assert colours.diff_line("+a") == "\x1b[32m+a\x1b[0m"
    assert colours.diff_line("-a") == "\x1b[31m-a\x1b[0m"
    assert colours.diff_line("--- values.yaml").startswith("\x1b[2m")
    assert colours.diff_line(" a") == " a"
    assert colours.verdict("BLOCKS") == "\x1b[31mBLOCKS\x1b[0m"


@pytest.mark.parametrize("name", ["NO_COLOR", "TERM"])
def test_a_terminal_that_wants_none_gets_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """NO_COLOR, and TERM=dumb."""
    on_a_terminal(monkeypatch)
    monkeypatch.setenv(name, "dumb")
    assert colours.paint("a", "bad") == "a"


def test_a_pipe_gets_none_and_a_diff_byte_for_byte(capsys: pytest.CaptureFixture[str]) -> None:
    """What a program reads is what was written."""
    colours.print_diff("-a\x0b1\n+a\x0b2\n")
    assert capsys.readouterr().out == "-a\x0b1\n+a\x0b2\n"


def test_what_would_steer_a_terminal_is_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, logs and YAML are data."""
    terminal = on_a_terminal(monkeypatch)
    assert colours.plain("a\x1b[2Jb\r\u202e") == "a\\x1b[2Jb\\x0d\\x202e"
    colours.print_diff("+a\x1b[2J\n")
    assert "\x1b[2J" not in terminal.getvalue()


def test_sentences_use_the_width_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to where lines are hard to read; elsewhere always the same."""
    on_a_terminal(monkeypatch)
    for columns, expected in (("60", 60), ("120", 120), ("400", 160), ("10", 40)):
        monkeypatch.setenv("COLUMNS", columns)
        assert colours.width() == expected
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert colours.width() == 100


def test_what_is_longer_than_the_terminal_is_wide_goes_on_under_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between words, from the column that is asked for on; a command to copy stays whole."""
    monkeypatch.setenv("COLUMNS", "40")
    text = "  4 min  gate passed: both stores hold the same members of every ring"
    terminal = Terminal()
    assert colours.folded(text, terminal, under=11).split("\n") == [
        "  4 min  gate passed: both stores hold",
        "           the same members of every",
        "           ring",
    ]
    assert colours.folded("a " * 30, terminal).split("\n")[1].startswith("  a")
    command = "    mimir-migrate status 20261122-101500-5f2a --follow"
    assert colours.folded(f"from a second terminal:\n{command}", terminal).endswith(command)
    assert colours.folded(text, io.StringIO(), under=11) == text


def test_a_report_in_a_terminal_is_read_and_elsewhere_it_is_markdown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Headings stand out, tables stand below each other, and no escape of the journal reaches it."""
    terminal = on_a_terminal(monkeypatch)
    pictures.print_report(
        "Steps\n-----\nstep    number  what\nswitch  4 of 7  Switch it\n\n    +new\n"
    )
    said = terminal.getvalue()
    assert "\x1b[1mSteps\x1b[0m" in said
    assert "switch  4 of 7  Switch it" in said
    assert "    \x1b[32m+new\x1b[0m" in said
