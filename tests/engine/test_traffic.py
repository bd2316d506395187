"""What users see: only their own requests count, and a counter that is forgotten is not a failure."""

from __future__ import annotations

import msgspec
import pytest
import release as fake

from mimir_migrate.engine import traffic
from mimir_migrate.engine.gate_notes import GateContext
from mimir_migrate.engine.gates import judge
from mimir_migrate.inspection.pages.metrics import read_metrics
from mimir_migrate.model.events import Verdict
from mimir_migrate.model.facts import Counters, Inspection
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.rings import Product
from mimir_migrate.model.scale import Scale
from mimir_migrate.model.stores import StoreState

COUNT = "cortex_request_duration_seconds_count"
RULER = "cortex-ruler-0"


def counted(*lines: str) -> Counters:
    """What a metrics page of these lines says."""
    return read_metrics(("\n".join(lines) + "\n").encode()).counters


def asked(route: str, status: str, number: int, method: str = "GET") -> str:
    """A line as real pods write it."""
    labels = f'method="{method}",route="{route}",status_code="{status}",ws="false"'
    return f"{COUNT}{{{labels}}} {number}"


@pytest.mark.parametrize(
    "route",
    [
        "ready",
        "metrics",
        "config",
        "memberlist",
        "services",
        "runtime_config",
        "ingester_ring",
        "store_gateway_ring",
        "multitenant_alertmanager_ring",
        "api_v1_status_buildinfo",
        "prometheus_api_v1_status_buildinfo",
        "other",
        "/grpc.health.v1.Health/Check",
        "/cortex.Ingester/Push",
        "/cortex.Ingester/QueryStream",
        "/schedulerpb.SchedulerForQuerier/QuerierLoop",
    ],
)
def test_probes_and_the_tools_own_questions_do_not_count(route: str) -> None:
    """Whatever they answered, no user asked: real pods write each of these routes."""
    assert counted(asked(route, "503", 9), "process_start_time_seconds 1") == Counters()


@pytest.mark.parametrize(
    ("route", "fields"),
    [
        ("api_v1_push", ("pushes", "failed_pushes")),
        ("api_prom_push", ("pushes", "failed_pushes")),
        ("otlp_v1_metrics", ("pushes", "failed_pushes")),
        ("prometheus_api_v1_query", ("queries", "failed_queries")),
        ("api_prom_api_v1_query_range", ("queries", "failed_queries")),
        ("observability_api_v1_labels", ("queries", "failed_queries")),
        ("prometheus_config_v1_rules", ("requests", "server_errors")),
        ("api_v1_rules", ("requests", "server_errors")),
        ("alertmanager", ("requests", "server_errors")),
    ],
)
def test_what_users_ask_counts_by_route(route: str, fields: tuple[str, str]) -> None:
    """Pushes, queries, and the rest of the users' API, under any prefix."""
    found = counted(asked(route, "200", 7), asked(route, "503", 2), asked("ready", "503", 9))
    assert [getattr(found, field) for field in fields] == [9, 2]


def test_a_push_by_grpc_fails_in_words() -> None:
    """A gRPC route has no 5xx of HTTP."""
    route = "/distributor.Distributor/Push"
    found = counted(asked(route, "OK", 7, "gRPC"), asked(route, "Unavailable", 2, "gRPC"))
    assert (found.pushes, found.failed_pushes) == (9, 2)


def grown(before: dict[str, tuple[float, float]], now: dict[str, tuple[float, float]]) -> Counters:
    """What one ruler's groups come to between two inspections."""

    def seen(groups: dict[str, tuple[float, float]], at: float) -> Inspection:
        return fake.with_counters(
            fake.release(Product.CORTEX, StoreState.MEMBERLIST, at=at),
            RULER,
            rule_groups=groups,
            rule_evaluations=sum(done for done, _ in groups.values()) if groups else None,
            failed_rule_evaluations=sum(bad for _, bad in groups.values()) if groups else None,
        )

    def only_the_ruler(inspection: Inspection) -> Inspection:
        pods = tuple(pod for pod in inspection.pods if pod.pod.name == RULER)
        return msgspec.structs.replace(inspection, pods=pods)

    found = traffic.deltas(
        only_the_ruler(seen(before, fake.NOW - fake.WINDOW)), only_the_ruler(seen(now, fake.NOW))
    )
    assert found is not None
    return found


def test_failures_are_seen_while_another_tenants_counters_vanish() -> None:
    """The sum shrinks, and the group that is left failed ten times of ten."""
    found = grown({"a 1": (1000, 0), "b 1": (50, 0)}, {"b 1": (60, 10)})
    assert (found.rule_evaluations, found.failed_rule_evaluations) == (10, 10)


def test_a_group_that_comes_back_counts_from_zero() -> None:
    """Another ruler had it meanwhile; what it counts here began again."""
    found = grown({"a 1": (1000, 40)}, {"a 1": (8, 2)})
    assert (found.rule_evaluations, found.failed_rule_evaluations) == (8, 2)


def test_rule_counters_that_vanish_are_neither_a_restart_nor_a_failure() -> None:
    """A ruler's page tells nothing more of rules once the last group of the last tenant has left it."""
    now = fake.with_counters(
        fake.release(Product.CORTEX, StoreState.MEMBERLIST),
        RULER,
        rule_evaluations=None,
        failed_rule_evaluations=None,
    )
    before = fake.with_counters(
        fake.release(Product.CORTEX, StoreState.MEMBERLIST, at=fake.NOW - fake.WINDOW),
        RULER,
        rule_groups={"a 1": (70, 3)},
    )
    result = judge(
        Gate.USERS_FINE, now, GateContext(rings=("ruler",), window=fake.WINDOW, reference=before)
    )
    assert result.verdict is Verdict.PASS, result


def test_what_a_frontend_asks_again_is_no_failure() -> None:
    """Queriers failed parts of queries, the frontend asked again, and every user got an answer."""

    def seen(at: float, queries: float, failed: float) -> Inspection:
        inspection = fake.release(Product.CORTEX, StoreState.MEMBERLIST, at=at)
        querier, frontend = (
            next(pod for pod in inspection.pods if pod.pod.component == "querier"),
            next(pod for pod in inspection.pods if pod.pod.component == "ruler"),
        )
        return msgspec.structs.replace(
            inspection,
            pods=(
                msgspec.structs.replace(
                    querier, counters=Counters(queries=queries * 16, failed_queries=failed)
                ),
                msgspec.structs.replace(
                    frontend,
                    pod=msgspec.structs.replace(frontend.pod, component="query-frontend"),
                    counters=Counters(queries=queries, failed_queries=0.0),
                ),
            ),
        )

    found = traffic.deltas(seen(fake.NOW - fake.WINDOW, 100, 0), seen(fake.NOW, 150, 30))
    assert found is not None
    assert (found.queries, found.failed_queries) == (50, 0)


def test_a_share_of_failures_says_in_which_time_it_was_counted() -> None:
    """Two shares of two times differ and contradict each other only where none says its time."""
    reference = fake.with_counters(
        fake.release(Product.CORTEX, StoreState.MEMBERLIST, at=fake.NOW - 50.0),
        RULER,
        pushes=100.0,
        failed_pushes=0.0,
    )
    now = fake.with_counters(
        fake.release(Product.CORTEX, StoreState.MEMBERLIST),
        RULER,
        pushes=200.0,
        failed_pushes=100.0,
    )
    context = GateContext(
        rings=("ruler",), window=50.0, reference=reference, scale=Scale(60.0), baseline=None
    )
    assert "failed pushes in 50 min: 100, " in judge(Gate.USERS_FINE, now, context).summary
