"""What scripts rely on, as one list: a name that is not here any more breaks somebody's pipeline."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import planning
import pytest
import release as fake
from quick_world import QuickWorld

from mimir_migrate.cli.looking import look_document, plan_document
from mimir_migrate.cli.parsing.parser import build_parser
from mimir_migrate.errors import ExitCode
from mimir_migrate.inspection.findings import judge
from mimir_migrate.model.events import Difference, StepStarted
from mimir_migrate.model.plan import SCHEMA, Gate, StepKind, Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import StoreState
from mimir_migrate.operations import Look
from mimir_migrate.plans.choices import choices
from mimir_migrate.runs.status import status_of
from mimir_migrate.runs.verify import verify

COMMANDS = {
    "inspect": "--target --fail-on --json",
    "plan": "--target --to --rings --strategy --output --json",
    "apply": "--yes --dry-run --detach --override --reason --gate-timeout --json",
    "resume": "--takeover --dry-run",
    "rollback": "--yes --dry-run",
    "status": "--follow --brief --json",
    "runs": "--forget --json",
    "approve": "--step",
    "hold": "--for",
    "continue": "",
    "stop": "",
    "override": "--reason",
    "verify": "--target --watch --for --fail-fast --json",
    "edit": "--to --rings --table --region --puller-sync-time --mirror --values-root --diff --in-place "
    "--output --record --undo --check --defaults --product",
    "report": "--output",
    "rbac": "",
    "init": "--output",
    "rehearse": "--binary --json",
    "replay": "--speed",
    "clean": "--remove --yes",
    "terraform": "",
    "demo": "--headless --product --rings --strategy --json",
    "completion": "",
    "sandbox up": "--dir --product --stores --binary --speed",
    "sandbox inject": "--dir",
    "sandbox status": "--dir --json",
    "sandbox down": "--dir",
    "bridge serve": "",
    "bridge manifest": "",
}
EXIT_CODES = {
    "DONE": 0,
    "FAILED": 1,
    "USAGE": 2,
    "BLOCKED": 3,
    "LEASE": 4,
    "STALE": 5,
    "ROLLED_BACK": 6,
    "INTERRUPTED": 130,
}
GATES = (
    "stores-equal gossip-whole rollout-over switch-followed ring-healthy pods-reach-dynamodb "
    "users-fine nothing-else-moves"
)
STEPS = "tables both mirror switch unmirror settle clear swap"
MADE = fake.release(Product.CORTEX, StoreState.MEMBERLIST_DYNAMODB)


def parsers(parser: argparse.ArgumentParser, above: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every command with the words before it, and its options."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield (
                    f"{above}{name}",
                    {word for one in below._actions for word in one.option_strings},
                )
                yield from parsers(below, f"{above}{name} ")


def keys(document: Any, way: str) -> set[str]:
    """The keys at a place of a document, `[]` standing for every item of a list that has to have one."""
    found = [document]
    for part in filter(None, way.split(".")):
        name = part.removesuffix("[]")
        found = [one[name] for one in found]
        if part.endswith("[]"):
            found = [item for items in found for item in items]
    assert found, way
    return set.intersection(*(set(one) for one in found))


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    """What each command prints with `--json`, of a release on two stores and of a run."""
    rings = tuple(ring.ring for ring in MADE.rings if ring.movable)
    target = planning.target(Product.CORTEX)
    findings = judge(MADE, target=target)
    look = Look(
        inspection=MADE, findings=findings, choices=choices(MADE, target, findings), rings=rings
    )
    world = QuickWorld()
    world.run(world.start())
    events = world.journal.events()
    begun = next(i for i, one in enumerate(events) if isinstance(one.event, StepStarted))
    status = status_of("run-1", events[: begun + 1], now=events[begun].at, runner_alive=True)
    return {
        "inspect": look_document(look),
        "plan": plan_document(planning.forth_and_back(Product.CORTEX, (), Strategy.AUTO)[0]),
        "status": json.loads(msgspec.json.encode(status)),
        "verify": json.loads(msgspec.json.encode(verify(MADE, MADE, rings))),
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_and_their_options_stay(command: str) -> None:
    """Each is there by its name."""
    there = dict(parsers(build_parser()))
    assert command in there
    assert set(COMMANDS[command].split()) - there[command] == set()


def test_exit_codes_stay() -> None:
    """All of them, each with its number."""
    assert {code.name: int(code) for code in ExitCode} == EXIT_CODES


@pytest.mark.parametrize(
    ("command", "way", "wanted"),
    [
        ("inspect", "rings[]", "name state static runtime pods"),
        ("inspect", "findings[]", "id severity evidence fix"),
        ("inspect", "", "choices"),
        ("plan", "steps[]", "id kind title crossing undo"),
        ("status", "", "run state step waiting_for way_back runner_pid"),
        ("status", "step", "id index of"),
        ("verify", "", "ok checks differences"),
    ],
)
def test_keys_of_json_documents_stay(
    documents: dict[str, Any], command: str, way: str, wanted: str
) -> None:
    """Each at its place, in every item of its list."""
    assert set(wanted.split()) - keys(documents[command], way) == set()


def test_a_difference_between_stores_keeps_its_keys() -> None:
    """`verify` → `differences[]`, which a healthy release does not have."""
    assert {"ring", "pod", "store", "member", "kind"} <= set(Difference.__struct_fields__)


def test_ids_stay(documents: dict[str, Any]) -> None:
    """Of gates, which `--override` takes, of kinds of steps and of steps, and the schema's."""
    assert set(GATES.split()) <= {gate.value for gate in Gate}
    assert {"tables", "rollout", "runtime"} <= {kind.value for kind in StepKind}
    mimir = plan_document(planning.forth_and_back(Product.MIMIR, (), Strategy.AUTO)[0])
    steps = [*documents["plan"]["steps"], *mimir["steps"]]
    assert {step["id"] for step in steps} == set(STEPS.split())
    assert SCHEMA == "mimir-migrate/1"
