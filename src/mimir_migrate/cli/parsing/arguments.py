"""argparse with errors in two lines, commands in groups, defaults in the help, and "did you mean"."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from mimir_migrate.errors import UsageError

Subparsers = argparse._SubParsersAction  # noqa: SLF001 - argparse gives the type no public name


EXAMPLES = "examples:"


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
        raise UsageError(
            self._named() + message, hint=f"`{self.prog} --help` says how it is used."
        )

    def parse_all(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse a whole command line.

        Raises:
            UsageError: It cannot be understood; with what was meant, where that can be told.
        """
        options, unknown = self.parse_known_args(list(arguments))
        if unknown:
            chosen: Parser = getattr(options, "parser", self)
            named = next((one for one in unknown if one.startswith("-")), unknown[0])
            known = [one for one in chosen.option_names() if one.startswith("--")]
            close = get_close_matches(named.partition("=")[0], known, n=1)
            raise UsageError(
                chosen._named() + f"unrecognized arguments: {' '.join(unknown)}",
                hint=(f"Did you mean {close[0]}? " if close else "")
                + f"`{chosen.prog} --help` lists what there is.",
            )
        return options

    def option_names(self) -> tuple[str, ...]:
        """Every option that it takes."""
        return tuple(self._option_string_actions)

    def format_help(self) -> str:
        """The help; commands stand under their headings."""
        if not self.command_groups:
            return super().format_help()
        commands = next(one for one in self._actions if isinstance(one, Subparsers))
        texts = {one.dest: one.help or "" for one in commands._choices_actions}  # noqa: SLF001 - argparse has no public way to it
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        for heading, names in self.command_groups.items():
            formatter.start_section(heading)
            formatter.add_arguments(
                [argparse.Action([], name, metavar=name, help=texts[name]) for name in names]
            )
            formatter.end_section()
        for group in self._action_groups:
            shown = [one for one in group._group_actions if one is not commands]  # noqa: SLF001 - argparse has no public way to it
            formatter.start_section(group.title)
            formatter.add_text(group.description)
            formatter.add_arguments(shown)
            formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()

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


def meant(given: str, allowed: Sequence[str]) -> str:
    """Which of the allowed words was meant, and which there are."""
    close = get_close_matches(given, allowed, n=1)
    said = f"Did you mean {close[0]}? " if close else ""
    return said + "There are: " + ", ".join(allowed) + "."


def examples(*lines: str) -> str:
    """Calls of a command as they are typed, for the end of its help."""
    return f"{EXAMPLES}\n" + "\n".join(f"  {line}" for line in lines)
