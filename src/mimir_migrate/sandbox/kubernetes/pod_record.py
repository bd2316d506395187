"""What the kubelet knows of one pod, and the status it writes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mimir_migrate.sandbox.interface import Handle, Process, ProcessSpec
from mimir_migrate.sandbox.kubernetes.objects import Object

NODES = ("node-a", "node-b", "node-c")
"""The names of the nodes, one for each zone."""
COMPONENT = "app.kubernetes.io/component"
PART_OF = "app.kubernetes.io/part-of"


@dataclass(slots=True, kw_only=True)
class PodRecord:
    """One pod from its creation to its end. Times are the API's timestamps."""

    namespace: str
    name: str
    uid: str
    ip: str
    component: str
    zone: str
    node: str
    host_ip: str
    container: str
    image: str
    created: str
    probe_period: float
    probe_delay: float
    own_program: bool = False
    """Whether it runs a program of its own, neither Mimir nor Cortex."""
    process: Process | None = None
    last_log: tuple[str, ...] = ()
    """What the process that ended last had written."""
    folders: dict[str, str] = field(default_factory=dict)
    """Mount path → source, `configmaps/NAME` or `secrets/NAME`."""
    mounts: dict[str, dict[str, str]] = field(default_factory=dict)
    """Source → files, as they are mounted now."""
    refreshing: set[str] = field(default_factory=set)
    runtime_path: str = ""
    terminating: bool = False
    stop_held: bool = False
    killing: Handle | None = None
    probing: Handle | None = None
    launched_at: float = 0.0
    restarts: int = 0
    crashes: int = 0
    crash_pending: bool = False
    ready: bool = False
    ready_changed: str = ""
    phase: str = "Pending"
    state: dict[str, Any] = field(default_factory=dict)
    last_state: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def for_pod(
        cls, pod: Object, number: int, ip: str, now: str, *, own_program: bool = False
    ) -> PodRecord:
        """The record of a new pod; `number` is how many there were before, and places it on a node."""
        labels = pod["metadata"].get("labels", {})
        zone = labels.get("zone", "")
        node = _node_of(zone, number)
        container = pod["spec"]["containers"][0]
        probe = container.get("readinessProbe", {})
        return cls(
            namespace=pod["metadata"]["namespace"],
            name=pod["metadata"]["name"],
            uid=pod["metadata"]["uid"],
            ip=ip,
            component=labels.get(COMPONENT, ""),
            zone=zone,
            node=NODES[node],
            host_ip=f"10.0.{node}.10",
            container=container["name"],
            image=container["image"],
            created=now,
            ready_changed=now,
            probe_period=float(probe.get("periodSeconds", 10)),
            probe_delay=float(probe.get("initialDelaySeconds", 0)),
            own_program=own_program,
            state={"waiting": {"reason": "ContainerCreating"}},
        )

    def process_spec(
        self,
        pod: Object,
        args: tuple[str, ...],
        config: str,
        stop_seconds: float,
        environment: Mapping[str, str],
    ) -> ProcessSpec:
        """What its process is started with."""
        target = next((arg.partition("=")[2] for arg in args if arg.startswith("-target=")), "")
        return ProcessSpec(
            name=self.name,
            uid=self.uid,
            ip=self.ip,
            component=target or self.component,
            args=args,
            config=config,
            zone=self.zone,
            image=self.image,
            gossips=pod["metadata"].get("labels", {}).get(PART_OF) == "memberlist",
            stop_seconds=stop_seconds,
            files=self.files(),
            environment=environment,
        )

    def files(self) -> dict[str, str]:
        """Path → text of what is mounted now."""
        return {
            f"{folder.rstrip('/')}/{name}": text
            for folder, source in self.folders.items()
            for name, text in self.mounts.get(source, {}).items()
        }

    def waiting(self, reason: str, message: str) -> None:
        """Its container does not run for a reason."""
        self.state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}

    def running(self, since: str) -> None:
        """Its container runs."""
        self.phase = "Running"
        if "running" not in self.state:
            self.state = {"running": {"startedAt": since}}

    def crashed(self, message: str, now: str, *, back_off: bool) -> None:
        """Its container ended by itself."""
        started = self.state.get("running", {}).get("startedAt", now)
        ended = {
            "exitCode": 1,
            "reason": "Error",
            "message": message,
            "startedAt": started,
            "finishedAt": now,
        }
        self.crashes += 1
        self.phase = "Running"
        if back_off:
            self.last_state = {"terminated": ended}
            self.waiting(
                "CrashLoopBackOff", f"back-off restarting failed container {self.container}"
            )
        else:
            self.state = {"terminated": ended}
            self.last_state = {"terminated": ended}
        self.set_ready(ready=False, now=now)

    def set_ready(self, ready: bool, now: str) -> None:
        """Its readiness probe said so."""
        if ready != self.ready:
            self.ready = ready
            self.ready_changed = now

    def write(self, pod: Object) -> None:
        """Put what is known into the pod object."""
        pod["spec"]["nodeName"] = self.node
        started = "running" in self.state
        ready = "True" if self.ready else "False"
        pod["status"] = {
            "phase": self.phase,
            "conditions": [
                _condition("Initialized", "True", self.created),
                _condition("Ready", ready, self.ready_changed),
                _condition("ContainersReady", ready, self.ready_changed),
                _condition("PodScheduled", "True", self.created),
            ],
            "containerStatuses": [
                {
                    "name": self.container,
                    "image": self.image,
                    "imageID": self.image,
                    "ready": self.ready,
                    "started": started,
                    "restartCount": self.restarts,
                    "state": self.state,
                    "lastState": self.last_state,
                }
            ],
            "hostIP": self.host_ip,
            "podIP": self.ip,
            "podIPs": [{"ip": self.ip}],
            "qosClass": "Burstable",
            "startTime": self.created,
        }


def _node_of(zone: str, number: int) -> int:
    for index, node in enumerate(NODES):
        if zone and zone[-1] == node[-1]:
            return index
    return number % len(NODES)


def _condition(kind: str, status: str, at: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": at,
    }
