"""Wrong use and bad input: one clear message on stderr, nothing on stdout, the exit code, files untouched."""

from __future__ import annotations

import argparse
import ast
import json
import re
from pathlib import Path

import pytest

import mimir_migrate
from mimir_migrate.cli.parsing.parser import build_parser
from mimir_migrate.errors import ExitCode
from mimir_migrate.words import sentence

USAGE = ExitCode.USAGE

WRONG = {
    "no such command": (["rust"], "invalid choice: 'rust'"),
    "no such option": (["inspect", "--rust"], "unrecognized arguments: --rust"),
    "no goal": (
        ["plan"],
        "--to is missing: where the rings are to end, for example --to dynamodb",
    ),
    "no such goal": (["plan", "--to", "consul"], "invalid choice: 'consul'"),
    "no such strategy": (["plan", "--to", "dynamodb", "--strategy", "x"], "invalid choice: 'x'"),
    "no plan": (["apply"], "required: PLAN.json"),
    "no sandbox command": (["sandbox"], "required: COMMAND"),
    "no sandbox folder": (["sandbox", "up"], "required: --dir"),
    "no edit": (["edit", "values.yaml"], "one of the arguments --to --undo --check is required"),
    "no edit and no file": (["edit", "none.yaml"], "required; none.yaml: no such file"),
    "two edits": (["edit", "v", "--check", "--undo", "r"], "not allowed with argument"),
    "no terminal for the app": ([], "this is not a terminal"),
    "nothing of a target": (["inspect"], "the namespace of the release (--namespace)"),
    "no values to plan for": (
        ["plan", "--to", "dynamodb", "--namespace", "n", "--release", "r"],
        "no flag gives the values file (--values)",
    ),
    "no table to plan for": (
        ["plan", "--to", "dynamodb", "--namespace", "n", "--release", "r", "--values", "v"],
        "no flag gives the ring table (--table) or the AWS region (--aws-region)",
    ),
    "a target file that is absent": (["inspect", "--target", "no.toml"], "no.toml: the target"),
    "no plan file": (["apply", "no.json"], "no.json: the plan cannot be read"),
    "an override without a reason": (["apply", "p", "--override", "x"], "--override needs a reas"),
    "a gate that there is not": (
        ["apply", "p", "--override", "x", "--reason", "y"],
        "there is no gate named 'x'",
    ),
    "a later override without a reason": (["override", "users-fine"], "needs a reason"),
    "a later override of no gate": (["override", "x", "--reason", "y"], "no gate named 'x'"),
    "an unknown run": (["status", "rust"], "there is no run rust"),
    "an unknown ring": (["demo", "--headless", "--rings", "rust"], "no ring named 'rust'"),
    "a form that cannot be written": (
        ["plan", "--to", "dynamodb", "--output", "plan.txt"],
        "must end with .json, .md or .sh",
    ),
    "a sandbox that there is not": (["sandbox", "status", "--dir", "none"], "holds no sandbox"),
    "a fault without a value": (
        ["sandbox", "inject", "split", "ring", "--dir", "none"],
        "'ring' is not NAME=VALUE",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_refused_with_the_reason(cli, place: Path, case: str) -> None:
    """Exit 2, the reason on stderr, nothing on stdout, and no file is made."""
    arguments, reason = WRONG[case]
    answer = cli(*arguments, code=USAGE)
    assert reason in answer.err
    assert answer.out == ""
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    ["status", "resume", "rollback", "report", "approve", "hold", "continue", "stop"],
)
def test_a_command_about_a_run_says_that_there_is_none(cli, command: str) -> None:
    """Exit 2, where another machine's is answered, and what begins one."""
    answer = cli(command, code=USAGE)
    assert "no run was begun on this machine" in answer.err
    assert "`mimir-migrate apply plan.json` begins a run" in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(
    "arguments",
    [["inspect"], ["verify"], ["plan", "--to", "dynamodb"], ["rehearse"], ["clean"]],
    ids=lambda words: words[0],
)
def test_every_look_says_that_there_is_no_target_and_no_kubeconfig(
    cli, arguments: list[str]
) -> None:
    """Nobody makes up a namespace only to hear the rest."""
    answer = cli(*arguments, code=USAGE)

    assert "there is no kubeconfig at" in answer.err
    assert "There is no target file here" in answer.err


def test_a_first_look_says_that_there_is_no_kubeconfig_and_no_target(cli) -> None:
    """At the first try, a sentence each, in the order in which they are mended; `init` makes a target."""
    answer = cli("inspect", code=USAGE)

    first, second = answer.err.splitlines()
    assert re.fullmatch(
        r"mimir-migrate: there is no kubeconfig at \S+\. There is no target file here, and no flag gives "
        r"the namespace of the release \(--namespace\) or the name of the helm release \(--release\)\.",
        first,
    )
    assert second == (
        "  -> Name one in [kubernetes] kubeconfig or --kubeconfig, or in $KUBECONFIG. Then `mimir-migrate "
        "init` looks around and writes target.toml; or give --namespace … --release …."
    )


def test_a_look_with_a_kubeconfig_says_only_that_there_is_no_target(cli, place: Path) -> None:
    """What is there is not complained about."""
    (place / "kubeconfig").write_text(kubeconfig("http://127.0.0.1:9"))

    answer = cli("plan", "--to", "dynamodb", code=USAGE, KUBECONFIG="kubeconfig")

    assert "there is no target file here" in answer.err
    assert "kubeconfig" not in answer.err


@pytest.mark.parametrize("named", [[], ["--target", "target.toml"]], ids=["found", "named"])
def test_a_target_file_that_lacks_entries_is_where_they_are_to_be_written(
    cli, place: Path, named: list[str]
) -> None:
    """It is there, so it is not said to be missing, and nobody is sent to `init`, which would not write it."""
    (place / "kubeconfig").write_text(kubeconfig("http://127.0.0.1:9"))
    (place / "target.toml").write_text("[kubernetes]\n[aws]\n")

    answer = cli("inspect", *named, code=USAGE, KUBECONFIG="kubeconfig")

    first, second = answer.err.splitlines()[-2:]
    assert first == (
        "mimir-migrate: the target file target.toml lacks [kubernetes] namespace (namespace of the release) "
        "and [kubernetes] release (name of the helm release)"
    )
    assert second == "  -> Write that into target.toml, or give --namespace … --release …."


def test_a_target_file_without_a_kubeconfig_has_two_next_steps(cli, place: Path) -> None:
    """The kubeconfig first: with it, the rest can be looked up."""
    (place / "target.toml").write_text("[kubernetes]\nnamespace = 'n'\n")

    answer = cli("verify", code=USAGE)

    first, second = answer.err.splitlines()[-2:]
    assert first.startswith("mimir-migrate: there is no kubeconfig at ")
    assert ". The target file target.toml lacks [kubernetes] release (name of" in first
    assert second.startswith("  -> Name one in [kubernetes] kubeconfig or --kubeconfig")
    assert second.endswith("Then write that into target.toml, or give --release ….")


MISSING = {
    "the target file": (
        ["--target", "nope.toml"],
        ["nope.toml: the target file cannot be read", "--to is missing"],
    ),
    "a target file that is something else": (
        ["--target", "svc.yaml"],
        ["svc.yaml:1:5: not TOML", "--to is missing"],
    ),
    "entries that are wrong": (
        ["--target", "wrong.toml"],
        ["wrong.toml has 2 mistakes:"],
    ),
    "values and the goal": (
        ["--values", "nope.yaml"],
        ["values file nope.yaml cannot be read: no such file", "--to is missing"],
    ),
    "values, a kubeconfig and entries": (
        ["--to", "dynamodb", "--values", "nope.yaml", "--kubeconfig", "/nope", "--namespace", "n"],
        [
            "reading the kubeconfig /nope: No such file",
            "The values file nope.yaml cannot be read",
            "the name of the helm release (--release), the ring table (--table) or the AWS region",
        ],
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_everything_that_a_plan_lacks_is_said_at_once(cli, place: Path, case: str) -> None:
    """Files that are not there beside what was not given: nobody mends one only to hear of the next."""
    (place / "svc.yaml").write_text("kind: Service\n")
    (place / "wrong.toml").write_text("[aws]\nregion = 'mars'\nzone = 1\n")
    arguments, said = MISSING[case]

    answer = cli("plan", *arguments, code=USAGE)

    first, *more, second = answer.err.splitlines()
    assert ("--to" in arguments) != ("-to is missing: where the rings are to end" in answer.err)
    assert len(more) == (3 if case == "entries that are wrong" else 0)
    assert [one for one in said if one not in first] == []
    assert second.startswith("  -> ")


STRAY = {
    "a plan's values": (["plan", "values.yaml", "--to", "dynamodb"], "Is it --values values.yaml?"),
    "a plan's values and no goal": (["plan", "values.yaml"], "Is it --values values.yaml?"),
    "a target": (["inspect", "target.toml"], "Is it --target target.toml?"),
    "a plan": (["plan", "--to", "dynamodb", "plan.json"], "`mimir-migrate apply plan.json` runs a plan"),
    "any file": (["plan", "README.md"], "Files are named with --target and --values"),
}  # fmt: skip


def test_a_ring_without_its_flag_is_answered_with_it(cli) -> None:
    """A word that is no file's name is taken for a ring."""
    answer = cli("inspect", "ruler", code=USAGE)

    assert "Is it --rings ruler?" in answer.err


@pytest.mark.parametrize("case", STRAY)
def test_a_file_that_a_command_does_not_take_is_answered_with_its_flag(
    cli, place: Path, case: str
) -> None:
    """Exit 2; the word is named, and that no file is taken without a flag."""
    arguments, said = STRAY[case]
    (place / "plan.json").write_text("{}\n")

    answer = cli(*arguments, code=USAGE)

    assert f"{arguments[0]}: unrecognized arguments: " in answer.err
    assert f"`{arguments[0]}` takes no file without a flag" in answer.err
    assert said in answer.err


def test_no_plan_is_offered_to_be_applied_that_is_not_there(cli) -> None:
    """A next step that cannot work is none."""
    answer = cli("plan", "nope.json", code=USAGE)

    assert "unrecognized arguments: nope.json" in answer.err
    assert "apply" not in answer.err


ABSENT = {
    "a plan": (["apply", "plam.json"], "Did you mean plan.json?"),
    "a plan of no likeness": (["apply", "elsewhere.txt"], "Look at the path: it counts from "),
    "a plan in another folder": (["apply", "no/plan.json"], "There is no folder no here"),
    "a plan to rehearse": (["rehearse", "plam.json"], "Did you mean plan.json?"),
    "values": (["edit", "vlues.yaml", "--check"], "Did you mean values.yaml?"),
    "values with the other ending": (["edit", "values.yml", "--check"], "mean values.yaml?"),
    "a file of little likeness": (
        ["edit", "valid.yaml", "--check"],
        "Look at the path: it counts",
    ),
    "a file of another kind": (["edit", "values.json", "--check"], "Look at the path: it counts"),
    "a folder": (["edit", "folder", "--check"], "It is a folder: name the file in it"),
    "an undo record": (["edit", "values.yaml", "--undo", "v.undo"], "as VALUES.undo"),
    "a binary's page": (
        ["edit", "values.yaml", "--check", "--product", "mimir", "--defaults", "value.yaml"],
        "Did you mean values.yaml?",
    ),
    "a target": (["inspect", "--target", "no.toml"], "`mimir-migrate init` looks around"),
}


@pytest.mark.parametrize("case", ABSENT)
def test_a_file_that_is_absent_is_answered_with_a_next_step(cli, place: Path, case: str) -> None:
    """Exit 2, two lines: what was to be read, and what to do."""
    arguments, said = ABSENT[case]
    for name in ("plan.json", "values.yaml"):
        (place / name).write_text("{}\n")
    (place / "folder").mkdir()

    answer = cli(*arguments, code=USAGE)

    _, second = answer.err.splitlines()
    assert second.startswith("  -> ")
    assert said in second
    if arguments[0] == "apply":
        assert "`mimir-migrate plan --to dynamodb -o plan.json` writes one" in second


PACKAGE = Path(mimir_migrate.__file__).parent
HAVE_NO_READER = ("sandbox", "adapters/aws", "adapters/journal", "documents/ring_items.py")
"""Whose errors are answers of a server, or become findings and words of a journal."""


def test_every_error_about_a_call_or_a_file_says_what_to_do_next() -> None:
    """Two lines each: no command ends with the first one only."""
    without = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith(HAVE_NO_READER):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            told = {word.arg for word in node.keywords}
            if node.func.id in {"UsageError", "DocumentError"} and "hint" not in told:
                without.append(f"{name}:{node.lineno}")

    assert without == []


FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def own_words(hint: str) -> str:
    """A hint without the commands of other programs in it, which have flags of their own."""
    parts = hint.split("`")
    commands = [part for part in parts[1::2] if part.startswith(("mimir-migrate", "--"))]
    return " ".join([*parts[::2], *commands])


def test_a_next_step_names_only_flags_that_there_are() -> None:
    """Whoever does what it says is not told that the argument is unrecognized."""
    parsers, flags = [build_parser()], set()
    for parser in parsers:
        for action in parser._actions:
            flags.update(action.option_strings)
            if isinstance(action, argparse._SubParsersAction):
                parsers.extend(action.choices.values())
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.keyword) or node.arg != "hint":
                continue
            texts = [
                one.value
                for one in ast.walk(node.value)
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            named = FLAG.findall(own_words(" ".join(texts)))
            wrong += [f"{path.name}: {flag}" for flag in named if flag not in flags]

    assert wrong == []


BAD_TARGETS = {
    "no TOML": ("namespace: mimir\n", "target.toml:1:10: not TOML: "),
    "a section that is cut": ("[aws]\nregion = \n", "target.toml:2:10: not TOML: "),
    "lists in lists without end": ("a = " + "[" * 5_000, "nested too deeply"),
    "a number without end": ("a = " + "9" * 5_000 + "\n", "a number is too long"),
    "a mark in front of an unknown entry": (
        "\ufeff[aws]\nxyz = 'x'\n",
        "there are region, profile, endpoint_url",
    ),
    "an unknown section": (
        "\n[kubernets]\n",
        "target.toml:2: [kubernets]: there is no such section; did you mean [kubernetes]?",
    ),
    "an unknown entry": (
        "[kubernetes]\nnamspace = 'x'\n",
        "target.toml:2: [kubernetes] namspace: unknown entry; did you mean namespace?",
    ),
    "an entry of no likeness": ("[aws]\nxyz = 'x'\n", "there are region, profile, endpoint_url"),
    "a number for a text": (
        "[kubernetes]\nnamespace = 3\n",
        "target.toml:2: [kubernetes] namespace: it must be text in quotes, and is 3",
    ),
    "a text for a list": ("[values]\nfiles = 'v'\n", "it must be a list of texts"),
    "a number in a list": ("[values]\nfiles = ['v', 1]\n", "1 in it is not text"),
    "a way to deploy that there is not": (
        "[deploy]\nmethod = 'hlm'\n",
        "'hlm' is not one of helm, command, external; did you mean helm?",
    ),
    "a duration without a unit": ("[dynamodb]\npuller_sync_time = '10'\n", "not a duration"),
    "a duration of nothing": ("[deploy]\ntimeout = '0s'\n", "is not above zero"),
    "an expiry of an hour": ("[dynamodb]\nttl = '1h'\n", "not a duration of at least 24h"),
    "a zone for a region": ("[aws]\nregion = 'eu-west-1a'\n", "its region is 'eu-west-1'"),
    "a region's name in words": ("[aws]\nregion = 'Ireland'\n", "for example eu-west-1"),
    "an ARN for a table": (
        "[dynamodb]\ntable = 'arn:aws:dynamodb:eu-west-1:1:table/x'\n",
        "write the name behind table/",
    ),
    "another placeholder": (
        "[dynamodb]\ntable = 'x-{rings}'\n",
        "the only one there is is {ring}",
    ),
    "a namespace in capitals": ("[kubernetes]\nnamespace = 'Mimir'\n", "not the name of a name"),
    "a section that is a text": ("aws = 'x'\n", "target.toml:1: [aws]: it must be a section"),
}


@pytest.mark.parametrize("case", BAD_TARGETS)
def test_a_target_file_that_is_wrong_is_named_with_the_entry(cli, place: Path, case: str) -> None:
    """Exit 2, the file and what is wrong in it; the file stays as it is."""
    text, reason = BAD_TARGETS[case]
    (place / "target.toml").write_text(text)
    answer = cli("inspect", "--target", "target.toml", code=USAGE)
    assert "target.toml" in answer.err
    assert reason in answer.err
    assert "docs/" not in answer.err  # which an installed package does not have
    assert (place / "target.toml").read_text() == text


def test_a_target_file_is_checked_as_a_whole(cli, place: Path) -> None:
    """Every mistake at once, each with its line."""
    (place / "target.toml").write_text(
        "[kubernetes]\nnamspace = 'x'\n[aws]\nregion = 'mars'\n[deploy]\ntimeout = '5'\n"
    )
    answer = cli("inspect", "--target", "target.toml", code=USAGE)
    assert "target.toml has 3 mistakes" in answer.err
    assert [f"target.toml:{line}: " in answer.err for line in (2, 4, 6)] == [True] * 3


def test_a_flag_with_a_wrong_value_is_named(cli, place: Path) -> None:
    """The flag, not the entry of a file that is not there."""
    answer = cli("inspect", "--puller-sync-time", "abc", code=USAGE)
    assert "--puller-sync-time: 'abc' is not a duration" in answer.err


BAD_PLANS = {
    "empty": (b"", "it is empty, or cut off before its end"),
    "no JSON": (b"# Plan\n", "it is not JSON, from its first character on"),
    "no text": (b'{"schema": "\xff"}', "it is not UTF-8 text"),
    "JSON of something else": (b'{"schema": "mimir-migrate/1", "runs": []}', 'it has no "'),
    "JSON without a schema": (b"{}", 'it has no "schema"'),
    "a list": (b"[]", "it is a list, and has to be a mapping"),
    "cut short": (b'{"schema": "mimir-migrate/1", "id": "2026", "steps": [', "cut off before its end"),
    "of a later version": (b'{"schema": "mimir-migrate/9"}', "a plan of the schema"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_PLANS)
def test_what_is_no_plan_is_not_applied(cli, place: Path, case: str) -> None:
    """Exit 2, the file is named with what is wrong in plain words, and no run is begun."""
    content, reason = BAD_PLANS[case]
    (place / "plan.json").write_bytes(content)
    answer = cli("apply", "plan.json", "--yes", code=USAGE)
    assert "plan.json" in answer.err
    assert reason in answer.err
    assert (place / "plan.json").read_bytes() == content
    assert cli("runs", "--json", code=0).document == {"schema": "mimir-migrate/1", "runs": []}


@pytest.mark.parametrize(
    ("name", "said"),
    [("values.yaml", "a YAML file"), ("plan.md", "a runbook"), ("plan.sh", "a script")],
)
def test_a_file_that_is_no_plan_is_told_by_its_name(
    cli, place: Path, name: str, said: str
) -> None:
    """Nobody has to know what byte of it is not JSON."""
    (place / name).write_text("mimir: {}\n")

    answer = cli("apply", name, "--yes", code=USAGE)

    assert f"{name}: not a plan: it is named as {said}" in answer.err
    assert "byte" not in answer.err


def test_an_unknown_run_sends_nobody_to_an_empty_list(cli) -> None:
    """Where no run was begun, `runs` shows nothing."""
    answer = cli("rollback", "zzz", code=USAGE)

    assert "there is no run zzz: none was begun with the state folder " in answer.err
    assert "mimir-migrate runs" not in answer.err


def test_the_target_that_was_found_is_said_once(cli, place: Path) -> None:
    """Also by a command that reads it twice."""
    (place / "target.toml").write_text("[kubernetes]\nnamespace = 'n'\nrelease = 'r'\n")

    answer = cli("rollback", "zzz", code=USAGE)

    assert answer.err.count("target: target.toml") == 1


def test_a_next_step_begins_large_and_ends_with_a_stop(cli, place: Path) -> None:
    """Wherever it was written."""
    (place / "ci.yaml").write_text("on: push\njobs: {}\n")

    answer = cli("edit", "ci.yaml", "--to", "memberlist", code=ExitCode.BLOCKED)

    assert answer.err.endswith("  -> Is it the right file? Name the values file of the release.\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name the file", "Name the file."),
        ("its contexts: dev, prod-eu", "Its contexts: dev, prod-eu"),
        ("`runs` lists them", "`runs` lists them."),
        ("mimir-migrate apply plan.json", "mimir-migrate apply plan.json"),
        ("Done already.", "Done already."),
        ("see /tmp/x", "See /tmp/x"),
        ("", ""),
    ],
)
def test_names_and_paths_get_neither_a_capital_nor_a_stop(text: str, said: str) -> None:
    """They are copied as they stand."""
    assert sentence(text) == said


def test_no_kubeconfig_is_said(cli, place: Path) -> None:
    """Exit 2: which file was looked for, and which entry or flag names another."""
    answer = cli("inspect", "--namespace", "mimir", "--release", "mimir", code=USAGE)
    assert "kubeconfig" in answer.err
    assert "--kubeconfig" in answer.err
    assert answer.out == ""


def test_an_unknown_context_is_said(cli, place: Path) -> None:
    """Exit 2: the file and the context that it lacks."""
    (place / "kubeconfig").write_text(kubeconfig("http://127.0.0.1:9"))
    answer = cli(
        *("inspect", "--kubeconfig", "kubeconfig", "--context", "prod"),
        *("--namespace", "mimir", "--release", "mimir"),
        code=USAGE,
    )
    assert "kubeconfig" in answer.err
    assert "prod" in answer.err


def test_a_server_that_does_not_answer_is_named(cli, place: Path) -> None:
    """Exit 1: the server's address is in the message."""
    (place / "kubeconfig").write_text(kubeconfig("http://127.0.0.1:9"))
    answer = cli(
        *("inspect", "--kubeconfig", "kubeconfig", "--namespace", "mimir", "--release", "mimir"),
        code=ExitCode.FAILED,
    )
    assert "127.0.0.1:9" in answer.err
    assert answer.out == ""


def kubeconfig(server: str) -> str:
    """A kubeconfig of one cluster."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "dev",
            "clusters": [{"name": "dev", "cluster": {"server": server}}],
            "users": [{"name": "dev", "user": {"token": "not-a-secret"}}],
            "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "dev"}}],
        }
    )
