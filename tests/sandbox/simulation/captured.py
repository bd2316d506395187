"""Captured pods, and the same pods in the simulation at the same moment."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.interface import PodPhase, Process, ProcessSpec
from mimir_migrate.sandbox.simulation.scheduler import VirtualScheduler
from mimir_migrate.sandbox.simulation.simulation import Simulation
from mimir_migrate.sandbox.simulation.stores.items import MemoryItems

SETTLED = 240.0
"""Seconds of virtual time after which a simulated cluster is as settled as a captured one."""
LEFT = b'"state":4'
LEAVES: Mapping[str, str] = defaultdict(
    lambda: "no path",
    distributor="viewKey=collectors/distributor",
    ruler="viewKey=rulers/ring",
)
"""The value in which the pods of a Deployment leave a tombstone, by target."""
_POD = re.compile(
    r"^(?:mimir-)?(?P<target>[a-z-]+?)(?:-zone-(?P<zone>[a-z]))?"
    r"(?:-\d+|-[0-9a-f]{8,10}-[a-z0-9]{5})$"
)
_VERSION = re.compile(rb'^cortex_build_info\{.*version="([^"]*)"', re.MULTILINE)


class CapturedPod:
    """The pages that one real pod answered, by path; a path that is not there was not answered 200."""

    def __init__(self, folder: Path, target: str, zone: str) -> None:
        self.name = folder.name
        self.target = target
        self.zone = f"zone-{zone}" if zone else ""
        self.pages = {path_of(file.name): file.read_bytes() for file in sorted(folder.iterdir())}

    @property
    def version(self) -> str:
        """What it says in `cortex_build_info`."""
        found = _VERSION.search(self.pages["/metrics"])
        return found[1].decode() if found else ""


def path_of(name: str) -> str:
    """The path of a captured file: `/` became `_`, `?` `__`, `=` `-`."""
    if name.startswith("memberlist__viewKey-"):
        key = name.removeprefix("memberlist__viewKey-").removesuffix("_format-json")
        return f"/memberlist?viewKey={key.replace('_', '/', 1)}&format=json"
    if "__mode-" in name:
        page, mode = name.split("__mode-")
        return f"/{page}?mode={mode}"
    if name.startswith("api_v1_"):
        return "/" + name.replace("_", "/")
    if name == "runtime_config":
        return "/" + name
    if name.endswith("_ring"):
        head = name.removesuffix("_ring")
        return f"/{head}/ring"
    return "/" + name


def captured_pods(folder: Path) -> tuple[CapturedPod, ...]:
    """Every pod of one captured state."""
    found = []
    for path in sorted(folder.iterdir()):
        match = _POD.match(path.name)
        if path.is_dir() and match and (path / "metrics").is_file():
            found.append(CapturedPod(path, match["target"], match["zone"] or ""))
    return tuple(found)


def states(captures: Path) -> tuple[str, ...]:
    """Every captured state."""
    return tuple(
        sorted(
            path.name for path in captures.iterdir() if path.is_dir() and path.name != "kubernetes"
        )
    )


class SimulatedState:
    """The pods of a captured state, each with its own captured configuration, on virtual time."""

    def __init__(self, product: Product, pods: Sequence[CapturedPod]) -> None:
        self.product = product
        self.scheduler = VirtualScheduler()
        self.items = MemoryItems("master")
        self._runtime: dict[str, str] = {}
        self.processes: dict[str, Process] = {}
        dynamodb = any(b"dynamodb" in pod.pages["/config?mode=diff"] for pod in pods)
        built = "ddb" in pods[0].version
        self.simulation = Simulation(
            product=product,
            scheduler=self.scheduler,
            surroundings=self,
            items=self.items,
            stores=frozenset({"dynamodb"}) if dynamodb or built else frozenset(),
            version=pods[0].version,
            client="1.16" if product is Product.MIMIR else "master",
        )
        for number, pod in enumerate(pods):
            self.processes[pod.name] = self.simulation.start(
                self._spec(number, pod), self._changed
            )
        self.run(SETTLED)
        self._runtime = {pod.name: runtime_of(pod) for pod in pods}
        self._replace_one_of_each_deployment(pods)
        self.run(SETTLED)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.scheduler.run_until(self.scheduler.now() + seconds)

    def _replace_one_of_each_deployment(self, pods: Sequence[CapturedPod]) -> None:
        """Leave the tombstone of an earlier pod where the captured pods show one."""
        for target in sorted({pod.target for pod in pods}):
            pod = next(pod for pod in pods if pod.target == target)
            if any(LEFT in page for path, page in pod.pages.items() if LEAVES[target] in path):
                earlier = msgspec.structs.replace(
                    self._spec(200 + len(target), pod), name=f"{target}-gone", uid=f"{target}-gone"
                )
                self.simulation.start(earlier, self._changed)
                self.run(60.0)
                self.simulation.stop(earlier.name, earlier.uid)

    def _spec(self, number: int, pod: CapturedPod) -> ProcessSpec:
        return ProcessSpec(
            name=pod.name,
            uid=f"uid-{number}",
            ip=f"10.0.0.{number + 10}",
            component=pod.target,
            args=(f"-target={pod.target}",),
            config=pod.pages["/config?mode=diff"].decode(),
            zone=pod.zone,
        )

    def gossip_addresses(self) -> Sequence[str]:
        """All pods."""
        return tuple(
            process.spec.ip
            for process in self.processes.values()
            if process.phase is not PodPhase.GONE
        )

    def runtime_file(self, spec: ProcessSpec) -> str | None:
        """What a pod had loaded."""
        return self._runtime.get(spec.name, "overrides: {}\n")

    def _changed(self, process: Process) -> None:
        del process


def runtime_of(pod: CapturedPod) -> str:
    """A runtime file from which a pod would show the captured page."""
    page = yaml.safe_load(pod.pages.get("/runtime_config", b"")) or {}
    block = {key: value for key, value in (page.get("multi_kv_config") or {}).items() if value}
    return yaml.safe_dump({"multi_kv_config": block} if block else {"overrides": {}})


# --- the shape of a page -------------------------------------------------------------------------


def shape(page: bytes) -> dict[str, str]:
    """A JSON page as paths to types; entries of lists and of mappings by name count as one.

    States keep their value: their spelling is meaning.
    """
    found: dict[str, set[str]] = {}
    _walk("", json.loads(page), found)
    return {path: "|".join(sorted(kinds)) for path, kinds in found.items()}


_BY_NAME = ("ingesters", "Store")
_KEPT = ("state", "State", "CodecID", "Deleted", "read_only")


def _walk(path: str, value: Any, found: dict[str, set[str]]) -> None:
    key = path.rpartition(".")[2]
    if isinstance(value, Mapping):
        found.setdefault(path, set()).add("object")
        for name, below in value.items():
            _walk(f"{path}.*" if key in _BY_NAME else f"{path}.{name}", below, found)
    elif isinstance(value, list):
        found.setdefault(path, set()).add("list")
        for below in value[:50]:
            _walk(f"{path}[]", below, found)
    elif key in _KEPT:
        found.setdefault(path, set()).add(json.dumps(value))
    elif isinstance(value, str):
        found.setdefault(path, set()).add(_text(value))
    else:
        found.setdefault(path, set()).add(type(value).__name__)


_FORMS = (
    ("zero time", re.compile(r"0001-01-01T00:00:00Z")),
    ("rfc3339", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")),
    ("rfc3339 nano", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z")),
    ("go time", re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC")),
    ("address", re.compile(r"\d+\.\d+\.\d+\.\d+(:\d+)?")),
    ("name with a suffix", re.compile(r"[a-z0-9-]+-[0-9a-f]{8}")),
)


def _text(value: str) -> str:
    for name, form in _FORMS:
        if form.fullmatch(value):
            return name
    return "empty" if not value else "text"


def families(page: bytes) -> Iterator[tuple[str, str]]:
    """What a metrics page has: each family with its type, and each of its series without names' values."""
    for line in page.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            yield name, f"is a {kind}"
        elif line and not line.startswith("#"):
            name, _, rest = line.partition("{")
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', rest)) if rest else {}
            yield name.split(" ")[0], _series(labels)


_MEANT = ("kv_name", "name", "state", "store", "operation", "role", "type", "queue", "key")


def _series(labels: Mapping[str, str]) -> str:
    return ",".join(
        f"{label}={labels[label]}" if label in _MEANT else label
        for label in sorted(labels)
        if label != "le"
    )
