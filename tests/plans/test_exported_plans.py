"""The plans in `plans/`: one for each direction and strategy, written and checked here.

`MIMIR_MIGRATE_WRITE=1` writes them again.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import planning
import pytest

from mimir_migrate.errors import DocumentError
from mimir_migrate.model.plan import Plan, Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.plans.export import from_json, to_json, to_markdown, to_shell
from mimir_migrate.plans.hand import PATCH_END

WAYS = {
    "mimir-runtime": (Product.MIMIR, (), Strategy.AUTO),
    "mimir-static": (Product.MIMIR, (), Strategy.STATIC),
    "mimir-ruler": (Product.MIMIR, ("ruler",), Strategy.AUTO),
    "cortex-by-ring": (Product.CORTEX, (), Strategy.AUTO),
    "cortex-static": (Product.CORTEX, (), Strategy.STATIC),
}
DIRECTIONS = ("to-dynamodb", "to-memberlist")
NAMES = [f"{way}-{direction}" for way in WAYS for direction in DIRECTIONS]
PATCH = re.compile(
    rf"^patch --binary (\S+) <<'{PATCH_END}'\n(.*?)^{PATCH_END}$", re.MULTILINE | re.DOTALL
)


@cache
def made(name: str) -> Plan:
    """The plan of that name."""
    direction = next(each for each in DIRECTIONS if name.endswith(each))
    there, back = planning.forth_and_back(*WAYS[name.removesuffix(f"-{direction}")])
    return there if direction == "to-dynamodb" else back


def texts(plan: Plan) -> dict[str, bytes]:
    """The three forms by their ending."""
    return {
        ".json": to_json(plan),
        ".md": to_markdown(plan).encode(),
        ".sh": to_shell(plan).encode(),
    }


@pytest.mark.parametrize("suffix", [".json", ".md", ".sh"])
@pytest.mark.parametrize("name", NAMES)
def test_exported_plan_is_what_stands_in_plans(name: str, suffix: str, root: Path) -> None:
    """Byte for byte, so that what a plan reads like is seen in every change of it."""
    wanted = texts(made(name))[suffix]
    file = root / "plans" / f"{name}{suffix}"
    if os.environ.get("MIMIR_MIGRATE_WRITE") == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(wanted)
    assert file.read_bytes() == wanted, "run `make pictures` and look at the difference"


def test_exported_plans_are_all_that_stands_in_plans(root: Path) -> None:
    """No plan of an earlier time is left lying about."""
    if os.environ.get("MIMIR_MIGRATE_WRITE") == "1":
        pytest.skip("they are being written")
    have = {file.name for file in (root / "plans").iterdir() if file.name != "README.md"}
    assert have == {f"{name}{suffix}" for name in NAMES for suffix in (".json", ".md", ".sh")}


@pytest.mark.parametrize("name", NAMES)
def test_json_reads_back_to_the_same_plan(name: str) -> None:
    """What `apply` takes is what was planned."""
    assert from_json(to_json(made(name)), path="plan.json") == made(name)


@pytest.mark.parametrize("name", NAMES)
def test_no_path_of_a_machine_is_in_an_export(name: str) -> None:
    """A plan can be read and applied elsewhere."""
    for text in texts(made(name)).values():
        assert b"/home" not in text
        assert b"/tmp" not in text
        assert str(planning.ROOT).encode() not in text


@pytest.mark.parametrize("name", NAMES)
def test_shell_script_parses(name: str, tmp_path: Path) -> None:
    """`sh -n` accepts it."""
    script = tmp_path / "plan.sh"
    script.write_text(to_shell(made(name)))
    done = subprocess.run(["sh", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("patch") is None, reason="`patch` is not installed")
@pytest.mark.parametrize("suffix", [".md", ".sh"])
@pytest.mark.parametrize("name", NAMES)
def test_the_patches_in_it_do_what_the_plan_does(name: str, suffix: str, tmp_path: Path) -> None:
    """Followed by hand, each step leaves the same bytes."""
    plan = made(name)
    direction = next(each for each in DIRECTIONS if name.endswith(each))
    way = WAYS[name.removesuffix(f"-{direction}")]
    files = (planning.example(way[0]),)
    if direction == "to-memberlist":
        files = planning.walk(planning.forth_and_back(*way)[0], files)[-1]
    path = tmp_path / files[0].path
    path.parent.mkdir()
    path.write_bytes(files[0].content)
    patches = PATCH.findall(texts(plan)[suffix].decode())
    steps = [
        (step, after)
        for step, after in zip(plan.steps, planning.walk(plan, files), strict=True)
        if step.edits
    ]
    assert len(patches) == len(steps)
    for (named, diff), (_, after) in zip(patches, steps, strict=True):
        assert named == files[0].path
        subprocess.run(
            ["patch", "--binary", named],
            input=diff.encode(),
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
        assert path.read_bytes() == after[0].content


@pytest.mark.skipif(shutil.which("patch") is None, reason="`patch` is not installed")
def test_the_script_changes_nothing_before_its_question_is_answered(tmp_path: Path) -> None:
    """Answered with anything but the step's name it stops, and the file is what it was."""
    plan = made("cortex-static-to-dynamodb")
    file = planning.example(Product.CORTEX)
    path = tmp_path / file.path
    path.parent.mkdir()
    path.write_bytes(file.content)
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("aws", "helm", "kubectl"):
        (programs / program).write_text(f'#!/bin/sh\necho {program} "$1" >> "$LOG"\n')
        (programs / program).chmod(0o755)
    script = tmp_path / "plan.sh"
    script.write_text(to_shell(plan))
    log = tmp_path / "log"
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "LOG": str(log)}

    def run(answers: str) -> int:
        return subprocess.run(
            ["sh", str(script)],
            input=answers,
            text=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
        ).returncode

    assert run("no\n") == 1
    assert path.read_bytes() == file.content
    assert not log.exists()
    assert run("tables\nboth\nno\n") == 1
    assert path.read_bytes() == planning.walk(plan, (file,))[1][0].content
    said = log.read_text().splitlines()
    assert said == ["aws dynamodb", "aws dynamodb", "helm upgrade", "kubectl --namespace"]


@pytest.mark.parametrize("name", NAMES)
def test_markdown_says_everything_of_every_step(name: str) -> None:
    """A runbook that needs nothing beside it."""
    plan = made(name)
    text = to_markdown(plan)
    for step in plan.steps:
        for words in (step.title, step.what, step.why, step.undo, step.way_back):
            assert words in text
        assert all(command in text for command in step.commands)
        assert all(line in text for line in step.expected)
        assert step.duration.basis in text
    for fact in plan.facts:
        assert fact.name in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not json", "not a plan"),
        (b"\xff\xfe", "not a plan"),
        (b'{"schema": "mimir-migrate/99"}', "mimir-migrate/99"),
        (b'{"schema": "mimir-migrate/1", "id": 3}', "not a plan of this version"),
    ],
)
def test_what_is_no_plan_is_refused_with_its_name(content: bytes, words: str) -> None:
    """A cut, foreign or newer file: one message that names the file and what to do."""
    with pytest.raises(DocumentError, match=words) as caught:
        from_json(content, path="plan.json")
    assert caught.value.path == "plan.json"
    assert caught.value.hint
