"""Which settings a binary knows, by its page and by the lists of named releases."""

from __future__ import annotations

from pathlib import Path

import pytest

from mimir_migrate.documents.config.keys import (
    known_from_defaults,
    known_named,
    named_versions,
    versions_with,
)
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.rings import Product, rings_of


def path(dotted: str) -> tuple[str, ...]:
    return tuple(dotted.split("."))


def test_a_page_tells_settings_blocks_and_maps() -> None:
    """An empty map or a null is open below; everything else is as the page lists it."""
    known = known_from_defaults(
        "auth_enabled: true\n"
        "limits: {ruler_external_labels: {}, drop_labels: [], something: null}\n"
        "ruler: {ring: {kvstore: {store: consul}}}\n"
    )

    assert known.product is Product.CORTEX
    assert path("limits.drop_labels") in known.settings - known.maps
    assert {path("limits.ruler_external_labels"), path("limits.something")} <= known.maps
    assert path("ruler.ring.kvstore") in known.blocks


def test_settings_that_a_page_leaves_out_at_their_defaults_are_known() -> None:
    """Relabelling is not shown while it is empty, and a file that sets it is right all the same."""
    known = known_from_defaults("multitenancy_enabled: true\nlimits: {ingestion_rate: 1}\n")

    assert known.product is Product.MIMIR
    assert path("limits.metric_relabel_configs") in known.settings


def test_a_page_of_something_else_is_refused() -> None:
    """Another program's configuration would make every key look wrong."""
    with pytest.raises(DocumentError, match="tells Mimir from Cortex"):
        known_from_defaults("server: {http_listen_port: 80}\n")


@pytest.mark.parametrize(
    ("product", "version", "named"),
    [
        (Product.MIMIR, "2.17.1", "2.17"),
        (Product.MIMIR, "v3.0.0", "3.0"),
        (Product.CORTEX, "1.17.0", "1.17.0"),
        (Product.CORTEX, "1.17.1", "1.17"),
        (Product.CORTEX, "1.21.1", "1.21"),
        (Product.CORTEX, "master-a8c6358a", "a8c6358a"),
    ],
)
def test_a_release_is_found_by_its_version(product: Product, version: str, named: str) -> None:
    """Patch releases share a list unless one of them differs; the source says which it is."""
    known = known_named(product, version)

    assert known is not None
    assert known.version == named
    assert "tag" in known.source


@pytest.mark.parametrize("version", ["", "9.9.9", "2.1.0", "3.0.0-rc.0", "weekly-r290", "main"])
def test_a_version_without_a_list_is_unknown(version: str) -> None:
    """A neighbouring release's list would call right keys wrong."""
    assert known_named(Product.MIMIR, version) is None


@pytest.mark.parametrize("product", list(Product))
def test_every_list_knows_the_ring_settings(product: Product) -> None:
    """Each list has the `store` of the rings that every release has."""
    always = {
        Product.MIMIR: {"ingester", "store-gateway", "compactor", "ruler", "alertmanager"},
        Product.CORTEX: {"ingester", "store-gateway", "compactor", "ruler", "alertmanager"},
    }[product]
    for version in named_versions(product):
        known = known_named(product, version)
        assert known is not None
        for ring in rings_of(product):
            if ring.name in always:
                assert (*ring.path, "store") in known.settings
                assert (*ring.path, "multi", "primary") in known.settings
                offered = (*ring.path, "dynamodb") in known.blocks
                assert offered is (product is Product.CORTEX)


def test_releases_differ_where_the_products_changed() -> None:
    """The gossip label came to Cortex after 1.21, and redis left Mimir with 3.0."""
    assert versions_with(Product.CORTEX, path("memberlist.cluster_label")) == ("a8c6358a",)
    assert versions_with(Product.MIMIR, path("frontend.results_cache.redis"))[-1] == "2.17"
    assert versions_with(Product.MIMIR, path("index_gateway")) == ()


@pytest.mark.corpus
def test_the_list_of_the_captured_cortex_is_what_its_page_says(shared: Path) -> None:
    """The list that is kept and the page that was captured are of one binary."""
    page = known_from_defaults((shared / "captures" / "config-defaults.yaml").read_text())
    listed = known_named(Product.CORTEX, "a8c6358a")

    assert listed is not None
    assert (page.settings, page.blocks) == (listed.settings, listed.blocks)
