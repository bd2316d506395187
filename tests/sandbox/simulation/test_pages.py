"""The pages have the shapes of the real ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from mimir_migrate.model.rings import Product

STATES = {
    "1-memberlist": "memberlist",
    "2-multi-memberlist-primary": "memberlist+dynamodb",
    "3-multi-dynamodb-primary": "dynamodb+memberlist",
    "4-dynamodb": "dynamodb",
}
SMALL = {
    "distributor": 1,
    "ingester": 2,
    "store-gateway": 1,
    "compactor": 1,
    "ruler": 1,
    "alertmanager": 1,
    "querier": 1,
    "query-frontend": 1,
}
JSON = "application/json"


def json(process: Any, path: str) -> Any:
    """A page as JSON."""
    return msgspec.json.decode(process.get(path, JSON).body)


def families(text: str) -> dict[str, set[tuple[str, ...]]]:
    """Label names by the name of the metric."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, labels = line.rsplit(" ", 1)[0].partition("{")
            found.setdefault(name, set()).add(tuple(re.findall(r'(\w+)="', labels)))
    return found


def kv_names(text: str) -> set[tuple[str, str]]:
    """Every `kv_name` and every `name` that a page has, by the metric's name."""
    found = set()
    for line in text.splitlines():
        if not line.startswith("#"):
            for value in re.findall(r'\b(?:kv_)?name="([^"]+)"', line):
                found.add((line.split("{")[0], value))
    return found


def captured_pods(captures: Path, state: str) -> Iterator[tuple[str, Path]]:
    """One pod of each component."""
    for folder in sorted((captures / state).glob("*-0")):
        yield folder.name.rsplit("-", 1)[0], folder


@pytest.mark.corpus
@pytest.mark.parametrize("state", list(STATES))
def test_every_page_has_the_shape_of_the_captured_one(
    captures: Path, tiny_cluster: Any, configured: Any, state: str
) -> None:
    """Keys, their order, services, metric names, label names and `kv_name`s are those of real pods."""
    cluster = tiny_cluster(
        Product.CORTEX, configured(Product.CORTEX, STATES[state]), replicas=SMALL
    )
    cluster.settle()
    for component, folder in captured_pods(captures, state):
        process = cluster.processes[f"{component}-0"]
        theirs = (folder / "metrics").read_text()
        ours = process.get("/metrics", "").body.decode()
        missing = {
            name: labels - families(ours).get(name, set())
            for name, labels in families(theirs).items()
        }
        assert {name: labels for name, labels in missing.items() if labels} == {}
        assert kv_names(theirs) <= kv_names(ours)
        services = msgspec.json.decode((folder / "services").read_bytes())
        assert [one["name"] for one in services["services"]] == [
            one["name"] for one in json(process, "/services")["services"]
        ]
        assert yaml.safe_load(process.get("/runtime_config", "").body) == yaml.safe_load(
            (folder / "runtime_config").read_text()
        )
        check_rings(process, folder)
        check_memberlist(process, folder)


def check_rings(process: Any, folder: Path) -> None:
    """Each captured ring page has the keys of ours."""
    captured = sorted(folder.glob("*_ring"))
    for file in captured:
        theirs = msgspec.json.decode(file.read_bytes())
        ours = json(process, "/" + file.name.replace("_ring", "/ring"))
        assert list(ours) == list(theirs)
        assert list(ours["shards"][0]) == list(theirs["shards"][0])
        for key in ("timestamp", "registered_timestamp"):
            assert re.fullmatch(r"[\d-]+ [\d:]+ \+0000 UTC", ours["shards"][0][key])
    for page in ("ingester", "store-gateway", "compactor", "ruler"):
        served = process.get(f"/{page}/ring", JSON).status == 200
        assert served is (folder / f"{page}_ring").exists()


def check_memberlist(process: Any, folder: Path) -> None:
    """The list of nodes, and each value of the store."""
    if not (folder / "memberlist").exists():
        return
    text = (folder / "memberlist").read_bytes()
    if not text.startswith(b"{"):
        assert process.get("/memberlist", JSON).body == text
        return
    theirs, ours = msgspec.json.decode(text), json(process, "/memberlist")
    assert list(ours) == list(theirs)
    assert list(ours["SortedMembers"][0]) == list(theirs["SortedMembers"][0])
    assert list(ours["Store"]) == list(theirs["Store"])
    for key in theirs["Store"]:
        name = f"memberlist__viewKey-{key.replace('/', '_')}_format-json"
        value = msgspec.json.decode((folder / name).read_bytes())
        mine = json(process, f"/memberlist?viewKey={key}&format=json")
        keys = [list(next(iter(one["ingesters"].values()))) for one in (mine, value)]
        assert keys[0] == keys[1]


def test_mimir_s_ring_page(tiny_cluster: Any, configured: Any) -> None:
    """RFC 3339 times, flags for read-only members, and null for a ring without members."""
    cluster = tiny_cluster(
        Product.MIMIR,
        configured(Product.MIMIR, "memberlist"),
        replicas={"distributor": 1, "ingester": 1},
    )
    cluster.settle()
    process = cluster.processes["distributor-0"]
    page = json(process, "/ingester/ring")
    assert list(page) == ["shards", "now"]
    (shard,) = page["shards"]
    assert list(shard) == [
        "id",
        "state",
        "address",
        "timestamp",
        "registered_timestamp",
        "read_only",
        "read_only_updated_timestamp",
        "zone",
        "tokens",
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shard["timestamp"])
    assert (shard["state"], len(shard["tokens"])) == ("ACTIVE", 512)
    assert json(process, "/api/v1/status/buildinfo")["data"]["application"] == "Grafana Mimir"
    cluster.simulation.kill("ingester-0", cluster.processes["ingester-0"].spec.uid)
    cluster.run(70)
    assert json(process, "/ingester/ring")["shards"][0]["state"] == "UNHEALTHY"


def test_an_empty_ring_is_null(tiny_cluster: Any, configured: Any) -> None:
    """Both products write `null`, not an empty list."""
    for product in Product:
        cluster = tiny_cluster(
            product, configured(product, "memberlist"), replicas={"distributor": 1}
        )
        cluster.run(5)
        assert json(cluster.processes["distributor-0"], "/ingester/ring")["shards"] is None


def test_pages_in_html(tiny_cluster: Any, configured: Any) -> None:
    """Without JSON asked for the ring page is a table, and names from outside are escaped."""
    cluster = tiny_cluster(
        Product.CORTEX, configured(Product.CORTEX, "memberlist"), replicas={"ruler": 1}
    )
    cluster.settle()
    process = cluster.processes["ruler-0"]
    page = process.get("/ruler/ring", "text/html")
    assert page.content_type.startswith("text/html")
    assert b'<button name="forget" value="ruler-0"' in page.body
    assert process.get("/services", "*/*").content_type.startswith("text/html")
    assert process.get("/memberlist", "*/*").content_type.startswith("text/html")


def test_what_is_not_served_is_not_found(tiny_cluster: Any, configured: Any) -> None:
    """Pages of other components, keys that are not there, and Cortex' missing build info."""
    cluster = tiny_cluster(
        Product.CORTEX,
        configured(Product.CORTEX, "memberlist"),
        replicas={"distributor": 1, "ingester": 1},
    )
    cluster.settle()
    ingester, distributor = cluster.processes["ingester-0"], cluster.processes["distributor-0"]
    for path in ("/ingester/ring", "/ring", "/nonsense", "/api/v1/status/buildinfo"):
        assert ingester.get(path, JSON).status == 404
    assert ingester.get("/memberlist?viewKey=nothing&format=json", JSON).status == 404
    assert distributor.get("/ring", JSON).status == 200
    html = distributor.get("/distributor/ring", JSON)
    assert (html.status, html.content_type[:9]) == (200, "text/html")


def test_without_a_runtime_file(tiny_cluster: Any) -> None:
    """The page says so, and there is no metric about reloading."""
    config = "ingester: {lifecycler: {ring: {kvstore: {store: memberlist}}}}"
    cluster = tiny_cluster(Product.CORTEX, config, replicas={"ruler": 1})
    cluster.run(5)
    process = cluster.processes["ruler-0"]
    assert b"runtime config file doesn't exist" in process.get("/runtime_config", "").body
    assert b"cortex_runtime_config" not in process.get("/metrics", "").body


def test_the_tool_can_read_what_is_served(tiny_cluster: Any, configured: Any) -> None:
    """The inspection's own parsers take the pages of both products."""
    from mimir_migrate.inspection.pages.memberlist import gossip_of, replica_members
    from mimir_migrate.inspection.pages.metrics import read_metrics
    from mimir_migrate.inspection.pages.ring import ring_members

    for product in Product:
        cluster = tiny_cluster(
            product,
            configured(product, "memberlist+dynamodb"),
            replicas={"distributor": 1, "ingester": 3},
            version="3.0.2" if product is Product.MIMIR else "",
        )
        cluster.settle()
        process = cluster.processes["distributor-0"]
        members = ring_members(process.get("/ingester/ring", JSON).body)
        key = "/memberlist?viewKey=collectors/ring&format=json"
        replica = replica_members(process.get(key, JSON).body)
        assert [one.address for one in members] == [one.address for one in replica]
        assert [one.tokens for one in members] == [one.tokens for one in replica]
        gossip = gossip_of(process.get("/memberlist", JSON).body)
        assert len(gossip.members) == 4
        metrics = read_metrics(process.get("/metrics", "").body)
        assert metrics.clients["ingester-ring"].primary == "memberlist"
        assert metrics.ring_members["ingester"]["ACTIVE"] == 3
        failed, pushes = metrics.counters.failed_pushes, metrics.counters.pushes
        cluster.run(10)
        later = read_metrics(process.get("/metrics", "").body).counters
        assert (later.failed_pushes, later.pushes) == (failed, (pushes or 0) + 200)
