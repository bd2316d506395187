"""`init`: look around, ask what cannot be found, and write a commented target file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from mimir_migrate.cli.colours import one_line
from mimir_migrate.cli.options import is_terminal, narrate
from mimir_migrate.errors import ExitCode, MigrateError, UsageError
from mimir_migrate.flags import FLAGS, LISTS
from mimir_migrate.settings import load_target
from mimir_migrate.words import joined, sentence

if TYPE_CHECKING:
    from mimir_migrate.model.target import Target

_SHOWN = 9
"""Offers that are listed; the rest can be typed."""
_ASKED = {
    "context": "Which context of the kubeconfig is the cluster?",
    "namespace": "Which namespace is the release in?",
    "release": "Which helm release is it?",
    "values": "Which values file is edited?",
    "terraform": "Which Terraform folder makes tables and permissions?",
    "aws-region": "Which AWS region is the ring table in?",
    "table": "What is the ring table's name?",
    "deploy-method": "How does a change reach the cluster: helm, command or external?",
    "chart": "Which chart does helm deploy?",
}
"""What is asked, in order: each answer narrows what the next one is looked for in."""

_CLOSED = frozenset({"context"})
"""Entries that cannot be anything but what is found: a kubeconfig lists all of its contexts."""
_SEEN_TO_EXIST = frozenset({"context", "namespace", "release", "values", "terraform"})
"""Entries that name something that is there already; a new table may have any name."""
_LOOKED_FOR = {
    "namespace": "namespace-of-ours",
    "values": "values-of-ours",
    "aws-region": "region-of-ours",
}
"""Entries for which a narrower question is asked than the app's picker asks."""


class Finder(Protocol):
    """Finds what can be offered for an entry of the target."""

    def offers(self, entry: str, target: Target) -> tuple[str, ...]:
        """What there is to choose from, the likeliest first."""


class Answers:
    """The entries as they become known, and what was found besides.

    Args:
        given: Flags with their values.
        finder: Looks around.
        asks: Whether somebody can be asked.
    """

    def __init__(
        self, given: Mapping[str, str | list[str] | None], finder: Finder, *, asks: bool
    ) -> None:
        self._given = {flag: value for flag, value in given.items() if value}
        self._finder = finder
        self._asks = asks
        self._told: set[str] = set()
        self.notes: dict[tuple[str, str], str] = {}

    def target(self) -> Target:
        """What is known so far."""
        return load_target(None, self._given)

    def settle(self, flag: str) -> None:
        """Find or ask one entry."""
        section, key, _ = FLAGS[flag]
        if flag in self._given:
            return
        if flag == "chart" and self._given.get("deploy-method", "helm") != "helm":
            return
        try:
            offers = self._finder.offers(_LOOKED_FOR.get(flag, flag), self.target())
        except MigrateError as error:
            offers = ()
            self._say_once(error)
            self.notes[section, key] = f"not found: {' '.join(error.message.split())}"
            if flag in _CLOSED:
                return  # there is nothing that a name could be checked against
        chosen = self._ask(flag, offers) if self._asks else self._only(offers)
        if chosen:
            self._given[flag] = [chosen] if flag in LISTS else chosen
        elif offers:
            self.notes[section, key] = "found: " + ", ".join(offers[:_SHOWN])
        elif (section, key) not in self.notes:
            self.notes[section, key] = "nothing was found"

    def _only(self, offers: Sequence[str]) -> str:
        return offers[0] if len(offers) == 1 else ""

    def _ask(self, flag: str, offers: Sequence[str]) -> str:
        self._say(f"\n{_ASKED[flag]}")
        for number, offer in enumerate(offers[:_SHOWN], 1):
            self._say(f"  {number}  {one_line(offer)}")
        if len(offers) > _SHOWN:
            self._say(f"     and {len(offers) - _SHOWN} more, which can be typed")
        what = f"Enter takes {one_line(offers[0])}; a" if offers else "A"
        self._say(f"{what} number or a name; - leaves it out.")
        doubted = ""
        while True:
            try:
                typed = input("> ").strip()
            except EOFError as error:
                raise UsageError(
                    "nothing was written: the answers ended",
                    hint="Call it again and answer, or give flags with --yes.",
                ) from error
            if typed == "-":
                return ""
            if not typed:
                return offers[0] if offers else ""
            if typed.isdigit() and 0 < int(typed) <= len(offers[:_SHOWN]):
                return offers[int(typed) - 1]
            try:
                load_target(None, {**self._given, flag: [typed] if flag in LISTS else typed})
            except MigrateError as error:
                self._say(f"{error.message}; once more:")
                continue
            if typed != doubted and (doubt := self._doubt(flag, typed, offers)):
                self._say(doubt)
                doubted = "" if flag in _CLOSED else typed
                continue
            return typed

    def _doubt(self, flag: str, typed: str, offers: Sequence[str]) -> str:
        """Why a name is not taken at once: nothing of that name is there; empty: it is, or may be new."""
        if flag not in _SEEN_TO_EXIST or typed in offers or not self._may_be_known(flag, offers):
            return ""
        if flag in {"values", "terraform"} and Path(typed).expanduser().exists():
            return ""
        there = ", ".join(one_line(offer) for offer in offers[:_SHOWN]) or "nothing"
        said = f"no {flag} is called {one_line(typed)!r}; there is: {there}"
        if flag in _CLOSED:
            return f"{said}; once more:"
        return f"{said}. The same once more takes it all the same:"

    def _may_be_known(self, flag: str, offers: Sequence[str]) -> bool:
        """Whether what is there could be looked up: a file always, the cluster's where it answered."""
        return bool(offers) or flag in {"values", "terraform"}

    def _say_once(self, error: MigrateError) -> None:
        """Say why something cannot be looked up, and not for each question again."""
        if error.message not in self._told:
            self._told.add(error.message)
            step = f"\n  -> {sentence(error.hint)}" if error.hint else ""
            self._say(error.message + step)

    def _say(self, text: str) -> None:
        narrate(text)


