"""Pods of the sandbox have a log and events, as those of a cluster do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.inprocess import InProcessSandbox

NS = "observability"
VALUES = (Path(__file__).parents[3] / "examples" / "values.yaml").read_bytes()


@pytest.fixture(scope="module")
def mimir() -> InProcessSandbox:
    sandbox = InProcessSandbox(Product.MIMIR, VALUES, stores=frozenset({"dynamodb"}))
    sandbox.start()
    return sandbox


def log_of(sandbox: InProcessSandbox, pod: str) -> str:
    return "\n".join(sandbox.cluster.kubelet.log_of(NS, pod))


def events_of(sandbox: InProcessSandbox, pod: str) -> list[str]:
    found = sandbox.objects.select("events", NS, fields=f"involvedObject.name={pod}")
    return [one["reason"] for one in found]


def a_pod(sandbox: InProcessSandbox, component: str) -> str:
    labels = f"app.kubernetes.io/component={component}"
    return str(sandbox.objects.select("pods", NS, labels=labels)[0]["metadata"]["name"])


def test_a_pod_tells_how_it_came_up(mimir: InProcessSandbox) -> None:
    """The log has the products' own lines in logfmt, the events those of scheduler and kubelet."""
    pod = a_pod(mimir, "ruler")
    log = log_of(mimir, pod)
    assert 'level=info msg="Starting application" version="(version=2.17' in log
    assert 'msg="ruler is ACTIVE in the ring"' in log
    assert 'msg="Application started"' in log
    assert events_of(mimir, pod) == ["Scheduled", "Pulled", "Created", "Started"]


def test_an_image_that_does_not_come_is_one_event_that_is_counted() -> None:
    """What the kubelet says again and again is counted and not repeated."""
    sandbox = InProcessSandbox(Product.MIMIR, VALUES, stores=frozenset({"dynamodb"}))
    sandbox.start()
    sandbox.inject("rollout-hangs", {"component": "ruler"})
    sandbox.deploy([VALUES.replace(b"log_level: info", b"log_level: warn")])
    sandbox.run_for(120)
    labels = "app.kubernetes.io/component=ruler"
    waiting = [
        one["metadata"]["name"]
        for one in sandbox.objects.select("pods", NS, labels=labels)
        if "waiting" in json.dumps(one["status"])
    ]
    assert waiting
    assert events_of(sandbox, waiting[0]) == ["Scheduled", "BackOff"]


def test_a_process_that_ended_leaves_its_last_lines(mimir: InProcessSandbox) -> None:
    """Until its container is started again, its log is what it wrote before it ended."""
    pod = a_pod(mimir, "compactor")
    process = mimir.cluster.process(pod)
    assert process is not None
    process.crash("starting module ring: no such host")  # type: ignore[attr-defined]
    log = log_of(mimir, pod)
    assert 'level=error msg="error running application" err="starting module ring' in log
    assert "BackOff" in events_of(mimir, pod)
    mimir.settle()
