"""What a node does with pods: starts their processes, mounts, probes, restarts and stops them.

All nodes together are one kubelet here. Durations below are Kubernetes' own, in seconds; every one of
them is divided by the sandbox's speed when it is used.
"""

# Longer than 400 lines. One loop over a pod, from scheduled to gone; its states are told apart by each other.

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import yaml

from mimir_migrate.durations import read_duration
from mimir_migrate.sandbox.interface import (
    Addresses,
    Handle,
    PodPhase,
    Process,
    ProcessSpec,
    Programs,
    Scheduler,
    Simulation,
)
from mimir_migrate.sandbox.kubernetes.objects import Object, ObjectEvent, ObjectStore
from mimir_migrate.sandbox.kubernetes.pod_events import PodEvents
from mimir_migrate.sandbox.kubernetes.pod_record import PodRecord
from mimir_migrate.sandbox.kubernetes.sidekicks import PlainProcess

MOUNT_REFRESH: Final = 60.0
"""A changed ConfigMap reaches a running pod within the kubelet's sync period, 1 minute by default."""
_CONTAINER_START: Final = 1.5
_RETRY_MOUNT: Final = 2.0
_BACKOFF: Final = 10.0
_BACKOFF_MOST: Final = 300.0
_BACKOFF_RESET: Final = 600.0
"""Kubernetes: restarts wait 10 s, 20 s, … 5 min; a container that ran for 10 min starts over."""
_STOP_SECONDS: Final[Mapping[str, float]] = {"ingester": 20.0, "compactor": 15.0}
"""How long a component takes to stop once asked; the others take 5 s."""
_TABLE_BLOCK = re.compile(r"^( *)dynamodb:\n(?:\1 +\S.*\n)+", re.MULTILINE)
_TABLE_TIME = re.compile(r"^( +(?:puller_sync_time|ttl): )([\w.]+)$", re.MULTILINE)
"""The block of a DynamoDB client and its durations, as the charts print them."""
_ENV = re.compile(r"\$\{(\w+)(?::([^}]*))?\}")


class FreshAddresses:
    """Addresses that no pod had before, for pods that are simulated."""

    def __init__(self) -> None:
        self._last = 9

    def take(self) -> str:
        """The next one."""
        self._last += 1
        return f"10.42.{self._last // 250}.{self._last % 250 + 1}"

    def give_back(self, address: str) -> None:
        """It is not used again."""


