"""The target file that a command works on: named, by variable, or found; and what a found one may do."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import RunFinished, RunStarted, RunState
from mimir_migrate.model.plan import Plan
from mimir_migrate.plans.export import from_json, to_json
from mimir_migrate.ports import Journal

ROOT = Path(__file__).parents[2]
PLAIN = "[kubernetes]\nnamespace = 'found'\nrelease = 'mimir'\n"
RUNS = PLAIN + "[values]\nfiles = ['values.yaml']\nrender = 'touch ran; cat values.yaml'\n"


def test_a_target_file_in_the_folder_is_found_and_named(cli, place: Path) -> None:
    """Its entries count, and the command says where they are from."""
    (place / "target.toml").write_text(PLAIN)

    answer = cli("rbac", code=0)

    assert "target: target.toml" in answer.err
    assert "namespace: found" in answer.out


def test_the_variable_goes_before_the_found_file_and_the_flag_before_both(
    cli, place: Path, tmp_path: Path
) -> None:
    """`--target`, then the variable, then the folder."""
    (place / "target.toml").write_text(PLAIN)
    (tmp_path / "named.toml").write_text(PLAIN.replace("found", "named"))
    (tmp_path / "flag.toml").write_text(PLAIN.replace("found", "flagged"))
    variable = {"MIMIR_MIGRATE_TARGET": str(tmp_path / "named.toml")}

    assert "namespace: named" in cli("rbac", code=0, **variable).out
    flag = ("--target", str(tmp_path / "flag.toml"))
    assert "namespace: flagged" in cli("rbac", *flag, code=0, **variable).out


def test_a_variable_that_names_nothing_is_told(cli) -> None:
    """It never falls back to another file without a word."""
    answer = cli("rbac", code=ExitCode.USAGE, MIMIR_MIGRATE_TARGET="no.toml")
    assert "$MIMIR_MIGRATE_TARGET names no.toml" in answer.err


@pytest.mark.parametrize(
    "entries",
    [
        "[values]\nfiles = ['values.yaml']\nrender = 'touch ran'\n",
        "[deploy]\nmethod = 'command'\ncommand = 'touch ran'\n",
        "[deploy]\ntemplate = 'touch ran'\n",
        "[deploy]\nargs = ['--post-renderer', './touch-ran']\n",
        "[hooks]\napproval = 'touch ran'\n",
    ],
)
def test_a_found_file_runs_nothing_unasked(cli, place: Path, entries: str) -> None:
    """Without a terminal: 3, the commands are shown, and none was run."""
    (place / "target.toml").write_text(PLAIN + entries)

    answer = cli("inspect", code=ExitCode.BLOCKED)

    assert "touch" in answer.err
    assert "--trust-target" in answer.err
    assert not (place / "ran").exists()


def test_a_kubeconfig_that_a_found_file_names_has_to_be_accepted(cli, place: Path) -> None:
    """It may name a plugin, which is a program."""
    (place / "target.toml").write_text("[kubernetes]\nkubeconfig = 'k'\n")
    assert "may name a plugin" in cli("inspect", code=ExitCode.BLOCKED).err


def test_what_was_accepted_counts_for_these_bytes_only(cli, place: Path) -> None:
    """Once is enough, until the file changes."""
    (place / "target.toml").write_text(RUNS)

    cli("rbac", "--trust-target", code=0)
    cli("rbac", code=0)
    (place / "target.toml").write_text(RUNS.replace("touch ran", "touch other"))

    assert "touch other" in cli("rbac", code=ExitCode.BLOCKED).err


def test_a_file_that_was_named_is_not_asked_about(cli, place: Path) -> None:
    """Who types its name means it."""
    (place / "target.toml").write_text(RUNS)
    cli("rbac", "--target", "target.toml", code=0)


@pytest.mark.parametrize(
    ("answer", "code"), [(b"yes\n", 2), (b"no\n", 3), (b"\x04", 3)], ids=["yes", "no", "ctrl-d"]
)
def test_a_terminal_is_asked(place: Path, tmp_path: Path, answer: bytes, code: int) -> None:
    """`yes` accepts, and the command goes on to its kubeconfig; anything else is a no, as is the end of input."""
    (place / "target.toml").write_text(RUNS)
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    done = subprocess.run(
        [sys.executable, "-m", "mimir_migrate", "inspect"],
        cwd=place,
        env={
            **os.environ,
            "MIMIR_MIGRATE_STATE": str(tmp_path / "state"),
            "KUBECONFIG": str(tmp_path / "none"),
            "TERM": "xterm",
        },
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    said = os.read(ours, 65536).decode()
    os.close(theirs)
    os.close(ours)

    assert done.returncode == code, said
    assert "Traceback" not in said
    assert "touch ran" in said


def test_a_plan_for_another_place_than_the_folder_is_refused(cli, place: Path) -> None:
    """Exit 2, both places are named, and nothing begins."""
    plan = from_json((ROOT / "plans" / "mimir-runtime-to-dynamodb.json").read_bytes(), path="")
    replace = msgspec.structs.replace
    target = replace(
        plan.target, kubernetes=replace(plan.target.kubernetes, namespace="production")
    )
    (place / "plan.json").write_bytes(to_json(replace(plan, target=target)))
    (place / "target.toml").write_text(PLAIN.replace("found", "staging"))

    answer = cli("apply", "plan.json", "--yes", code=ExitCode.USAGE)

    assert "'production'" in answer.err
    assert "'staging'" in answer.err


def run_that_is_done(state: Path) -> tuple[Journal, Plan]:
    """The journal of a run that is over, and its plan."""
    plan = from_json((ROOT / "plans" / "mimir-runtime-to-dynamodb.json").read_bytes(), path="")
    journal = JournalStore(state).create("20260305-101500-1a2b")
    journal.append(
        RunStarted(run=journal.run, by="ana@here", host="here", tool_version="0.2.0", plan=plan)
    )
    journal.append(RunFinished(state=RunState.DONE, reason="done", exit_code=0))
    return journal, plan


@pytest.mark.parametrize("command", ["resume", "rollback"])
def test_a_run_of_another_place_than_the_folder_is_refused(
    cli, place: Path, tmp_path: Path, command: str
) -> None:
    """The run's own target counts; exit 2, both places are named, and nothing begins."""
    journal, plan = run_that_is_done(tmp_path / "state")
    (place / "target.toml").write_text(PLAIN)

    refused = cli(command, journal.run, code=ExitCode.USAGE)

    assert f"the run {journal.run} is for another place than target.toml" in refused.err
    assert repr(plan.target.kubernetes.namespace) in refused.err
    assert "'found'" in refused.err
    assert "name that file with --target" in refused.err
    assert [type(one.event) for one in journal.events()] == [RunStarted, RunFinished]


def test_a_run_of_the_place_in_the_folder_is_resumed(cli, place: Path, tmp_path: Path) -> None:
    """What the file and the run both say is the same: only that the run is over stops it."""
    journal, plan = run_that_is_done(tmp_path / "state")
    here = plan.target.kubernetes
    (place / "target.toml").write_text(
        f"[kubernetes]\nnamespace = '{here.namespace}'\nrelease = '{here.release}'\n"
    )

    answer = cli("resume", journal.run, code=ExitCode.USAGE)

    assert "is over" in answer.err
    assert "another place" not in answer.err
