"""Saving the target that was typed into the start screen, as `init` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mimir_migrate.documents.target_text import target_text
from mimir_migrate.flags import TARGET_FILE
from mimir_migrate.screens.modals.export import write
from mimir_migrate.screens.modals.pick import PickModal

if TYPE_CHECKING:
    from mimir_migrate.screens.page import Page


def ask_to_save(page: Page) -> None:
    """Ask for a file and write the target there, with a comment for every entry."""
    place = page.session.folder / TARGET_FILE

    def answered(typed: str | None) -> None:
        if not typed:
            return
        path = Path(typed).expanduser()
        if path.suffix != ".toml":
            path = path / TARGET_FILE if path.is_dir() else path.with_name(f"{path.name}.toml")
        if path.exists():
            _ask_to_overwrite(page, path)
        else:
            _save(page, path)

    page.app.push_screen(
        PickModal(
            "Save the target in which file?",
            value=str(place),
            note=f"Commands take ./{TARGET_FILE} by themselves; another one with --target.",
        ),
        answered,
    )


def _ask_to_overwrite(page: Page, path: Path) -> None:
    page.app.push_screen(
        PickModal(
            f"{path} is there already. What it says, comments included, would be lost.",
            offers=(
                ("keep", "leave that file as it is"),
                ("overwrite", "write this target over it"),
            ),
            typed=False,
        ),
        lambda choice: _save(page, path) if choice == "overwrite" else None,
    )


def _save(page: Page, path: Path) -> None:
    session = page.session
    folder = str(path.absolute().parent)
    text = target_text(session.target, folder=folder)

    def done(written: Path) -> None:
        session.target_file, session.typed = str(written.absolute()), False
        page.app.notify(f"Written: {written}", markup=False)

    writers = {".toml": ("a target file", text.encode)}
    page.in_background("save", lambda: write(path, writers), done)
