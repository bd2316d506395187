"""`mimir-migrate` without a command: the app, where there is a terminal to draw on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mimir_migrate.cli.options import is_terminal, target_from
from mimir_migrate.errors import UsageError

if TYPE_CHECKING:
    from mimir_migrate.model.target import Target


TARGET_FILE = "target.toml"


def open_app(options: argparse.Namespace) -> int:
    """Open the app, on the target file in the working folder where there is one."""
    if not is_terminal():
        raise UsageError(
            "this is no terminal, so the app cannot be drawn",
            hint="Every action is a command too: `mimir-migrate --help` lists them.",
        )
    if options.target is None and Path(TARGET_FILE).is_file():
        options.target = TARGET_FILE
    return show_app(target_from(options), ascii_only=options.ascii)


def show_app(target: Target | None, *, ascii_only: bool) -> int:
    """Draw the app until the operator leaves it; a demo that was started in it ends with it."""
    from mimir_migrate.adapters.target_finder import KubeconfigTargets
    from mimir_migrate.app import MigrateApp
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.cli.demo import DemoOnRequest

    with DemoOnRequest() as demo:
        app = MigrateApp(
            operations(), target=target, targets=KubeconfigTargets(), demo=demo, ascii=ascii_only
        )
        app.run()
    return app.return_code or 0
