"""`rollback` begins at once only where somebody is at the run here; else it asks, and says where."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from small_values import SMALL
from virtual_world import VirtualWorld

from mimir_migrate.cli.afterwards import going_back
from mimir_migrate.errors import BlockedError, UsageError
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import Target

Options = Callable[..., argparse.Namespace]


@pytest.fixture(scope="module")
def world() -> VirtualWorld:
    """A cluster whose ruler was moved to DynamoDB by a run that is over."""
    from brisk_world import brisk

    with brisk():
        made = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
        made.migrate(Store.DYNAMODB, ("ruler",))
    return made


@pytest.fixture
def ago(world: VirtualWorld, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Says how long ago the run's last event was."""
    monkeypatch.delenv("MIMIR_MIGRATE_TARGET", raising=False)

    def at(seconds: float) -> None:
        last = world.operations.status("run-1").updated_at
        monkeypatch.setattr(world.clock, "now", lambda: last + seconds)

    return at


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """What was typed; the folder has no target file."""
    monkeypatch.chdir(tmp_path)

    def typed(**given: object) -> argparse.Namespace:
        return argparse.Namespace(**{"run": "", "target": None, "yes": False, **given})

    return typed


@pytest.fixture
def elsewhere(world: VirtualWorld) -> Target:
    """The target in front of the operator is another release."""
    kubernetes = msgspec.structs.replace(world.target.kubernetes, release="other")
    return msgspec.structs.replace(world.target, kubernetes=kubernetes)


def answers(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A terminal at which this is typed; empty: Ctrl-D."""
    monkeypatch.setattr(going_back, "is_terminal", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_run_of_just_now_goes_back_at_once(world, ago, options, capsys) -> None:
    """Its last event is younger than an hour; the place is said all the same."""
    ago(3599.0)
    going_back.ask_to_go_back(world.operations, "run-1", options(), None)
    told = capsys.readouterr().err
    for name in ("cluster", "context", "namespace", "release", "account", "region"):
        assert f"\n{name}" in f"\n{told}"
    assert "kubernetes.test:6443" in told
    assert "123456789012" in told
    assert "begins at once, as it was worked on 59 min 59 s ago" in told


def test_a_run_of_long_ago_is_not_taken_back_in_a_pipe(world, ago, options) -> None:
    """Exit 3 with what to give; nothing is changed."""
    ago(3601.0)
    with pytest.raises(BlockedError, match="not a terminal") as refused:
        going_back.ask_to_go_back(world.operations, "run-1", options(), None)
    assert "--yes" in refused.value.hint
    going_back.ask_to_go_back(world.operations, "run-1", options(yes=True), None)


def test_a_run_of_long_ago_is_asked_about(world, ago, options, monkeypatch, capsys) -> None:
    """Steps, rollouts and time are said, and the release's name is taken as yes."""
    ago(5 * 3600.0)
    answers(monkeypatch, "cortex\n")
    going_back.ask_to_go_back(world.operations, "run-1", options(), None)
    told = capsys.readouterr().err
    assert "nothing happened in it for 5 hours" in told
    assert "steps     both, swap, settle" in told
    assert "rollouts  3" in told
    assert "time      " in told


@pytest.mark.parametrize("typed", ["", "\n", "yes\n", "other\n"], ids=repr)
def test_anything_else_is_a_no(world, ago, options, monkeypatch, typed: str) -> None:
    """Ctrl-D among it: no traceback."""
    ago(5 * 3600.0)
    answers(monkeypatch, typed)
    with pytest.raises(BlockedError, match="nothing was changed"):
        going_back.ask_to_go_back(world.operations, "run-1", options(), None)


def test_another_target_is_asked_about_however_young_the_run_is(
    world, ago, options, elsewhere
) -> None:
    """The kubeconfig, or the folder, is not the one that the run was begun with."""
    ago(1.0)
    with pytest.raises(BlockedError, match="release cortex where the target here says other"):
        going_back.ask_to_go_back(world.operations, "run-1", options(), elsewhere)


def test_without_a_name_it_means_a_run_of_this_target(world, options, elsewhere) -> None:
    """There is none of the other release; the newest one of any is not taken in its place."""
    work = world.operations
    with pytest.raises(UsageError, match="no run of this target"):
        going_back.run_meant(work, options(), elsewhere)
    assert going_back.run_meant(work, options(), world.target) == "run-1"
    assert going_back.run_meant(work, options(), None) == "run-1"


def test_several_clusters_and_no_name_is_refused(world, options, monkeypatch) -> None:
    """Neither RUN nor a target says which is meant."""
    here = world.operations.status("run-1")
    there = msgspec.structs.replace(
        here, run="run-0", cluster="another:6443", cluster_uid="another"
    )
    monkeypatch.setattr(world.operations, "runs", lambda: (here, there))
    with pytest.raises(UsageError, match="several clusters"):
        going_back.run_meant(world.operations, options(), None)


def test_one_cluster_behind_two_addresses_is_one(world, options, monkeypatch) -> None:
    """Its uid says so; the newest run is meant."""
    here = world.operations.status("run-1")
    moved = msgspec.structs.replace(here, run="run-0", cluster="another:6443")
    monkeypatch.setattr(world.operations, "runs", lambda: (here, moved))
    assert going_back.run_meant(world.operations, options(), None) == "run-1"
