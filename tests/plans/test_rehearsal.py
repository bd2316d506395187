"""What `apply` says of a plan's rehearsal."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from mimir_migrate.errors import DocumentError
from mimir_migrate.model.plan import Plan, PlanFact
from mimir_migrate.model.target import Target
from mimir_migrate.plans.rehearsal import (
    Rehearsal,
    RehearsedBinary,
    Walked,
    beside,
    from_json,
    to_json,
    verdict_words,
)

CONTENT = b"the plan"
IMAGES = "grafana/mimir:2.17.1"
FILES = {"/v/values.yaml": hashlib.sha256(b"values").hexdigest()}


def plan(images: str = IMAGES, digest: str = FILES["/v/values.yaml"]) -> Plan:
    facts = (
        PlanFact(name="images", value=images),
        PlanFact(name="file /v/values.yaml", value=digest),
    )
    return msgspec.structs.replace(_plan(), facts=facts)


def _plan() -> Plan:
    from mimir_migrate.model.facts import Identity
    from mimir_migrate.model.plan import Strategy
    from mimir_migrate.model.rings import Product
    from mimir_migrate.model.stores import Store

    return Plan(
        id="1",
        created_at=0.0,
        tool_version="0.2.0",
        target=Target(),
        identity=Identity(),
        product=Product.MIMIR,
        to=Store.DYNAMODB,
        rings=("ruler",),
        strategy=Strategy.STATIC,
        start={"ruler": "memberlist"},
        steps=(),
    )


def rehearsal(**changes) -> Rehearsal:
    walked = Walked(
        purpose="apply",
        exit_code=0,
        seconds=70.0,
        steps={"both": 20.0},
        rollouts={"both": 6.0},
        observations=500,
        misses=0,
        failed_pushes=0,
        failed_queries=0,
    )
    binary = RehearsedBinary(tag="", product="mimir", version="2.17.1", sha256="ab" * 32)
    return msgspec.structs.replace(
        Rehearsal(
            at=1.0,
            tool_version="0.2.0",
            plan_sha256=hashlib.sha256(CONTENT).hexdigest(),
            values=FILES,
            images=IMAGES,
            running=("2.17.1",),
            binaries=(binary,),
            chart="an imitation of the chart",
            replaced=("secrets are replaced",),
            steps=("both",),
            legs=(walked, msgspec.structs.replace(walked, purpose="rollback")),
            passed=True,
        ),
        **changes,
    )


def words(found: Rehearsal | None, made: Plan | None = None, content: bytes = CONTENT) -> str:
    return verdict_words(found, made or plan(), content)


def test_a_rehearsal_of_this_plan_is_named_with_its_counts() -> None:
    """And with what kind of pods it was."""
    said = words(rehearsal())
    assert said.startswith("rehearsed with this binary: mimir 2.17.1")
    assert "0 misses of 1000 observations" in said


def test_without_a_binary_it_never_says_that_it_works() -> None:
    """Simulated pods tell nothing of the images."""
    assert "with simulated pods: whether the images work this way is not known" in words(
        rehearsal(binaries=())
    )


@pytest.mark.parametrize(
    ("found", "made", "content", "said"),
    [
        (None, None, CONTENT, "not rehearsed"),
        (rehearsal(), plan(images="grafana/mimir:2.18.0"), CONTENT, "another image"),
        (rehearsal(running=("2.18.0",)), None, CONTENT, "another image"),
        (rehearsal(), plan(digest="0" * 64), CONTENT, "other values"),
        (rehearsal(), None, b"another", "another plan"),
        (rehearsal(passed=False, why="apply: 3 misses"), None, CONTENT, "did not pass: apply"),
    ],
)
def test_a_rehearsal_of_something_else_is_said_to_be_one(found, made, content, said) -> None:
    """No old rehearsal passes for one of this plan."""
    assert said in words(found, made, content)


def test_a_version_with_and_without_a_v_is_the_same() -> None:
    """Tags have it, binaries have not."""
    assert words(rehearsal(running=("v2.17.1",))).startswith("rehearsed with this binary")


def test_a_rehearsal_of_a_target_is_of_no_plan_in_particular() -> None:
    """Only image and values are compared."""
    assert words(rehearsal(plan_sha256=""), content=b"any").startswith("rehearsed with this")


def test_it_is_kept_beside_the_plan_and_read_again() -> None:
    """`plan.json` → `plan.rehearsal.json`; what is none is named."""
    assert beside("/p/plan.json") == "/p/plan.rehearsal.json"
    assert from_json(to_json(rehearsal()), path="x") == rehearsal()
    with pytest.raises(DocumentError, match="not a rehearsal"):
        from_json(b"{}", path="x")
