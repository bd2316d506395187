"""Wrong use and bad input: one clear message on stderr, nothing on stdout, the exit code, files untouched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mimir_migrate.errors import ExitCode

USAGE = ExitCode.USAGE

WRONG = {
    "no such command": (["rust"], "invalid choice: 'rust'"),
    "no such option": (["inspect", "--rust"], "unrecognized arguments: --rust"),
    "no goal": (["plan"], "arguments are required: --to"),
    "no such goal": (["plan", "--to", "consul"], "invalid choice: 'consul'"),
    "no such strategy": (["plan", "--to", "dynamodb", "--strategy", "x"], "invalid choice: 'x'"),
    "no plan": (["apply"], "required: PLAN.json"),
    "no sandbox command": (["sandbox"], "required: COMMAND"),
    "no sandbox folder": (["sandbox", "up"], "required: --dir"),
    "no edit": (["edit", "values.yaml"], "one of the arguments --to --undo --check is required"),
    "two edits": (["edit", "v", "--check", "--undo", "r"], "not allowed with argument"),
    "no terminal for the app": ([], "this is not a terminal"),
    "nothing of a target": (["inspect"], "[kubernetes] namespace (--namespace)"),
    "no values to plan for": (
        ["plan", "--to", "dynamodb", "--namespace", "n", "--release", "r"],
        "[values] files (--values)",
    ),
    "no table to plan for": (
        ["plan", "--to", "dynamodb", "--namespace", "n", "--release", "r", "--values", "v"],
        "[dynamodb] table (--table)",
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
    """Exit 2, and what begins one."""
    answer = cli(command, code=USAGE)
    assert "there is no run of this machine yet" in answer.err
    assert "`apply plan.json` begin one" in answer.err
    assert answer.out == ""


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
    "empty": b"",
    "no JSON": b"# Plan\n",
    "JSON of something else": b'{"schema": "mimir-migrate/1", "runs": []}',
    "cut short": b'{"schema": "mimir-migrate/1", "id": "2026", "steps": [',
    "of a later version": b'{"schema": "mimir-migrate/9"}',
}


@pytest.mark.parametrize("case", BAD_PLANS)
def test_what_is_no_plan_is_not_applied(cli, place: Path, case: str) -> None:
    """Exit 2, the file is named, and no run is begun."""
    (place / "plan.json").write_bytes(BAD_PLANS[case])
    answer = cli("apply", "plan.json", "--yes", code=USAGE)
    assert "plan.json" in answer.err
    assert (place / "plan.json").read_bytes() == BAD_PLANS[case]
    assert cli("runs", "--json", code=0).document == {"schema": "mimir-migrate/1", "runs": []}


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
