"""The simulation is held to captured pods, page by page: the same configuration, the same moment.

Names and times are taken out; what is compared is which pod serves what with which status, and of each
page its fields, their types and forms, the spelling of states, the families and labels of metrics. A
difference that is meant stands in `MEANT` with its reason; one that is not turns this red, and so does
an entry of `MEANT` that nothing needs any more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from captured import CapturedPod, SimulatedState, captured_pods, families, shape, states

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.interface import Response

pytestmark = pytest.mark.corpus

MEANT: tuple[tuple[str, str], ...] = (
    (
        r".* GET /memberlist\?viewKey=.*: 200, real: not asked",
        "a value of memberlist was asked for only where the pod gossips, on Cortex of one pod alone",
    ),
    (
        r"cortex .* GET /metrics: only here cortex_(request_duration_seconds|prometheus_rule_).*",
        "the captures of Cortex keep the families about rings, stores and gossip alone",
    ),
    (
        r".* GET /metrics: only here cortex_kv_request_duration_seconds(_bucket|_sum)? .*",
        "the captures keep the counts of this histogram alone",
    ),
    (
        r"mimir .* GET /metrics: only here cortex_request_duration_seconds(_bucket|_sum)? .*",
        "the captures keep the counts of this histogram alone",
    ),
    (
        r"mimir .* GET /metrics: only here mimir_build_info .*",
        "left out of the captures under Kubernetes, there in those on loopback",
    ),
    (
        r"mimir ruler GET /metrics: only (here|real) cortex_prometheus_rule_.*",
        "captured rulers had no rule group at that moment, simulated ones always have some",
    ),
    (
        r"mimir .* only real memberlist_client_kv_store_value_tombstones.*/query-scheduler",
        "left from before, when the captured cluster had the query-schedulers' ring on",
    ),
    (
        r"mimir-loopback-[34].*type=consul.*",
        "the sandbox runs no Consul: every request to it fails here",
    ),
    (
        r"mimir .* only real .*kv_name=(query-scheduler|overrides-exporter)-lifecycler,operation=GET.*",
        "their page is a read of the store, and somebody had asked for it before the metrics",
    ),
    (
        r"mimir-loopback-4.*operation=WatchKey.*",
        "the captured processes had been switched to the other store and back before",
    ),
    (
        r'mimir-loopback-3.*/ring: \.shards\[\]\.state: "UNHEALTHY", real: "ACTIVE"',
        "the sandbox runs no Consul: nobody's heartbeat arrives once it is primary",
    ),
    (
        r'mimir-k8s-stock.*/ring: \.shards\[\]\.state: "ACTIVE", real: "ACTIVE"\|"UNHEALTHY"',
        "taken while pods that had been killed were still members; see the odd moments",
    ),
)
SEEN: set[str] = set()


def differences(folder: Path) -> Iterator[str]:
    """Every difference of one captured state, with names and times taken out."""
    pods = captured_pods(folder)
    product = Product.MIMIR if folder.name.startswith("mimir") else Product.CORTEX
    simulated = SimulatedState(product, pods)
    paths = sorted({path for pod in pods for path in pod.pages}, key=_metrics_first)
    for pod in pods:
        process = simulated.processes[pod.name]
        assert process.ready, (folder.name, pod.name, process.crash_reason)
        for path in paths:
            if not path.startswith("/config"):
                accept = "*/*" if path in {"/metrics", "/ready"} else "application/json"
                answer = process.get(path, accept)
                for text in _compared(pod, path, answer):
                    yield f"{folder.name} {product.value} {pod.target} GET {path}: {text}"


def _metrics_first(path: str) -> tuple[bool, str]:
    """As they were captured: what was asked before stands in the metrics."""
    return path != "/metrics", path


def _compared(pod: CapturedPod, path: str, answer: Response) -> Iterator[str]:
    real = pod.pages.get(path)
    if real is None:
        if answer.status == 200:
            yield "200, real: not asked" if "viewKey" in path else "200, real: another status"
        return
    if answer.status != 200:
        yield f"{answer.status}, real: 200"
    elif path == "/metrics":
        here, there = set(families(answer.body)), set(families(real))
        yield from (f"only here {name} {series}" for name, series in sorted(here - there))
        yield from (f"only real {name} {series}" for name, series in sorted(there - here))
    elif path.startswith("/runtime_config"):
        yield from _runtime(answer.body, real)
    elif path == "/services":
        yield from _services(answer.body, real)
    elif real[:1] == b"{" or answer.body[:1] == b"{":
        yield from _json(answer.body, real)
    elif path == "/ready" and answer.body != real:
        yield f"{answer.body!r}, real: {real!r}"


def _json(here: bytes, there: bytes) -> Iterator[str]:
    if here[:1] != there[:1]:
        yield f"{here[:20]!r}, real: {there[:20]!r}"
        return
    ours, theirs = shape(here), shape(there)
    for path in sorted({*ours, *theirs}):
        if ours.get(path) != theirs.get(path):
            yield f"{path}: {ours.get(path)}, real: {theirs.get(path)}"


def _services(here: bytes, there: bytes) -> Iterator[str]:
    ours, theirs = (
        {(one["name"], one["status"]) for one in json.loads(page)["services"]}
        for page in (here, there)
    )
    if ours != theirs:
        yield f"{sorted(ours - theirs)}, real: {sorted(theirs - ours)}"


def _runtime(here: bytes, there: bytes) -> Iterator[str]:
    ours, theirs = yaml.safe_load(here) or {}, yaml.safe_load(there) or {}
    for key in sorted({*ours, *theirs} - {"overrides"}):
        if ours.get(key, "absent") != theirs.get(key, "absent"):
            yield f"{key}: {ours.get(key, 'absent')}, real: {theirs.get(key, 'absent')}"


def unmeant(found: Iterator[str]) -> list[str]:
    """Those that no entry of `MEANT` allows; the others are remembered."""
    left = []
    for text in dict.fromkeys(found):
        state, _, rest = text.partition(" ")
        reasons = [
            pattern
            for pattern, _ in MEANT
            if re.fullmatch(pattern, rest) or re.fullmatch(pattern, f"{state} {rest}")
        ]
        SEEN.update(reasons)
        if not reasons:
            left.append(text)
    return left


def test_every_captured_page_is_what_the_simulation_answers(captures: Path) -> None:
    """States × pods × pages; what is otherwise stands in the list with its reason, and is needed."""
    found = [text for state in states(captures) for text in unmeant(differences(captures / state))]

    assert not found, "\n".join(found[:40])
    assert {pattern for pattern, _ in MEANT} - SEEN == set()


def test_the_list_of_what_is_meant_gives_reasons() -> None:
    """An entry without one is a fault that nobody mended."""
    assert all(len(reason) > 20 for _, reason in MEANT)
