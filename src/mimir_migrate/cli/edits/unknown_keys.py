"""`edit --check`: settings of values files that the product does not have."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from mimir_migrate.cli.colours import folded
from mimir_migrate.cli.edits.checks import saved_defaults
from mimir_migrate.cli.options import narrate, print_json
from mimir_migrate.errors import BlockedError, ExitCode

if TYPE_CHECKING:
    from mimir_migrate.documents.config.check import UnknownKey
    from mimir_migrate.documents.values.files import ValuesFiles


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found."""

    against: str
    """What the settings were compared with."""
    unknown: tuple[Any, ...]
    """Each `UnknownKey`."""
    is_replaced: bool
    """Whether the files replace the chart's configuration by a text, which is not looked into."""

    def document(self) -> dict[str, Any]:
        """Its part of the JSON document."""
        return {"against": self.against, "unknown": msgspec.to_builtins(list(self.unknown))}


def check(values: ValuesFiles, options: argparse.Namespace) -> Checked:
    """Look for settings that the product does not have.

    Raises:
        BlockedError: No list of the product's settings is at hand.
        DocumentError: The saved page of the binary cannot be read.
    """
    from mimir_migrate.documents.config.keys import known_named, named_versions
    from mimir_migrate.documents.values.check import unknown_keys

    product = values.product
    if options.defaults:
        known = saved_defaults(options.defaults, product)
    else:
        version = options.product_version or _image_tag(values)
        version = version or named_versions(product)[-1]
        found = known_named(product, version)
        if found is None:
            raise BlockedError(
                f"unknown: no list of the keys of {product.value} {version} is at hand",
                hint="Give --defaults FILE, a saved /config?mode=defaults page of the binary, or "
                "--product-version with one of: " + ", ".join(named_versions(product)) + ".",
            )
        known = found
    block = values.values.get("mimir")
    return Checked(
        against=known.source,
        unknown=unknown_keys(values, known),
        is_replaced=isinstance(block, dict) and bool(block.get("config")),
    )


def print_check(values: ValuesFiles, options: argparse.Namespace) -> int:
    """Check values files as they are; the settings go to stdout."""
    found = check(values, options)
    if options.json:
        _tell_replaced(found)
        print_json(found.document())
    else:
        _tell_replaced(found)
        narrate(f"checked against {found.against}")
        for one in found.unknown:
            for line, under in _lines(one):
                print(folded(line, sys.stdout, under=under))
        if not found.unknown:
            narrate("every key is known")
    return ExitCode.BLOCKED if found.unknown else ExitCode.DONE


def tell_check(found: Checked) -> None:
    """Say what a check of edited files found; stdout has the edit already."""
    _tell_replaced(found)
    narrate(f"checked what the edit comes to against {found.against}")
    for one in found.unknown:
        for line, under in _lines(one):
            narrate(line, under=under)
    narrate("nothing was written" if found.unknown else "every key is known")


def _lines(one: UnknownKey) -> list[tuple[str, int]]:
    """What is said of a key, each line with the column that the rest of a long one begins in."""
    place = ":".join(str(part) for part in one.place) if one.place else "not in the files"
    more = [(f"    -> {one.instead}", 7)] if one.instead else []
    return [(f"{place}: {one.dotted}: {one.explanation}", 2), *more]


def _tell_replaced(found: Checked) -> None:
    if found.is_replaced:
        narrate(
            "note: the files replace the chart's `mimir.config`; what stands in it is not checked "
            "here (`inspect` checks what the values render to)"
        )


def _image_tag(files: ValuesFiles) -> str:
    """The version that the values deploy; empty where they leave it to the chart or to a template."""
    image = files.values.get("image")
    tag = str((image.get("tag") if isinstance(image, dict) else None) or "")
    return "" if "${" in tag or "{{" in tag else tag