class Kubelet:
    """Runs the pods of a store on a simulation.

    Args:
        store: Where pods, ConfigMaps and Secrets stand.
        scheduler: Time.
        speed: What durations are divided by.
        seed: Makes delays the same in each run.
    """

    def __init__(
        self, store: ObjectStore, scheduler: Scheduler, *, speed: float, seed: int
    ) -> None:
        self._store = store
        self._scheduler = scheduler
        self._speed = speed
        self._random = random.Random(seed)
        self._events = PodEvents(store)
        self._simulation: Simulation | None = None
        self._records: dict[str, PodRecord] = {}
        self._seen = 9
        self.addresses: Addresses = FreshAddresses()
        self.mount_refresh = MOUNT_REFRESH
        """The longest until a changed ConfigMap reaches a running pod."""
        self.on_refresh: Callable[[ProcessSpec, Mapping[str, str]], None] = lambda _spec, _files: (
            None
        )
        """Told what is mounted in a pod after a change of it."""
        self.programs: Programs | None = None
        """What runs pods that are programs of their own, such as the ring bridge; None: there are none."""
        self.start_is_held: Callable[[Object], bool] = lambda _: False
        self.stop_is_held: Callable[[Object], bool] = lambda _: False
        store.subscribe(self._hear)

    def run_on(self, simulation: Simulation) -> None:
        """Say which simulation the processes are started in."""
        self._simulation = simulation

    def process_of(self, namespace: str, name: str) -> Process | None:
        """The process of a pod; None: it has none now."""
        pod = self._store.find("pods", namespace, name)
        record = self._records.get(pod["metadata"]["uid"]) if pod else None
        return record.process if record else None

    def log_of(self, namespace: str, name: str) -> tuple[str, ...]:
        """The log of a pod's process; where it has ended, until the next one starts, what it left."""
        process = self.process_of(namespace, name)
        if process is not None:
            return tuple(process.log)
        pod = self._store.find("pods", namespace, name)
        record = self._records.get(pod["metadata"]["uid"]) if pod else None
        return record.last_log if record else ()

    def mounted(self, uid: str, path: str) -> str | None:
        """A file as it is mounted in a pod now; None: no such file."""
        record = self._records.get(uid)
        if record is None:
            return None
        for folder, source in record.folders.items():
            name = path.removeprefix(folder.rstrip("/") + "/")
            if name != path:
                return record.mounts.get(source, {}).get(name)
        return None

    def runtime_file(self, spec: ProcessSpec) -> str | None:
        """The runtime configuration file as it is mounted in that pod now; None: no such file."""
        record = self._records.get(spec.uid)
        if record is None or not record.runtime_path:
            return None
        return self.mounted(spec.uid, record.runtime_path)

    def reconsider(self) -> None:
        """Look again at what was held: starts and stops."""
        for record in tuple(self._records.values()):
            pod = self._pod(record)
            if pod is None:
                continue
            if record.process is None and not record.terminating:
                self._start(record)
            if record.stop_held and not self.stop_is_held(pod):
                record.stop_held = False
                self._stop(record, pod)

    def kill(self, uid: str) -> None:
        """Take a pod away at once, as a node that is lost does."""
        record = self._records.get(uid)
        if record is not None and record.process is not None:
            self._runner(record).kill(record.name, record.uid)
        if record is not None:
            self._forget(record)

    def _hear(self, event: ObjectEvent) -> None:
        if event.plural == "pods":
            self._hear_pod(event)
        elif event.plural in {"configmaps", "secrets"} and event.type != "DELETED":
            source = f"{event.plural}/{event.object['metadata']['name']}"
            for record in tuple(self._records.values()):
                if source in record.mounts:
                    self._refresh_later(record, source)

    def _hear_pod(self, event: ObjectEvent) -> None:
        pod = event.object
        uid = pod["metadata"]["uid"]
        record = self._records.get(uid)
        if event.type == "ADDED" and record is None:
            self._seen += 1
            programs = self.programs
            own = programs is not None and programs.runs(pod)
            addresses = programs.addresses if programs is not None and own else self.addresses
            record = PodRecord.for_pod(
                pod, self._seen, addresses.take(), self._store.timestamp(), own_program=own
            )
            self._records[uid] = record
            self._write(record)
            self._events.scheduled(record)
            self._after(_CONTAINER_START, lambda: self._start(record))
        elif event.type == "DELETED" and record is not None:
            del self._records[uid]
            self._give_back(record)
            if record.process is not None and record.process.phase is not PodPhase.GONE:
                self._runner(record).kill(record.name, uid)
        elif record and pod["metadata"].get("deletionTimestamp") and not record.terminating:
            record.terminating = True
            self._stop(record, pod)

    def _start(self, record: PodRecord) -> None:
        pod = self._pod(record)
        if pod is None or record.terminating or record.process is not None:
            return
        if record.own_program and self.programs is not None and self.programs.holds(record.name):
            return
        if self.start_is_held(pod):
            record.waiting("ImagePullBackOff", "Back-off pulling image")
            self._events.pulls_in_vain(record)
            self._write(record)
            return
        if not self._mount(record, pod):
            record.waiting("ContainerCreating", "")
            self._events.mounts_in_vain(record)
            self._write(record)
            self._after(_RETRY_MOUNT, lambda: self._start(record))
            return
        self._events.started(record)
        self._launch(record, pod)

    def _mount(self, record: PodRecord, pod: Object) -> bool:
        """Mount the pod's ConfigMaps and Secrets; False: one of them is missing."""
        folders = dict(_folders(pod))
        for source in folders.values():
            data = self._data(record.namespace, source)
            if data is None:
                return False
            record.mounts.setdefault(source, data)
        record.folders = folders
        return True

    def _data(self, namespace: str, source: str) -> dict[str, str] | None:
        plural, _, name = source.partition("/")
        item = self._store.find(plural, namespace, name)
        if item is None:
            return None
        data = item.get("data") or {}
        if plural == "configmaps":
            return dict(data)
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def _refresh_later(self, record: PodRecord, source: str) -> None:
        if source in record.refreshing:
            return
        record.refreshing.add(source)

        def refresh() -> None:
            record.refreshing.discard(source)
            data = self._data(record.namespace, source)
            # A pod of a StatefulSet that is gone has a successor of its name, whose files are not its own.
            if data is not None and record.uid in self._records:
                record.mounts[source] = data
                if record.process is not None:
                    own = self.programs if record.own_program else None
                    tell = self.on_refresh if own is None else own.write_mounts
                    tell(record.process.spec, record.files())

        self._after(self._random.uniform(0.0, self.mount_refresh), refresh)

    def _launch(self, record: PodRecord, pod: Object) -> None:
        container = pod["spec"]["containers"][0]
        args = tuple(str(arg) for arg in container.get("args", ()))
        config_file = _flag(args, "config.file")
        if record.own_program:
            self._run(
                record, record.process_spec(pod, args, "", 0.0, self._environment(record, pod))
            )
            return
        if not config_file:
            record.process = PlainProcess(record.process_spec(pod, args, "", 1.0, {}))
            self._changed(record, record.process)
            return
        text = self.mounted(record.uid, config_file) or ""
        if _flag(args, "config.expand-env") == "true":
            text = _expand(text, self._environment(record, pod))
        text = _in_product_time(text, self._speed)
        record.runtime_path = _runtime_path(text, args)
        target = _flag(args, "target") or record.component
        stop = _STOP_SECONDS.get(target, 5.0) + _seconds(_flag(args, "shutdown-delay"))
        self._run(
            record, record.process_spec(pod, args, text, stop, self._environment(record, pod))
        )

    def _run(self, record: PodRecord, spec: ProcessSpec) -> None:
        record.launched_at = self._scheduler.now()
        process = self._runner(record).start(spec, lambda changed: self._changed(record, changed))
        if record.process is None:
            record.process = process
        self._changed(record, process)

    def _changed(self, record: PodRecord, process: Process) -> None:
        if record.uid not in self._records:
            return
        record.process = process
        if process.phase is PodPhase.GONE:
            self._ended(record)
        elif process.phase is PodPhase.CRASHED:
            self._crashed(record, process.crash_reason)
        else:
            record.running(self._store.timestamp(record.launched_at or self._scheduler.now()))
            self._write(record)
            if process.ready != record.ready:
                self._probe_later(record)

    def _probe_later(self, record: PodRecord) -> None:
        if record.probing is not None:
            return

        def probe() -> None:
            record.probing = None
            process = record.process
            ready = process is not None and process.ready
            if record.uid in self._records and ready != record.ready:
                record.set_ready(ready, self._store.timestamp())
                if not ready:
                    self._events.probed_in_vain(record)
                self._write(record)

        lived = (self._scheduler.now() - record.launched_at) * self._speed
        wait = max(self._random.uniform(0.0, record.probe_period), record.probe_delay - lived)
        record.probing = self._after(wait, probe)

    def _crashed(self, record: PodRecord, reason: str) -> None:
        if record.crash_pending:
            return
        record.last_log = tuple(record.process.log) if record.process is not None else ()
        record.process = None
        if record.terminating:
            self._ended(record)
            return
        if self._scheduler.now() - record.launched_at > _BACKOFF_RESET / self._speed:
            record.crashes = 0
        wait = 0.0 if record.crashes == 0 else _BACKOFF * 2 ** (record.crashes - 1)
        record.crashed(reason, self._store.timestamp(), back_off=record.crashes > 0)
        record.crash_pending = True
        self._events.crashed(record)
        self._write(record)

        def restart() -> None:
            record.crash_pending = False
            if record.uid in self._records and not record.terminating:
                record.restarts += 1
                self._start(record)

        self._after(min(wait, _BACKOFF_MOST) + _CONTAINER_START, restart)

    def _stop(self, record: PodRecord, pod: Object) -> None:
        if self.stop_is_held(pod):
            record.stop_held = True
            return
        process = record.process
        if process is None or process.phase in {PodPhase.GONE, PodPhase.CRASHED}:
            self._forget(record)
            return
        if isinstance(process, PlainProcess):
            self._after(process.spec.stop_seconds, lambda: self._forget(record))
            return
        self._events.stopping(record)
        grace = pod["metadata"].get("deletionGracePeriodSeconds", 30)
        self._runner(record).stop(record.name, record.uid)
        # The pod's own grace period is scaled where the chart is rendered, so it is not divided again.
        record.killing = self._scheduler.after(float(grace), lambda: self.kill(record.uid))

    def _ended(self, record: PodRecord) -> None:
        """A process is gone: with its pod when that was deleted, else it is started again."""
        if record.terminating:
            self._forget(record)
        else:
            self._crashed(record, "killed")

    def _forget(self, record: PodRecord) -> None:
        if record.killing is not None:
            record.killing.cancel()
        if self._records.pop(record.uid, None) is None:
            return
        self._give_back(record)
        if self._pod(record) is not None:
            self._store.remove("pods", record.namespace, record.name)

    def _pod(self, record: PodRecord) -> Object | None:
        pod = self._store.find("pods", record.namespace, record.name)
        return pod if pod is not None and pod["metadata"]["uid"] == record.uid else None

    def _write(self, record: PodRecord) -> None:
        if self._pod(record) is not None:
            self._store.mutate("pods", record.namespace, record.name, record.write)

    def _after(self, seconds: float, callback: Callable[[], None]) -> Handle:
        return self._scheduler.after(seconds / self._speed, callback)

    def _environment(self, record: PodRecord, pod: Object) -> dict[str, str]:
        """The container's variables that have a value, from a Secret or of their own."""
        found = {}
        for item in pod["spec"]["containers"][0].get("env", ()):
            secret = (item.get("valueFrom") or {}).get("secretKeyRef")
            if secret is not None:
                data = self._data(record.namespace, f"secrets/{secret['name']}") or {}
                if secret["key"] in data:
                    found[item["name"]] = data[secret["key"]]
            elif "value" in item:
                found[item["name"]] = str(item["value"])
        return found

    def _give_back(self, record: PodRecord) -> None:
        own = self.programs if record.own_program else None
        (self.addresses if own is None else own.addresses).give_back(record.ip)

    def _runner(self, record: PodRecord) -> Programs | Simulation:
        """Who runs a pod's process."""
        return self.programs if record.own_program and self.programs else self._simulated()

    def _simulated(self) -> Simulation:
        if self._simulation is None:
            raise RuntimeError("the kubelet was asked to run a pod before it had a simulation")
        return self._simulation


