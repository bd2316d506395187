"""Every action of the app has a key, a help text, and a command that does the same."""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
import shlex
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

from mimir_migrate import screens, widgets
from mimir_migrate.app import MigrateApp
from mimir_migrate.cli.parsing.parser import build_parser
from mimir_migrate.screens.actions import ACTIONS, KEY_NAMES, Action, actions_of
from mimir_migrate.screens.choices import ChoicesScreen
from mimir_migrate.screens.inspect_page.inspect import InspectScreen
from mimir_migrate.screens.page import Page
from mimir_migrate.screens.plan import PlanScreen
from mimir_migrate.screens.report import ReportScreen
from mimir_migrate.screens.run_page.run import RunScreen
from mimir_migrate.screens.start import StartScreen
from mimir_migrate.screens.values import ValuesScreen
from mimir_migrate.widgets.bars import PLACES

SCREENS: tuple[type[Page], ...] = (
    StartScreen,
    InspectScreen,
    ChoicesScreen,
    PlanScreen,
    ValuesScreen,
    RunScreen,
    ReportScreen,
)
NOT_OURS = {"escape"}
"""`action_` methods that are no action of their own: they lead back."""


def commands() -> dict[str, argparse.ArgumentParser]:
    """The commands that the command line knows."""
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("there are no commands")


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_an_action_has_a_command_that_does_the_same(action) -> None:
    """Whoever cannot use the screen reaches everything by commands."""
    words = shlex.split(action.command.removeprefix("NO_COLOR=1 ").split("|")[0].split(">")[0])

    assert words[0] == "mimir-migrate"
    if len(words) > 1 and not words[1].startswith("-"):
        known = commands()
        assert words[1] in known
        options = {word for word in words[2:] if word.startswith("--") and word.isascii()}
        offered = set(known[words[1]]._option_string_actions)
        assert options - {"--ENTRY"} <= offered


def test_the_page_about_the_app_lists_every_key() -> None:
    """With what it does, and whether `--read-only` refuses it."""
    text = (Path(__file__).parents[2] / "docs" / "app.md").read_text()
    table = [row for row in text.splitlines() if row.startswith("| `")]

    assert table == [row_of(action) for action in ACTIONS]


def row_of(action: Action) -> str:
    """A key as docs/app.md lists it."""
    keys = " ".join(f"`{KEY_NAMES.get(key, key)}`" for key in action.key.split(","))
    where = "everywhere" if action.place == "app" else action.place.capitalize()
    refused = "; refused with `--read-only`" if action.writes else ""
    cells = [keys, where, action.help + refused, f"`{action.command}`"]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.PLACE)
def test_every_method_of_a_screen_that_is_an_action_is_listed(screen: type[Page]) -> None:
    """An action that nobody wrote down would have no command and no help."""
    own = {
        name.removeprefix("action_")
        for name, _ in inspect.getmembers(screen, inspect.isfunction)
        if name.startswith("action_")
        and any(name in vars(base) for base in screen.__mro__ if issubclass(base, Page))
    }

    assert own - NOT_OURS == {action.method for action in actions_of(screen.PLACE)}


def test_the_app_has_every_action_that_is_listed_for_it() -> None:
    """The app's own actions exist under the names that their keys call."""
    assert all(hasattr(MigrateApp, f"action_{each.method}") for each in actions_of("app"))


def test_no_two_actions_of_a_screen_share_a_key() -> None:
    """A key means one thing on a screen."""
    for place in PLACES:
        keys = [
            key
            for action in (*actions_of(place), *actions_of("app"))
            for key in action.key.split(",")
        ]

        assert sorted(keys) == sorted(set(keys)), place


def test_a_letter_means_one_thing_on_all_screens() -> None:
    """Over every binding of every screen, dialog and widget: the same letter, the same word."""
    meanings: dict[str, set[str]] = {}
    for owner in owners():
        for binding in own_bindings(owner):
            for key in binding.key.split(","):
                if len(key) == 1 or key in KEY_NAMES:
                    meanings.setdefault(key, set()).add(binding.description)

    assert {key: said for key, said in meanings.items() if len(said) > 1} == {}
    assert len(meanings) > 30


def owners() -> list[type[DOMNode]]:
    """Every class of ours that binds keys."""
    for package in (screens, widgets):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    found: list[type[DOMNode]] = []
    left = [DOMNode]
    while left:
        one = left.pop()
        left += one.__subclasses__()
        if one.__module__.startswith("mimir_migrate."):
            found.append(one)
    return found


def own_bindings(owner: type[DOMNode]) -> list[Binding]:
    """The bindings that a class adds."""
    return [each for each in vars(owner).get("BINDINGS", ()) if isinstance(each, Binding)]


def test_no_key_is_one_that_a_multiplexer_takes() -> None:
    """Ctrl+A and Ctrl+B never arrive from within screen and tmux."""
    keys = {key for action in ACTIONS for key in action.key.split(",")}

    assert not keys & {"ctrl+a", "ctrl+b", "ctrl+z"}


def test_everything_that_changes_something_outside_says_so() -> None:
    """The list of what needs a question is the list of what needs one."""
    writes = {action.id for action in ACTIONS if action.writes}

    assert writes == {
        "start.resume", "start.roll_back", "plan.start_run", "run.approve", "run.hold",
        "run.stop", "run.roll_back", "run.resume", "run.override",
    }  # fmt: skip
