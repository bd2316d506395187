"""Configuration is parsed as strictly as the products do it, and reported in scaled durations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mimir_migrate.model.rings import Product, ring_named
from mimir_migrate.sandbox.simulation.configuration import (
    BadConfigurationError,
    Configuration,
    go_duration,
)

OFFERED = frozenset({"dynamodb"})


def read(
    text: str = "",
    *args: str,
    product: Product = Product.CORTEX,
    stores: frozenset[str] = frozenset(),
) -> Configuration:
    """A configuration of the newest version of a product."""
    return Configuration(product, "", stores, text, ("-target=all", *args))


RING = "ruler: {enable_sharding: true, ring: {kvstore: %s}}"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "ruler:\n  ring:\n    kvstore:\n      stor: x\n",
            "line 4: field stor not found in type kv.Config",
        ),
        ("nonsense: 1\n", "line 1: field nonsense not found in type cortex.Config"),
        ("memberlist: {join: [a]}", "field join not found in type memberlist.KVConfig"),
        (RING % "{store: zookeeper}", "invalid KV store type: zookeeper"),
        (RING % "{store: multi}", "primary or secondary store not set"),
        (RING % "{store: multi, multi: {primary: consul}}", "primary or secondary store not set"),
        (
            RING % "{store: multi, multi: {primary: consul, secondary: consul}}",
            "primary and secondary stores must be different",
        ),
        (
            RING % "{store: multi, multi: {primary: consul, secondary: multi}}",
            "cannot be multi-stores",
        ),
        (RING % "{store: dynamodb}", "table_name is required"),
        ("ruler: [1, 2]", "cannot unmarshal"),
        ("ruler: {ring: {kvstore: {store: a", "yaml"),
        ("just a string", "cannot unmarshal"),
    ],
)
def test_a_bad_configuration_is_refused_with_the_product_s_words(text: str, error: str) -> None:
    """Unknown keys, unknown stores and impossible pairs of stores end the process."""
    with pytest.raises(BadConfigurationError, match=error):
        read(text)


def test_upstream_mimir_has_no_dynamodb() -> None:
    """The block is unknown and the store is, unless the build offers it."""
    block = "ruler: {ring: {kvstore: {store: dynamodb, dynamodb: {table_name: t, region: r}}}}"
    with pytest.raises(BadConfigurationError, match="field dynamodb not found"):
        read(block, product=Product.MIMIR)
    with pytest.raises(BadConfigurationError, match="invalid KV store type: dynamodb"):
        read("ruler: {ring: {kvstore: {store: dynamodb}}}", product=Product.MIMIR)
    with pytest.raises(BadConfigurationError, match="flag provided but not defined"):
        read("", "-ruler.ring.dynamodb.table-name=t", product=Product.MIMIR)
    read(block, product=Product.MIMIR, stores=OFFERED)
    for stores, offered in ((frozenset(), False), (OFFERED, True)):
        page = yaml.safe_load(read("", product=Product.MIMIR, stores=stores).page("defaults", 1))
        assert ("dynamodb" in page["ruler"]["ring"]["kvstore"]) is offered
        assert "multi" in page["ruler"]["ring"]["kvstore"]


def test_a_store_is_refused_only_where_the_process_uses_the_ring() -> None:
    """A bad store of a ring that this component does not touch, or that is off, is not looked at."""
    text = RING % "{store: zookeeper}"
    read(text.replace("true", "false"))
    Configuration(Product.CORTEX, "", frozenset(), text, ("-target=ingester",))


def test_flags_beat_the_file() -> None:
    """`-ring.store` and its like override the configuration file."""
    ring = ring_named(Product.CORTEX, "ingester")
    assert ring is not None
    found = read(
        "ingester: {lifecycler: {ring: {kvstore: {store: memberlist}}}}",
        "-ring.store=multi",
        "--multi.primary=memberlist",
        "-multi.secondary=dynamodb",
        "-multi.mirror-enabled=true",
        "-dynamodb.table-name=rings",
        "-ring.prefix=",
        "-log.level=debug",
    )
    assert found.store_names(ring) == ("memberlist", "dynamodb")
    assert found.value((*ring.path, "multi", "mirror_enabled")) is True
    assert found.ring_key(ring) == "ring"


def test_durations_are_reported_as_they_are_used() -> None:
    """Every duration on the pages is divided by the speed, given and default ones alike."""
    found = read("runtime_config: {period: 10s}\nruler: {ring: {heartbeat_period: 1m}}")
    page = yaml.safe_load(found.page("", 30))
    assert page["runtime_config"]["period"] == "333.333333ms"
    assert page["ruler"]["ring"]["heartbeat_period"] == "2s"
    assert page["memberlist"]["left_ingesters_timeout"] == "10s"
    assert yaml.safe_load(found.page("defaults", 1))["ruler"]["ring"]["heartbeat_period"] == "5s"


def test_the_difference_holds_what_differs_and_nothing_else() -> None:
    """A default that is written out, in whatever form, does not show in the difference."""
    found = read("ruler: {enable_sharding: true, ring: {heartbeat_timeout: 60s, num_tokens: 128}}")
    assert yaml.safe_load(found.page("diff", 1)) == {
        "ruler": {"enable_sharding": True},
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (60, "1m0s"),
        (7200, "2h0m0s"),
        (0.2, "200ms"),
        (1.5, "1.5s"),
        (90.25, "1m30.25s"),
    ],
)
def test_durations_are_written_as_go_writes_them(seconds: float, text: str) -> None:
    """Go prints empty smaller units."""
    assert go_duration(seconds) == text


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Settings by path."""
    found: dict[tuple[str, ...], Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            found |= leaves(value, (*path, key))
        else:
            found[*path, key] = value
    return found


def test_the_defaults_page_is_that_of_the_real_binary(captures: Path) -> None:
    """It names the same settings, and every default that the simulation acts on is the real one."""
    real = leaves(yaml.safe_load((captures / "config-defaults.yaml").read_text()))
    ours = leaves(yaml.safe_load(read().page("defaults", 1)))
    assert set(ours) == set(real)
    assert {p: v for p, v in ours.items() if v not in ("", [], {}) and v != real[p]} == {}


def test_every_configuration_that_the_tests_use_is_taken(configured: Callable[..., str]) -> None:
    """Both products take each of the four states."""
    for product in Product:
        for state in ("memberlist", "memberlist+dynamodb", "dynamodb+memberlist", "dynamodb"):
            read(configured(product, state), product=product, stores=OFFERED)


def test_consul_is_offered_natively_and_its_token_is_not_shown() -> None:
    """Every Mimir has the client; `/config` masks the token, as dskit's `Secret` prints itself."""
    consul = "{store: consul, consul: {host: 'ring-bridge:8500', acl_token: hidden-word}}"
    found = read(f"ruler: {{ring: {{kvstore: {consul}}}}}", product=Product.MIMIR)
    page = found.page("", 1.0)
    assert "hidden-word" not in page
    assert "acl_token: '********'" in page
    assert "cas_retry_delay: 1s" in found.page("defaults", 1.0)
    assert "dynamodb:" not in found.page("defaults", 1.0)
