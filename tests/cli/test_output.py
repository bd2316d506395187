"""What the commands print: help without heavy imports, one JSON document, no colour."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from mimir_migrate import __version__
from mimir_migrate.errors import ExitCode

HEAVY = (
    "msgspec",
    "textual",
    "rich",
    "boto3",
    "botocore",
    "kubernetes",
    "ruamel",
    "yaml",
    "hcl2",
    "moto",
)

COMMANDS = [
    "inspect",
    "verify",
    "plan",
    "apply",
    "resume",
    "rollback",
    "status",
    "runs",
    "approve",
    "hold",
    "continue",
    "stop",
    "override",
    "report",
    "edit",
    "rbac",
    "terraform",
    "demo",
    "sandbox",
]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["plan", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """Neither the screen nor a client of the cluster is loaded to print a text."""
    code = (
        "import sys\n"
        "from mimir_migrate.cli import run\n"
        "try:\n"
        f"    run({arguments!r})\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print(' '.join(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "mimir_migrate" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_help_names_every_command_and_exit_code(cli) -> None:
    """`--help` is data: on stdout, with all that there is."""
    answer = cli("--help", code=0)
    for command in COMMANDS:
        assert re.search(rf"^  .{{15}}{command} ", answer.out, re.MULTILINE), command
    for code in ExitCode:
        assert f"{int(code)} " in answer.out.partition("Exit codes:")[2]
    assert answer.err == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(cli, command: str) -> None:
    """`COMMAND --help` ends with 0."""
    answer = cli(command, "--help", code=0)
    assert answer.out.startswith(f"usage: mimir-migrate {command}")


def test_the_version_is_printed(cli) -> None:
    """One line on stdout."""
    assert cli("--version", code=0).out == f"mimir-migrate {__version__}\n"


def test_no_run_yet_is_an_empty_list(cli) -> None:
    """Data on stdout, narration on stderr."""
    words = cli("runs", code=0)
    assert words.out == ""
    assert (
        "no run was begun on this machine; `mimir-migrate apply plan.json` begins a" in words.err
    )
    assert cli("runs", "--json", code=0).document == {"schema": "mimir-migrate/1", "runs": []}


def test_rbac_is_manifests_on_stdout(cli) -> None:
    """What can be piped into `kubectl apply`: no word of narration in it."""
    import yaml

    answer = cli("rbac", "--namespace", "mimir", "--release", "mimir", "--table", "rings", code=0)
    kinds = [each["kind"] for each in yaml.safe_load_all(answer.out) if each and "kind" in each]
    assert "Role" in kinds
    assert "RoleBinding" in kinds


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path) -> None:
    """`mimir-migrate --help | head -1` complains about nothing."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "mimir_migrate", "runs", "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        env={**os.environ, "MIMIR_MIGRATE_STATE": str(tmp_path)},
        text=True,
        check=False,
        timeout=60,
    )
    os.close(write)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_the_target_may_stand_before_or_after_the_command(cli, place) -> None:
    """The same file is read; the one after the command wins."""
    (place / "one.toml").write_text("[kubernetes]\nnamespace = 'one'\n")
    (place / "two.toml").write_text("[kubernetes]\nnamspace = 'two'\n")
    before = cli("--target", "one.toml", "inspect", code=ExitCode.USAGE)
    after = cli("inspect", "--target", "one.toml", code=ExitCode.USAGE)
    assert before.err == after.err
    assert "[kubernetes] release" in before.err
    assert "[kubernetes] namespace" not in before.err
    both = cli("--target", "one.toml", "inspect", "--target", "two.toml", code=ExitCode.USAGE)
    assert "two.toml" in both.err