def _folders(pod: Object) -> Iterator[tuple[str, str]]:
    """Mount paths of the pod's ConfigMaps and Secrets, and their sources as `plural/name`."""
    sources = {}
    for volume in pod["spec"].get("volumes", ()):
        if "configMap" in volume:
            sources[volume["name"]] = f"configmaps/{volume['configMap']['name']}"
        elif "secret" in volume:
            sources[volume["name"]] = f"secrets/{volume['secret']['secretName']}"
    for mount in pod["spec"]["containers"][0].get("volumeMounts", ()):
        if mount["name"] in sources:
            yield mount["mountPath"], sources[mount["name"]]


def _flag(args: tuple[str, ...], name: str) -> str:
    """The value of `-name=value` or `--name=value`; the last one wins, as in Go."""
    found = ""
    for arg in args:
        key, separator, value = arg.lstrip("-").partition("=")
        if key == name:
            found = value if separator else "true"
    return found


def _seconds(duration: str) -> float:
    """A Go duration in seconds; what is none counts as 0."""
    return read_duration(duration) or 0.0


def _expand(text: str, env: Mapping[str, str]) -> str:
    """What `-config.expand-env` does: `${NAME}` and `${NAME:default}` from the environment."""
    return _ENV.sub(lambda found: env.get(found[1], found[2] or ""), text)


def _in_product_time(config: str, speed: float) -> str:
    """The durations of DynamoDB clients in the product's seconds.

    DynamoDB is outside of the sandbox's time: what is set for its clients counts in the seconds of the
    wall clock, as the operator's target gives it, while a process divides every duration by the speed.
    """
    if speed == 1.0:
        return config

    def scaled(found: re.Match[str]) -> str:
        return f"{found[1]}{_seconds(found[2]) * speed:.3f}s"

    return _TABLE_BLOCK.sub(lambda block: _TABLE_TIME.sub(scaled, block[0]), config)


def _runtime_path(config: str, args: tuple[str, ...]) -> str:
    """Where the process looks for its runtime configuration; empty: nowhere."""
    if given := _flag(args, "runtime-config.file"):
        return given
    try:
        loaded = yaml.load(config, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both loaders are safe ones
    except yaml.YAMLError:
        return ""
    block = loaded.get("runtime_config") if isinstance(loaded, dict) else None
    return str(block.get("file", "")) if isinstance(block, dict) else ""
