"""Which settings a binary knows: read from its own page, or from lists of named releases.

A release's list is a fact about the release, the page a fact about the very binary; where both are
at hand the page is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from mimir_migrate.documents.config.defaults import PAGE, read_defaults
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.rings import Product

Path = tuple[str, ...]


def _paths(*written: str) -> frozenset[Path]:
    return frozenset(tuple(path.split(".")) for path in written)


OPEN_MAPS = _paths(
    "limits.active_series_additional_custom_trackers",
    "limits.active_series_custom_trackers",
    "limits.alertmanager_notification_rate_limit_per_integration",
    "limits.ruler_external_labels",
    "limits.ruler_max_rule_groups_per_tenant_by_namespace",
    "limits.ruler_max_rules_per_rule_group_by_namespace",
    "ruler.alertmanager_client.oauth2.endpoint_params",
    "ruler.external_labels",
    "vault.auth",
)
"""Maps whose keys are the operator's, whatever a page shows in them."""

OMITTED_WHEN_EMPTY = {
    Product.MIMIR: _paths(
        "limits.blocked_queries",
        "limits.blocked_requests",
        "limits.cost_attribution_labels_structured",
        "limits.limited_queries",
        "limits.metric_relabel_configs",
    ),
    Product.CORTEX: _paths(
        "api.build_info_enabled",
        "api.cors_origin",
        "limits.active_series_trackers",
        "limits.metric_relabel_configs",
        "ruler.external_labels",
    ),
}
"""Settings that no page shows at their defaults (`omitempty` in Mimir 3.0.2 and Cortex a8c6358a).

They are taken as known wherever their block is.
"""


class KnownKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that one binary or release knows."""

    source: str
    """What the operator is shown: the page, or the release with the tag that its list is from."""
    product: Product | None = None
    version: str = ""
    """The list's version; empty for a page."""
    settings: frozenset[Path]
    """Paths of everything that takes a value."""
    maps: frozenset[Path] = frozenset()
    """Settings below which every key is the operator's."""
    blocks: frozenset[Path] = frozenset()
    """Paths that hold settings."""

    @staticmethod
    def of(
        settings: Iterable[Path],
        maps: Iterable[Path],
        *,
        source: str,
        product: Product | None,
        version: str = "",
    ) -> KnownKeys:
        """Build it from the settings; the blocks are what leads down to them."""
        known = frozenset(settings)
        return KnownKeys(
            source=source,
            product=product,
            version=version,
            settings=known,
            maps=frozenset(maps),
            blocks=frozenset(path[:end] for path in known for end in range(1, len(path))),
        )


def known_from_defaults(
    page: str, *, product: Product | None = None, path: str = PAGE
) -> KnownKeys:
    """Read the settings that a binary knows from its `/config?mode=defaults`.

    Args:
        page: The page's text, from a pod or a saved copy.
        product: Whose page it must be; None: told from the page.
        path: Where it comes from, for errors.

    Raises:
        DocumentError: The page is not a configuration of Mimir or Cortex, or of the other one.
    """
    return known_from_tree(read_defaults(page, path=path), product=product)


def known_from_tree(tree: Mapping[str, Any], *, product: Product | None = None) -> KnownKeys:
    """Read the settings that a binary knows from its defaults page, parsed.

    Args:
        tree: The page as a mapping.
        product: Whose page it must be; None: told from the page.

    Raises:
        DocumentError: The page is not a configuration of Mimir or Cortex, or of the other one.
    """
    settings: set[Path] = set()
    maps: set[Path] = set()
    _collect(tree, (), settings, maps)
    told = _product_of(tree)
    if product and told and told is not product:
        raise DocumentError(
            f"the page is {told.value.capitalize()}'s, what is checked is for "
            f"{product.value.capitalize()}",
            path=PAGE,
            hint="save the page of a pod that the values are for",
        )
    found = product or told
    if found is None:
        raise DocumentError(
            "the page has no setting that tells Mimir from Cortex",
            path=PAGE,
            hint="save the page with: curl 'http://POD:8080/config?mode=defaults'",
        )
    blocks = {path[:end] for path in settings for end in range(1, len(path))}
    unseen = {path for path in OMITTED_WHEN_EMPTY[found] if path[:-1] in blocks}
    return KnownKeys.of(
        settings | unseen,
        maps | (OPEN_MAPS & unseen),
        source=PAGE,
        product=found,
    )


