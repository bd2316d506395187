"""The help: every command in its group, every option described, and what was meant by a typing mistake."""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mimir_migrate.cli.parsing.arguments import Parser, Subparsers
from mimir_migrate.cli.parsing.examples import EXAMPLES
from mimir_migrate.cli.parsing.parser import GROUPS, build_parser


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of its commands, the hidden ones left out."""
    yield parser
    for action in parser._actions:
        if isinstance(action, Subparsers):
            for name, below in action.choices.items():
                if not name.startswith("_"):
                    yield from parsers(below)


ALL = {parser.prog: parser for parser in parsers(build_parser())}


def test_every_command_stands_in_one_group() -> None:
    """The help lists them all, once."""
    grouped = [name for names in GROUPS.values() for name in names]
    commands = next(one for one in ALL["mimir-migrate"]._actions if isinstance(one, Subparsers))

    assert sorted(grouped) == sorted(name for name in commands.choices if not name.startswith("_"))
    assert "_work" not in ALL["mimir-migrate"].format_help()


@pytest.mark.parametrize("prog", ALL)
def test_every_argument_has_help(prog: str) -> None:
    """Options with a default show it."""
    for action in ALL[prog]._actions:
        if isinstance(action, Subparsers):
            continue
        assert action.help, action
    text = ALL[prog].format_help()
    assert "None" not in text
    assert "==SUPPRESS==" not in text


def test_defaults_are_shown() -> None:
    """What counts when an option is left out."""
    assert "(default: 30m)" in " ".join(ALL["mimir-migrate apply"].format_help().split())
    assert "(default: all)" in ALL["mimir-migrate plan"].format_help()


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"sandbox"}))
def test_the_examples_can_be_typed(name: str) -> None:
    """Each example is a call that the parser understands."""
    for line in EXAMPLES[name]:
        words = shlex.split(line.partition(" > ")[0])
        assert words[0] == "mimir-migrate"
        build_parser().parse_all(words[1:])


MEANT = {
    "a command": (["inspct"], "Did you mean inspect?"),
    "an option": (["plan", "--to", "dynamodb", "--outptu", "x"], "Did you mean --output?"),
    "a value": (["plan", "--to", "dynamdb"], "Did you mean dynamodb?"),
    "a command of the sandbox": (["sandbox", "statsu"], "Did you mean status?"),
    "a shell": (["completion", "bsh"], "Did you mean bash?"),
    "a ring": (["inspect", "--rings", "rulr"], "Did you mean ruler?"),
    "a ring of a file that is not there": (
        ["edit", "no.yaml", "--to", "memberlist", "--rings", "rulr"],
        "Did you mean ruler?",
    ),
    "a ring of a demo": (
        ["demo", "--headless", "--product", "cortex", "--rings", "querir"],
        "Did you mean ",
    ),
    "a gate": (["override", "usersfine", "--reason", "x"], "Did you mean users-fine?"),
    "a gate of a plan": (
        ["apply", "p", "--override", "ringhealthy", "--reason", "x"],
        "Did you mean ring-healthy?",
    ),
    "an edit without a wish": (["edit", "no.yaml"], "For example `mimir-migrate edit values.yaml"),
}


@pytest.mark.parametrize("case", MEANT)
def test_a_typing_mistake_is_told_in_two_lines_with_what_was_meant(cli, case: str) -> None:
    """Exit 2; what was found, then what to do; hidden commands are not named."""
    arguments, meant = MEANT[case]
    answer = cli(*arguments, code=2)

    first, second = answer.err.splitlines()
    assert first.startswith("mimir-migrate: ")
    assert second.startswith("  -> ")
    assert meant in second
    assert "_work" not in answer.err


def test_the_general_help_fits_a_terminal_of_forty_lines(cli) -> None:
    """With the call and the next prompt, at 120 columns; every command and exit code is in it."""
    text = cli("--help", code=0, COLUMNS="120").out

    assert len(text.splitlines()) <= 38
    assert max(map(len, text.splitlines())) <= 120
    for name in (name for names in GROUPS.values() for name in names):
        assert f" {name} " in text
    assert "2 wrong use" in text


@pytest.mark.parametrize("prog", ALL)
def test_a_usage_of_many_options_names_only_what_is_needed(prog: str) -> None:
    """More than six options are listed below it, each with its help; what is required stands before them."""
    parser = ALL[prog]
    text = parser.format_help()
    usage = text.partition("\n\n")[0]
    options = [one for one in parser._actions if one.option_strings]

    assert len(usage.splitlines()) <= 4
    if len(options) <= 6 or prog == "mimir-migrate":
        return
    required, _, words = usage.removeprefix(f"usage: {prog}").partition(" [options]")
    assert " [options]" in usage
    assert "--" not in words
    assert required == "" or required.startswith((" --", " ("))
    for one in options:
        assert one.option_strings[-1] in text
    if prog.endswith((" init", " plan")):
        assert "--kubeconfig" not in usage
    for one in parser._actions:
        if one.required:
            assert (one.option_strings or [str(one.metavar)])[-1] in usage


def test_an_option_is_not_guessed_from_its_beginning() -> None:
    """What a script says today must not mean another option tomorrow."""
    parser = Parser(prog="x")
    parser.add_argument("--takeover", action="store_true", help="x")
    with pytest.raises(Exception, match="unrecognized arguments: --take"):
        parser.parse_all(["--take"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_ones_that_the_shell_reads(cli, tmp_path: Path, shell: str) -> None:
    """The script names the commands; where the shell is installed it finds nothing wrong with it."""
    script = tmp_path / "completion"
    script.write_text(cli("completion", shell, code=0).out)

    assert "inspect" in script.read_text()
    assert "_work" not in script.read_text()
    if shutil.which(shell):
        subprocess.run([shell, "-n", str(script)], check=True, capture_output=True)
