"""No advice names, and no plan writes, a setting that a binary of the release does not have.

Its pods would not start again with it.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from mimir_migrate.documents.config.keys import KnownKeys, known_named, named_versions
from mimir_migrate.documents.config.settable import honest, lacking, settable, written
from mimir_migrate.inspection.findings import judge
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.rings import Product, rings_of
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import TableTarget
from mimir_migrate.plans.choices import choices

LABEL = "memberlist.cluster_label"
REJOIN = "memberlist.rejoin_interval"
CLIENT = ("region", "table_name", "puller_sync_time", "ttl")
RELEASES = [(Product.CORTEX, "1.21.1"), (Product.CORTEX, "a8c6358a"), (Product.MIMIR, "2.17")]


def _finding_cases() -> ModuleType:
    """The cases of every finding, from the module beside this one; another folder has one of its name."""
    path = Path(__file__).with_name("test_findings.py")
    spec = importlib.util.spec_from_file_location("finding_cases", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def known(product: Product, version: str) -> KnownKeys:
    """What a release knows."""
    found = known_named(product, version)
    assert found is not None
    return found


def defaults(product: Product, version: str) -> dict[str, Any]:
    """The defaults page of a release, with nothing but its settings' names; Mimir with a DynamoDB client."""
    page: dict[str, Any] = {}
    for path in sorted(known(product, version).settings):
        block = page
        for key in path[:-1]:
            block = block.setdefault(key, {})
        block.setdefault(path[-1], "")
    for ring in rings_of(product):
        block = page
        for key in ring.path:
            block = block.get(key, {})
        if block:
            block.setdefault("dynamodb", dict.fromkeys(CLIENT, ""))
    return page


def without(build: ModuleType, inspection: Inspection, *settings: str) -> Inspection:
    """The release with a binary that lacks settings."""
    for facts in inspection.pods:
        inspection = build.with_facts(inspection, facts.pod.name, lacking=settings)
    return inspection


def loose(build: ModuleType, *settings: str, **fields: object) -> Inspection:
    """A cluster whose gossip could be safer, of a binary that lacks settings."""
    inspection = build.own()
    for facts in inspection.pods:
        config = msgspec.structs.replace(
            facts.gossip_config, rejoin_interval=0.0, cluster_label="", **fields
        )
        inspection = build.with_facts(inspection, facts.pod.name, gossip_config=config)
    return without(build, inspection, *settings)


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


@pytest.mark.parametrize("setting", [LABEL, REJOIN])
@pytest.mark.parametrize("joins", [("10.0.0.1",), ()])
def test_a_setting_that_the_binary_lacks_is_not_advised(
    build: ModuleType, setting: str, joins: tuple[str, ...]
) -> None:
    """Cortex 1.21.1 has no cluster_label; where the key is listed, it is advised as before."""
    key = setting.partition(".")[2]

    assert key in said(build, loose(build, join_members=joins))
    assert key not in said(build, loose(build, setting, join_members=joins))


@cache
def names() -> frozenset[str]:
    """The last keys of all settings of all releases that are no words of everyday language."""
    return frozenset(
        path[-1]
        for product in Product
        for version in named_versions(product)
        for path in known(product, version).settings
        if "_" in path[-1]
    )


