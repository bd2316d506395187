"""Copying to the clipboard of the terminal, with a file for terminals that do not take it."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textual.app import App

from mimir_migrate.words import counted

FILE = "copied.txt"


def clipboard_sequence(text: str, environment: Mapping[str, str] | None = None) -> str:
    """The escape sequence (OSC 52) that puts a text on the clipboard.

    tmux and screen swallow it unless it is wrapped as a passthrough for the terminal behind them.
    """
    env = os.environ if environment is None else environment
    encoded = base64.b64encode(text.encode("utf-8")).decode("ascii")
    sequence = f"\x1b]52;c;{encoded}\x07"
    if env.get("TMUX"):
        return sequence + "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if env.get("STY"):
        return f"\x1bP{sequence}\x1b\\"
    return sequence


def copy_text(app: App[Any], text: str) -> None:
    """Copy a text; it also stands in a file, because no terminal says whether it took it."""
    if not text.strip():
        app.notify("There is nothing to copy here.", markup=False)
        return
    driver = app._driver  # noqa: SLF001 - the only way to the terminal that Textual has open
    if driver is not None and not app.is_headless:
        driver.write(clipboard_sequence(text))
    folder: Path | None = getattr(app, "copies", None)
    lines = counted(text.count("\n") + 1, "line")
    if folder is None:
        app.notify(f"Copied {lines} to the clipboard.", markup=False)
        return
    file = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text + "\n")
    except OSError as error:
        app.notify(
            f"Copied {lines} to the clipboard; {file} could not be written: {error.strerror}",
            severity="warning",
            markup=False,
        )
        return
    app.notify(f"Copied {lines} to the clipboard, and to {file}", markup=False)


def copy_command(app: App[Any], command: str) -> None:
    """Copy a command and show it, for terminals that take nothing to their clipboard."""
    driver = app._driver  # noqa: SLF001 - the only way to the terminal that Textual has open
    if driver is not None and not app.is_headless:
        driver.write(clipboard_sequence(command))
    app.notify(f"Copied: {command}", markup=False)
