"""The table of rings is what real pods show: clients, members' metric, pages, in each state."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mimir_migrate.inspection.pages.config import is_enabled, merged, read_yaml
from mimir_migrate.inspection.pages.metrics import read_metrics
from mimir_migrate.model.rings import RINGS, Product, Ring, components_of, rings_of, version_in

_KV_NAME = re.compile(rb'kv_name="([^"]+)"')
_POD = re.compile(
    r"^(?:mimir-)?(?P<target>[a-z-]+?)(?:-zone-[a-z])?"
    r"(?:-\d+|-[0-9a-f]{8,10}-[a-z0-9]{5})$"
)


def pods(captures: Path) -> Iterator[tuple[Product, Path, str]]:
    """Every captured pod with its product and what it runs."""
    for folder in sorted(captures.iterdir()):
        product = Product.MIMIR if folder.name.startswith("mimir") else Product.CORTEX
        for pod in sorted(folder.iterdir()) if folder.is_dir() else ():
            match = _POD.match(pod.name)
            if pod.is_dir() and match and (pod / "metrics").is_file():
                yield product, pod, match["target"]


def test_every_entry_says_where_it_was_read() -> None:
    """A ring or a role without a source is a guess."""
    for ring in (ring for rings in RINGS.values() for ring in rings):
        assert ring.source, ring.name
        assert all(role.source for role in ring.roles), ring.name


@pytest.mark.corpus
def test_clients_members_and_pages_are_those_of_real_pods(captures: Path) -> None:
    """Of 12 states: no client that the table does not expect, none missing, every page and metric."""
    wrong: list[str] = []
    seen = 0
    for product, pod, target in pods(captures):
        seen += 1
        wrong += differences(product, pod, target, captures)
    assert not wrong
    assert seen > 200


def differences(product: Product, pod: Path, target: str, captures: Path) -> Iterator[str]:
    """What a captured pod shows otherwise than the table says."""
    defaults = (
        "mimir-config-defaults-2.17.yaml" if product is Product.MIMIR else "config-defaults.yaml"
    )
    config = merged(
        read_yaml((captures / defaults).read_bytes(), "defaults"),
        read_yaml((pod / "config__mode-diff").read_bytes(), "diff"),
    )
    body = (pod / "metrics").read_bytes()
    metrics = read_metrics(body)
    version = version_in(metrics.build.version) if metrics.build else None
    components = components_of(product, target)
    roles = [
        (ring, role)
        for ring in rings_of(product)
        if is_enabled(config, ring)
        for role in ring.at(version)
        if role.component in components
    ]
    where = f"{pod.parent.name}/{pod.name}"
    expected = {name for _, role in roles for name in role.kv_names}
    shown = {name.decode() for name in _KV_NAME.findall(body)}
    if expected != shown:
        yield f"{where}: clients {sorted(shown)}, expected {sorted(expected)}"
    if set(metrics.kv_names) != shown:
        yield f"{where}: clients {sorted(shown)}, read {sorted(metrics.kv_names)}"
    members = {role.members_name for _, role in roles if role.members_name}
    if members != set(metrics.ring_members):
        yield f"{where}: members {sorted(metrics.ring_members)}, expected {sorted(members)}"
    for ring in rings_of(product):
        serving = [role for mine, role in roles if mine is ring and role.serves_page]
        # A page that reads the store answers 500 while that is away, which captures do not keep.
        if bool(serving) is not is_served(pod, ring) and not any(
            role.page_reads_store for role in serving
        ):
            yield f"{where}: {ring.page} is {'not ' if serving else ''}served"


def is_served(pod: Path, ring: Ring) -> bool:
    """Whether the pod answered the ring's page as JSON; captures keep 200 only."""
    file = pod / ring.page.strip("/").replace("/", "_")
    return (
        file.is_file()
        and file.read_bytes()[:1] == b"{"
        and "shards" in json.loads(file.read_bytes())
    )


def test_roles_by_version() -> None:
    """Ingesters read their ring since 2.12, query-frontends since 2.14; a branch counts as newest."""
    ring = next(ring for ring in rings_of(Product.MIMIR) if ring.name == "ingester")

    def names(component: str, version: str) -> tuple[str, ...]:
        role = ring.role_of(component, version_in(version))
        return role.kv_names if role else ()

    assert names("ingester", "2.11.0") == ("ingester-lifecycler",)
    assert names("ingester", "2.12.0") == ("ingester-lifecycler", "ingester-ring")
    assert names("query-frontend", "2.13.1") == ()
    assert names("query-frontend", "2.14.0-rc.0") == ("ingester-ring",)
    assert names("query-frontend", "r340-a1b2c3") == ("ingester-ring",)
    assert names("query-frontend", "") == ("ingester-ring",)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.17.0", (2, 17)),
        ("v2.12.0-rc.4", (2, 12)),
        ("2.17.0-lab-ddb", (2, 17)),
        ("", None),
        ("main-4e72c96", None),
        ("r341", None),
    ],
)
def test_versions_are_read_as_builds_write_them(
    text: str, version: tuple[int, int] | None
) -> None:
    """What is not a release counts as the newest."""
    assert version_in(text) == version
