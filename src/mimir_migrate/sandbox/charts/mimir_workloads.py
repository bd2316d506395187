"""The components of the chart mimir-distributed."""

from __future__ import annotations

from mimir_migrate.sandbox.charts.manifests import Workload

_SURGE = {"maxSurge": "15%", "maxUnavailable": 0}
_ONE_MORE = {"maxSurge": 1, "maxUnavailable": 0}
WORKLOADS = (
    Workload(
        component="alertmanager",
        values_key="alertmanager",
        kind="StatefulSet",
        replicas=1,
        grace=900,
        initial_delay=45,
    ),
    Workload(
        component="compactor",
        values_key="compactor",
        kind="StatefulSet",
        replicas=1,
        grace=900,
        initial_delay=60,
    ),
    Workload(
        component="distributor",
        values_key="distributor",
        kind="Deployment",
        replicas=1,
        grace=100,
        strategy=_SURGE,
        initial_delay=45,
        args=("-shutdown-delay=90s",),
    ),
    Workload(
        component="ingester",
        values_key="ingester",
        kind="StatefulSet",
        replicas=3,
        grace=1200,
        policy="Parallel",
        initial_delay=60,
    ),
    Workload(
        component="overrides-exporter",
        values_key="overrides_exporter",
        kind="Deployment",
        replicas=1,
        grace=30,
        strategy=_SURGE,
        initial_delay=45,
        gossips=False,
    ),
    Workload(
        component="querier",
        values_key="querier",
        kind="Deployment",
        replicas=2,
        grace=180,
        strategy=_SURGE,
        initial_delay=45,
    ),
    Workload(
        component="query-frontend",
        values_key="query_frontend",
        kind="Deployment",
        replicas=1,
        grace=390,
        strategy=_SURGE,
        initial_delay=45,
        gossips=False,
    ),
    Workload(
        component="query-scheduler",
        values_key="query_scheduler",
        kind="Deployment",
        replicas=2,
        grace=180,
        strategy=_ONE_MORE,
        initial_delay=45,
        gossips=False,
    ),
    Workload(
        component="ruler",
        values_key="ruler",
        kind="Deployment",
        replicas=1,
        grace=600,
        strategy={"maxSurge": "50%", "maxUnavailable": 0},
        initial_delay=45,
    ),
    Workload(
        component="store-gateway",
        values_key="store_gateway",
        kind="StatefulSet",
        replicas=1,
        grace=120,
        initial_delay=60,
    ),
)
"""The components, with the chart's default values."""
