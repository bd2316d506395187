"""argparse with errors in two lines, commands in groups, defaults in the help, and "did you mean"."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from mimir_migrate.errors import UsageError
from mimir_migrate.words import meant

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse gives the type no public name


EXAMPLES = "examples:"
HIDDEN = argparse.SUPPRESS
_FEW_OPTIONS = 6
"""Options that a usage can list and still be read."""
_WIDEST_NAMES = 40
"""Columns that headings and names of commands may take."""
_ANY_WIDTH = 1_000
_NARROWEST = 40
_FILES = {(".toml",): "--target", (".yaml", ".yml"): "--values"}
"""Endings of files, and the flag that such a file is named with."""


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Texts as they are written, and each option's default behind its help."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Sentences are wrapped; examples stay as they are typed."""
        if text.startswith(EXAMPLES):
            return super()._fill_text(text, width, indent)
        return super(argparse.RawDescriptionHelpFormatter, self)._fill_text(text, width, indent)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help or ""
        default = action.default
        if (
            default in (None, False, "", argparse.SUPPRESS)
            or isinstance(default, list)
            or "default" in text
            or not action.option_strings
        ):
            return text
        return f"{text} (default: %(default)s)"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are `UsageError`s with what was meant.

    Args:
        groups: Headings with the commands below each, for a parser that has commands.
    """

    def __init__(
        self, *args: Any, groups: Mapping[str, Sequence[str]] | None = None, **options: Any
    ) -> None:
        options.setdefault("formatter_class", Formatter)
        options.setdefault("allow_abbrev", False)
        super().__init__(*args, **options)
        self.command_groups = groups or {}
        self._given: list[str] = []
        if "--help" in self._option_string_actions:
            self._option_string_actions["--help"].help = "this help"

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with a call.

        Raises:
            UsageError: Always.
        """
        invalid = re.match(
            r"(?:argument (.+?): )?invalid choice: '?(.*?)'? \(choose from", message
        )
        if invalid:
            what, given = invalid[1] or "", invalid[2]
            raise UsageError(
                self._named() + f"invalid choice: {given!r}" + (f" for {what}" if what else ""),
                hint=meant(given, self._allowed(what)),
            )
        stray = next((word for word in self._given[:1] if not word.startswith("-")), "")
        if stray and self._takes_no_words():
            raise self._unknown([stray])
        raise UsageError(
            self._named() + message,
            hint=(self._example() if "required" in message else "") + self._how(),
        )

    def parse_known_args(  # type: ignore[override] # argparse declares it several times over
        self, args: Any = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse what is known, and keep the words for what is said of a mistake."""
        self._given = list(args or ())
        parsed: tuple[argparse.Namespace, list[str]] = super().parse_known_args(args, namespace)
        return parsed

    def parse_all(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse a whole command line.

        Raises:
            UsageError: It cannot be understood; with what was meant, where that can be told.
        """
        options, unknown = self.parse_known_args(list(arguments))
        if unknown:
            chosen: Parser = getattr(options, "parser", self)
            raise chosen._unknown(unknown)
        return options

    def _unknown(self, words: Sequence[str]) -> UsageError:
        """What is said of words that the command does not take."""
        named = next((one for one in words if one.startswith("-")), words[0])
        close = named.startswith("-") and get_close_matches(
            named.partition("=")[0],
            [one for one in self.option_names() if one.startswith("--")],
            n=1,
        )
        if close:
            hint = f"Did you mean {close[0]}? "
        else:
            hint = "" if named.startswith("-") else self._where(named)
        return UsageError(
            self._named() + f"unrecognized arguments: {' '.join(words)}",
            hint=hint + f"`{self.prog} --help` lists what there is.",
        )

    def _where(self, word: str) -> str:
        """What to do with a word that the command does not take, as it seems to be a file."""
        own = self.prog.rpartition(" ")[2]
        none = f"`{own}` takes no file without a flag. " if self._takes_no_words() else ""
        names = self.option_names()
        for endings, flag in _FILES.items():
            if word.endswith(endings) and flag in names:
                return f"{none}Is it {flag} {word}? "
        if word.endswith(".json") and "--target" in names and Path(word).is_file():
            return f"{none}`mimir-migrate apply {word}` runs a plan. "
        if none and "--rings" in names and not {".", "/"} & set(word):
            return f"`{own}` takes no word without a flag. Is it --rings {word}? "
        files = [flag for flag in _FILES.values() if flag in names]
        return none + (f"Files are named with {' and '.join(files)}. " if none and files else "")

    def _takes_no_words(self) -> bool:
        """Whether every argument of it is an option."""
        return all(one.option_strings for one in self._actions)

    def _example(self) -> str:
        """The first example of the help, as a sentence; empty: it has none."""
        lines = (self.epilog or "").splitlines()
        return f"For example `{lines[1].strip()}`. " if lines[:1] == [EXAMPLES] else ""

    def _how(self) -> str:
        return f"`{self.prog} --help` says how it is used."

    def option_names(self) -> tuple[str, ...]:
        """Every option that it takes."""
        return tuple(self._option_string_actions)

    def format_help(self) -> str:
        """The help; commands stand beside their headings, and a usage of many options is cut short."""
        self.usage = self.usage or self._short_usage()
        if not self.command_groups:
            return super().format_help()
        commands = next(one for one in self._actions if isinstance(one, Subparsers))
        texts = {one.dest: one.help or "" for one in commands._choices_actions}  # noqa: SLF001 - argparse has no public way to it
        formatter = Formatter(prog=self.prog, max_help_position=_WIDEST_NAMES)
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        formatter.start_section(None)
        column = max(map(len, self.command_groups)) + 2
        for heading, names in self.command_groups.items():
            for name in names:
                said = f"{heading if name == names[0] else '':{column}}{name}"
                formatter.add_argument(argparse.Action([], name, metavar=said, help=texts[name]))
        formatter.end_section()
        formatter.start_section(None)
        for group in self._action_groups:
            formatter.add_arguments([one for one in group._group_actions if one is not commands])  # noqa: SLF001 - argparse has no public way to it
        formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()

    def _short_usage(self) -> str | None:
        """The usage with only what cannot be left out, where it has many options; None: it has few.

        What has to be given stands before `[options]`: behind it, it would read as one of those.
        """
        options = [one for one in self._actions if one.option_strings and one.help != HIDDEN]
        if len(options) <= _FEW_OPTIONS:
            return None
        groups = [one for one in self._mutually_exclusive_groups if one.required]
        needed = [each for group in groups for each in group._group_actions]  # noqa: SLF001 - argparse has no public way to it
        asked = [one for one in options if one.required or one in needed]
        words = [one for one in self._actions if not one.option_strings]
        said = f"{self._usage_of(asked, groups)} [options]{self._usage_of(words, ())}"
        columns = max(_NARROWEST, shutil.get_terminal_size().columns - len("usage: ") - 2)
        lines = textwrap.wrap(
            f"{self.prog}{said}", columns, break_long_words=False, break_on_hyphens=False
        )
        return ("\n" + " " * len("usage: ")).join(lines).replace("%", "%%")

    def _usage_of(self, actions: Sequence[argparse.Action], groups: Iterable[Any]) -> str:
        """Some of the arguments as a usage has them, behind a space each; empty: there are none."""
        if not actions:
            return ""
        formatter = Formatter(prog=self.prog, width=_ANY_WIDTH)
        formatter.add_usage(None, actions, groups, prefix="")
        return formatter.format_help().strip().removeprefix(self.prog)

    def _named(self) -> str:
        """The command's own name before a message about it; the program's stands there already."""
        own = self.prog.partition(" ")[2]
        return f"{own}: " if own else ""

    def _allowed(self, what: str) -> list[str]:
        names: Iterable[Any] = ()
        for action in self._actions:
            if action.choices is not None and what in {
                "/".join(action.option_strings),
                str(action.metavar),
                action.dest,
                "",
            }:
                names = action.choices
        return [str(name) for name in names if not str(name).startswith("_")]


def examples(*lines: str) -> str:
    """Calls of a command as they are typed, for the end of its help."""
    return f"{EXAMPLES}\n" + "\n".join(f"  {line}" for line in lines)
