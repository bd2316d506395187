"""The seven screens of the journey, in its order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.screen import Screen

    from mimir_migrate.screens.session import Session


def _start(session: Session) -> Screen[Any]:
    from mimir_migrate.screens.start import StartScreen

    return StartScreen(session)


def _inspect(session: Session) -> Screen[Any]:
    from mimir_migrate.screens.inspect_page.inspect import InspectScreen

    return InspectScreen(session)


def _choices(session: Session) -> Screen[Any]:
    from mimir_migrate.screens.choices import ChoicesScreen

    return ChoicesScreen(session)


def _plan(session: Session) -> Screen[Any]:
    from mimir_migrate.screens.plan import PlanScreen

    return PlanScreen(session)


def _values(session: Session) -> Screen[Any]:
    from mimir_migrate.screens.values import ValuesScreen

    return ValuesScreen(session)


def _run(session: Session) -> Screen[Any]:
    from mimir_migrate.screens.run_page.run import RunScreen

    return RunScreen(session)


def _report(session: Session) -> Screen[Any]:
    from mimir_migrate.screens.report import ReportScreen

    return ReportScreen(session)


SCREENS: dict[str, Callable[[Session], Screen[Any]]] = {
    "start": _start,
    "inspect": _inspect,
    "choices": _choices,
    "plan": _plan,
    "values": _values,
    "run": _run,
    "report": _report,
}
"""Made when they are first gone to."""
