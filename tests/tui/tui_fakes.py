"""Operations on a cluster in memory: real judgements, plans and statuses over made facts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec
import tui_world as world

from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.engine.history import first_plan
from mimir_migrate.inspection.findings import judge
from mimir_migrate.model.changes import Deploy, WriteFile
from mimir_migrate.model.events import Event, Recorded, RunStarted
from mimir_migrate.model.facts import Identity, Inspection
from mimir_migrate.model.findings import Finding
from mimir_migrate.model.plan import Gate, Plan
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import (
    AwsTarget,
    DeployTarget,
    KubernetesTarget,
    TableTarget,
    Target,
    ValuesTarget,
)
from mimir_migrate.operations import DryRun, Look, RunOptions
from mimir_migrate.operations.requests import Left, Wish, request_of
from mimir_migrate.operations.watching import PodStory
from mimir_migrate.plans.choices import choices
from mimir_migrate.plans.planner import Order, Origin, make_plan
from mimir_migrate.plans.position import choose_rings
from mimir_migrate.plans.refusals import refuse_blocked
from mimir_migrate.runs.rollouts import Rolled, rolled
from mimir_migrate.runs.status import RunStatus, status_of
from mimir_migrate.runs.verify import Verification

NOW: float = world.NOW

VALUES = """\
# Values of the release "mimir".
fullnameOverride: mimir

mimir:
  structuredConfig:
    multitenancy_enabled: true
    no_auth_tenant: anonymous   # one tenant is enough here

    memberlist:
      cluster_label: mimir-observability
      rejoin_interval: 60s

    ingester:
      ring:
        replication_factor: 3
        # tokens are kept over restarts
        tokens_file_path: /data/tokens

    limits:
      max_global_series_per_user: 1500000
      ingestion_rate: 50000

runtimeConfig:
  overrides:
    team-a:
      ingestion_rate: 90000

ingester:
  replicas: 3
  resources: {requests: {cpu: "1", memory: 4Gi}}
