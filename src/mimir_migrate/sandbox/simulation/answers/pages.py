"""The pages of a simulated process, in the shapes of the real ones."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from mimir_migrate.model.facts import INSTANCE_STATES, Member, MemberState
from mimir_migrate.model.rings import Product, Ring
from mimir_migrate.sandbox.interface import PodPhase, Response
from mimir_migrate.sandbox.simulation.answers.metrics import metrics_page
from mimir_migrate.sandbox.simulation.configuration import Configuration
from mimir_migrate.sandbox.simulation.process import SimulatedProcess
from mimir_migrate.sandbox.simulation.runtime_file import NO_FILE
from mimir_migrate.sandbox.simulation.stores.gossip import GossipNode
from mimir_migrate.sandbox.simulation.stores.kv import KVError

_STOP_LAST: Final = ("memberlist-kv", "server")
"""Services of Cortex that still stop while the others are Terminated, in a ruler's grace."""
_ZERO_TIME: Final = "0001-01-01T00:00:00Z"
"""How Go writes a time that is none."""
_CLEANUP: Final = "active-groups-cleanup-service"
_SERVICES: Final = {
    Product.CORTEX: {
        "distributor": ("distributor-service", "grpcclient-service", "ring"),
        "ingester": ("ingester-service",),
        "querier": (
            "distributor-service",
            "grpcclient-service",
            "querier",
            "ring",
            "store-queryable",
        ),
        "ruler": ("distributor-service", "grpcclient-service", "ring", "ruler", "store-queryable"),
        "query-frontend": ("query-frontend", "query-frontend-tripperware"),
    },
    Product.MIMIR: {
        "distributor": (_CLEANUP, "distributor-service"),
        "ingester": (_CLEANUP, "ingester-service"),
        "querier": ("distributor-service", "querier", "store-queryable"),
        "ruler": ("distributor-service", "ruler", "store-queryable"),
    },
}
"""Of each target, besides those of every process; the others have one by their own name."""


def render(process: SimulatedProcess, path: str, accept: str) -> Response:
    """Answer `GET path` of a process that listens."""
    parts = urlsplit(path)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    json = "application/json" in accept
    page = parts.path.rstrip("/") or "/"
    if page == "/ready":
        if process.ready:
            return _text("ready")
        return _text(process.why_not_ready(), status=503)
    if page == "/config":
        return _config(process, query.get("mode", ""))
    if page == "/runtime_config":
        return _runtime_config(process, query.get("mode", ""))
    if page == "/metrics":
        return Response(
            status=200,
            content_type="text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
            body=metrics_page(process).encode(),
        )
    if page == "/memberlist" and _knows_gossip(process):
        return _memberlist(process, query, json=json)
    if page == "/services":
        return _services(process, json=json)
    if page == "/api/v1/status/buildinfo" and process.build.product is Product.MIMIR:
        return _json(_buildinfo(process))
    return _ring(process, page, json=json)


def _ring(process: SimulatedProcess, page: str, *, json: bool) -> Response:
    configuration = process.configuration
    for ring in configuration.rings if configuration is not None else ():
        if page != ring.page and not (ring.name == "ingester" and page == "/ring"):
            continue
        if not _serves(process, ring):
            break
        reader = process.page_reader(ring)
        if configuration is not None and not configuration.is_on(ring):
            return _html(f"<p>{html.escape(ring.name)} is not running with a ring.</p>")
        if not ring.mirrors_whole:
            return _json({"partitions": []})
        if reader is None:
            return _html(f"<p>{html.escape(ring.name)} is not running yet.</p>")
        try:
            shown = reader.shown()
        except KVError as error:
            return _text(f"{error}\n", status=500)
        if not json:
            return _html(_ring_table(process, shown))
        return _json(_ring_page(process, shown, reader.as_of()))
    return _text("404 page not found\n", status=404)


def _serves(process: SimulatedProcess, ring: Ring) -> bool:
    configuration = process.configuration
    if configuration is None:
        return False
    return any(role.serves_page for role in configuration.roles(ring))


