"""Rows of `make real`: kept, not run twice, judged by both counts, and shown on the page."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml

from mimir_migrate.model.rings import Product
from mimir_migrate.plans.rehearsal import Rehearsal, RehearsedBinary, Walked, to_json
from mimir_migrate.sandbox import real
from mimir_migrate.sandbox.furnishing import example_path
from mimir_migrate.sandbox.processes.binary import Binary
from mimir_migrate.sandbox.processes.users import Count
from mimir_migrate.sandbox.real import keep, kept_notes, kept_rehearsals, kept_rows
from mimir_migrate.sandbox.real_page import page
from mimir_migrate.sandbox.real_rows import ROWS, Finished, rows_for, values_of
from mimir_migrate.sandbox.walking import FAULTS, Events, Leg, failures_in

FLAGS = frozenset({"memberlist.cluster-label"})
CLIENT = frozenset({"ruler.ring.dynamodb.table-name"})


def binary(product: Product = Product.CORTEX, flags: frozenset[str] = FLAGS | CLIENT) -> Binary:
    return Binary(
        path="/bin/it",
        product=product,
        version="1.2.3",
        revision="abc",
        sha256="f" * 64,
        flags=flags,
    )


def leg(**changes) -> Leg:
    return msgspec.structs.replace(
        Leg(
            purpose="apply",
            exit_code=0,
            seconds=380.4,
            steps={"both": 100.2, "switch": 41.0},
            observations=8_051,
            late=1,
            pushes=Count(asked=756, failed=12, parting=2, unanswered=1),
            queries=Count(asked=700),
            reported_pushes=12.0,
            reported_queries=0.0,
            took=120.0,
            least=100.0,
        ),
        **changes,
    )


def finished(**changes) -> Finished:
    return msgspec.structs.replace(
        Finished(
            row="cortex-auto",
            what="as it was run",
            product="cortex",
            version="1.2.3",
            revision="abc",
            sha256="f" * 64,
            at="2026-11-28",
            tool="0.2.0",
            passed=True,
            pods=14,
            legs=(leg(),),
        ),
        **changes,
    )


def test_a_row_is_kept_in_place_of_its_earlier_run_with_the_same_binary(tmp_path: Path) -> None:
    """A run with another binary is another line of the table."""
    keep(tmp_path, finished(passed=False))
    keep(tmp_path, finished(sha256="e" * 64))
    keep(tmp_path, finished())
    assert [(one.sha256[0], one.passed) for one in kept_rows(tmp_path)] == [
        ("e", True),
        ("f", True),
    ]


def test_finished_rows_are_not_run_again_and_failed_ones_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it goes on where it was interrupted."""
    ran: list[str] = []

    def run_row(row, _binary, _folder, _chart, *, so_far):
        so_far(finished(row=row.name, passed=False, why="it was not over"))
        ran.append(row.name)
        return finished(row=row.name)

    monkeypatch.setattr(real, "read_binary", lambda _path: binary())
    monkeypatch.setattr(real, "run_row", run_row)
    keep(tmp_path, finished(row="cortex-auto"))
    keep(tmp_path, finished(row="cortex-static", passed=False, why="3 misses"))
    docs = tmp_path / "real.md"
    arguments = ["real", "--binary", "/bin/it", "--keep", str(tmp_path), "--docs", str(docs)]
    monkeypatch.setattr("sys.argv", arguments)

    assert real.main() == 0
    assert ran == ["cortex-static", "cortex-ruler", "cortex-hasty"]
    assert real.main() == 0
    assert len(ran) == 3
    assert "3 misses" not in docs.read_text()


def test_the_page_says_what_ran_and_what_did_not() -> None:
    """Every row is a line, with the binary's hash; numbers are those that were kept."""
    text = page(
        [finished(), finished(row="mimir-refused", findings=("store-not-offered",), legs=())]
    )
    for row in ROWS:
        assert f"| {row.name}: " in text
    assert text.count("not run") == len(ROWS) - 2
    assert "f" * 64 in text
    assert "passed (store-not-offered)" in text
    assert (
        "| 380 (both 100, switch 41) | 1.20 | 0 of 8,051, 1 late | 14 of 756, 2, 1, 12 | 0 of 700, 0, 0, 0 |"
        in text
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"misses": 2}, "2 misses"),
        ({"reported_pushes": 11.0}, "12 pushes failed, the report says 11"),
        ({"queries": Count(asked=700, failed=1)}, "1 queries failed, the report says 0"),
        ({"reported_queries": None}, "the report does not say how many queries failed"),
    ],
)
def test_a_row_fails_by_a_miss_or_where_the_two_counts_differ(changes, why: str) -> None:
    """The users' own count is what the report is held to."""
    assert [*real._wrong([leg()])] == []
    assert why in " ".join(real._wrong([leg(**changes)]))


def test_what_a_parting_pod_counted_may_be_in_the_report_or_not() -> None:
    """Whether its counters were read once more before its end is chance; more than that is not."""
    for told, right in ((12.0, True), (14.0, True), (15.0, False), (11.0, False)):
        assert (not [*real._wrong([leg(reported_pushes=told)])]) is right


