"""What the core needs from the world.

Reading ports may be called from several threads at once. They raise `UnreachableError` when the
world gives no usable answer and `DeniedError` when it refuses; both messages name what was asked.
Nothing behind a reading port changes anything. What changes the world goes through `Changes` only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from mimir_migrate.model.changes import Change, LeaseClaim, Outcome
from mimir_migrate.model.events import Event, Recorded, Request
from mimir_migrate.model.facts import (
    Autoscaler,
    Pod,
    Release,
    RingHead,
    ServiceAccount,
    Table,
    TableItems,
    Workload,
)
from mimir_migrate.model.hooks import HookCall, HookResult
from mimir_migrate.model.network import NetworkPolicy


class Clock(Protocol):
    """Time, so that a test can own it."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Wait; returns early when the process was asked to stop."""


OK = 200
"""The HTTP status of a page that was served."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod answered to one request."""

    status: int
    content_type: str
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")


class Cluster(Protocol):
    """What Kubernetes knows, in one namespace and for one release."""

    def server(self) -> str:
        """The API server's host and port."""

    def cluster_uid(self) -> str:
        """The uid of the namespace `kube-system`, or of the release's own where that is hidden."""

    def pods(self) -> Sequence[Pod]:
        """Every pod of the release, terminating ones included."""

    def workloads(self) -> Sequence[Workload]:
        """StatefulSets and Deployments of the release."""

    def autoscalers(self) -> Sequence[Autoscaler]:
        """Autoscalers that target a workload of the release."""

    def release(self) -> Release | None:
        """The newest revision of the helm release; None: helm did not deploy it."""

    def service_accounts(self) -> Sequence[ServiceAccount]:
        """Every service account of the namespace."""

    def lease(self, name: str) -> LeaseClaim | None:
        """Who holds the lease; None: nobody, or it ran out. See `Changes` for taking it."""

    def abandoned_lease(self, name: str) -> LeaseClaim | None:
        """Who held the lease until it ran out; None: it is held, or was given up."""


class Pages(Protocol):
    """The pods' own HTTP pages."""

    def get(self, pod: Pod, path: str, *, accept: str = "*/*", limit: int = 33_554_432) -> Page:
        """Ask one pod for one page, `path` with its query; bodies over `limit` bytes are refused."""


class BridgePods(Protocol):
    """The replicas of the ring bridge, each reached by its own pod's address; read only."""

    def pods(self) -> Sequence[Pod]:
        """Every replica, terminating ones included."""

    def get(self, pod: Pod, path: str) -> Page:
        """Ask one replica for one page."""


class RingTables(Protocol):
    """DynamoDB, read only."""

    def account(self) -> str:
        """The AWS account the credentials belong to; empty where it cannot be told."""

    def region(self) -> str:
        """The region that is asked."""

    def table(self, name: str) -> Table | None:
        """One table; None: there is none."""

    def items(self, table: str, ring: str, ring_key: str) -> TableItems:
        """A ring's items, by a strongly consistent, paged Query."""

    def head(self, table: str, ring: str, ring_key: str) -> RingHead | None:
        """What a ring bridge keeps beside a ring's items; None: no bridge keeps this ring there."""

    def is_empty(self, table: str) -> bool:
        """Whether a table holds no item at all; asked by `clean` only."""


class RolePolicies(msgspec.Struct, frozen=True, kw_only=True):
    """What IAM says of a role, as the parsed JSON of its documents."""

    trust: Any
    policies: tuple[Any, ...] = ()
    boundary: Any = None
    """The permissions boundary's document; None: the role has none."""


class SimulatedAction(msgspec.Struct, frozen=True, kw_only=True):
    """What IAM's simulator says of one action of a role on one resource."""

    action: str
    resource: str
    decision: str
    """`allowed`, `explicitDeny` or `implicitDeny`."""
    missing: tuple[str, ...] = ()
    """Condition keys that policies ask for and that nobody gave it."""


