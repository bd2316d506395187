"""An inspection: ports in, facts out. Nothing is changed, and nothing is judged here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from operator import itemgetter
from typing import TypeVar

import msgspec

from mimir_migrate.documents.config.kv_blocks import store_named
from mimir_migrate.errors import MigrateError
from mimir_migrate.inspection.binaries import Binary, DefaultsCache, ask_binary, image_of
from mimir_migrate.inspection.bridge import read_bridge, with_heartbeats
from mimir_migrate.inspection.pods import inspect_pod
from mimir_migrate.inspection.ring_tables import TableRead, read_tables, ring_tables
from mimir_migrate.inspection.summary import settle_enabled, summarize
from mimir_migrate.model.facts import (
    Autoscaler,
    Identity,
    Inspection,
    Pod,
    PodFacts,
    Release,
    StoreOffer,
    Unanswered,
    Workload,
)
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import BridgeSettings
from mimir_migrate.model.target import Target
from mimir_migrate.ports import Progress, World

AT_ONCE = 24
"""So many pods are asked at the same time unless the caller says otherwise."""

_Value = TypeVar("_Value")
_Asked = TypeVar("_Asked")


class _KubernetesFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What Kubernetes said; pods and workloads are those that run the product."""

    pods: tuple[Pod, ...]
    workloads: tuple[Workload, ...]


def inspect(
    world: World,
    target: Target,
    *,
    rings: Sequence[str] | None = None,
    stores: bool = True,
    wait_for_heartbeat: bool = False,
    progress: Progress | None = None,
    max_at_once: int = AT_ONCE,
    cache: DefaultsCache | None = None,
) -> Inspection:
    """Ask Kubernetes, every pod and DynamoDB.

    Args:
        world: The reading ports.
        target: Which release and which tables.
        rings: Whose members and items are read; None: of every ring that can be moved. The
            configuration of all rings is read in any case.
        stores: Whether the contents of memberlist and DynamoDB are read.
        wait_for_heartbeat: Whether items of unknown addresses are read twice, at least the longest
            heartbeat period apart, to see whether somebody keeps writing them.
        progress: Called after each pod.
        max_at_once: How many pods are asked at the same time; 1: one after the other, in this thread.
        cache: What images said in earlier inspections.

    Raises:
        MigrateError: When Kubernetes does not tell which pods there are; whatever else does not
            answer stands in the result as unanswered.
    """
    at = world.clock.now()
    unanswered: list[Unanswered] = []
    found = _ask_kubernetes(world)
    autoscalers: Sequence[Autoscaler] = _attempt(
        world.cluster.autoscalers, (), "Kubernetes autoscalers", unanswered
    )
    release = _attempt(world.cluster.release, None, "the helm release's Secret", unanswered)
    binaries, failed = _ask_binaries(world, found.pods, cache or DefaultsCache(), max_at_once)
    # What only pods that are about to go run says nothing of the release; their configuration is read
    # with it.
    staying = {image_of(pod) for pod in found.pods if not pod.terminating}
    leaving = {f"pod {pod.name}" for pod in found.pods if image_of(pod) not in staying}
    unanswered.extend(one for one in failed if one.source.partition(" GET ")[0] not in leaving)
    product = _product(binaries, found.pods, release)
    pods = settle_enabled(
        _ask_pods(
            world,
            found.pods,
            binaries,
            product,
            rings=rings,
            stores=stores,
            progress=progress,
            max_at_once=max_at_once,
            bridge=target.through_bridge,
        )
    )
    before = read_bridge(world, target, max_at_once=max_at_once) if wait_for_heartbeat else None
    read = TableRead()
    if stores:
        read = read_tables(
            world, product, pods, target, rings=rings, wait_for_heartbeat=wait_for_heartbeat
        )
    bridge = read_bridge(world, target, max_at_once=max_at_once)
    items, untold = with_heartbeats(read.items, bridge)
    return Inspection(
        at=at,
        identity=_identity(
            world,
            target,
            with_account=bool(ring_tables(product, pods, target)),
            unanswered=unanswered,
        ),
        product=product,
        pods=pods,
        workloads=found.workloads,
        autoscalers=tuple(autoscalers),
        release=release,
        rings=summarize(product, pods),
        offers=tuple(
            _understood(offer, target)
            for image, binary in binaries.items()
            if image in staying
            for offer in binary.offers
        ),
        tables=read.tables,
        items=items,
        earlier_items=with_heartbeats(read.earlier_items, before)[0],
        heads=read.heads,
        unanswered=(*unanswered, *read.unanswered, *untold),
        bridge=bridge,
        policies=tuple(world.network.policies()) if world.network else (),
        forwards_because=world.network.forwards_because() if world.network else "",
    )


def runs_product(pod: Pod) -> bool:
    """Whether the pod runs Mimir or Cortex, and not a cache, a gateway or an operator beside it.

    A pod that ended (an evicted one, a Job's) stays listed and runs nothing.
    """
    return pod.phase not in {"Succeeded", "Failed"} and (
        bool(pod.targets)
        or any(argument.lstrip("-").startswith("config.file=") for argument in pod.args)
    )


