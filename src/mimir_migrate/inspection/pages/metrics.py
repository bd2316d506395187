"""The metrics page of a pod, reduced to what the inspection needs.

Real pages have megabytes, so lines are picked by family before prometheus_client parses what
is left. A value of NaN says nothing and is dropped.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from mimir_migrate.inspection.pages.reading import UnreadablePageError, beginning, quoted
from mimir_migrate.model.facts import BuildInfo, Counters, KVClient

# It begins with a newline and not with ^, so that the search leaps from line to line.
# Names that begin alike stand together: a line of another family is left at its first letters.
_WANTED = re.compile(
    rb"\n(?:"
    rb"cortex_(?:"
    rb"multikv_(?:primary_store|mirror_enabled|mirror_writes_total|mirror_write_errors_total)"
    rb"|r(?:ing_members|untime_config_last_reload_successful|equest_duration_seconds_count)"
    rb"|build_info"
    rb"|prometheus_rule_evaluation(?:s_total|_failures_total)"
    rb"|kv_request_duration_seconds_count"
    rb"|dynamodb_kv_request_duration_seconds_count)"
    rb"|multikv_(?:primary_store|mirror_enabled|mirror_writes_total|mirror_write_errors_total)"
    rb"|process_start_time_seconds"
    rb")[{ ][^\n]*"
)
# Of a client's requests only its name is wanted, which costs less than parsing their many lines.
_REQUESTS = b"\ncortex_kv_request_duration_seconds_count{"
_KV_NAME = re.compile(rb'[{,]kv_name="([^"\\]*)"')
# What follows the last brace is the value; a line with an exemplar is not taken apart this way.
_SERIES_AND_VALUE = re.compile(
    rb"\s*([A-Za-z_:][\w:]*(?:\{.*\})?)[ \t]+([+-]?[0-9A-Za-z.+-]+)(?:[ \t]+-?[0-9]+)?\s*"
)
KEPT_SERIES = 16_384
"""A runner reads the same series again and again: so many of the last ones are not parsed again."""
# What users ask, by route. The names are those of the products' own dashboards (operations/mimir-mixin:
# `write` and `read` route regexes) under whatever prefix; everything else is the kubelet's probes
# (`ready` answers 503 while a pod starts), pods that ask each other, and this tool's own questions.
_PUSH = re.compile(
    r"api_(?:v1|prom)_push|api_v1_push_influx_write|otlp_v1_metrics|api_v1_otlp_v1_metrics"
    r"|/distributor\.Distributor/Push"
)
_QUERY = re.compile(
    r"[a-z0-9_]+_api_v1_(?!status_).+"
    r"|api_v1_(?:query|query_range|query_exemplars|labels|label_name_values|series|metadata|read)"
)
_RULES_AND_ALERTS = re.compile(
    r"(?:[a-z0-9_]+_)?config_v1_rules.*|api_(?:v1|prom)_rules.*|api_(?:v1|prom)_alerts.*"
    r"|alertmanager(?:_.*)?"
)
_GRPC_FAILED = frozenset({"Unavailable", "Internal", "Unknown", "DeadlineExceeded", "error"})
"""Codes with which a gRPC route says what 5xx says over HTTP (dskit's `instrument` writes them)."""

Labels = Mapping[str, str]


class PodMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod's metrics say. Each field is None or empty where the page has no such metric."""

    build: BuildInfo | None = None
    started_at: float | None = None
    reload_successful: bool | None = None
    clients: dict[str, KVClient] = {}
    """By `kv_name`; only clients on `multi` have these metrics."""
    kv_names: frozenset[str] = frozenset()
    """Every client that has these metrics, or made a request of any store."""
    ring_members: dict[str, dict[str, int]] = {}
    """`name` → state → number, summed over zones; states in capitals."""
    counters: Counters = Counters()
    unread: tuple[str, ...] = ()
    """Families with a line that cannot be read, each with that line: they count as not there."""


def read_metrics(body: bytes) -> PodMetrics:
    """Read a metrics page.

    A line that cannot be read makes its own family unknown, as if the page did not have it, and
    leaves the others as they are: a sum without one of its parts would say too little.

    Raises:
        UnreadablePageError: When the page is cut off, or has none of the wanted families: every
            process of the products has a build info and a start time.
    """
    lines = _WANTED.findall(b"\n" + body)
    families, unread = _samples_by_name(line for line in lines if not line.startswith(_REQUESTS))
    if not families:
        raise UnreadablePageError(f"not a metrics page; it begins {beginning(body)}")
    if not body.endswith(b"\n"):
        raise UnreadablePageError("a metrics page that is cut off: its last line has no end")
    clients = _clients(families)
    return PodMetrics(
        build=_build(families.get("cortex_build_info", ())),
        started_at=_single(families.get("process_start_time_seconds", ())),
        reload_successful=_all_true(
            families.get("cortex_runtime_config_last_reload_successful", ())
        ),
        clients=clients,
        kv_names=frozenset((*clients, *_named(lines))),
        ring_members=_ring_members(families.get("cortex_ring_members", ())),
        counters=_counters(families),
        unread=tuple(f"{name}: {quoted(line)}" for name, line in sorted(unread.items())),
    )


_Samples = list[tuple[Labels, float]]


def _named(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        if line.startswith(_REQUESTS) and (match := _KV_NAME.search(line)) is not None:
            yield match[1].decode("utf-8", "replace")


def _samples_by_name(lines: Iterable[bytes]) -> tuple[dict[str, _Samples], dict[str, str]]:
    """The samples of each family; and the families left out, with the line that cannot be read."""
    found: dict[str, _Samples] = {}
    unread: dict[str, str] = {}
    for line in lines:
        try:
            for name, labels, value in _parsed(line):
                found.setdefault(name, []).append((labels, value))
        except (ValueError, KeyError, IndexError):
            text = line.strip().decode("utf-8", "replace")
            unread[re.split("[{ ]", text, maxsplit=1)[0]] = text
    return {name: samples for name, samples in found.items() if name not in unread}, unread


def _parsed(line: bytes) -> Iterator[tuple[str, Labels, float]]:
    split = _SERIES_AND_VALUE.fullmatch(line)
    if split is None or b" # " in line:
        yield from _parsed_slowly(line)
        return
    value = float(split[2])
    if not math.isnan(value):
        name, labels = _series(split[1])
        yield name, labels, value


def _parsed_slowly(line: bytes) -> Iterator[tuple[str, Labels, float]]:
    for family in text_string_to_metric_families(line.decode("utf-8", "replace") + "\n"):
        for sample in family.samples:
            if not math.isnan(sample.value):
                yield sample.name, sample.labels, sample.value


@functools.lru_cache(maxsize=KEPT_SERIES)
def _series(text: bytes) -> tuple[str, Labels]:
    """Name and labels: what a page repeats from sample to sample, and what takes time to parse."""
    for name, labels, _ in _parsed_slowly(text + b" 0"):
        return name, labels
    raise ValueError(f"no series: {text[:80]!r}")


def _build(samples: Iterable[tuple[Labels, float]]) -> BuildInfo | None:
    for labels, _ in samples:
        return BuildInfo(version=labels.get("version", ""), revision=labels.get("revision", ""))
    return None


def _single(samples: Iterable[tuple[Labels, float]]) -> float | None:
    return next((value for _, value in samples), None)


def _all_true(samples: Iterable[tuple[Labels, float]]) -> bool | None:
    values = [value for _, value in samples]
    return all(value == 1 for value in values) if values else None


def _clients(families: Mapping[str, _Samples]) -> dict[str, KVClient]:
    # The partition ring's client is registered without the prefix `cortex_`.
    def both(name: str) -> _Samples:
        return [*families.get(f"cortex_{name}", ()), *families.get(name, ())]

    primaries: dict[str, str] = {}
    names: set[str] = set()
    for labels, value in both("multikv_primary_store"):
        names.add(labels.get("kv_name", ""))
        if value == 1:
            primaries[labels.get("kv_name", "")] = labels.get("store", "")
    mirrors = {
        labels.get("kv_name", ""): value == 1 for labels, value in both("multikv_mirror_enabled")
    }
    writes = {
        labels.get("kv_name", ""): value for labels, value in both("multikv_mirror_writes_total")
    }
    errors = {
        labels.get("kv_name", ""): value
        for labels, value in both("multikv_mirror_write_errors_total")
    }
    return {
        name: KVClient(
            kv_name=name,
            primary=primaries.get(name),
            mirror_enabled=mirrors.get(name),
            mirror_writes=writes.get(name),
            mirror_write_errors=errors.get(name),
        )
        for name in sorted(names | set(mirrors))
    }


def _ring_members(samples: Iterable[tuple[Labels, float]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for labels, value in samples:
        states = found.setdefault(labels.get("name", ""), {})
        state = labels.get("state", "").upper()
        states[state] = states.get(state, 0) + (int(value) if math.isfinite(value) else 0)
    return found


def _counters(families: Mapping[str, _Samples]) -> Counters:
    requests = families.get("cortex_request_duration_seconds_count", [])
    pushes = [sample for sample in requests if _PUSH.fullmatch(sample[0].get("route", ""))]
    queries = [sample for sample in requests if _QUERY.fullmatch(sample[0].get("route", ""))]
    others = [
        sample for sample in requests if _RULES_AND_ALERTS.fullmatch(sample[0].get("route", ""))
    ]
    dynamodb = families.get("cortex_dynamodb_kv_request_duration_seconds_count", [])
    groups = _rule_groups(families)
    return Counters(
        pushes=_total(pushes),
        failed_pushes=_failed(pushes),
        queries=_total(queries),
        failed_queries=_failed(queries),
        rule_evaluations=sum(done for done, _ in groups.values()) if groups else None,
        failed_rule_evaluations=sum(failed for _, failed in groups.values()) if groups else None,
        rule_groups=groups,
        requests=_total(others),
        server_errors=_failed(others),
        dynamodb_requests=_total(dynamodb),
        dynamodb_errors=_sum(
            dynamodb, lambda labels: not labels.get("status_code", "").startswith("2")
        ),
    )


def _rule_groups(families: Mapping[str, _Samples]) -> dict[str, tuple[float, float]]:
    """By tenant and group, since a ruler forgets the counters of a group that it hands over."""
    found: dict[str, tuple[float, float]] = {}
    for labels, value in families.get("cortex_prometheus_rule_evaluations_total", []):
        found[_group(labels)] = (value, 0.0)
    for labels, value in families.get("cortex_prometheus_rule_evaluation_failures_total", []):
        evaluated, _ = found.get(_group(labels), (value, 0.0))
        found[_group(labels)] = (evaluated, value)
    return found


def _group(labels: Labels) -> str:
    return f"{labels.get('user', '')} {labels.get('rule_group', '')}"


def _total(samples: _Samples) -> float | None:
    return _sum(samples, lambda _: True)


def _failed(samples: _Samples) -> float | None:
    """Requests the server failed; 0 where the route was asked and none of its answers was 5xx."""
    return _sum(
        samples,
        lambda labels: (
            (code := labels.get("status_code", "")).startswith("5") or code in _GRPC_FAILED
        ),
    )


def _sum(samples: _Samples, counts: Callable[[Labels], bool]) -> float | None:
    if not samples:
        return None
    return sum((value for labels, value in samples if counts(labels)), 0.0)
