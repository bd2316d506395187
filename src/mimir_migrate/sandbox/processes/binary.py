"""What a binary of Mimir or Cortex says of itself: its product, its version, the flags that it knows."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product

_ANSWERS_WITHIN: Final = 30.0
_VERSION: Final = re.compile(
    r"(?m)^(Mimir|Cortex), version (\S*)(?: \(branch: \S*, revision: (\w*)\))?"
)
_FLAG: Final = re.compile(r"^  -([\w.-]+)", re.MULTILINE)
_FEWEST_FLAGS: Final = 100
"""Both products have far more than a thousand; fewer is another program, or half of an answer."""


class Binary(msgspec.Struct, frozen=True, kw_only=True):
    """One binary, read once."""

    path: str
    product: Product
    version: str
    """As `-version` prints it, e.g. `1.21.1` or `2.16.0-r341-main-4e72c9665`."""
    revision: str
    sha256: str
    flags: frozenset[str]
    """Every flag that its help lists, without the dash."""


def linux_only() -> None:
    """Refuse real processes where they cannot work.

    Raises:
        UsageError: This is not Linux.
    """
    if sys.platform != "linux":
        raise UsageError(
            f"real processes as pods need Linux, this is {sys.platform}: only there is the whole of "
            "127.0.0.0/8 on loopback without root, and does a process end with the one that started it",
            hint="Leave --binary out: the pods are simulated. Or run it in a Linux container.",
        )


def read_binary(path: str) -> Binary:
    """Ask a binary for its version and its flags.

    Raises:
        UsageError: It cannot be started, or is neither Mimir nor Cortex.
    """
    place = Path(path).absolute()
    if not os.access(place, os.X_OK) or not place.is_file():
        raise UsageError(
            f"the binary {path} cannot be run: there is no such executable file",
            hint="Look at the path and its rights (`chmod +x`).",
        )
    said = _VERSION.search(_answer(place, ["-version"]))
    if said is None:
        raise UsageError(
            f"{path} -version names neither Mimir nor Cortex",
            hint="Name the server's own binary, e.g. one copied out of the image: /bin/mimir, /bin/cortex.",
        )
    flags = frozenset(_FLAG.findall(_answer(place, ["-help-all"])))
    if len(flags) < _FEWEST_FLAGS:
        flags = frozenset(_FLAG.findall(_answer(place, ["-help"])))
    if len(flags) < _FEWEST_FLAGS:
        raise UsageError(
            f"{path} lists {len(flags)} flags with -help: that is not a whole answer",
            hint="Name the binary itself, not a script around it.",
        )
    with place.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Binary(
        path=str(place),
        product=Product(said[1].lower()),
        version=said[2] or "unknown",
        revision=said[3] or "",
        sha256=digest,
        flags=flags,
    )


def binaries_of(given: Sequence[str]) -> dict[str, str]:
    """`PATH` and `TAG=PATH` as tag → path; the tag of a path by itself is empty, and stands for every other.

    Raises:
        UsageError: Two are named for one tag.
    """
    found: dict[str, str] = {}
    for one in given:
        tag, separator, path = one.partition("=")
        if not separator or "/" in tag:
            tag, path = "", one
        if tag in found:
            raise UsageError(
                f"--binary {one}: {tag or 'every other image'} has {found[tag]} already",
                hint="One binary without a tag, and TAG=PATH for each image beside it.",
            )
        found[tag] = str(Path(path).absolute())
    return found


def _answer(place: Path, arguments: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            [str(place), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_ANSWERS_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(
            f"{place} {' '.join(arguments)} gave no answer: {error}",
            hint="Try it by hand: it has to be a binary for this machine.",
        ) from error
    return done.stdout.decode(errors="replace")
