"""What needs an optional part says so before anything is started, with the line that installs it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from mimir_migrate.cli import extras
from mimir_migrate.cli.sandbox.demo_cluster import log_kept
from mimir_migrate.errors import ExitCode, MigrateError, UsageError

HIDDEN = """
import importlib.util as util
find = util.find_spec
util.find_spec = lambda name, package=None: (
    None if name in {"aiohttp", "moto"} else find(name, package)
)
"""


@pytest.mark.parametrize(
    "call", [["demo", "--headless"], ["sandbox", "up", "--dir", "sb"]], ids=["demo", "sandbox"]
)
def test_a_missing_part_is_named_before_anything_starts(cli, place: Path, call: list[str]) -> None:
    """Exit 2, one line that installs it, no folder and no process."""
    (place.parent / "sitecustomize.py").write_text(HIDDEN)
    answer = cli(*call, code=ExitCode.USAGE, PYTHONPATH=str(place.parent))

    assert "aiohttp, moto missing" in answer.err
    assert "aiohttp>=" in answer.err
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("prefix", "begins"),
    [
        ("/home/ana/.local/share/pipx/venvs/mimir-migrate", "pipx inject mimir-migrate "),
        ("/home/ana/.local/share/uv/tools/mimir-migrate", "uv tool install mimir-migrate --with "),
        ("/srv/venv", f"{shlex.quote(sys.executable)} -m pip install "),
    ],
)
def test_the_line_fits_how_the_program_was_installed(
    monkeypatch: pytest.MonkeyPatch, prefix: str, begins: str
) -> None:
    """It can be pasted into a shell as it is."""
    monkeypatch.setattr(sys, "prefix", prefix)
    line = extras.install_line("sandbox")

    assert line.startswith(begins)
    assert any(word.startswith("moto[") for word in shlex.split(line))


def test_nothing_is_missing_here() -> None:
    """The tests run with every part."""
    assert extras.missing("sandbox") == ()
    extras.refuse_missing("sandbox", "a test")


def test_the_log_of_a_start_that_failed_is_kept(tmp_path: Path) -> None:
    """Also when the folder that it stood in goes."""
    folder, kept = tmp_path / "sb", tmp_path / "logs"
    folder.mkdir()
    (folder / "sandbox.log").write_text("no port was free")

    with pytest.raises(MigrateError, match="did not answer") as caught, log_kept(folder, kept):
        raise UsageError("it did not answer", hint="Its log is gone.")

    (copy,) = kept.iterdir()
    assert copy.read_text() == "no port was free"
    assert str(copy) in caught.value.hint
