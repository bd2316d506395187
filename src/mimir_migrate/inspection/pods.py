"""One pod: every page that the inspection needs of it, read into facts.

What does not answer becomes an `Unanswered`, never an error. A pod that is silent twice in a row is
not asked for the rest, so that one dead pod costs two timeouts and not ten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from mimir_migrate.documents.config.kv_blocks import CONSUL
from mimir_migrate.documents.edits import sha256
from mimir_migrate.errors import MigrateError, UnreachableError
from mimir_migrate.inspection.binaries import Binary
from mimir_migrate.inspection.fold import with_inference
from mimir_migrate.inspection.pages.config import read_yaml, runtime_block
from mimir_migrate.inspection.pages.memberlist import gossip_of, replica_members
from mimir_migrate.inspection.pages.metrics import PodMetrics, read_metrics
from mimir_migrate.inspection.pages.reading import UnreadablePageError, beginning
from mimir_migrate.inspection.pages.ring import ring_members
from mimir_migrate.inspection.settings import (
    MEMBERLIST_PAGE,
    PodSettings,
    RingSettings,
    pod_settings,
)
from mimir_migrate.model.facts import (
    Gossip,
    KVClient,
    Member,
    Pod,
    PodFacts,
    PodRing,
    RuntimeView,
    Unanswered,
    told_by,
)
from mimir_migrate.model.rings import Product, Role, version_in
from mimir_migrate.model.stores import BridgeSettings, Store
from mimir_migrate.ports import OK, Page, World

CONFIG_PAGE = "/config?mode=diff"
RUNTIME_PAGE = "/runtime_config"
METRICS_PAGE = "/metrics"
_CLIENT = 'kv_name="{}"'
_READER = 'cortex_ring_members{{name="{}"}}'
_JSON = "application/json"
_NOT_FOUND = 404
_SILENT_TWICE = 2

_Read = TypeVar("_Read")


class _Questions:
    """Asks one pod for pages and collects what it did not answer."""

    def __init__(self, world: World, pod: Pod) -> None:
        self._world = world
        self._pod = pod
        self._silent = 0
        self.unanswered: list[Unanswered] = []

    def ask(
        self, path: str, read: Callable[[Page], _Read], *, accept: str = "*/*"
    ) -> _Read | None:
        """Read one page; None where it gave no usable answer, which is then in `unanswered`."""
        try:
            return read(self._get(path, accept))
        except (MigrateError, UnreadablePageError) as error:
            self.note(path, str(error))
            return None
        except Exception as error:  # noqa: BLE001 - a page that nobody foresaw is not an answer, and not a crash
            self.note(path, f"the answer is one that nobody foresaw ({type(error).__name__})")
            return None

    def note(self, path: str, reason: str) -> None:
        """Keep that a page, or a part of it, gave no usable answer."""
        source = told_by(self._pod.name, path)
        self.unanswered.append(Unanswered(source=source, reason=reason))

    def _get(self, path: str, accept: str) -> Page:
        if not self._pod.ip:
            raise UnreachableError(f"it has no address ({self._pod.phase or 'no phase'})")
        if self._silent >= _SILENT_TWICE:
            raise UnreachableError("not asked: the pod left two questions before it unanswered")
        try:
            page = self._world.pages.get(self._pod, path, accept=accept)
        except UnreachableError:
            self._silent += 1
            raise
        self._silent = 0
        return page


def inspect_pod(
    world: World,
    pod: Pod,
    *,
    product: Product,
    binary: Binary | None,
    rings: Sequence[str] | None = None,
    stores: bool = True,
    bridge: BridgeSettings | None = None,
) -> PodFacts:
    """Ask one pod for everything.

    Args:
        world: Where the pages come from.
        pod: Whom to ask.
        product: What it runs.
        binary: The defaults of its image; None: unknown, and so is its configuration then.
        rings: Whose members are read from pages and memberlist; None: of every ring.
        stores: Whether memberlist's values are read.
        bridge: Where DynamoDB is reached through the ring bridge; None: by the pods' own client.
    """
    questions = _Questions(world, pod)
    diff = questions.ask(CONFIG_PAGE, _config_diff)
    metrics = questions.ask(METRICS_PAGE, lambda page: read_metrics(_ok(page).body))
    for family in metrics.unread if metrics else ():
        questions.note(METRICS_PAGE, f"a line cannot be read, so its family is left out: {family}")
    build = metrics.build if metrics else None
    settings = pod_settings(
        product,
        binary.defaults if binary else None,
        diff[0] if diff else None,
        ",".join(pod.targets or (pod.component,)),
        version_in(build.version) if build else None,
        bridge,
    )
    gossip = questions.ask(MEMBERLIST_PAGE, _gossip, accept=_JSON)
    views = [
        (each.ring, _pod_ring(questions, each, metrics, gossip, rings, stores))
        for each in settings.rings
    ]
    runtime = _runtime(questions, settings, metrics, bridge)
    return PodFacts(
        pod=pod,
        at=world.clock.now(),
        build=build,
        rings=tuple(with_inference(view, ring, runtime) for ring, view in views),
        runtime=runtime,
        gossip=gossip,
        gossip_config=settings.gossip,
        counters=metrics.counters if metrics else None,
        started_at=metrics.started_at if metrics else None,
        lacking=binary.lacking if binary else None,
        config_hash=diff[1] if diff else "",
        unanswered=tuple(questions.unanswered),
        unexpected=_unexpected(settings, metrics) if metrics else (),
    )


def _unexpected(settings: PodSettings, metrics: PodMetrics) -> tuple[str, ...]:
    """What metrics show of clients and readers that no ring here is known to have."""
    clients = {name for each in settings.rings for name in each.view.expected_kv_names}
    readers = {name for each in settings.rings for name in each.members_names}
    return (
        *(_CLIENT.format(name) for name in sorted(metrics.kv_names - clients)),
        *(_READER.format(name) for name in sorted(metrics.ring_members.keys() - readers)),
    )


def _absent(settings: RingSettings, view: PodRing, metrics: PodMetrics) -> tuple[str, ...]:
    """What metrics should show of a ring that is on. Only on `multi` each client has metrics at once."""
    readers = [name for name in settings.members_names if name not in metrics.ring_members]
    return (*map(_CLIENT.format, view.silent), *map(_READER.format, readers))


def _ok(page: Page) -> Page:
    if page.status != OK:
        said = f": {beginning(page.body)}" if page.body else ""
        raise UnreadablePageError(f"HTTP status {page.status}{said}")
    return page


def _config_diff(page: Page) -> tuple[bytes, str]:
    """The page, which is a configuration, and its digest."""
    body = _ok(page).body
    read_yaml(body, "a configuration")
    return body, sha256(body)


def _gossip(page: Page) -> Gossip:
    """A process without the page (it runs no memberlist at all) answers 404."""
    return Gossip(running=False) if page.status == _NOT_FOUND else gossip_of(_ok(page).body)


def _pod_ring(
    questions: _Questions,
    settings: RingSettings,
    metrics: PodMetrics | None,
    gossip: Gossip | None,
    rings: Sequence[str] | None,
    stores: bool,
) -> PodRing:
    """One ring as the pod has it."""
    ring, view = settings.ring, settings.view
    asked = view.enabled and ring.movable and (rings is None or ring.name in rings)
    members = None
    if asked and settings.serves_page:
        members = questions.ask(ring.page, _members, accept=_JSON)
    names = view.expected_kv_names
    view = msgspec.structs.replace(
        view,
        clients=tuple(
            _understood(metrics.clients[name], view) for name in names if name in metrics.clients
        )
        if metrics
        else (),
        page_served=members is not None and members.served,
        members=members.members if members is not None and members.served else None,
        member_count=_member_count(settings.roles, metrics),
        memberlist=_replica(questions, settings, gossip) if asked and stores else None,
    )
    absent = _absent(settings, view, metrics) if metrics and view.enabled else ()
    return msgspec.structs.replace(view, absent=absent) if absent else view


class _Seen(msgspec.Struct, frozen=True):
    served: bool
    members: tuple[Member, ...] = ()


def _members(page: Page) -> _Seen:
    """A page that is not served is not a failure: the ring cannot be observed there.

    Any other status is one: a lifecycler's page reads the store, and answers 500 while that is away.
    """
    if page.status == _NOT_FOUND:
        return _Seen(served=False)
    return _Seen(served=True, members=ring_members(_ok(page).body))


def _understood(client: KVClient, view: PodRing) -> KVClient:
    """A client whose store is told as the ring's configuration means it.

    Its label `store` is `consul` where the ring is on the ring bridge, which is DynamoDB then.
    """
    ours = view.config is not None and view.config.through_bridge
    if not ours or client.primary != CONSUL:
        return client
    return msgspec.structs.replace(client, primary=Store.DYNAMODB.value)


def _member_count(roles: tuple[Role, ...], metrics: PodMetrics | None) -> dict[str, int] | None:
    if metrics is None:
        return None
    for role in roles:
        if role.members_name in metrics.ring_members:
            return metrics.ring_members[role.members_name]
    return None


def _replica(
    questions: _Questions, settings: RingSettings, gossip: Gossip | None
) -> tuple[Member, ...] | None:
    """The pod's own copy of the ring in memberlist; None: it has no memberlist, or did not say."""
    if gossip is None or not gossip.running:
        return None
    if settings.key not in gossip.keys:
        return ()
    return questions.ask(settings.replica, _replica_value, accept=_JSON)


def _replica_value(page: Page) -> tuple[Member, ...]:
    # 404: the key went away since the list of keys was read.
    return () if page.status == _NOT_FOUND else replica_members(_ok(page).body)


def _runtime(
    questions: _Questions,
    settings: PodSettings,
    metrics: PodMetrics | None,
    bridge: BridgeSettings | None,
) -> RuntimeView | None:
    if not settings.known:
        return None
    if not settings.runtime_file:
        return RuntimeView(period=settings.runtime_period)
    block = questions.ask(RUNTIME_PAGE, lambda page: runtime_block(_ok(page).body, bridge))
    if block is None:
        return None
    return RuntimeView(
        file=settings.runtime_file,
        period=settings.runtime_period,
        block=block,
        reload_successful=metrics.reload_successful if metrics else None,
    )