def test_a_row_in_which_a_fault_did_not_happen_did_not_pass(tmp_path: Path) -> None:
    """A step that went by too quickly was not tried."""

    class Walk:
        def confined(self) -> Path:
            return tmp_path

        def run(self, *_arguments: str) -> tuple[int, str]:
            return 0, ""

        def leg(self, *arguments: str, faults: object) -> Leg:
            return leg(purpose=arguments[0])

        def reported(self) -> tuple[float, float]:
            return 12.0, 0.0

    row = next(row for row in ROWS if row.name == "cortex-static")
    assert real._walk(row, Walk(), tmp_path)[2] == "apply: 4 faults of the row did not happen"


def test_a_pod_that_was_killed_on_purpose_may_be_missed() -> None:
    """Until it is back its page does not answer; that is what the fault is."""
    killed = leg(misses=3, killed=("ruler-0",), missed={"ruler ruler-0 ruler-1": 3})
    assert [*real._wrong([killed])] == []
    others = {"ruler ruler-0 ruler-1": 1, "query-scheduler scheduler-0 scheduler-0": 2}
    strange = msgspec.structs.replace(killed, missed=others)
    assert [*real._wrong([strange])] == ["apply: 2 misses"]


def test_each_binary_has_its_rows() -> None:
    """A Mimir without a client is refused and goes through the bridge, one with it is walked."""
    stock = {row.name for row in rows_for(binary(Product.MIMIR, FLAGS))}
    assert stock == {"mimir-refused", "mimir-bridge"}
    names = {row.name for row in rows_for(binary(Product.MIMIR, CLIENT))}
    assert names == {"mimir-runtime", "mimir-faults"}
    assert all(row.product is Product.CORTEX for row in rows_for(binary()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_values_of_a_row_have_short_heartbeats_and_only_known_settings(row) -> None:
    """The label of newer versions is left out where the binary does not know it."""
    text = values_of(row, binary(row.product, frozenset()), example_path(row.product))
    found = yaml.safe_load(text)
    if row.product is Product.CORTEX:
        assert "cluster_label" not in found["config"]["memberlist"]
        assert found["config"]["ingester"]["lifecycler"]["heartbeat_period"] == "5s"
    else:
        assert found["mimir"]["structuredConfig"]["ingester"]["ring"]["heartbeat_period"] == "5s"


def test_every_fault_of_a_row_is_one_that_a_walk_can_make() -> None:
    """And each of them stands in some row of each product; the bridge is for Mimir."""
    for product in Product:
        named = {
            fault
            for row in ROWS
            if row.product is product
            for faults in (*row.there.values(), *row.back.values())
            for fault in faults
        }
        of_the_bridge = {"bridge-killed"} if product is Product.CORTEX else set()
        assert named == set(FAULTS) - of_the_bridge


def take(events: Events, number: int, at: float, event: dict) -> str:
    """One line as the commands print it."""
    return events.take(msgspec.json.encode({"seq": number, "at": at, "event": event}))


def test_events_are_read_as_the_commands_print_them() -> None:
    """Steps and rollouts by the journal's own times; the runner's pid for the fault that kills it."""
    events = Events()
    waits = [
        take(events, number, at, event)
        for number, (at, event) in enumerate(
            (
                (0.0, {"type": "runner-started", "pid": 4711}),
                (1.0, {"type": "step-started", "step": "both"}),
                (2.0, {"type": "wait-started", "step": "both", "waiting_for": "ring-healthy"}),
                (5.0, {"type": "change-done", "step": "both"}),
                (6.0, {"type": "wait-started", "step": "both", "waiting_for": "rollout-over"}),
                (
                    90.0,
                    {
                        "type": "gate-judged",
                        "step": "both",
                        "result": {"gate": "rollout-over"},
                        "good_samples": 4,
                        "window": 25.0,
                    },
                ),
                (91.0, {"type": "step-done", "step": "both"}),
                (92.0, {"type": "run-finished", "reason": "done", "exit_code": 0}),
            ),
            1,
        )
    ]
    assert waits == ["", "", "", "", "both", "", "", ""]
    assert events.runner == 4711
    assert events.steps == {"both": 90.0}
    assert events.rollouts == {"both": 60.0}
    assert events.take(b"no json") == ""


def test_a_step_without_gates_is_told_of_when_its_change_is_made() -> None:
    """So that a runner can be killed between making the tables and saying so."""
    events = Events()
    assert take(events, 1, 0.0, {"type": "change-intended", "step": "tables"}) == ""
    assert take(events, 2, 1.0, {"type": "change-done", "step": "tables"}) == "tables"


@pytest.mark.parametrize("name", ["cortex-auto", "mimir-runtime"])
def test_the_plain_rows_kill_the_runner_in_every_step_of_both_ways(name: str) -> None:
    """A step that is never left by SIGKILL is a step whose resume nobody has seen."""
    row = next(row for row in ROWS if row.name == name)
    steps = {"both", "switch", "settle", "clear"}
    steps |= {"swap"} if row.product is Product.CORTEX else {"mirror", "unmirror"}
    assert row.there == dict.fromkeys({*steps, "tables"}, ("runner-killed",))
    assert row.back == dict.fromkeys(steps, ("runner-killed",))


def test_a_step_whose_runner_was_killed_lasts_until_the_next_one_begins() -> None:
    """Its next runner finds it made and says so of no step; a run that ended otherwise tells nothing."""
    events = Events()
    take(events, 1, 0.0, {"type": "step-started", "step": "both"})
    take(events, 2, 60.0, {"type": "runner-started", "pid": 2})
    take(events, 3, 70.0, {"type": "step-started", "step": "both"})
    assert events.steps == {}
    take(events, 4, 90.0, {"type": "step-started", "step": "swap"})
    take(events, 5, 95.0, {"type": "run-finished", "reason": "held", "exit_code": 3})
    assert events.steps == {"both": 90.0}
    take(events, 6, 120.0, {"type": "run-finished", "reason": "done", "exit_code": 0})
    assert events.steps == {"both": 90.0, "swap": 30.0}


def test_a_question_is_told_to_whoever_walks() -> None:
    """After a rollout in which users failed the run asks, whatever was approved at the start."""
    events = Events()
    take(events, 1, 0.0, {"type": "asked", "step": "swap"})
    assert events.asked == "swap"
    take(events, 2, 1.0, {"type": "approved", "step": "swap"})
    take(events, 1, 0.0, {"type": "asked", "step": "swap"})  # told again to who follows anew
    assert events.asked == ""


def test_a_run_ends_with_the_code_of_its_last_runner() -> None:
    """Not with that of the command that had nobody in front of it to answer a question."""
    events = Events()
    take(events, 1, 0.0, {"type": "run-finished", "reason": "held", "exit_code": 3})
    take(events, 2, 1.0, {"type": "runner-started", "pid": 1})
    assert events.over is None
    take(events, 3, 2.0, {"type": "run-finished", "reason": "done", "exit_code": 0})
    assert (events.over, events.reason) == (0, "done")


def test_rehearsals_that_were_put_beside_the_rows_are_shown(tmp_path: Path) -> None:
    """There, back, and one that was refused with its reason; of each what it was of."""
    way = Walked(
        purpose="apply",
        exit_code=0,
        seconds=2825.4,
        steps={"both": 461.0},
        rollouts={},
        observations=94_681,
        misses=0,
        failed_pushes=0,
        failed_queries=2,
        took=124.0,
        least=100.0,
    )
    done = Rehearsal(
        at=0.0,
        tool_version="0.2.0",
        plan_sha256="",
        values={},
        images="",
        running=(),
        binaries=(RehearsedBinary(tag="", product="mimir", version="1.2.3", sha256="f" * 64),),
        chart="an imitation of the chart",
        replaced=(),
        steps=("both",),
        legs=(way,),
        passed=True,
    )
    refused = msgspec.structs.replace(done, legs=(), passed=False, why="[store-not-offered] no")
    (tmp_path / "slow heartbeats.rehearsal.json").write_bytes(to_json(done))
    (tmp_path / "stock.rehearsal.json").write_bytes(to_json(refused))
    (tmp_path / "slow heartbeats.note").write_text("a pod had an old file\n")
    (tmp_path / "gone.note").write_text("of nothing that is kept")
    text = page([finished()], kept_rehearsals(tmp_path), kept_notes(tmp_path))
    assert "\n- slow heartbeats: a pod had an old file\n" in text
    assert "of nothing" not in text
    assert (
        "| slow heartbeats | mimir 1.2.3 | an imitation of the chart | 1970-01-01 | apply | 0 |"
        in text
    )
    assert "| 2825 (both 461) | 1.24 | 0 of 94,681 | 0, 2 |" in text
    assert "| none: [store-not-offered] no | –" in text
    assert "## Rehearsals" not in page([finished()])


def test_a_row_that_stood_under_another_title_keeps_it() -> None:
    """The table says what was run, not what would be run today; nothing where that is not known."""
    assert "| cortex-auto: as it was | 1.2.3 " in page([finished(what="as it was")])
    assert "| cortex-auto | 1.2.3 " in page([finished(what="")])


def test_the_reports_failures_are_the_last_word_of_each_step_of_each_leg() -> None:
    """There and back have steps of the same names; a step is told of again as more is seen."""

    def failed(step: str, pushes: float, queries: float | None = None) -> dict:
        users = {"failed_pushes": pushes, "failed_queries": queries}
        return {"event": {"type": "users-failed", "step": step, "users": users}}

    leg = {"event": {"type": "leg-started"}}
    events = [
        leg,
        failed("both", 2),
        failed("both", 5, 1),
        failed("swap", 3),
        leg,
        failed("both", 4),
    ]
    assert failures_in({"events": events}) == (12.0, 1.0)
    assert failures_in({}) == (0.0, 0.0)