"""
PATH = "/srv/observability/values.yaml"
TARGET = Target(
    folder="/srv/observability",
    kubernetes=KubernetesTarget(context="obs-dev", namespace="observability", release="mimir"),
    values=ValuesTarget(files=(PATH,), root=""),
    aws=AwsTarget(region="eu-west-1", profile="observability"),
    dynamodb=TableTarget(table=world.TABLE),
    deploy=DeployTarget(chart="grafana/mimir-distributed", version="5.8.0"),
)


_POD_LOG = """\
ts=2026-11-22T10:13:22.52Z caller=main.go:225 level=info msg="Starting application" version=2.17.1
ts=2026-11-22T10:13:22.75Z caller=memberlist_client.go:595 level=info msg="joined memberlist cluster" reached_nodes=15
ts=2026-11-22T10:13:40.10Z caller=multi.go:127 level=info component=multikv msg="toggled mirroring" enabled=true
ts=2026-11-22T10:13:55.41Z caller=multi.go:364 level=warn component=multikv msg="failed to update value in secondary store" key=alertmanagers/alertmanager err="ring is not whole"
"""


class FakeOperations:
    """Answers as `Operations` does; what would change something is counted and remembered."""

    who = "ana@bastion"

    def __init__(self, facts: Inspection | None = None, *, values: str = VALUES) -> None:
        self.facts: Inspection = facts or world.inspection()
        self.values = values
        self.extra_findings: tuple[Finding, ...] = ()
        self.journals: dict[str, list[Recorded]] = {}
        self.pids: dict[str, int] = {}
        self.calls: list[tuple[str, ...]] = []
        self.seen: list[int] = []
        """The number of the question or hold that each request names, as its dialog did."""
        self.answers: list[Recorded | None] = []
        """Everything that would change something: start, go_on, ask."""
        self.looks = 0
        self.looked_into: list[str] = []
        self.look_progress = 16
        self.before_look: Callable[[], None] = lambda: None
        self.verification: Verification | None = None
        self.failing: dict[str, Exception] = {}
        self.now = NOW
        self.lock = threading.Lock()
        self._looked: dict[object, Look] = {}
        self._planned: dict[object, Plan] = {}

    # --- looking -----------------------------------------------------------------------------

    def look(
        self,
        target: Target,
        *,
        to: Store | None = None,
        rings: tuple[str, ...] = (),
        progress: Callable[[str, int, int], None] | None = None,
        twice: bool = True,
    ) -> Look:
        self._maybe_fail("look")
        self.before_look()
        self.looks += 1
        if progress:
            for number, facts in enumerate(self.facts.pods, 1):
                progress(f"asked {facts.pod.name}", number, len(self.facts.pods))
        known = (id(self.facts), target, to, rings, self.extra_findings)
        if known not in self._looked:
            self._looked[known] = self._judged(target, to, rings)
        return self._looked[known]

    def _judged(self, target: Target, to: Store | None, rings: tuple[str, ...]) -> Look:
        chosen = choose_rings(self.facts, rings)
        findings = judge(self.facts, target=target, to=to, rings=chosen) + self.extra_findings
        return Look(
            inspection=self.facts,
            findings=findings,
            choices=choices(self.facts, target=target, findings=findings),
            rings=chosen,
        )

    def verify(self, target: Target, rings: tuple[str, ...] = ()) -> Verification:
        self._maybe_fail("verify")
        if self.verification is not None:
            return self.verification
        return Verification(ok=True, window=50.0, checks=(), differences=(), skipped={})

    def rollout(self, target: Target) -> tuple[Rolled, ...]:
        pods = [facts.pod for facts in self.facts.pods]
        return rolled(pods, self.facts.workloads)

    def look_into(self, target: Target, words: str) -> PodStory:
        self.looked_into.append(words)
        pod = next(facts.pod for facts in self.facts.pods if facts.pod.name in words)
        return PodStory(
            pod=pod,
            answers=(
                ("GET /ready", "503\nwaiting for 15s after being ready"),
                ("GET /runtime_config", "200\nmulti_kv_config:\n    primary: memberlist"),
            ),
            log=_POD_LOG,
            events=(
                f"2026-11-22T10:13:20Z Normal Scheduled: Successfully assigned {pod.name} to node-a",
                "2026-11-22T10:13:22Z Normal Started: Started container mimir",
                "2026-11-22T10:14:00Z Warning Unhealthy: Readiness probe failed: statuscode 503",
            ),
        )

    def sources(self, target: Target) -> tuple[SourceFile, ...]:
        self._maybe_fail("sources")
        return tuple(
            SourceFile(path=path, content=self.values.encode()) for path in target.values.files
        )

    # --- planning ----------------------------------------------------------------------------

    def plan(
        self,
        target: Target,
        order: Order,
        *,
        look: Look | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Plan:
        self._maybe_fail("plan")
        seen = look or self.look(target, to=order.to, rings=order.rings)
        refuse_blocked(seen.findings)
        known = (id(seen), target, order, self.values)
        if known not in self._planned:
            self._planned[known] = make_plan(
                seen.inspection,
                target,
                order,
                self.sources(target),
                origin=Origin(plan_id="20261122-102320", created_at=NOW, tool_version="0.1.0"),
                findings=seen.findings,
            )
        return self._planned[known]

    def dry_run(self, plan: Plan, *, purpose: str = "apply", run: str = "") -> DryRun:
        self._maybe_fail("dry_run")
        changes = [
            change
            for step in plan.steps
            for change in (
                *(WriteFile(edit=edit) for edit in step.edits),
                Deploy(
                    deploy=plan.target.deploy,
                    files=plan.target.values.files,
                    release="mimir",
                    namespace="observability",
                ),
            )
        ]
        return DryRun(plan=plan, changes=tuple(changes), exit_code=0, reason="every step walked")

    # --- running -----------------------------------------------------------------------------

    def start(
        self,
        plan: Plan,
        *,
        options: RunOptions,
        overrides: Sequence[Gate] = (),
        reason: str = "",
    ) -> str:
        self._maybe_fail("start")
        run = "20261122-102400-7c1e"
        self.calls.append(("start", run))
        self.write(
            run,
            RunStarted(run=run, by=self.who, host="bastion", tool_version="0.1.0", plan=plan),
        )
        self.pids[run] = 4711
        return run

    def go_on(self, run: str, purpose: str, options: RunOptions) -> str:
        self.calls.append(("go_on", run, purpose))
        self.pids[run] = 4711
        return run

    def ask(self, run: str, wish: Wish) -> Left:
        gate = wish.gate.value if wish.gate else ""
        self.calls.append(("ask", run, wish.kind.value, wish.reason, gate))
        self.seen.append(wish.seen)
        request = request_of(self.status(run), wish, by=self.who)
        return Left(run=run, request=msgspec.structs.replace(request, id="request-1"))

    def answer(self, left: Left) -> Recorded | None:
        """What the runner made of it; tests put it into `answers`."""
        return self.answers.pop(0) if self.answers else None

    # --- runs --------------------------------------------------------------------------------

    def write(self, run: str, *events: Event, every: float = 1.0) -> None:
        """Let a runner write into a run's journal."""
        with self.lock:
            journal = self.journals.setdefault(run, [])
            for event in events:
                at = (journal[-1].at if journal else self.now - 600) + every
                journal.append(Recorded(seq=len(journal) + 1, at=at, event=event))

    def events(self, run: str, after: int = 0) -> Sequence[Recorded]:
        with self.lock:
            return tuple(r for r in self.journals[run] if r.seq > after)

    def status(self, run: str) -> RunStatus:
        pid = self.pids.get(run)
        found = status_of(run, self.events(run), now=self.now, runner_alive=pid is not None)
        return msgspec.structs.replace(found, runner_pid=pid) if pid else found

    def runs(self) -> tuple[RunStatus, ...]:
        return tuple(self.status(run) for run in reversed(self.journals))

    def resolve(self, name: str) -> str:
        return name or next(iter(self.journals))

    def dry_run_of(self, run: str, purpose: str) -> DryRun:
        """The way of the run's own plan, as if it were the way back."""
        return self.dry_run(first_plan(self.events(run)), purpose=purpose, run=run)

    def place(self, target: Target) -> Identity:
        """The cluster of the facts; another namespace is one of another cluster."""
        own, namespace = self.facts.identity, target.kubernetes.namespace
        elsewhere = namespace != own.namespace
        return msgspec.structs.replace(
            own,
            server=f"{namespace}.{own.server}" if elsewhere else own.server,
            cluster_uid=f"{namespace}-{own.cluster_uid}" if elsewhere else own.cluster_uid,
            namespace=namespace,
            release=target.kubernetes.release,
        )

    def _maybe_fail(self, name: str) -> None:
        if name in self.failing:
            raise self.failing[name]
