"""The hash rings of Mimir and Cortex, and which components a process runs.

The tables are `mimir_rings` and `cortex_rings`, each entry with its source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mimir_migrate.errors import UsageError
from mimir_migrate.model.cortex_rings import CORTEX_RINGS
from mimir_migrate.model.mimir_rings import MIMIR_RINGS
from mimir_migrate.model.ring import EnabledWhen, Product, Ring, Role, Version
from mimir_migrate.words import meant

__all__ = [
    "RINGS",
    "EnabledWhen",
    "Product",
    "Ring",
    "Role",
    "Version",
    "components_of",
    "ring_named",
    "rings_of",
    "unknown_ring",
    "version_in",
]

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.|-|\+|$)")

RINGS: dict[Product, tuple[Ring, ...]] = {
    Product.MIMIR: MIMIR_RINGS,
    Product.CORTEX: CORTEX_RINGS,
}
"""Every ring of each product, the movable ones first."""


def rings_of(product: Product) -> tuple[Ring, ...]:
    """Every ring of a product."""
    return RINGS[product]


def ring_named(product: Product, name: str) -> Ring | None:
    """The ring of that name; None when the product has none."""
    return next((ring for ring in RINGS[product] if ring.name == name), None)


def unknown_ring(
    name: str, product: Product | None = None, offered: Sequence[str] = ()
) -> UsageError:
    """What is said of a name that is not a ring's: which was meant, and which there are.

    Args:
        name: The name.
        product: Whose ring it would be; None: either's.
        offered: Rings that can be moved here; left out: all of the product's that can be moved.
    """
    whose = " and ".join(each.value for each in ([product] if product else Product))
    rings = [ring for each in ([product] if product else Product) for ring in RINGS[each]]
    there = offered or tuple(dict.fromkeys(ring.name for ring in rings if ring.movable))
    return UsageError(
        f"{whose} {'has' if product else 'have'} no ring named {name!r}", hint=meant(name, there)
    )


def version_in(text: str) -> Version | None:
    """Major and minor number of what `cortex_build_info` calls the version, e.g. `2.17.0-rc.1`.

    None for the build of a branch, which tells none.
    """
    match = _VERSION.match(text)
    return (int(match[1]), int(match[2])) if match else None


_GROUPS: dict[Product, dict[str, tuple[str, ...]]] = {
    # `All`, `Read`, `Write` and `Backend` in `deps` of pkg/mimir/modules.go and pkg/cortex/modules.go.
    Product.MIMIR: {
        "all": (
            "query-frontend",
            "querier",
            "ingester",
            "distributor",
            "store-gateway",
            "ruler",
            "compactor",
        ),
        "read": ("querier", "query-frontend"),
        "write": ("distributor", "ingester"),
        "backend": (
            "alertmanager",
            "compactor",
            "overrides-exporter",
            "query-scheduler",
            "ruler",
            "store-gateway",
        ),
    },
    Product.CORTEX: {
        "all": (
            "query-frontend",
            "querier",
            "ingester",
            "distributor",
            "store-gateway",
            "ruler",
            "compactor",
            "alertmanager",
        ),
    },
}


def components_of(product: Product, target: str) -> tuple[str, ...]:
    """The components that a process with `-target=<target>` runs, sorted.

    `all` and Mimir's `read`, `write` and `backend` stand for several; a list is separated by commas.
    """
    found: set[str] = set()
    for name in target.split(","):
        word = name.strip()
        found |= set(_GROUPS[product].get(word, (word,) if word else ()))
    return tuple(sorted(found))
