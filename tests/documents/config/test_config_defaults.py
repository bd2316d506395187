"""What a binary offers is read from its own page of defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from mimir_migrate.documents.config.defaults import offers_in, read_defaults
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.rings import Product, rings_of

WITH = """\
auth_enabled: true
ruler:
  ring:
    kvstore:
      store: consul
      prefix: rulers/
      consul: {host: ""}
      dynamodb: {region: "", table_name: ""}
      multi: {primary: "", secondary: ""}
compactor:
  sharding_ring:
    kvstore: {store: consul, consul: {host: ""}, etcd: {endpoints: []}, multi: {primary: ""}}
store_gateway: {}
"""


def test_dynamodb_is_offered_where_its_block_stands() -> None:
    """Each ring is told by its own block; a ring without one offers no DynamoDB."""
    offers = offers_in(read_defaults(WITH), Product.CORTEX)

    assert offers == {
        "compactor": ("consul", "etcd", "inmemory", "memberlist", "multi"),
        "ruler": ("consul", "dynamodb", "inmemory", "memberlist", "multi"),
    }


@pytest.mark.parametrize(
    "page", ["<html><body>404</body></html>", "a: b: c", "", "- 1", "just text"]
)
def test_what_is_no_configuration_is_refused(page: str) -> None:
    """A login page or an error page does not read as a binary that offers nothing."""
    with pytest.raises(DocumentError, match="config"):
        read_defaults(page)


@pytest.mark.parametrize(
    "page", ["a: " + "[" * 5_000 + "]" * 5_000, "a: " + "9" * 5_000, "a: \0", "{{{", "", "- 1"]
)
def test_a_saved_page_that_cannot_be_read_is_named_in_two_lines(page: str) -> None:
    """By its own path, on one line, with what to do."""
    with pytest.raises(DocumentError) as caught:
        read_defaults(page, path="saved.yaml")

    assert str(caught.value).startswith("saved.yaml")
    assert "\n" not in str(caught.value)
    assert "curl" in caught.value.hint


def test_a_mark_in_front_of_a_saved_page_is_no_part_of_it() -> None:
    """As PowerShell writes it."""
    assert read_defaults("\ufefftarget: all\n") == {"target": "all"}


@pytest.mark.corpus
def test_a_running_cortex_offers_dynamodb_for_every_ring(shared: Path) -> None:
    """The page of a real process is read for each ring of the product."""
    page = (shared / "captures" / "config-defaults.yaml").read_text()

    offers = offers_in(read_defaults(page), Product.CORTEX)

    assert set(offers) == {ring.name for ring in rings_of(Product.CORTEX)}
    assert all("dynamodb" in stores for stores in offers.values())
