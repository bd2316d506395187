"""The blocks that name stores, read the same from a pod's page and from a values file."""

from __future__ import annotations

import pytest

from mimir_migrate.documents.config.kv_blocks import kv_config, runtime_block
from mimir_migrate.documents.values.files import SourceFile, ValuesFiles
from mimir_migrate.inspection.pages import config as page
from mimir_migrate.model.rings import Product, rings_of
from mimir_migrate.model.stores import KVConfig, RuntimeBlock, StoreState

MULTI = {"primary": "dynamodb", "secondary": "memberlist", "mirror_enabled": True}


@pytest.mark.parametrize(
    ("block", "stores"),
    [
        ({"store": "memberlist"}, ("memberlist",)),
        ({"store": "multi", "multi": MULTI}, ("dynamodb", "memberlist")),
        ({"store": "memberlist", "multi": MULTI}, ("memberlist",)),
        ({"store": "consul"}, ("consul",)),
        ({"store": "multi", "multi": {"primary": "etcd"}}, ("etcd",)),
        ({"prefix": "collectors/"}, ()),
    ],
)
def test_the_stores_that_a_process_uses(block: dict[str, object], stores: tuple[str, ...]) -> None:
    """The primary one first; what is left under `multi` counts with `store: multi` only."""
    assert kv_config(block).stores == stores


@pytest.mark.parametrize("state", StoreState)
def test_a_state_has_the_stores_of_its_configuration(state: StoreState) -> None:
    """The same names in the same order."""
    config = kv_config(
        {"store": "multi", "multi": dict(zip(("primary", "secondary"), state.stores, strict=True))}
        if state.is_multi
        else {"store": state.value}
    )

    assert config.stores == state.stores
    assert config.state is state


def test_a_page_and_a_values_file_say_the_same() -> None:
    """Each of them is read by the same code, so that what is observed can be held against what is set."""
    text = b"config:\n  ruler:\n    ring:\n      kvstore: {store: multi, prefix: p/, multi: {primary: memberlist}}\n"
    ruler = next(ring for ring in rings_of(Product.CORTEX) if ring.name == "ruler")
    wanted = KVConfig(store="multi", primary="memberlist", prefix="p/")

    file = SourceFile(path="values.yaml", content=text)
    set_there = ValuesFiles((file,), product=Product.CORTEX).view.rings["ruler"]
    shown = page.kv_config(page.read_yaml(text, "values")["config"], ruler)

    assert set_there == shown == wanted


def test_a_runtime_block_with_a_word_for_a_switch_says_nothing_of_the_switch() -> None:
    """What is not true or false is not taken for one of them."""
    assert runtime_block({"primary": None, "mirror_enabled": "yes"}) == RuntimeBlock()