def _ring_page(
    process: SimulatedProcess, shown: list[tuple[Member, str]], as_of: int
) -> dict[str, Any]:
    clock = process.build.clock
    cortex = process.build.product is Product.CORTEX
    stamp = _cortex_time if cortex else _rfc3339
    shards = []
    for member, state in shown:
        shard: dict[str, Any] = {
            "id": member.id,
            "state": "Unhealthy" if cortex and state == "UNHEALTHY" else state,
            "address": member.address,
            "timestamp": stamp(clock.real(member.timestamp)),
            "registered_timestamp": stamp(clock.real(member.registered_timestamp)),
        }
        if not cortex:
            shard["read_only"] = member.read_only
            shard["read_only_updated_timestamp"] = _ZERO_TIME
        shard["zone"] = member.zone
        shard["tokens"] = member.tokens
        shards.append(shard)
    now = clock.now()
    page: dict[str, Any] = {"shards": shards or None, "now": _rfc3339(now, digits=9)}
    if cortex:
        page["storageLastUpdated"] = _rfc3339(as_of / clock.speed, digits=9)
    return page


def _ring_table(process: SimulatedProcess, shown: list[tuple[Member, str]]) -> str:
    clock = process.build.clock
    rows = "".join(
        f"<tr><td>{html.escape(member.id)}</td><td>{html.escape(member.zone)}</td>"
        f"<td>{state}</td><td>{html.escape(member.address)}</td>"
        f"<td>{_rfc3339(clock.real(member.timestamp))}</td><td>{len(member.tokens)}</td>"
        f'<td><button name="forget" value="{html.escape(member.id)}" type="submit">Forget</button>'
        "</td></tr>"
        for member, state in shown
    )
    name = process.build.product.value.capitalize()
    return (
        f"<h1>{name} Ring Status</h1><p>Current time: {_rfc3339(clock.now())}</p>"
        '<form action="" method="POST">'
        '<input type="hidden" name="csrf_token" value="$__CSRF_TOKEN_PLACEHOLDER__">'
        "<table><thead><tr><th>Instance ID</th><th>Availability Zone</th><th>State</th>"
        "<th>Address</th><th>Last Heartbeat</th><th>Tokens</th><th>Actions</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></form>"
    )


def _config(process: SimulatedProcess, mode: str) -> Response:
    configuration = process.configuration
    if configuration is None:
        return _text("", status=503)
    if mode not in {"", "diff", "defaults"}:
        return _text(f"unknown mode {mode}\n", status=500)
    return _yaml(configuration.page(mode, process.build.clock.speed))


def _runtime_config(process: SimulatedProcess, mode: str) -> Response:
    if process.runtime is None:
        return _text(NO_FILE + "\n")
    return _yaml(process.runtime.file.diff if mode == "diff" else process.runtime.file.page)


def _memberlist(process: SimulatedProcess, query: dict[str, str], *, json: bool) -> Response:
    node = process.gossip
    if node is None:
        return _text("This instance doesn't use memberlist.")
    key = query.get("viewKey") or query.get("downloadKey")
    if key:
        if key not in node.store:
            return _text("value not found\n", status=404)
        return _json({"ingesters": _replica(process, node, key)})
    if not json:
        names = "".join(f"<li>{html.escape(name)}</li>" for name in sorted(node.peers))
        return _html(f"<h1>Memberlist Status</h1><ul>{names}</ul>")
    mimir = process.build.product is Product.MIMIR
    page: dict[str, Any] = {
        "Now": _rfc3339(process.build.clock.now(), digits=9),
        "Memberlist": {},
        "SortedMembers": [
            {
                "Name": name,
                "Addr": peer.node.host.ip,
                "Port": peer.node.settings.port,
                "Meta": None,
                "State": peer.state,
                "PMin": 1,
                "PMax": 5,
                "PCur": 2,
                "DMin": 0,
                "DMax": 0,
                "DCur": 0,
            }
            for name, peer in sorted(node.peers.items())
        ],
        "Store": {key: _stored(node, key) if mimir else {} for key in sorted(node.store)},
        "SentMessages": None,
        "ReceivedMessages": None,
    }
    if mimir:
        page["MessageHistoryBufferBytes"] = 0
    return _json(page)