class Roles(Protocol):
    """IAM, read only."""

    def policies(self, role_arn: str) -> RolePolicies:
        """The documents of a role. Operators often may not ask: `DeniedError`."""

    def simulate(
        self,
        role_arn: str,
        actions: Sequence[str],
        resources: Sequence[str],
        context: Mapping[str, tuple[str, ...]],
    ) -> tuple[SimulatedAction, ...]:
        """What IAM itself says of a role's actions. Operators often may not ask: `DeniedError`."""


class TerraformText(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a Terraform folder."""

    files: Mapping[str, str]
    """By path relative to the folder."""
    shown: str | None = None
    """What `terraform show -json` printed; None: it is not there."""


class TerraformFolders(Protocol):
    """Terraform folders on the operator's disk, read only."""

    def read(self, folder: str) -> TerraformText:
        """The texts of a folder; raises `DocumentError` when it cannot be read."""


class Files(Protocol):
    """Files on the operator's disk, read only."""

    def read(self, path: str) -> bytes:
        """The content; raises `DocumentError` when it cannot be read."""

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""


class Renderer(Protocol):
    """Renders values files to manifests without touching the cluster."""

    def render(self, files: Mapping[str, bytes]) -> tuple[Mapping[str, object], ...] | None:
        """The manifests that the files (path → content, in order) render to; None: cannot."""

    def values(self, files: Mapping[str, bytes]) -> bytes | None:
        """The values as deployed, where the files are templates; None: they are deployed as is."""


class Deploys(Protocol):
    """Deploy commands on this machine, read only."""

    def left_running(self) -> str:
        """Which deploy command still runs though its runner died; empty: none."""


class Changes(Protocol):
    """The one place through which anything in the world is changed."""

    def perform(self, change: Change) -> Outcome:
        """Make the change and return what was observed; safe to repeat."""


class Hooks(Protocol):
    """The target's own commands, run beside a run."""

    def run(self, call: HookCall) -> HookResult:
        """Run one to its end or its limit. It never raises: what goes wrong is the result's."""


class Journal(Protocol):
    """One run's events and the requests left for it."""

    @property
    def run(self) -> str:
        """The run's id."""

    def append(self, event: Event) -> Recorded:
        """Write an event; it is on disk when this returns."""

    def events(self, after: int = 0) -> Sequence[Recorded]:
        """Events with a number above `after`, in order, checksums verified."""

    def leave(self, request: Request) -> Request:
        """Leave a request for the runner; the request with the id that it was given."""

    def open_requests(self) -> Sequence[Request]:
        """Requests that no event answers yet, oldest first."""


class JournalCopies(Protocol):
    """Where a release's newest run is kept besides its machine."""

    def read(self) -> bytes | None:
        """The newest copy that is whole; None: there is none."""

    def check(self) -> None:
        """Ask whether it could be written; nothing is.

        Raises:
            DeniedError: It could not.
        """

    def write(self, content: bytes) -> None:
        """Replace it. A writer that dies in the middle leaves the one before."""


class Network(Protocol):
    """What is known of the way to the pods and between them, read only."""

    def policies(self) -> Sequence[NetworkPolicy]:
        """The namespace's network policies; none where they may not be read."""

    def forwards_because(self) -> str:
        """Why pods are asked through port-forwards; empty: they are not."""


class PodStories(Protocol):
    """What Kubernetes keeps of a pod beside its state, read only. Operators may not be allowed to ask."""

    def log(self, pod: Pod, lines: int) -> str:
        """The last lines of the pod's log."""

    def events(self, pod: Pod) -> Sequence[str]:
        """The pod's events, oldest first, in words."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """All reading ports together."""

    clock: Clock
    cluster: Cluster
    pages: Pages
    tables: RingTables
    files: Files
    renderer: Renderer
    terraform: TerraformFolders | None = None
    """None: Terraform is not looked at, whatever the target names."""
    roles: Roles | None = None
    """None: IAM is not asked."""
    deploys: Deploys | None = None
    """None: nothing is known of commands that outlived their runner."""
    network: Network | None = None
    """None: nothing is known of network policies."""
    bridge: BridgePods | None = None
    """None: the ring bridge cannot be asked."""
    stories: PodStories | None = None
    """None: logs and events are not read."""


Progress = Callable[[str, int, int], None]
"""Called with what was just done, how many are done, and of how many."""
