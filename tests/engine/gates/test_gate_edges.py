"""What gates count and whom they name, to the last one."""

from __future__ import annotations

import msgspec
import pytest
import release as fake
from quick_world import QuickWorld

from mimir_migrate.engine.gate_notes import GateContext
from mimir_migrate.engine.gates import judge
from mimir_migrate.engine.replanning import Replanning
from mimir_migrate.inspection.question import Question
from mimir_migrate.inspection.rules.gossip import gossip_broken
from mimir_migrate.model.events import Verdict
from mimir_migrate.model.facts import Gossip, Inspection
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import Target

SEEN = fake.release()
CONTEXT = GateContext(rings=("ingester", "ruler"), window=fake.WINDOW)


def test_a_reader_that_counts_no_member_counts_none() -> None:
    """It is told with how many there should be."""
    name = fake.pod_of(SEEN, "querier")
    views = [one for one in fake.facts_of(SEEN, name).rings if one.ring == "ingester"]
    assert views
    counted = fake.with_view(SEEN, name, "ingester", members=None, member_count={})
    result = judge(Gate.RING_HEALTHY, counted, CONTEXT)
    assert result.verdict is Verdict.FAIL
    assert "counts 0 ACTIVE members of 3" in result.summary
    frozen = fake.with_view(SEEN, name, "ingester", members=None, member_count={"READONLY": 3})
    assert judge(Gate.RING_HEALTHY, frozen, CONTEXT).verdict is Verdict.PASS


def test_pods_that_ask_dynamodb_are_counted() -> None:
    """Each once: the three ingesters and the two rulers, which write the two rings."""
    later = fake.release(at=fake.NOW + 60)
    context = msgspec.structs.replace(CONTEXT, reference=SEEN)
    result = judge(Gate.PODS_REACH_DYNAMODB, later, context)
    assert result.verdict is Verdict.PASS
    assert result.summary.startswith("5 pods ")


def test_only_a_ready_pod_that_does_not_answer_is_silent() -> None:
    """One that is not Ready is not asked, and one that answered is not named."""
    later = msgspec.structs.replace(fake.release(at=fake.NOW + 60), at=fake.NOW + 60)
    ready, waiting = fake.pod_of(later, "ingester", 0), fake.pod_of(later, "ingester", 1)
    later = fake.with_facts(fake.with_facts(later, ready, counters=None), waiting, counters=None)
    later = fake.with_pod(later, waiting, ready=False)
    context = msgspec.structs.replace(CONTEXT, reference=SEEN)
    result = judge(Gate.USERS_FINE, later, context)
    assert result.verdict is Verdict.UNKNOWN
    assert [one.source for one in result.evidence] == [f"pod {ready} GET /metrics"]


def test_a_rollback_that_nothing_was_planned_for_is_compared_with_nothing() -> None:
    """There is no step whose end it could be held against."""
    plan = QuickWorld().start()
    found = Replanning(None, plan).compared(plan, ())  # type: ignore[arg-type]
    assert (found.step, found.changes) == ("", ())
    assert found.found == tuple(step.id for step in plan.steps)


RULER = fake.pod_of(SEEN, "ruler")
OTHER = fake.pod_of(SEEN, "ingester")


def gossip_of_the_ruler(**of_other: object) -> Inspection:
    """The ruler's memberlist page says something else of one ingester."""
    gossip = fake.facts_of(SEEN, RULER).gossip
    assert gossip is not None
    ip = fake.facts_of(SEEN, OTHER).pod.ip
    members = tuple(
        msgspec.structs.replace(one, **of_other) if one.ip == ip else one for one in gossip.members
    )
    return fake.with_facts(SEEN, RULER, gossip=msgspec.structs.replace(gossip, members=members))


@pytest.mark.parametrize(
    ("seen", "verdict", "pod"),
    [
        (SEEN, Verdict.PASS, ""),
        (gossip_of_the_ruler(alive=False), Verdict.FAIL, RULER),
        (gossip_of_the_ruler(alive=False, unread=("State 7",)), Verdict.UNKNOWN, RULER),
        (fake.with_facts(SEEN, RULER, gossip=None), Verdict.UNKNOWN, RULER),
        (fake.with_facts(SEEN, RULER, gossip=Gossip(running=False)), Verdict.FAIL, RULER),
        (fake.with_pod(SEEN, OTHER, deleted_at=fake.NOW), Verdict.PASS, ""),
        (fake.with_pod(SEEN, OTHER, ip="10.9.9.9"), Verdict.FAIL, ""),
    ],
    ids=["whole", "dead", "unread", "silent", "off", "about to go", "another address"],
)
def test_gossip_is_judged_alike_before_a_run_and_in_it(
    seen: Inspection, verdict: Verdict, pod: str
) -> None:
    """What the gate would hold a run for, the finding says before it; not known is no failure in either."""
    result = judge(Gate.GOSSIP_WHOLE, seen, CONTEXT)
    found = list(
        gossip_broken(
            Question(inspection=seen, target=Target(), to=Store.DYNAMODB, rings=CONTEXT.rings)
        )
    )
    assert result.verdict is verdict
    assert [one.unknown for one in found] == {
        Verdict.PASS: [],
        Verdict.FAIL: [False],
        Verdict.UNKNOWN: [True],
    }[verdict]
    said = {one.source for each in found for one in each.evidence}
    assert said <= {one.source for one in result.evidence}
    assert not pod or f"pod {pod} GET /memberlist" in said
