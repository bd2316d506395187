"""Where to write an export, and in which form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mimir_migrate.errors import MigrateError, UsageError
from mimir_migrate.screens.modals.pick import PickModal
from mimir_migrate.screens.page import Page


def ask_export(
    page: Page,
    name: str,
    writers: Mapping[str, tuple[str, Callable[[], bytes]]],
    *,
    what: str,
) -> None:
    """Ask for a file and write it; its ending names the form.

    Args:
        page: The screen that asks.
        name: The file's name without its ending.
        writers: For each ending what the form is, and what makes it.
        what: What is exported, for the title.
    """
    folder = page.session.folder
    offers = [(str(folder / f"{name}{ending}"), says) for ending, (says, _) in writers.items()]

    def answered(path: str | None) -> None:
        if path:
            page.in_background("export", lambda: write(Path(path).expanduser(), writers), done)

    def done(path: Path) -> None:
        page.app.notify(f"Written: {path}", markup=False)

    page.app.push_screen(
        PickModal(
            f"Export {what}: the ending says in which form",
            value=offers[0][0],
            offers=offers,
            # Side by side the folder tells nothing, and its length would cut what differs.
            names={path: Path(path).name for path, _ in offers},
            note=", ".join(f"{ending} {says}" for ending, (says, _) in writers.items()),
        ),
        answered,
    )


def write(path: Path, writers: Mapping[str, tuple[str, Callable[[], bytes]]]) -> Path:
    """Write the form that the path's ending names, whole or not at all.

    Raises:
        MigrateError: The ending names no form, or the file cannot be written.
    """
    found = writers.get(path.suffix)
    if found is None:
        raise UsageError(
            f"nothing is written to {path}: its ending names no form",
            hint=f"Use one of {', '.join(writers)}.",
        )
    content = found[1]()
    fresh = path.with_name(f".{path.name}.part")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    except OSError as error:
        raise MigrateError(
            f"{path} cannot be written: {error.strerror}", hint="Name another place."
        ) from error
    return path
