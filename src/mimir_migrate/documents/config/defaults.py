"""What a binary's `/config?mode=defaults` page says: the stores that it offers for each ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mimir_migrate.errors import DocumentError
from mimir_migrate.model.rings import Product, rings_of

PAGE = "/config?mode=defaults"

ALWAYS_OFFERED = ("inmemory", "memberlist")
"""Stores without a block of their own under `kvstore`: every build has them.

Memberlist is configured by the top-level `memberlist` block only, `inmemory` has no settings
(dskit and Cortex, `kv/client.go`).
"""

BLOCK_STORES = ("consul", "dynamodb", "etcd", "multi")
"""Stores that a build offers for a ring exactly where their block stands in the ring's `kvstore`."""


def read_defaults(page: str, *, path: str = PAGE) -> dict[str, Any]:
    """Parse a defaults page.

    Args:
        page: Its text.
        path: Where it comes from, for errors.

    Raises:
        DocumentError: The page is not a YAML mapping; e.g. the HTML of something else that answered.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    hint = "save the page with: curl 'http://POD:8080/config?mode=defaults'"
    try:
        loaded = YAML(typ="safe", pure=True).load(page.removeprefix("\ufeff"))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        raise DocumentError(
            f"the page is not YAML: {error.problem}",
            path=path,
            line=mark.line + 1 if mark else 0,
            column=mark.column + 1 if mark else 0,
            hint=hint,
        ) from error
    except RecursionError as error:
        raise DocumentError("the page is nested too deeply", path=path, hint=hint) from error
    except (YAMLError, ValueError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DocumentError(f"the page is not YAML: {said}", path=path, hint=hint) from error
    if not isinstance(loaded, dict):
        kind = "nothing" if loaded is None else f"a {type(loaded).__name__}"
        raise DocumentError(f"the page holds {kind}, not the configuration", path=path, hint=hint)
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
