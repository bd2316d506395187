"""A whole sandbox in one process and in virtual time, for fast tests of what works on a cluster.

There is no server, no moto and no wall clock: the cluster's objects, the pods' pages and the ring table
are reached directly, and time passes only when it is told to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from mimir_migrate.errors import CommandError
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.charts.versions import app_version_of, build_version_of
from mimir_migrate.sandbox.deploy import Deployment
from mimir_migrate.sandbox.files import SandboxFile
from mimir_migrate.sandbox.injection import SandboxFaults
from mimir_migrate.sandbox.interface import Response
from mimir_migrate.sandbox.kubernetes.api_faults import DEPLOY_AGENT, ApiFaults, DroppedError
from mimir_migrate.sandbox.kubernetes.api_paths import target_of
from mimir_migrate.sandbox.kubernetes.cluster import Cluster
from mimir_migrate.sandbox.kubernetes.cluster_faults import ClusterFaults
from mimir_migrate.sandbox.kubernetes.objects import ApiError, ObjectStore
from mimir_migrate.sandbox.rings_seen import begin_watch, rings_are_complete
from mimir_migrate.sandbox.simulation.scheduler import VirtualScheduler
from mimir_migrate.sandbox.simulation.simulation import make_simulation
from mimir_migrate.sandbox.simulation.stores.items import MemoryItems
from mimir_migrate.sandbox.simulation.stores.wire import Wire


class StoreApi:
    """An API server without HTTP, for deploys."""

    def __init__(self, store: ObjectStore, faults: ApiFaults) -> None:
        self._store = store
        self._faults = faults

    def call(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """One request; returns the status and the answer."""
        bare, _, query = path.partition("?")
        target = target_of(f"/{bare}")
        if target is None:
            return 404, {"message": f"no such path: {path}"}
        where = (target.plural, target.namespace, target.name)
        given: Any = body
        try:
            self._faults.meet(method, f"/{bare}", DEPLOY_AGENT, versioned=False)
            match method:
                case "GET" if not target.name:
                    labels = parse_qs(query).get("labelSelector", [""])[0]
                    items = self._store.select(target.plural, target.namespace, labels=labels)
                    return 200, {"items": items}
                case "GET":
                    return 200, self._store.get(*where)
                case "POST":
                    return 201, self._store.create(target.plural, target.namespace, given)
                case "PATCH":
                    return 200, self._store.patch(*where, given, strategic=False)
                case _:
                    return 200, self._store.delete(*where)
        except DroppedError as error:
            raise CommandError(f"{method} {path}: no answer", returncode=1) from error
        except ApiError as error:
            return error.code, {"message": error.message}


class InProcessSandbox:
    """Cluster, simulated processes and ring table in one object.

    Args:
        product: Which product runs.
        values: The values file that it starts from.
        seed: Makes everything the same in each run.
        speed: What durations are divided by.
        stores: Stores that the build offers besides its own: `dynamodb` for Mimir.
        client: The generation of the DynamoDB client.
        tables: Names of the ring tables that exist; None: every name does.
        scheduler: Time; left out: virtual time of its own.
        wire: Carries the requests of Consul clients; left out: nobody answers them.
    """

    def __init__(
        self,
        product: Product,
        values: bytes,
        *,
        seed: int = 1,
        speed: float = 1.0,
        stores: frozenset[str] = frozenset(),
        client: str = "master",
        tables: Sequence[str] | None = None,
        scheduler: VirtualScheduler | None = None,
        wire: Wire | None = None,
    ) -> None:
        self.product = product
        self.scheduler = scheduler or VirtualScheduler()
        self.items = MemoryItems(client, tables)
        self.file = SandboxFile(
            product=product,
            speed=speed,
            seed=seed,
            namespace="observability",
            release=product.value,
            stores=tuple(sorted(stores)),
            client=client,
            app_version=app_version_of(product, client),
            token="",
        )
        self.cluster = Cluster(
            self.scheduler, namespace=self.file.namespace, speed=speed, seed=seed
        )
        self.simulation = make_simulation(
            product=product,
            scheduler=self.scheduler,
            surroundings=self.cluster,
            items=self.items,
            speed=speed,
            stores=stores,
            client=client,
            seed=seed,
            version=build_version_of(product, client),
            wire=wire,
        )
        self.cluster.run_on(self.simulation)
        self.api_faults = ApiFaults()
        self._injector = SandboxFaults(
            ClusterFaults(self.cluster), self.simulation, self.api_faults
        )
        self.deploy([values])

    @property
    def objects(self) -> ObjectStore:
        """The cluster's objects."""
        return self.cluster.store

    def deploy(self, values: Sequence[bytes]) -> int:
        """Deploy values files, the last one winning; returns the revision. The rollout only begins.

        Raises:
            CommandError: It failed.
        """
        files = [(f"values-{number}.yaml", text) for number, text in enumerate(values, start=1)]
        return Deployment(self.file, files, StoreApi(self.objects, self.api_faults)).run()

    def proxy(self, pod: str, path: str, accept: str = "*/*") -> Response:
        """What a pod answers through the API server's proxy.

        Raises:
            TimeoutError: A fault keeps it silent.
        """
        process = self.cluster.process(pod)
        if process is None:
            body = json.dumps({"kind": "Status", "code": 503}).encode()
            return Response(status=503, content_type="application/json", body=body)
        return process.get(path, accept)

    def inject(self, fault: str, arguments: Mapping[str, str] | None = None) -> str:
        """Make something go wrong; returns one line that says what."""
        return self._injector.inject(fault, arguments or {})

    def status(self) -> dict[str, Any]:
        """The simulation's own watch, and the cluster in a few numbers."""
        return {**self.simulation.status(), "cluster": self.cluster.summary()}

    def run_for(self, seconds: float) -> None:
        """Let so many seconds of the scheduler's time pass."""
        self.scheduler.run_for(seconds)

    def is_complete(self) -> bool:
        """Whether no rollout runs and every page shows every Ready member."""
        if not self.cluster.is_settled():
            return False
        pods = self.objects.select("pods", self.file.namespace)
        found = (self.cluster.process(pod["metadata"]["name"]) for pod in pods)
        return rings_are_complete(self.product, [one for one in found if one is not None])

    def start(self) -> float:
        """Let the first rollout end and begin the watch; returns how long that took."""
        took = self.settle()
        begin_watch(self.simulation)
        return took

    def settle(self, limit: float = 3600.0, step: float = 5.0) -> float:
        """Let time pass until `is_complete`; returns how long that took.

        Raises:
            TimeoutError: It did not come to that within `limit` seconds of the cluster's time.
        """
        begin = self.scheduler.now()
        while (self.scheduler.now() - begin) * self.file.speed < limit:
            self.run_for(step / self.file.speed)
            if self.is_complete():
                return self.scheduler.now() - begin
        raise TimeoutError(f"not settled after {limit:.0f} s: {self.cluster.summary()}")
