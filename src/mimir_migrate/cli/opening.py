"""`mimir-migrate` without a command: the app, where there is a terminal to draw on."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mimir_migrate.cli.extras import missing
from mimir_migrate.cli.found_target import found_file
from mimir_migrate.cli.guard import details_of
from mimir_migrate.cli.options import is_terminal, needs_ascii, target_from
from mimir_migrate.errors import UsageError
from mimir_migrate.flags import FLAGS
from mimir_migrate.settings import state_folder

if TYPE_CHECKING:
    from mimir_migrate.app import MigrateApp
    from mimir_migrate.model.target import Target
    from mimir_migrate.operations import Operations
    from mimir_migrate.screens.session import Demo, TargetFinder
    from mimir_migrate.screens.tour.guide import Stage


def open_app(options: argparse.Namespace) -> int:
    """Open the app, on the target file in the working folder where there is one."""
    if not is_terminal():
        raise UsageError(
            "this is not a terminal, so the app cannot be drawn",
            hint="Every action is a command too: `mimir-migrate --help` lists them.",
        )
    from mimir_migrate.cli.sandbox.demo_cluster import DemoOnRequest

    with DemoOnRequest() as demo:
        offered = None if missing("sandbox") else demo
        target = target_from(options)
        path, _ = found_file(options)
        flagged = any(getattr(options, f"target_{flag}", None) for flag in FLAGS)
        return draw(
            make_app(
                target,
                ascii_only=options.ascii,
                demo=offered,
                read_only=options.read_only,
                target_file="" if path is None or flagged else str(Path(path).absolute()),
            )
        )


def draw(app: MigrateApp) -> int:
    """Draw the app until the operator leaves it."""
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0


def make_app(
    target: Target | None,
    *,
    ascii_only: bool = False,
    demo: Demo | None = None,
    in_demo: bool = False,
    stage: Stage | None = None,
    tour: bool = False,
    read_only: bool = False,
    target_file: str = "",
    state: Path | None = None,
) -> MigrateApp:
    """Put the app together.

    Args:
        target: What is known of the target.
        ascii_only: Whether only ASCII signs are drawn; else the locale decides.
        demo: What starts a demo from within the app.
        in_demo: Whether the app itself is opened on a demo, which ends with it.
        stage: The cluster of that demo, for its tour.
        tour: Whether the tour is offered at once.
        read_only: Whether the app refuses everything that changes something.
        target_file: The file that the target was read from; empty: none.
        state: The folder where the theme is remembered; None: that of the journals.
    """
    from mimir_migrate.adapters.clock import SystemClock
    from mimir_migrate.app import MigrateApp

    return MigrateApp(
        cast("Operations", OnDemand(_operations)),  # it has the methods of what it puts together
        clock=SystemClock().now,
        target=target,
        targets=cast("TargetFinder", OnDemand(_finder)),
        demo=demo,
        in_demo=in_demo,
        stage=stage,
        tour=tour,
        read_only=read_only,
        target_file=target_file,
        theme_file=(state or state_folder()) / "theme",
        keep_details=details_of,
        ascii=ascii_only or needs_ascii(os.environ),
    )


class OnDemand:
    """A service that is put together by the thread that first asks it for something.

    The first screen is drawn before the core and its adapters are read from the disk.
    """

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: object = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The method of that name; only calling it puts the service together."""

        def ask(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                if self._made is None:
                    self._made = self._make()
            return getattr(self._made, name)(*arguments, **options)

        return ask


def _operations() -> object:
    from mimir_migrate.bootstrap import operations

    return operations()


def _finder() -> object:
    from mimir_migrate.adapters.target_finder import KubeconfigTargets

    return KubeconfigTargets()
