"""What tests of values files ask for."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.documents.values.files import SourceFile, ValuesFiles, ValuesView, Wanted
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import DynamoDBSettings, RuntimeBlock, StoreState

SETTINGS = DynamoDBSettings(region="eu-west-1", table_name="rings", puller_sync_time="10s")


def make_wanted(
    state: StoreState | str,
    *rings: str,
    mirror: bool = True,
    runtime: RuntimeBlock | None = None,
    keep_runtime: bool = False,
    settings: DynamoDBSettings = SETTINGS,
) -> Wanted:
    """A wish for rings, the ruler's if none is named."""
    chosen = rings or ("ruler",)
    return Wanted(
        states={ring: StoreState(state) for ring in chosen},
        mirror=mirror,
        dynamodb=dict.fromkeys(chosen, settings),
        runtime=runtime,
        keep_runtime=keep_runtime,
    )


def read(
    files: Sequence[SourceFile], *, product: Product | None = None, root: str = ""
) -> ValuesView:
    """What files say about rings."""
    return ValuesFiles(files, product=product, root=root).view


def edit(
    files: Sequence[SourceFile],
    wanted: Wanted,
    *,
    product: Product | None = None,
    root: str = "",
    original: Sequence[FileEdit] = (),
) -> tuple[FileEdit, ...]:
    """The edits of files that are read for it."""
    return ValuesFiles(files, product=product, root=root).edit(wanted, original=original)
