"""The runtime configuration file is read strictly, and shown as the products show it."""

from __future__ import annotations

import pytest
import yaml

from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import RuntimeBlock
from mimir_migrate.sandbox.simulation.runtime_file import (
    BadRuntimeFileError,
    RuntimeLoader,
    read_runtime_file,
)


def test_an_empty_file_sets_nothing() -> None:
    """The page shows every field of the product all the same."""
    found = read_runtime_file(Product.CORTEX, "")
    assert found.block == RuntimeBlock()
    assert yaml.safe_load(found.page) == {
        "overrides": {},
        "multi_kv_config": {"primary": "", "mirror_enabled": None},
        "ingester_stream_chunks_when_using_blocks": None,
        "ingester_limits": None,
    }
    assert yaml.safe_load(found.diff) == {}


def test_the_block_is_read_and_shown() -> None:
    """Overrides stand beside it; the difference holds what is set."""
    text = "overrides: {a: {b: 1}}\nmulti_kv_config: {primary: dynamodb, mirror_enabled: false}"
    found = read_runtime_file(Product.MIMIR, text)
    assert found.block == RuntimeBlock(primary="dynamodb", mirror_enabled=False)
    assert yaml.safe_load(found.page)["multi_kv_config"] == {
        "primary": "dynamodb",
        "mirror_enabled": False,
    }
    assert yaml.safe_load(found.diff) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("nonsense: 1", "field nonsense not found"),
        ("distributor_limits: {}", "field distributor_limits not found"),
        ("multi_kv_config: {primry: dynamodb}", "field primry not found"),
        ("multi_kv_config: {mirror_enabled: sometimes}", "mirror_enabled is not a bool"),
        ("multi_kv_config: on", "multi_kv_config"),
        ("- a list", "not a mapping"),
        ("a: [", "yaml"),
        ("overrides: {}\n---\noverrides: {}", "several documents"),
    ],
)
def test_what_the_product_does_not_take_is_refused(text: str, error: str) -> None:
    """Fields of the other product included."""
    with pytest.raises(BadRuntimeFileError, match=error):
        read_runtime_file(Product.CORTEX, text)
    read_runtime_file(Product.MIMIR, "distributor_limits: {}")


def test_pods_with_the_same_file_have_the_same_hash() -> None:
    """The hash is of what was understood, not of the text."""
    one = read_runtime_file(Product.CORTEX, "multi_kv_config: {primary: dynamodb}")
    same = read_runtime_file(Product.CORTEX, "# comment\nmulti_kv_config:\n  primary: dynamodb\n")
    other = read_runtime_file(Product.CORTEX, "multi_kv_config: {primary: memberlist}")
    assert one.sha256 == same.sha256 != other.sha256


def test_a_loader_tells_of_new_files_and_keeps_the_last_good_one() -> None:
    """An unchanged file is not told again; a file that vanished or broke is."""
    texts: list[str | None] = ["multi_kv_config: {primary: a}"]
    heard: list[str] = []
    loader = RuntimeLoader(
        Product.CORTEX, lambda: texts[-1], lambda block: heard.append(block.primary)
    )
    loader.load("/runtime.yaml")
    for text, ok, primaries in (
        (texts[0], True, []),
        ("multi_kv_config: {primary: b}", True, ["b"]),
        ("nonsense: 1", False, ["b"]),
        (None, False, ["b"]),
        ("multi_kv_config: {primary: b}", True, ["b", "b"]),
    ):
        texts.append(text)
        loader.reload()
        assert (loader.ok, heard) == (ok, primaries)
        assert loader.file.block.primary == ("b" if primaries else "a")
