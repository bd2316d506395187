"""No advice names a setting that a binary of the release does not have: its pods would not start again."""

from __future__ import annotations

from types import ModuleType

import msgspec
import pytest

from mimir_migrate.inspection.findings import judge
from mimir_migrate.inspection.pages.config import gossip_config
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.stores import Store
from mimir_migrate.plans.choices import choices

KEYS = (
    "join_members",
    "bind_port",
    "rejoin_interval",
    "cluster_label",
    "abort_if_cluster_join_fails",
)


def lacking(build: ModuleType, keys: tuple[str, ...], **fields: object) -> Inspection:
    """A cluster whose gossip could be safer, of a binary with these settings."""
    inspection = build.own()
    for facts in inspection.pods:
        config = msgspec.structs.replace(
            facts.gossip_config, rejoin_interval=0.0, cluster_label="", keys=keys, **fields
        )
        inspection = build.with_facts(inspection, facts.pod.name, gossip_config=config)
    return inspection


def said(build: ModuleType, inspection: Inspection) -> str:
    """Everything that is advised about gossip, in findings and choices."""
    findings = judge(inspection, target=build.TARGET, to=Store.MEMBERLIST)
    told = [
        text
        for finding in findings
        if finding.id.startswith("gossip")
        for text in (finding.title, finding.fix)
    ]
    told += [gain for choice in choices(inspection, build.TARGET) for gain in choice.gains]
    return " ".join(told)


@pytest.mark.parametrize("key", ["cluster_label", "rejoin_interval"])
@pytest.mark.parametrize("joins", [("10.0.0.1",), ()])
def test_a_setting_that_the_binary_lacks_is_not_advised(
    build: ModuleType, key: str, joins: tuple[str, ...]
) -> None:
    """Cortex 1.21.1 has no cluster_label; where the key is listed, it is advised as before."""
    without = tuple(name for name in KEYS if name != key)

    assert key in said(build, lacking(build, KEYS, join_members=joins))
    assert key not in said(build, lacking(build, without, join_members=joins))


def test_the_settings_are_those_of_the_binarys_own_page() -> None:
    """Its defaults list every key; a configuration file does not."""
    found = gossip_config({"memberlist": {"bind_port": 7946, "rejoin_interval": "0s"}})

    assert found is not None
    assert found.has("rejoin_interval")
    assert not found.has("cluster_label")
