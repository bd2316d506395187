"""What the inspection's matrix and its details say of a ring."""

from __future__ import annotations

import msgspec
import pytest
import tui_world as world

from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.screens.inspect_page.matrix_views import matrix_of
from mimir_migrate.screens.inspect_page.pod_views import detail_rows
from mimir_migrate.widgets.glyphs import ASCII, UNICODE, Glyphs
from mimir_migrate.widgets.text import text_of

BOTH = StoreState.MEMBERLIST_DYNAMODB


def cell(facts: Inspection, signs: Glyphs = UNICODE) -> str:
    """The cell of the ingester ring on the ingesters."""
    row = next(row for row in matrix_of(facts, signs).rows if row.key == "ingester")
    return text_of(row.cells["ingester"])


def details(facts: Inspection) -> str:
    """What the ingesters' pods say, everything unfolded."""
    rows = detail_rows(facts, "ingester", "ingester", UNICODE, facts.at)
    return "\n".join(text_of(row.cells[0]) for row in rows)


@pytest.mark.parametrize(
    ("state", "primary", "shown"),
    [
        (StoreState.MEMBERLIST, None, "M"),
        (BOTH, None, "M+d"),
        (BOTH, Store.DYNAMODB, "D+m*"),
        (StoreState.DYNAMODB_MEMBERLIST, None, "D+m"),
        (StoreState.DYNAMODB_MEMBERLIST, Store.MEMBERLIST, "M+d*"),
        (StoreState.DYNAMODB, None, "D"),
    ],
)
def test_the_capital_is_the_store_that_is_read(
    state: StoreState, primary: Store | None, shown: str
) -> None:
    """A runtime switch shows in the cell, with a star that a note explains, in every set of signs."""
    facts = world.inspection(state, primary=primary, mirror=state.is_multi)

    assert cell(facts) == f"✓{shown} 3/3"
    assert cell(facts, ASCII) == f"+{shown} 3/3"
    switched = shown.endswith("*")
    assert (
        any("runtime configuration" in note for note in matrix_of(facts, ASCII).notes) is switched
    )
    assert ("since a runtime switch" in details(facts)) is switched


def test_pods_that_read_different_stores_differ() -> None:
    """In the middle of a switch some pods have followed and others have not."""
    before = world.inspection(BOTH, mirror=True)
    after = world.inspection(BOTH, primary=Store.DYNAMODB, mirror=True)
    first = next(pod.pod.name for pod in before.pods if pod.pod.component == "ingester")
    mixed = msgspec.structs.replace(
        before,
        pods=tuple(
            new if old.pod.name == first else old
            for old, new in zip(before.pods, after.pods, strict=True)
        ),
    )

    assert cell(mixed) == "✗≠ 3/3"


def test_a_pod_that_does_not_tell_what_it_reads_is_unknown() -> None:
    """Its configuration names two stores, so it alone says nothing of which one is read."""
    facts = world.inspection(BOTH, mirror=True)
    silent = tuple(
        msgspec.structs.replace(
            pod, rings=tuple(msgspec.structs.replace(view, clients=()) for view in pod.rings)
        )
        for pod in facts.pods
    )

    assert cell(msgspec.structs.replace(facts, pods=silent)) == "?M+d 3/3"
    assert "reads unknown" in details(msgspec.structs.replace(facts, pods=silent))


def test_mirroring_that_is_off_is_said() -> None:
    """Two letters alone would promise that both stores are written."""
    assert "mirroring is off" in " ".join(matrix_of(world.inspection(BOTH), UNICODE).notes)
    assert matrix_of(world.inspection(BOTH, mirror=True), UNICODE).notes == ()
