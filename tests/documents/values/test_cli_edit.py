"""`edit` as a command: what it checks before it writes, what it warns of, and its undo records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mimir_migrate.cli import run

EDIT = (
    "--to",
    "memberlist+dynamodb",
    "--rings",
    "ruler",
    "--table",
    "rings",
    "--region",
    "eu-west-1",
)
MIMIR = "mimir:\n  structuredConfig:\n    ruler:\n      rule_path: /data\n"


@pytest.fixture
def values(tmp_path: Path) -> Path:
    path = tmp_path / "values.yaml"
    path.write_text(MIMIR)
    return path


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--puller-sync-time", "abc", "not a duration"),
        ("--puller-sync-time", "10", "not a duration"),
        ("--puller-sync-time", "0s", "not above zero"),
        ("--puller-sync-time", "-5s", "not above zero"),
        ("--ttl", "1h", "at least 24h"),
        ("--ttl", "soon", "at least 24h"),
        ("--region", "Frankfurt", "not the name of an AWS region"),
        ("--region", "eu-west-1a", "availability zone"),
        ("--table", "rings/one", "not the name of a DynamoDB table"),
        ("--table", "arn:aws:dynamodb:eu-west-1:1:table/rings", "ARN"),
        ("--table", "x" * 256, "not the name of a DynamoDB table"),
    ],
)
def test_settings_are_checked_before_a_byte_is_written(
    values: Path, flag: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A duration, a region or a table that nothing would take ends with 2 and leaves the folder alone."""
    assert run(["edit", str(values), *EDIT, f"{flag}={value}", "--in-place"]) == 2

    assert said in capsys.readouterr().err
    assert values.read_text() == MIMIR
    assert [each.name for each in values.parent.iterdir()] == ["values.yaml"]


def test_a_placeholder_of_a_template_may_stand_for_a_setting(values: Path) -> None:
    """Somebody else fills it in."""
    words = ("--region", "${region}", "--table", "${name}-{ring}", "--puller-sync-time", "${sync}")

    assert run(["edit", str(values), *EDIT, *words, "--in-place"]) == 0
    assert "region: ${region}\n" in values.read_text()


