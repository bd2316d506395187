"""Choices: stay, some rings or all, side by side; and what is to be planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from mimir_migrate.errors import MigrateError
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Choice
from mimir_migrate.model.plan import Plan, Strategy
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.screens import choices_views as views
from mimir_migrate.screens.actions import bindings_of
from mimir_migrate.screens.modals.pick import PickModal
from mimir_migrate.screens.page import Page
from mimir_migrate.screens.session import Session, entry_of, with_entry
from mimir_migrate.widgets.bars import Heading
from mimir_migrate.widgets.glyphs import glyphs_of
from mimir_migrate.widgets.rows import Column, RowList
from mimir_migrate.widgets.side_by_side import SideBySide

STAYING = "To stay needs no plan; the findings say what makes it safer."


class ChoicesScreen(Page):
    """Which way to go, before there is a plan."""

    PLACE = "choices"
    CSS_PATH: ClassVar[list[str | PurePath]] = ["page.tcss", "choices.tcss"]
    AUTO_FOCUS = "#choices"
    HELP = """\
**Choices.** Above, each column is a road: what it asks for, how long it takes, how late ring
changes will be seen, what it costs; down to what each figure rests on. The column under the cursor
is what will be planned; for Stay that is nothing. Below it stands in full: Enter or Space on an
entry changes it. `p` makes the plan; nothing is changed by that.
"""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("choices")]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._settled = False
        """Whether the direction was taken from what was seen; from then on it is the operator's."""

    def body(self) -> ComposeResult:
        with Vertical(id="above"):
            yield Heading("The choices, side by side")
            yield SideBySide(id="choices", empty="not inspected yet: press 2")
        with Vertical(id="below"):
            yield Heading("What will be planned")
            yield RowList((Column(width=9), Column(grows=True)), id="order", empty="")

    # --- drawing -----------------------------------------------------------------------------

    def refresh_page(self) -> None:
        session, look = self.session, self.session.look
        table, order = self.query_one(SideBySide), self.query_one("#order", RowList)
        if look is None:
            table.empty = "being inspected" if session.looking else "not inspected yet: press 2"
            table.show((), ())
            table.refresh()
            order.set_rows(())
            if session.looking:
                self.say("The cluster is being inspected; the choices come when that ends.")
            else:
                self.say("Inspect the cluster first: press 2.", "warn")
            return
        signs = glyphs_of(self)
        if not self._settled:
            self._settled = True
            session.to = usual_direction(look.inspection)
            if session.target.through_bridge and session.to is Store.DYNAMODB:
                session.goal = StoreState.DYNAMODB_MEMBERLIST
        table.show(
            tuple(views.compared(choice, signs, self.session.scale) for choice in look.choices),
            views.QUESTIONS,
            views.beliefs(look.inspection),
        )
        table.stand_on(self._chosen(look.choices))
        order.set_rows(
            views.staying_rows(session.to.other)
            if session.staying
            else views.order_rows(
                look.inspection,
                session.target,
                end=session.end,
                rings=session.rings,
                strategy=session.strategy,
                signs=signs,
            )
        )
        self._say_next()

    def _say_next(self) -> None:
        session = self.session
        missing = session.missing()
        if self.busy("plan"):
            self.say("Planning…")
        elif session.look_is_past:
            self.say(
                "What stands here is from before the run's last change: 2 reads it again.", "warn"
            )
        elif session.plan_error is not None:
            first = session.plan_error.message.splitlines()[0]
            self.say(f"No plan: {first} 4 shows why.", "bad")
        elif missing:
            self.say(f"Missing for a plan: {', '.join(missing)}. Go to 1 Start.", "bad")
        elif session.staying:
            self.say("To stay needs no plan. Right goes to what moves.", "good")
        elif run := session.walked_by:
            self.say(f"The run {run} was started with the plan for these choices: p plans again.")
        elif session.plan is not None:
            self.say("There is a plan for these choices: press 4.", "good")
        else:
            self.say("Press p to make the plan; nothing is changed by that.", "good")

    # --- choosing ----------------------------------------------------------------------------

    def impossible(self, action: str) -> str:
        if action in {"take", "make_plan", "change"} and self.session.look is None:
            return "The cluster is not inspected yet: 2, then i."
        if action == "make_plan" and self.session.staying:
            return STAYING
        return ""

    def _chosen(self, choices: Sequence[Choice]) -> str:
        """The choice that would be planned; empty: rings that are none of the choices."""
        session = self.session
        if session.staying:
            return "stay"
        moving = {each.rings: each.id for each in choices if each.id != "stay"}
        return moving.get(session.rings, "") if session.rings else "all"

    @on(SideBySide.Highlighted)
    def _stands_on(self, event: SideBySide.Highlighted) -> None:
        """What is under the cursor is what would be planned."""
        look = self.session.look
        choice = (
            next((each for each in look.choices if each.id == event.key), None) if look else None
        )
        if choice is None or self._chosen(look.choices if look else ()) == choice.id:
            return
        self.session.staying = choice.id == "stay"
        self.session.rings = choice.rings if choice.id == "some" else ()
        self._changed()

    @on(SideBySide.Chosen)
    def action_take(self) -> None:
        look = self.session.look
        key = self.query_one(SideBySide).key
        choice = next((each for each in look.choices if each.id == key), None) if look else None
        if choice is None:
            return
        self.session.staying = choice.id == "stay"
        self.session.rings = choice.rings if choice.id == "some" else ()
        self._changed()
        if choice.id == "stay":
            self.app.notify(STAYING)
        elif not choice.possible:
            self.app.notify(choice.why_not, severity="warning", markup=False)
        else:
            self.query_one("#order", RowList).focus()

    @on(RowList.Chosen, "#order")
    @on(RowList.Toggled, "#order")
    def action_change(self) -> None:
        key = self.query_one("#order", RowList).key
        session = self.session
        if key == "to":
            self._ask_where()
            return
        if key == "strategy":
            order = list(Strategy)
            session.strategy = order[(order.index(session.strategy) + 1) % len(order)]
        elif key.startswith("ring:"):
            self._turn(key.removeprefix("ring:"))
        elif key in {"table", "puller-sync-time"}:
            self._ask(key)
            return
        self._changed()

    def _ask_where(self) -> None:
        """The direction is chosen by name: a key too many leaves it as it is."""

        def answered(store: str | None) -> None:
            if store and store != self.session.end.value:
                state = StoreState(store)
                self.session.to = state.primary
                self.session.goal = state if state.is_multi else None
                self._changed()

        self.app.push_screen(
            PickModal(
                "Where are the rings to go?",
                value=self.session.end.value,
                offers=[
                    *((store.value, f"from {store.other.value}") for store in Store),
                    (
                        StoreState.DYNAMODB_MEMBERLIST.value,
                        "switched, still mirrored: the runtime switch stays",
                    ),
                    (StoreState.MEMBERLIST_DYNAMODB.value, "mirrored, not switched"),
                ],
                typed=False,
            ),
            answered,
        )

    def _turn(self, ring: str) -> None:
        look = self.session.look
        if look is None:
            return
        offered = tuple(r.ring for r in look.inspection.rings if r.movable and r.enabled)
        chosen = set(self.session.rings or offered) ^ {ring}
        if not chosen:
            self.app.notify("At least one ring has to be chosen.", severity="warning")
            return
        kept = tuple(name for name in offered if name in chosen)
        self.session.rings = () if kept == offered else kept

    def _ask(self, entry: str) -> None:
        table = self.session.target.dynamodb.table
        offers: tuple[tuple[str, str], ...] = ()
        if entry == "table" and table:
            each = table if "{ring}" in table else f"{table}-{{ring}}"
            offers = (
                (table.replace("-{ring}", "").replace("{ring}", ""), "one table for all rings"),
                (each, "one table for each ring"),
            )
        elif entry == "puller-sync-time":
            offers = (("10s", "usual here"), ("5s", ""), ("20s", ""), ("60s", "the default"))
        titles = {
            "table": "The ring table; {ring} in the name makes one for each ring",
            "puller-sync-time": "How often pods read the table: changes are seen that much later",
        }
        self.app.push_screen(
            PickModal(titles[entry], value=entry_of(self.session.target, entry), offers=offers),
            lambda value: self._answered(entry, value),
        )

    def _answered(self, entry: str, value: str | None) -> None:
        if value:
            # The facts do not depend on it, so what was seen is kept.
            self.session.target = with_entry(self.session.target, entry, value)
            self._changed()

    def _changed(self) -> None:
        self.session.forget_plan()
        self.show_now()

    # --- planning ----------------------------------------------------------------------------

    def action_make_plan(self) -> None:
        session = self.session
        if session.missing() or session.staying:
            self._say_next()
            return
        session.forget_plan()
        self.in_background("plan", planner_of(session), self._planned, self._failed)
        self.say("Planning: the cluster is asked once more, nothing is changed…")

    def _planned(self, plan: Plan) -> None:
        self.session.plan = plan
        self.host.go("plan")

    def _failed(self, error: MigrateError) -> None:
        self.session.plan_error = error
        self.host.go("plan")

    def text_to_copy(self) -> str:
        """The choices as text, unless a list has the focus."""
        table = self.query_one(SideBySide)
        return table.text if self.focused is table else super().text_to_copy()


def usual_direction(inspection: Inspection) -> Store:
    """Away from the store that most rings are on, and on no other."""
    on_dynamodb = [
        ring for ring in inspection.rings if ring.enabled and StoreState.DYNAMODB in ring.states
    ]
    movable = [ring for ring in inspection.rings if ring.enabled and ring.movable]
    return Store.MEMBERLIST if len(on_dynamodb) * 2 > len(movable) else Store.DYNAMODB


def planner_of(session: Session) -> Callable[[], Plan]:
    """What makes the plan for the session's choices."""
    from mimir_migrate.plans.planner import Order

    order = Order(to=session.to, goal=session.goal, rings=session.rings, strategy=session.strategy)
    target, operations = session.target, session.operations
    return lambda: operations.plan(target, order)