def advice(given: Any, product: Product, lacks: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every text of every finding that tells what to do, and what the choices say, with its source."""
    for rule, cases in _finding_cases().CASES.items():
        for make in () if isinstance(cases.fails, str) else cases.fails:
            case = make(given)
            inspection = msgspec.structs.replace(case.inspection, product=product)
            inspection = without(given.build, inspection, *lacks)
            case = msgspec.structs.replace(case, inspection=inspection)
            for finding in case.findings(given.TARGET):
                yield f"{rule}: {finding.id}", finding.fix
            for choice in choices(inspection, given.TARGET):
                for text in (*choice.gains, choice.reason):
                    yield f"{rule}: choice {choice.id}", text


@pytest.mark.parametrize(("product", "version"), RELEASES)
def test_every_advice_keeps_to_what_the_binary_has(
    build: ModuleType, product: Product, version: str
) -> None:
    """A setting that is named is one that the release has, or the text says that it has not."""
    given = _finding_cases().Given(build, None)
    lacks = lacking(defaults(product, version), product)
    has = {path[-1] for path in known(product, version).settings} | set(CLIENT)
    checked = {setting.rpartition(".")[2] for setting in settable(product)}
    seen = set()
    for source, text in advice(given, product, lacks):
        for key in names().intersection(re.findall(r"[a-z0-9]+(?:_[a-z0-9]+)+", text)):
            seen.add(key)
            assert key in checked, f"{source} names {key}, which nothing checks: {text}"
            disclaimed = f"{key} is not known to" in text or f"no {key}" in text
            assert key in has or disclaimed, f"{source}: {text}"
    assert "join_members" in seen
    assert "puller_sync_time" in seen


@pytest.mark.parametrize(("product", "version"), RELEASES)
def test_a_release_has_everything_that_a_plan_writes_for_its_rings(
    product: Product, version: str
) -> None:
    """Mimir without a DynamoDB client is told by `store-not-offered`."""
    lacks = lacking(defaults(product, version), product)

    assert {name for name in lacks if ".kvstore." in name} == set()
    assert (LABEL in lacks) is (version == "1.21.1")


def test_a_plan_that_would_write_what_a_binary_lacks_is_blocked(build: ModuleType) -> None:
    """Cortex 1.15's client has no puller_sync_time; no pod would have come up after the first rollout."""
    lacks = lacking(defaults(Product.CORTEX, "1.15.3"), Product.CORTEX)
    assert "ruler.ring.kvstore.dynamodb.puller_sync_time" in lacks
    inspection = without(build, build.own(), *lacks)

    found = blocked(build, inspection)

    assert [finding.severity for finding in found] == [Severity.BLOCKS]
    assert "puller_sync_time" in found[0].title
    assert found[0].evidence[0].detail.endswith("puller_sync_time")


def test_a_setting_that_the_target_does_not_ask_for_blocks_nothing(build: ModuleType) -> None:
    """A `ttl` is written only where it is asked for."""
    inspection = without(build, build.own(), "ruler.ring.kvstore.dynamodb.ttl")
    asks = msgspec.structs.replace(build.TARGET, dynamodb=TableTarget(table="rings", ttl="1h"))

    assert blocked(build, inspection) == []
    assert len(blocked(build, inspection, target=asks)) == 1


def blocked(build: ModuleType, inspection: Inspection, **given: Any) -> list[Finding]:
    """What says that a plan would write what is not known."""
    judged = judge(inspection, to=Store.DYNAMODB, **{"target": build.TARGET, **given})
    return [finding for finding in judged if finding.id == "setting-not-known"]


@pytest.mark.parametrize("product", list(Product))
def test_what_is_written_is_within_what_is_checked(product: Product) -> None:
    """For every ring that can be moved."""
    checked = set(settable(product))

    assert all(set(written(ring)) <= checked for ring in rings_of(product) if ring.movable)


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("set memberlist.cluster_label", "memberlist.cluster_label is not known to old:1"),
        ("set the same cluster_label everywhere", "cluster_label is not known to old:1"),
        ("the binary has no cluster_label", ""),
        ("set my_cluster_label and cluster_label_verification_disabled", ""),
        ("set memberlist.rejoin_interval", ""),
        ("change the store", ""),
    ],
)
def test_an_advice_says_what_a_binary_does_not_know(text: str, noted: str) -> None:
    """Also one that nobody thought of when it was written."""
    found = honest(text, {LABEL: ("old:1",), "ruler.ring.kvstore.store": ("old:1",)})

    assert found.startswith(text)
    assert (noted in found) if noted else (found == text)
