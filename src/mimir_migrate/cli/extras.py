"""Optional parts of the program: what of one is missing, and the line that installs it."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec

from mimir_migrate.errors import UsageError

_MODULES: Mapping[str, tuple[str, ...]] = {
    "bridge": ("aiohttp",),
    "sandbox": ("aiohttp", "moto", "flask"),
}
"""Each extra, with modules that its packages bring."""


def missing(extra: str) -> tuple[str, ...]:
    """The modules of an extra that are not installed; nothing is imported for it."""
    return tuple(name for name in _MODULES[extra] if find_spec(name) is None)


def refuse_missing(extra: str, doing: str) -> None:
    """Refuse what needs an extra that is not installed, before anything is started.

    Args:
        extra: Its name.
        doing: What it is needed for, for the message.

    Raises:
        UsageError: With the one line that installs it.
    """
    if absent := missing(extra):
        raise UsageError(
            f"{doing} needs the optional part `{extra}`, which is not installed "
            f"({', '.join(absent)} missing)",
            hint=f"Install it: {install_line(extra)}",
        )


def install_line(extra: str) -> str:
    """The command that adds an extra to the environment that this program runs in."""
    wanted = " ".join(shlex.quote(one) for one in _requirements(extra))
    place = sys.prefix.replace("\\", "/")
    if "/pipx/venvs/" in place:
        return f"pipx inject mimir-migrate {wanted}"
    if "/uv/tools/" in place:
        return "uv tool install mimir-migrate " + " ".join(
            f"--with {shlex.quote(one)}" for one in _requirements(extra)
        )
    return f"{shlex.quote(sys.executable)} -m pip install {wanted}"


def _requirements(extra: str) -> list[str]:
    try:
        named = metadata.requires("mimir-migrate") or []
    except metadata.PackageNotFoundError:
        named = []
    marked = re.compile(rf"""extra == ['"]{extra}['"]""")
    return [one.partition(";")[0].strip() for one in named if marked.search(one)]
