"""Files that somebody named on the command line: read, or answered with what to do next."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from mimir_migrate.errors import DocumentError

_A_TYPO = 0.85
"""How like a name must be to be offered (`difflib`): a letter or two. Edits are made to what is offered."""


def read_given(path: str, what: str, *, made_by: str = "") -> bytes:
    """The content of a file that was named.

    Args:
        path: The file.
        what: What it is to be, as the beginning of a sentence: `the plan`.
        made_by: What makes such a file, as a sentence; empty: the operator has it.

    Raises:
        DocumentError: It cannot be read; with what was meant, or where to look.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DocumentError(
            f"{what} cannot be read: {error.strerror}", path=path, hint=next_step(error, made_by)
        ) from error


def next_step(error: OSError, made_by: str = "") -> str:
    """What to do where a file cannot be read."""
    more = f" {made_by}" if made_by else ""
    if isinstance(error, IsADirectoryError):
        return f"It is a folder: name the file in it.{more}"
    if not isinstance(error, FileNotFoundError):
        return f"Look at the path and its rights.{more}"
    path = Path(str(error.filename))
    try:
        beside = sorted(each.name for each in path.parent.iterdir() if each.is_file())
    except OSError:
        return f"There is no folder {path.parent} here: look at the path.{more}"
    alike = [each for each in beside if _ending(Path(each)) == _ending(path)]
    near = get_close_matches(path.name, alike, n=1, cutoff=_A_TYPO)
    if near:
        return f"Did you mean {path.parent / near[0]}?{more}"
    return f"Look at the path: it counts from {Path.cwd()}.{more}"


def _ending(path: Path) -> str:
    return ".yaml" if path.suffix == ".yml" else path.suffix
