"""What each distinct image is: its defaults, and the stores that it offers.

One pod of every image is asked for `/config?mode=defaults`. The answer depends on the binary only, so
a runner that inspects again and again keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.documents.config.defaults import PAGE, offers_in
from mimir_migrate.documents.config.settable import lacking
from mimir_migrate.documents.edits import sha256
from mimir_migrate.errors import MigrateError
from mimir_migrate.inspection.pages.config import product_of, read_yaml
from mimir_migrate.inspection.pages.reading import UnreadablePageError
from mimir_migrate.inspection.settings import Defaults
from mimir_migrate.model.facts import Evidence, Pod, StoreOffer, Unanswered, told_by
from mimir_migrate.model.rings import Product
from mimir_migrate.ports import OK, World

_TRIES = 3
"""So many pods of one image are asked before its defaults count as unknown."""


class Binary(msgspec.Struct, frozen=True, kw_only=True):
    """What one image said of itself."""

    image: str
    product: Product
    defaults: Defaults
    offers: tuple[StoreOffer, ...]
    lacking: tuple[str, ...] = ()
    """Settings that this tool advises or writes and that the binary does not have."""


class DefaultsCache:
    """Binaries by image id, kept from one inspection to the next. Safe to share between threads."""

    def __init__(self) -> None:
        self._known: dict[str, Binary] = {}

    def get(self, image: str) -> Binary | None:
        """What is known of an image; None: nothing yet."""
        return self._known.get(image)

    def put(self, binary: Binary) -> None:
        """Keep what an image said."""
        self._known[binary.image] = binary


def image_of(pod: Pod) -> str:
    """What tells a pod's binary from another: the image's id, else its name."""
    return pod.image_id or pod.image


def ask_binary(
    world: World, image: str, pods: Sequence[Pod], cache: DefaultsCache
) -> tuple[Binary | None, tuple[Unanswered, ...]]:
    """Ask pods of one image for its defaults until one answers."""
    known = cache.get(image)
    if known is not None:
        return known, ()
    failures: list[Unanswered] = []
    candidates = sorted(pods, key=lambda pod: (pod.terminating, not pod.ready, pod.name))
    for pod in candidates[:_TRIES]:
        source = told_by(pod.name, PAGE)
        try:
            binary = _read_binary(world, image, pod, source)
        except (MigrateError, UnreadablePageError) as error:
            failures.append(Unanswered(source=source, reason=str(error)))
            continue
        cache.put(binary)
        return binary, ()
    return None, tuple(failures)


def _read_binary(world: World, image: str, pod: Pod, source: str) -> Binary:
    page = world.pages.get(pod, PAGE)
    if page.status != OK:
        raise UnreadablePageError(f"HTTP status {page.status}")
    defaults = read_yaml(page.body, "the default configuration")
    product = product_of(defaults)
    if product is None:
        raise UnreadablePageError("the configuration is neither Mimir's nor Cortex's")
    at = world.clock.now()
    return Binary(
        image=image,
        product=product,
        lacking=lacking(defaults, product),
        defaults=Defaults(defaults, sha256(page.body)),
        offers=tuple(
            StoreOffer(
                image=pod.image or image,
                ring=ring,
                stores=stores,
                evidence=Evidence(
                    source=source, detail=f"kvstore of {ring}: {', '.join(stores)}", at=at
                ),
            )
            for ring, stores in offers_in(defaults, product).items()
        ),
    )
