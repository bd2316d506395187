"""Any command line and any target file ends in words and an exit code, and shows no secret of theirs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mimir_migrate.cli import run
from mimir_migrate.errors import ExitCode

SECRET = "Planted2277-argument"
TOKEN = "Planted3131-token"
"""Of the kubeconfig: it is learnt as soon as that is read, which the other one is not."""
COMMANDS = (
    "inspect", "verify", "plan", "apply", "resume", "rollback", "status", "runs", "approve", "hold",
    "continue", "stop", "override", "report", "edit", "rbac", "terraform",
)  # fmt: skip
OPTIONS = (
    "--target", "--kubeconfig", "--context", "--namespace", "--release", "--values", "--values-root",
    "--terraform", "--aws-region", "--aws-profile", "--aws-endpoint-url", "--table", "--ttl",
    "--puller-sync-time", "--deploy-method", "--chart", "--deploy-timeout", "--to", "--rings",
    "--strategy", "--output", "-o", "--json", "--yes", "--dry-run", "--reason", "--override",
    "--gate-timeout", "--undo", "--check", "--diff", "--defaults", "--product", "--record", "--mirror",
    "--show-json", "--service-account", "--fail-on", "--follow", "--brief", "--detach",
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        [
            f"password={SECRET}", f"--token={SECRET}", f"https://ana:{SECRET}@host", "target.toml",
            "kubeconfig", "values.yaml", "folder", "missing", "", "-", "--", "all", "dynamodb",
            "memberlist", "\udcff", "\x1b[31m", "a" * 5000, "10s", "0", "-1s", "9" * 400 + "h", "é\n",
        ]
    ),
    st.text(
        alphabet=st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=12
    ),
)  # fmt: skip
WORDS = st.one_of(st.sampled_from(OPTIONS), VALUES)
SILENT = {HealthCheck.function_scoped_fixture, HealthCheck.too_slow}
CODES = {int(code) for code in ExitCode}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to call commands in, with nothing of this machine's and a server that refuses."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing-only")
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    (tmp_path / "kubeconfig").write_text(
        "current-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n"
        "clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}]\n"
        f"users: [{{name: a, user: {{token: {TOKEN}}}}}]\n"
    )
    (tmp_path / "target.toml").write_text("[kubernetes]\nnamespace = 'n'\nrelease = 'r'\n")
    (tmp_path / "values.yaml").write_text(f"mimir: {{}}\ngateway: {{password: {SECRET}}}\n")
    (tmp_path / "folder").mkdir()
    return tmp_path


def called(arguments: list[str], capsys: pytest.CaptureFixture[str], place: Path) -> str:
    """What a command said; it ended with one of the exit codes, and nothing nobody foresaw was in it."""
    try:
        code = run(arguments)
    except SystemExit as end:  # `--help`
        code = int(end.code or 0)
    said = capsys.readouterr()
    assert code in CODES
    kept = sorted((place / "state" / "errors").glob("*")) if (place / "state").exists() else []
    assert kept == [], kept[0].read_text()
    assert "Traceback" not in said.err
    if code:
        assert said.err.strip()
    assert TOKEN not in said.out + said.err
    return said.out + said.err


@settings(max_examples=150, deadline=None, suppress_health_check=SILENT)
@given(command=st.sampled_from(COMMANDS), words=st.lists(WORDS, max_size=7))
def test_no_command_line_ends_in_anything_but_words(
    place: Path, capsys: pytest.CaptureFixture[str], command: str, words: list[str]
) -> None:
    """Options of all commands, files that are others than they should be, signs of any kind."""
    assert SECRET not in called([command, *words], capsys, place)


TOML = st.recursive(
    st.sampled_from(
        ['"x"', "1", "true", "nan", "1e999", "2020-01-01", '""', f'"token: {SECRET}"', "'10s'", '"\\u0000"']
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | inner.map(lambda value: "{ a = " + value + " }")
    ),
    max_leaves=4,
)  # fmt: skip
SECTIONS = st.sampled_from(
    ["kubernetes", "values", "terraform", "aws", "dynamodb", "deploy", "hooks", "x", '"é"']
)
KEYS = st.sampled_from(
    [
        "kubeconfig", "context", "namespace", "release", "files", "root", "render", "dir", "region",
        "profile", "endpoint_url", "table", "puller_sync_time", "ttl", "method", "chart", "version",
        "args", "command", "template", "timeout", "password",
    ]
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=SILENT)
@given(
    sections=st.lists(
        st.tuples(SECTIONS, st.lists(st.tuples(KEYS, TOML), max_size=4)), max_size=5
    ),
    cut=st.none() | st.integers(0, 200),
    byte=st.none() | st.tuples(st.integers(0, 200), st.integers(0, 255)),
    command=st.sampled_from(["inspect", "rbac", "terraform"]),
)
def test_no_target_file_ends_in_anything_but_words(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    sections: list[tuple[str, list[tuple[str, str]]]],
    cut: int | None,
    byte: Any,
    command: str,
) -> None:
    """Sections and entries of any type, cut anywhere, a byte changed anywhere."""
    text = "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in entries)
        for name, entries in sections
    ).encode()
    content = bytearray(text[: len(text) if cut is None else cut])
    if byte is not None and content:
        content[byte[0] % len(content)] = byte[1]
    (place / "target.toml").write_bytes(bytes(content))

    assert SECRET not in called([command, "--target", "target.toml"], capsys, place)
