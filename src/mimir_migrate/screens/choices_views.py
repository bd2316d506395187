"""The choices as columns, the order as rows, and what is often believed and not so here."""

from __future__ import annotations

from collections.abc import Iterator

from mimir_migrate.durations import read_duration
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Choice
from mimir_migrate.model.plan import Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.scale import Scale
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.rows import Row, cell
from mimir_migrate.widgets.side_by_side import Compared
from mimir_migrate.widgets.text import Line, Span, line, plain
from mimir_migrate.words import counted

QUESTIONS = (
    "verdict",
    "rollouts",
    "time",
    "seen after",
    "DynamoDB",
    "needs",
    "why",
    "gains",
    "costs",
    "time from",
    "seen from",
    "cost from",
)

TIME_IS = "about so long where pods stop at once, at most so long where each takes its whole grace period: "
STRATEGIES = {
    Strategy.AUTO: "each ring in the best way that it has",
    Strategy.RUNTIME: "by the runtime configuration; refused where a ring does not follow it",
    Strategy.STATIC: "three rollouts, without the runtime configuration",
}


def compared(choice: Choice, signs: Glyphs, scale: Scale) -> Compared:
    """One choice as a column."""
    if not choice.possible:
        verdict = (Span(f"{signs.bad} not possible", "bad"),)
    elif choice.recommended:
        verdict = (Span(f"{signs.good} recommended", "good"),)
    else:
        verdict = (Span("possible"),)
    nothing = choice.rollouts == 0 and not choice.duration_high
    cost = choice.cost_per_month
    answers: dict[str, Line] = {
        "verdict": verdict,
        "rollouts": _answer("none" if nothing else str(choice.rollouts)),
        "time": _answer("none" if nothing else choice.time_words(scale, brief=True)),
        "seen after": _answer(choice.delay_words(scale)),
        "DynamoDB": _answer("unknown" if cost is None else f"${scale.rate(cost):,.2f} a month"),
        "needs": _answer(choice.dependency or "nothing new"),
    }
    said = choice.reason if choice.possible else choice.why_not
    for question, text in (
        ("why", said),
        (
            "time from",
            TIME_IS + choice.duration_basis if choice.duration_stops else choice.duration_basis,
        ),
        ("seen from", choice.visibility_basis),
        ("cost from", choice.cost_basis),
    ):
        if text:
            answers[question] = _answer(text)
    for question, sign, texts in (("gains", "+", choice.gains), ("costs", "-", choice.costs)):
        if texts:
            answers[question] = (Span("\n".join(f"{sign} {plain(text)}" for text in texts)),)
    return Compared(key=choice.id, title=plain(choice.title), answers=answers)


def _answer(text: str) -> Line:
    return (Span(plain(text)),)


def beliefs(inspection: Inspection) -> tuple[Line, ...]:
    """Common beliefs that the inspection shows to be wrong, each with what it shows."""
    found = tuple(_beliefs(inspection))
    return (line(""), line(("Often believed, and not so here", "accent")), *found) if found else ()


def _beliefs(inspection: Inspection) -> Iterator[Line]:
    rollouts = "The configuration is one file with one checksum: moving one ring restarts every"
    pods = counted(len(inspection.pods), "pod")
    yield line("- ", ("One ring is less work. ", "strong"), f"{rollouts} component ({pods}).")
    ruler = inspection.ring("ruler")
    if ruler is not None and ruler.enabled:
        members = counted(len(ruler.members), "ruler")
        yield line(
            "- ",
            ("The ruler ring holds rules. ", "strong"),
            f"It holds the addresses and tokens of {members}; rules stay in object storage.",
        )
    alerts = inspection.ring("alertmanager")
    if alerts is not None and alerts.enabled:
        yield line(
            "- ",
            ("DynamoDB will store alerts. ", "strong"),
            "It will store where the alertmanagers are; alerts, silences and notification logs "
            "stay with them and in object storage.",
        )
    name = inspection.product.value.capitalize()
    if inspection.product is Product.MIMIR:
        yield line(
            "- ",
            ("The table is Mimir's index table. ", "strong"),
            f"{name} has no index table: blocks carry their own index. The table holds rings only.",
        )
    for ring in inspection.rings:
        if ring.enabled and not ring.movable and ring.pods:
            yield line(
                "- ", (f"The {ring.ring} moves too. ", "strong"), f"No: {ring.left_because}."
            )


def staying_rows(store: Store) -> list[Row]:
    """What will be planned where the choice is to stay."""
    return [
        Row(key="stay", cells=(cell("nothing", "key"), cell(f"every ring stays on {store.value}")))
    ]


def _poll(target: Target) -> str:
    """How often pods are to read the table; of a simulation, what it stands for and what is written."""
    written = target.dynamodb.puller_sync_time
    seconds = read_duration(written)
    if not written or target.scale.is_true or seconds is None:
        return written or "the product's default"
    return f"{target.scale.words(seconds)}, written {written}"


def order_rows(
    inspection: Inspection,
    target: Target,
    *,
    end: StoreState,
    rings: tuple[str, ...],
    strategy: Strategy,
    signs: Glyphs,
) -> list[Row]:
    """What will be planned, an entry a row."""
    offered = [ring for ring in inspection.rings if ring.movable and ring.enabled]
    chosen = set(rings or (ring.ring for ring in offered))
    table = target.dynamodb.table
    each = "one table for each ring" if "{ring}" in table else "one table for all rings"
    rows = [
        Row(
            key="to",
            cells=(
                cell("to", "key"),
                cell(f"{end.primary.other.value} {signs.arrow} {end.value}"),
            ),
        ),
        Row(
            key="strategy",
            cells=(
                cell("strategy", "key"),
                line(strategy.value, (f"  {STRATEGIES[strategy]}", "dim")),
            ),
        ),
        Row(
            key="table",
            cells=(
                cell("table", "key"),
                line(table, (f"  {each}", "dim")) if table else cell("missing", "bad"),
            ),
        ),
        Row(
            key="puller-sync-time",
            cells=(
                cell("poll", "key"),
                line(
                    _poll(target),
                    ("  how often pods read the table", "dim"),
                ),
            ),
        ),
    ]
    for ring in offered:
        on = ring.ring in chosen
        states = ", ".join(state.value for state in ring.states) or "unknown"
        follows = (
            "follows the runtime configuration" if ring.follows_runtime else "by rollout only"
        )
        rows.append(
            Row(
                key=f"ring:{ring.ring}",
                cells=(
                    cell("ring", "key"),
                    line(
                        f"{signs.checked if on else signs.unchecked} {ring.ring}",
                        (f"  on {states}, {follows}", "dim"),
                    ),
                ),
            )
        )
    return rows