def _knows_gossip(process: SimulatedProcess) -> bool:
    """Whether the process has the page at all: Cortex' query-frontend starts no memberlist service."""
    components = process.configuration.components if process.configuration else ()
    return process.build.product is Product.MIMIR or components != ("query-frontend",)


def _stored(node: GossipNode, key: str) -> dict[str, Any]:
    """What the page says of a value, and not what it is."""
    return {
        "Version": node.versions[key],
        "CodecID": "ringDesc",
        "Deleted": False,
        "UpdateTime": _ZERO_TIME,
    }


def _replica(process: SimulatedProcess, node: GossipNode, key: str) -> dict[str, Any]:
    clock = process.build.clock
    found = {}
    for id_, member in sorted(node.store[key].items()):
        entry: dict[str, Any] = {
            "addr": member.address,
            "timestamp": clock.real(member.timestamp),
        }
        if member.state is not MemberState.ACTIVE:
            entry["state"] = (
                member.state.value
                if process.build.product is Product.CORTEX
                else INSTANCE_STATES.index(member.state)
            )
        if member.tokens:
            entry["tokens"] = member.tokens
        if member.zone:
            entry["zone"] = member.zone
        entry["registered_timestamp"] = clock.real(member.registered_timestamp)
        if process.build.product is Product.MIMIR:
            entry["id"] = id_
        found[id_] = entry
    return found


def _services(process: SimulatedProcess, *, json: bool) -> Response:
    configuration = process.configuration
    names = _service_names(process.build.product, configuration) if configuration else set()
    status = "Running" if process.ready else "Starting"
    if process.phase is PodPhase.TERMINATING:
        status = "Stopping"
    cortex = process.build.product is Product.CORTEX
    services = [
        {
            "name": name,
            "status": "Terminated"
            if cortex and status == "Stopping" and name not in _STOP_LAST
            else status,
        }
        for name in sorted(names)
    ]
    if json:
        now = _rfc3339(process.build.clock.now(), digits=9)
        return _json({"now": now, "services": services})
    rows = "".join(f"<tr><td>{n}</td><td>{status}</td></tr>" for n in sorted(names))
    return _html(f"<h1>Services' Status</h1><table>{rows}</table>")


def _service_names(product: Product, configuration: Configuration) -> set[str]:
    names = {"runtime-config", "server"}
    for component in configuration.components:
        names |= set(_SERVICES[product].get(component, (component,)))
        if product is Product.MIMIR or component != "query-frontend":
            names.add("memberlist-kv")
    if product is Product.MIMIR:
        names.add("sanity-check")
        if configuration.value(("activity_tracker", "filepath")):
            names.add("activity-tracker")
        if any(
            role.serves_page and ring.name == "ingester"
            for ring in configuration.rings
            for role in configuration.roles(ring)
        ):
            names.add("ingester-ring")
    return names


def _buildinfo(process: SimulatedProcess) -> dict[str, Any]:
    return {
        "status": "success",
        "data": {
            "application": "Grafana Mimir",
            "version": process.build.version,
            "revision": process.build.revision,
            "branch": "HEAD",
            "goVersion": "go1.26.6",
            "features": {
                "ruler_config_api": "true",
                "alertmanager_config_api": "true",
                "query_sharding": "false",
                "federated_rules": "false",
            },
        },
    }


def _cortex_time(seconds: float) -> str:
    if not seconds:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


def _rfc3339(seconds: float, *, digits: int = 0) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    if digits:
        text += f".{moment.microsecond:06d}".ljust(digits + 1, "0")
    return text + "Z"


def _json(value: Any) -> Response:
    return Response(status=200, content_type="application/json", body=msgspec.json.encode(value))


def _text(text: str, *, status: int = 200) -> Response:
    return Response(
        status=status, content_type="text/plain; charset=utf-8", body=text.encode("utf-8")
    )


def _yaml(text: str) -> Response:
    return Response(status=200, content_type="text/yaml", body=text.encode("utf-8"))


def _html(body: str) -> Response:
    page = f'<!DOCTYPE html><html><head><meta charset="UTF-8"></head><body>{body}</body></html>'
    return Response(status=200, content_type="text/html; charset=utf-8", body=page.encode("utf-8"))