def workloads_of_product(
    pods: Sequence[Pod], workloads: Sequence[Workload]
) -> tuple[Workload, ...]:
    """The workloads whose pods run Mimir or Cortex, of all that the release has.

    Args:
        pods: Every pod of the release.
        workloads: Every workload of the release.
    """
    owners = {(pod.owner_kind, pod.owner) for pod in pods if runs_product(pod)}
    owners_of_others = {(pod.owner_kind, pod.owner) for pod in pods} - owners
    return tuple(
        workload
        for workload in workloads
        if (workload.kind, workload.name) in owners
        # Its pods are not made yet: the checksum tells a workload of the product from a cache.
        or (
            workload.replicas > 0
            and workload.config_checksum
            and (workload.kind, workload.name) not in owners_of_others
        )
    )


def _ask_kubernetes(world: World) -> _KubernetesFacts:
    everything = tuple(world.cluster.pods())
    pods = tuple(sorted(filter(runs_product, everything), key=lambda pod: (pod.name, pod.uid)))
    if not pods:
        raise MigrateError(
            f"looking for pods of Mimir or Cortex: none of the release's {len(everything)} pods "
            "has the argument -target or -config.file",
            hint="check [kubernetes] release and namespace in target.toml",
        )
    workloads = workloads_of_product(everything, world.cluster.workloads())
    return _KubernetesFacts(pods=pods, workloads=workloads)


def _attempt(
    ask: Callable[[], _Value], otherwise: _Value, source: str, unanswered: list[Unanswered]
) -> _Value:
    try:
        return ask()
    except MigrateError as error:
        unanswered.append(Unanswered(source=source, reason=str(error)))
        return otherwise


def _ask_binaries(
    world: World, pods: Sequence[Pod], cache: DefaultsCache, max_at_once: int
) -> tuple[dict[str, Binary], list[Unanswered]]:
    """The binary of every distinct image, as far as one of its pods answers."""
    by_image: dict[str, list[Pod]] = {}
    for pod in pods:
        by_image.setdefault(image_of(pod), []).append(pod)
    binaries: dict[str, Binary] = {}
    unanswered: list[Unanswered] = []

    def ask(image: str) -> tuple[str, tuple[Binary | None, tuple[Unanswered, ...]]]:
        return image, ask_binary(world, image, by_image[image], cache)

    for image, (binary, failures) in sorted(
        _each(ask, list(by_image), max_at_once), key=itemgetter(0)
    ):
        unanswered.extend(failures)
        if binary is not None:
            binaries[image] = binary
    return binaries, unanswered


def _each(
    ask: Callable[[_Asked], _Value], whom: Sequence[_Asked], max_at_once: int
) -> Iterator[_Value]:
    """What each answered, in the order in which the answers came."""
    at_once = min(max_at_once, len(whom))
    if at_once <= 1:
        yield from map(ask, whom)
        return
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        for future in as_completed([pool.submit(ask, one) for one in whom]):
            yield future.result()


def _product(binaries: dict[str, Binary], pods: Sequence[Pod], release: Release | None) -> Product:
    """What the binaries say they are; where none answers, what chart and images are called.

    The guess decides only which rings are shown as unknown: without an answer every one of them is.
    """
    for binary in binaries.values():
        return binary.product
    names = " ".join([release.chart if release else "", *(pod.image for pod in pods)])
    return Product.CORTEX if "cortex" in names.lower() else Product.MIMIR


def _ask_pods(
    world: World,
    pods: Sequence[Pod],
    binaries: dict[str, Binary],
    product: Product,
    *,
    rings: Sequence[str] | None,
    stores: bool,
    progress: Progress | None,
    max_at_once: int,
    bridge: BridgeSettings | None,
) -> tuple[PodFacts, ...]:
    """Every pod's facts, in the order of `pods`."""

    def ask(numbered: tuple[int, Pod]) -> tuple[int, PodFacts]:
        number, pod = numbered
        try:
            facts = inspect_pod(
                world,
                pod,
                product=product,
                binary=binaries.get(image_of(pod)),
                rings=rings,
                stores=stores,
                bridge=bridge,
            )
        except Exception as error:  # noqa: BLE001 - one odd pod is unknown, and hides no other
            reason = f"its answers are such as nobody foresaw ({type(error).__name__})"
            facts = PodFacts(
                pod=pod, unanswered=(Unanswered(source=f"pod {pod.name}", reason=reason),)
            )
        return number, facts

    found: dict[int, PodFacts] = {}
    for number, facts in _each(ask, list(enumerate(pods)), max_at_once):
        found[number] = facts
        if progress is not None:
            progress(f"asked {facts.pod.name}", len(found), len(pods))
    return tuple(found[number] for number in range(len(pods)))


def _understood(offer: StoreOffer, target: Target) -> StoreOffer:
    """What a binary offers, as this tool names stores.

    A Consul client is one for DynamoDB where the target says that it is reached through the ring bridge, and
    one of the pods' own is not.
    """
    bridge = target.through_bridge
    if bridge is None:
        return offer
    stores = tuple(sorted(store_named(store, bridge) for store in offer.stores))
    return msgspec.structs.replace(offer, stores=stores)


def _identity(
    world: World, target: Target, *, with_account: bool, unanswered: list[Unanswered]
) -> Identity:
    """Which cluster this is; AWS is asked who we are only where a table is at stake."""
    return Identity(
        server=world.cluster.server(),
        cluster_uid=_attempt(world.cluster.cluster_uid, "", "the cluster's uid", unanswered),
        namespace=target.kubernetes.namespace,
        release=target.kubernetes.release,
        account=_attempt(world.tables.account, "", "the AWS account", unanswered)
        if with_account
        else "",
        region=world.tables.region(),
    )