@pytest.mark.parametrize("store", ["consul", "etcd", "inmemory"])
@pytest.mark.parametrize("to", ["memberlist", "memberlist+dynamodb"])
def test_a_store_that_is_not_moved_is_refused_as_a_plan_is(
    values: Path, store: str, to: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one deploy from there pods would lose sight of each other."""
    text = MIMIR + f"      ring:\n        kvstore:\n          store: {store}\n"
    values.write_text(text)

    assert run(["edit", str(values), *EDIT, "--to", to, "--in-place"]) == 3

    error = capsys.readouterr().err
    assert f"values.yaml:7:1: the ring ruler is on {store}, which this tool does not move" in error
    assert values.read_text() == text


def test_a_pair_with_another_store_is_refused_too(
    values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the other store is the mirror only."""
    kvstore = "{store: multi, multi: {primary: memberlist, secondary: consul}}"
    values.write_text(MIMIR + f"      ring: {{kvstore: {kvstore}}}\n")

    assert run(["edit", str(values), *EDIT]) == 3
    assert "is on consul" in capsys.readouterr().err


def test_rings_that_nobody_asked_for_may_be_anywhere(values: Path) -> None:
    """Another ring's consul is no reason."""
    values.write_text(MIMIR + "    ingester: {ring: {kvstore: {store: consul}}}\n")

    assert run(["edit", str(values), *EDIT]) == 0


def test_mimir_is_edited_with_a_warning_and_cortex_without(
    values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No release of Mimir has a DynamoDB client for its rings; memberlist needs none."""
    assert run(["edit", str(values), *EDIT]) == 0
    assert "no known release of Mimir can run this" in (error := capsys.readouterr().err)
    assert "--check --defaults FILE" in error
    values.write_text("config: {blocks_storage: {}, ruler: {}}\nruntimeconfigmap: {}\n")
    assert run(["edit", str(values), *EDIT]) == 0
    assert "warning" not in capsys.readouterr().err


PAGE = "ruler:\n  rule_path: x\n  ring:\n    kvstore:\n      store: memberlist\n      prefix: x\n      multi: {primary: '', secondary: '', mirror_enabled: false}\n"  # fmt: skip


@pytest.mark.parametrize("has", [True, False])
def test_a_page_of_the_binary_decides(
    values: Path, tmp_path: Path, has: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--defaults` a store that is missing there is a refusal before anything is written."""
    page = tmp_path / "defaults.yaml"
    more = (
        "      dynamodb: {region: '', table_name: '', puller_sync_time: 1m, ttl: 0s}\n"
        if has
        else ""
    )
    page.write_text(PAGE + more)

    code = run(["edit", str(values), *EDIT, "--defaults", str(page), "--in-place"])

    error = capsys.readouterr().err
    assert code == (0 if has else 3)
    assert "no known release" not in error
    assert ("has no store dynamodb" in error) is not has
    assert (values.read_text() == MIMIR) is not has


def test_no_undo_record_is_ever_overwritten(values: Path) -> None:
    """Each edit leaves its own; taken back one by one, newest first, the original bytes return."""
    contents = [values.read_text()]
    for state in ("memberlist+dynamodb", "dynamodb+memberlist", "dynamodb"):
        assert run(["edit", str(values), *EDIT, "--to", state, "--in-place"]) == 0
        contents.append(values.read_text())
    names = sorted(each.name for each in values.parent.iterdir())
    assert names == ["values.yaml", "values.yaml.undo", "values.yaml.undo.2", "values.yaml.undo.3"]

    for name in ("values.yaml.undo.3", "values.yaml.undo.2", "values.yaml.undo"):
        assert values.read_text() == contents.pop()
        assert run(["edit", str(values), "--undo", str(values.parent / name), "--in-place"]) == 0

    assert values.read_text() == MIMIR


@pytest.mark.parametrize("changed", [False, True])
def test_undoing_out_of_order_is_refused(
    values: Path, changed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A later edit stands on the earlier one, also where somebody changed something else meanwhile."""
    run(["edit", str(values), *EDIT, "--in-place"])
    run(["edit", str(values), *EDIT, "--to", "dynamodb", "--in-place"])
    if changed:
        values.write_text("# ours\n" + values.read_text())
    before = values.read_text()

    assert run(["edit", str(values), "--undo", f"{values}.undo", "--in-place"]) == 3

    assert f"--undo {values}.undo.2" in capsys.readouterr().err
    assert values.read_text() == before
    assert run(["edit", str(values), "--undo", f"{values}.undo.2", "--in-place"]) == 0
    assert run(["edit", str(values), "--undo", f"{values}.undo", "--in-place"]) == 0
    assert values.read_text() == ("# ours\n" if changed else "") + MIMIR


def test_a_named_record_that_is_there_is_kept(
    values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--record` names a new file."""
    record = values.parent / "mine.undo"
    record.write_text("something")

    assert run(["edit", str(values), *EDIT, "--in-place", "--record", str(record)]) == 2

    assert "is there already" in capsys.readouterr().err
    assert record.read_text() == "something"
    assert values.read_text() == MIMIR


@pytest.mark.parametrize(
    "text",
    [
        "mimir:\n  structuredConfig: {}\n",
        "mimir: {}\nruler: {replicas: 1}\n",
        "mimir:\n  structuredConfig:\n  config: ~\n",
        MIMIR,
    ],
)
def test_back_to_memberlist_brings_the_bytes_where_a_record_has_them(
    values: Path, text: str
) -> None:
    """Also over several edits, and `structuredConfig: {}` stands where it stood."""
    values.write_text(text)
    flags = ("--product", "mimir")
    for state in ("memberlist+dynamodb", "dynamodb"):
        assert run(["edit", str(values), *EDIT, *flags, "--to", state, "--in-place"]) == 0

    assert (
        run(["edit", str(values), *flags, "--rings", "ruler", "--to", "memberlist", "--in-place"])
        == 0
    )

    assert values.read_text() == text


def test_back_to_memberlist_without_a_record_keeps_the_configuration_s_place(values: Path) -> None:
    """What was there before is not known, and an empty block is the same to Helm as none."""
    values.write_text("mimir:\n  structuredConfig: {}   # ours\n")
    assert run(["edit", str(values), *EDIT, "--in-place"]) == 0
    Path(f"{values}.undo").unlink()

    assert run(["edit", str(values), "--rings", "ruler", "--to", "memberlist", "--in-place"]) == 0

    assert values.read_text() == "mimir:\n  structuredConfig: {}   # ours\n"
    assert run(["edit", str(values), "--rings", "ruler", "--to", "memberlist"]) == 0
    assert values.read_text() == "mimir:\n  structuredConfig: {}   # ours\n"


@pytest.mark.parametrize("shown", [(), ("--diff",), ("--dry-run",), ("--paths",), ("--json",)])
def test_secrets_beside_the_ring_are_not_printed(
    values: Path, shown: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines around a change are shown, and pipelines keep what is printed; files keep their bytes."""
    secrets = "      password: s3cr3t-value\n      url: https://ana:s3cr3t-value@mail.test\n"
    values.write_text(MIMIR + secrets)

    assert run(["edit", str(values), *EDIT, *shown]) == 0
    assert "s3cr3t-value" not in capsys.readouterr().out
    assert run(["edit", str(values), *EDIT, "--in-place"]) == 0
    assert values.read_text().startswith(MIMIR + secrets)


def test_a_secret_of_several_lines_is_not_printed_where_its_name_is_cut_off(
    values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The part that a diff shows begins in the middle of it."""
    lines = "".join(f"        s3cr3t-line-{number}\n" for number in range(6))
    head, ring, rest = MIMIR.partition("    ruler:")
    values.write_text(f"{head}    smtp:\n      password: |\n{lines}{ring}{rest}")

    assert run(["edit", str(values), *EDIT]) == 0
    said = capsys.readouterr().out
    assert "store: multi" in said
    assert "s3cr3t" not in said


def test_a_setting_that_goes_away_is_shown_without_its_secret(
    values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Undoing an edit takes such a line away."""
    values.write_text(MIMIR)
    assert run(["edit", str(values), *EDIT, "--in-place", "--record", f"{values}.record"]) == 0
    text = values.read_text().replace(
        "store: multi", "store: multi\n          secret_key: s3cr3t-value"
    )
    values.write_text(text)
    capsys.readouterr()

    run(["edit", str(values), "--undo", f"{values}.record", "--paths"])
    run(["edit", str(values), "--to", "memberlist", "--rings", "ruler", "--paths"])

    assert "s3cr3t-value" not in capsys.readouterr().out


@pytest.mark.parametrize("rings", [",", ",,", " , ", " "])
def test_a_list_of_no_ring_is_not_all_of_them(
    values: Path, rings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variable that was empty moves nothing."""
    named = (*EDIT[:2], "--rings", rings, *EDIT[4:])

    assert run(["edit", str(values), *named, "--in-place"]) == 2
    assert "names no ring" in capsys.readouterr().err
    assert values.read_text() == MIMIR


def test_the_result_is_not_written_over_the_values_without_a_record(
    values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--output` keeps no undo record, whatever the path looks like."""
    same = values.parent / "." / values.name

    assert run(["edit", str(values), *EDIT, "--output", str(same)]) == 2
    assert "--in-place" in capsys.readouterr().err
    assert values.read_text() == MIMIR


def test_an_edit_can_be_checked_before_it_is_made(
    values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` with `--to`: the change on stdout, on stderr what of it the product does not have."""
    assert run(["edit", str(values), *EDIT, "--check"]) == 3

    shown = capsys.readouterr()
    assert "+          store: multi" in shown.out
    assert shown.out.startswith("--- ")
    assert "ruler.ring.kvstore.dynamodb: this binary has no DynamoDB client" in shown.err
    assert "ruler.ring.kvstore.dynamodb:" not in shown.out
    assert values.read_text() == MIMIR


def test_an_edit_that_does_not_pass_its_check_is_not_written(
    values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--in-place` with it writes what passes only."""
    assert run(["edit", str(values), *EDIT, "--check", "--in-place"]) == 3
    assert values.read_text() == MIMIR
    assert "nothing was written" in capsys.readouterr().err

    words = ("--product", "cortex", "--to", "memberlist", "--rings", "ruler")
    values.write_text("config: {ruler: {ring: {kvstore: {store: dynamodb}}}, limits: {}}\n")
    assert run(["edit", str(values), *words, "--check", "--in-place"]) == 0
    assert "memberlist" in values.read_text()


def test_a_checked_edit_is_one_document(values: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` it has the keys of both."""
    assert run(["edit", str(values), *EDIT, "--check", "--json"]) == 3

    document = json.loads(capsys.readouterr().out)
    assert {"edits", "paths", "diff", "rendered", "against", "unknown"} < set(document)
    assert document["edits"]
    assert [one["path"][-1] for one in document["unknown"]] == ["dynamodb"]


@pytest.mark.parametrize(
    "words", [("--undo", "r", "--check"), ("--undo", "r", "--to", "dynamodb")]
)
def test_two_wishes_that_contradict_are_refused(
    values: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, before the record or the file is read."""
    assert run(["edit", str(values), *words]) == 2
    assert "not allowed with argument --undo" in capsys.readouterr().err


FOREIGN = {
    "keys of something else": ("foo: {bar: 1}\nbaz: 2\n", "foo, baz"),
    "a key of the chart among them": ("foo: 1\nruler: {replicas: 2}\n", ""),
    "a key that any chart has": ("global: {}\n", ""),
    "nothing yet": ("# values of mimir\n", ""),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_what_only_somebodys_word_makes_values_is_said_before_the_difference(
    values: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The keys that it does hold show a wrong file; the edit is printed all the same."""
    text, keys = FOREIGN[case]
    values.write_text(text)

    assert run(["edit", str(values), *EDIT, "--product", "mimir"]) == 0

    answer = capsys.readouterr()
    said = f"warning: {values} holds {keys}, and nothing of the chart's"
    assert (said in answer.err) == bool(keys)
    assert ("nothing of the chart's" in answer.err) == bool(keys)
    assert "+      ring:" in answer.out


def test_a_file_beside_one_with_keys_of_the_chart_may_hold_anything(
    values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of them speaks for both."""
    other = values.with_name("other.yaml")
    other.write_text("foo: 1\n")

    assert run(["edit", str(values), str(other), *EDIT, "--product", "mimir"]) == 0

    assert "nothing of the chart's" not in capsys.readouterr().err
