"""What tests of values files ask for."""

from __future__ import annotations

from mimir_migrate.documents.values.files import Wanted
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
