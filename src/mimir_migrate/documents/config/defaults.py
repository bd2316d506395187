"""What a binary's `/config?mode=defaults` page says: the stores that it offers for each ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mimir_migrate.errors import DocumentError
from mimir_migrate.model.rings import Product, rings_of

PAGE = "/config?mode=defaults"

ALWAYS_OFFERED = ("inmemory", "memberlist")
"""Stores without a block of their own under `kvstore`: every build has them.

Memberlist is configured by the top-level `memberlist` block alone, `inmemory` has no settings
(dskit and Cortex, `kv/client.go`).
"""

BLOCK_STORES = ("consul", "dynamodb", "etcd", "multi")
"""Stores that a build offers for a ring exactly where their block stands in the ring's `kvstore`."""


def read_defaults(page: str) -> dict[str, Any]:
    """Parse a defaults page.

    Raises:
        DocumentError: The page is not a YAML mapping; e.g. the HTML of something else that answered.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        loaded = YAML(typ="safe", pure=True).load(page)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        raise DocumentError(
            f"the page is not YAML: {error.problem}",
            path=PAGE,
            line=mark.line + 1 if mark else 0,
            column=mark.column + 1 if mark else 0,
        ) from error
    except YAMLError as error:
        raise DocumentError(f"the page is not YAML: {error}", path=PAGE) from error
    if not isinstance(loaded, dict):
        kind = type(loaded).__name__
        raise DocumentError(
            f"the page holds a {kind}, not the configuration",
            path=PAGE,
            hint="save the page with: curl 'http://POD:8080/config?mode=defaults'",
        )
    return loaded


def offers_in(defaults: Mapping[str, Any], product: Product) -> dict[str, tuple[str, ...]]:
    """Read which stores a binary offers for each ring from its parsed defaults page."""
    offers = {}
    for ring in rings_of(product):
        block = at(defaults, ring.path)
        if isinstance(block, Mapping):
            with_block = (name for name in BLOCK_STORES if isinstance(block.get(name), Mapping))
            offers[ring.name] = tuple(sorted((*ALWAYS_OFFERED, *with_block)))
    return offers


def at(tree: object, path: Sequence[str]) -> object:
    """What is at a place of a page; None: there is no such place."""
    for key in path:
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(key)
    return tree