def init(options: argparse.Namespace) -> int:
    """Write a target file."""
    from mimir_migrate.adapters.new_files import create_new
    from mimir_migrate.adapters.target_finder import KubeconfigTargets
    from mimir_migrate.documents.target_text import target_text

    path = Path(options.output).expanduser()
    if path.exists():
        raise UsageError(
            f"{options.output} is there already, and this writes new files only",
            hint="Name another with --output FILE, or move that one away.",
        )
    given = {flag: getattr(options, f"target_{flag}", None) for flag in FLAGS}
    answers = Answers(given, KubeconfigTargets(), asks=is_terminal() and not options.yes)
    for flag in _ASKED:
        answers.settle(flag)
    target = _inside(answers.target(), path)
    text = target_text(target, folder=str(path.absolute().parent), notes=answers.notes)
    create_new(str(path), text.encode())
    load_target(str(path), {})
    inspect = "mimir-migrate inspect" + _named(path)
    missing = _missing(target)
    if missing:
        narrate(
            f"{options.output} is written, but it lacks what a plan needs: {joined(missing)}. Its comments "
            f"say why. Fill that in there, then: {inspect}"
        )
        return ExitCode.BLOCKED
    narrate(f"{options.output} is written; read it, then: {inspect}")
    return ExitCode.DONE


def _inside(target: Target, path: Path) -> Target:
    return msgspec.structs.replace(target, folder=str(path.absolute().parent))


def _named(path: Path) -> str:
    from mimir_migrate.flags import TARGET_FILE

    return "" if str(path) == TARGET_FILE else f" --target {path}"


def _missing(target: Target) -> list[str]:
    wanted = ("namespace", "release", "values", "aws-region", "table")
    return [
        f"[{section}] {key}"
        for section, key, _ in (FLAGS[flag] for flag in wanted)
        if not getattr(getattr(target, section), key)
    ]