def known_named(product: Product, version: str) -> KnownKeys | None:
    """The list of a named release.

    Args:
        product: Which product.
        version: As `cortex_build_info` or an image's tag has it: `2.17.1`, `v1.21.1`, `a8c6358a`,
            `master-a8c6358a`; of a release without a list of its own the first two numbers count.

    Returns:
        None where no list fits; what the binary knows is unknown then.
    """
    releases = _lists(product)
    word = version.strip().removeprefix("v").split("+")[0]
    named = word if word in releases.sources else ".".join(word.split(".")[:2])
    if named not in releases.sources:
        # Images of unreleased builds are tagged with the branch and the commit.
        commit = word.rsplit("-", 1)[-1]
        named = next(
            (one for one in releases.sources if len(one) >= _COMMIT and commit.startswith(one)), ""
        )
    if "-" in word and word.split("-")[0].count(".") and named:
        return None  # a release candidate or a fork's build is not the release
    if not named:
        return None
    here = list(releases.sources).index(named)
    return KnownKeys.of(
        (path for path, known_in in releases.known_in.items() if here in known_in),
        (path for path in releases.maps if here in releases.known_in[path]),
        source=f"{product.value.capitalize()} {named} ({releases.sources[named]})",
        product=product,
        version=named,
    )


def named_versions(product: Product) -> tuple[str, ...]:
    """Releases that the package has a list of, oldest first."""
    return tuple(_lists(product).sources)


def versions_with(product: Product, path: Path) -> tuple[str, ...]:
    """Releases that know a setting or block, oldest first."""
    releases = _lists(product)
    found: set[int] = set()
    for known, known_in in releases.known_in.items():
        if known[: len(path)] == path:
            found |= known_in
    return tuple(name for at, name in enumerate(releases.sources) if at in found)


_COMMIT = 7
"""Fewest characters of a commit's name that mean one."""


class _Lists(msgspec.Struct, frozen=True):
    sources: dict[str, str]
    known_in: dict[Path, frozenset[int]]
    maps: frozenset[Path]


@cache
def _lists(product: Product) -> _Lists:
    text = resources.files(__package__).joinpath(f"known_keys/{product.value}.txt")
    sources: dict[str, str] = {}
    known_in: dict[Path, frozenset[int]] = {}
    maps = set()
    for line in text.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not words or words[0] == "#":
            continue
        if words[0] == "version":
            sources[words[1]] = f"tag {words[2]}, {words[3]}"
            continue
        path = tuple(words.pop(0).split("."))
        if words and words[0] == "*":
            maps.add(path)
            words.pop(0)
        ranges = words[0] if words else ""
        known_in[path] = known_in.get(path, frozenset()) | _versions(ranges, tuple(sources))
    return _Lists(sources, known_in, frozenset(maps))


def _versions(ranges: str, names: tuple[str, ...]) -> frozenset[int]:
    """Read `2.9..2.12,3.0..3.0` as positions in the list of versions; empty: all of them."""
    if not ranges:
        return frozenset(range(len(names)))
    found: set[int] = set()
    for one in ranges.split(","):
        first, last = one.split("..")
        found |= set(range(names.index(first), names.index(last) + 1))
    return frozenset(found)


def _collect(tree: Mapping[Any, Any], path: Path, settings: set[Path], maps: set[Path]) -> None:
    for key, value in tree.items():
        here = (*path, str(key))
        if isinstance(value, Mapping) and value and here not in OPEN_MAPS:
            _collect(value, here, settings, maps)
            continue
        settings.add(here)
        if isinstance(value, Mapping) or value is None:
            # An empty map, or a pointer to a block that is not set: what it takes is not shown.
            maps.add(here)


def _product_of(tree: Mapping[str, Any]) -> Product | None:
    if "multitenancy_enabled" in tree:
        return Product.MIMIR
    if "auth_enabled" in tree:
        return Product.CORTEX
    return None
