"""`init` looks around, asks what it cannot find, and writes a commented target file."""

from __future__ import annotations

import builtins
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mimir_migrate.cli.initialising import Answers
from mimir_migrate.documents.target_text import target_text
from mimir_migrate.errors import ExitCode, UnreachableError, UsageError
from mimir_migrate.flags import FLAGS
from mimir_migrate.model.hooks import OnFailure
from mimir_migrate.model.target import (
    CopyPlace,
    DeployMethod,
    DeployTarget,
    HooksTarget,
    JournalTarget,
    KubernetesTarget,
    TableTarget,
    Target,
    ValuesTarget,
)
from mimir_migrate.settings import load_target

VALUES = "mimir:\n  structuredConfig:\n    ingester:\n      ring:\n        num_tokens: 512\n"
GIVEN = (
    *("--namespace", "observability", "--release", "mimir", "--aws-region", "eu-west-1"),
    *("--table", "rings", "--deploy-method", "external"),
)


class Around:
    """What there is around: offers by entry; an entry of None cannot be asked for."""

    def __init__(self, **offers: tuple[str, ...] | None) -> None:
        self._offers = offers
        self.says = ""

    def offers(self, entry: str, target: Target) -> tuple[str, ...]:
        found = self._offers.get(entry.replace("-", "_"), ())
        if found is None:
            raise UnreachableError(self.says or f"asking for {entry}: nobody answers")
        return found


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the operator types, line by line."""
    lines: list[str] = []

    def typed(_: str = "") -> str:
        if not lines:
            raise EOFError
        return lines.pop(0)

    monkeypatch.setattr(builtins, "input", typed)
    yield lines
    assert lines == []


def test_what_is_found_and_given_is_written(cli, place: Path) -> None:
    """A file that loads, with paths relative to it, and the next command."""
    (place / "helm").mkdir()
    (place / "helm" / "values.yaml").write_text(VALUES)
    (place / "helm" / "grafana.yaml").write_text("grafana: {adminUser: x}\n")

    answer = cli("init", *GIVEN, code=0)

    written = tomllib.loads((place / "target.toml").read_text())
    assert written["values"]["files"] == ["helm/values.yaml"]
    assert written["kubernetes"] == {"namespace": "observability", "release": "mimir"}
    assert written["deploy"] == {"method": "external"}
    assert "mimir-migrate inspect" in answer.err
    assert load_target(str(place / "target.toml"), {}).dynamodb.table == "rings"


def test_what_could_not_be_found_stands_as_a_comment(cli, place: Path) -> None:
    """Exit 3: the file is there, and says what is to be filled in and why it was not found."""
    answer = cli("init", code=ExitCode.BLOCKED)

    text = (place / "target.toml").read_text()
    assert "# namespace = " in text
    assert "not found: " in text
    assert "[kubernetes] namespace" in answer.err
    assert answer.err.splitlines()[-1].endswith("Fill that in there, then: mimir-migrate inspect")
    assert "read it, then" not in answer.err
    assert tomllib.loads(text)["kubernetes"] == {}


def test_a_file_that_is_there_is_never_replaced(cli, place: Path) -> None:
    """Exit 2; its bytes stay."""
    (place / "target.toml").write_text("[kubernetes]\n")
    cli("init", *GIVEN, code=ExitCode.USAGE)
    assert (place / "target.toml").read_text() == "[kubernetes]\n"
    cli("init", *GIVEN, "--output", "other.toml", code=ExitCode.BLOCKED)


def test_enter_takes_the_likeliest_a_number_another_and_a_dash_none(types: list[str]) -> None:
    """The ways to answer."""
    answers = Answers(
        {},
        Around(context=("here", "there"), namespace_of_ours=("a", "b"), release=("r",)),
        asks=True,
    )
    types += ["", "2", "-"]
    for flag in ("context", "namespace", "release"):
        answers.settle(flag)

    found = answers.target().kubernetes
    assert (found.context, found.namespace, found.release) == ("here", "b", "")
    assert answers.notes["kubernetes", "release"] == "found: r"


def test_a_wrong_answer_is_asked_again(types: list[str]) -> None:
    """The reason is said; nothing is taken that the target file would refuse."""
    answers = Answers({}, Around(), asks=True)
    types += ["Ireland", "eu-west-1"]
    answers.settle("aws-region")
    assert answers.target().aws.region == "eu-west-1"


def test_a_context_that_the_kubeconfig_does_not_have_is_asked_for_again(
    types: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """However often it is typed; the ones that are there are named."""
    answers = Answers({}, Around(context=("here", "there")), asks=True)
    types += ["banana", "banana", "there"]
    answers.settle("context")

    assert answers.target().kubernetes.context == "there"
    assert "no context is called 'banana'; there is: here, there" in capsys.readouterr().err


def test_without_a_kubeconfig_no_context_is_asked_for(
    types: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing that a name could be checked against; why is said once, not at each question."""
    around = Around(context=None, namespace_of_ours=None)
    around.says = "there is no kubeconfig at ~/.kube/config"
    answers = Answers({}, around, asks=True)
    types += ["observability"]
    answers.settle("context")
    answers.settle("namespace")

    told = capsys.readouterr().err
    assert "Which context" not in told
    assert told.count("there is no kubeconfig at ~/.kube/config") == 1
    assert answers.target().kubernetes.context == ""
    assert answers.target().kubernetes.namespace == "observability"


def test_a_name_that_was_not_found_is_taken_when_it_is_typed_again(
    types: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A namespace may be hidden, a file may come yet; a table may be new and is taken at once."""
    offers = Around(namespace_of_ours=("mimir",), values_of_ours=("v.yaml",), table=("old",))
    answers = Answers({}, offers, asks=True)
    types += ["mimmir", "mimir", "mine.yaml", "mine.yaml", "new"]
    for flag in ("namespace", "values", "table"):
        answers.settle(flag)

    found = answers.target()
    assert found.kubernetes.namespace == "mimir"
    assert [Path(one).name for one in found.values.files] == ["mine.yaml"]
    assert found.dynamodb.table == "new"
    assert "no namespace is called 'mimmir'; there is: mimir" in capsys.readouterr().err


def test_the_end_of_the_answers_writes_nothing(types: list[str]) -> None:
    """Ctrl-D is a no."""
    with pytest.raises(UsageError, match="nothing was written"):
        Answers({}, Around(), asks=True).settle("namespace")


def test_nothing_is_guessed_where_nobody_is_asked() -> None:
    """One offer is taken, of several none; what was found stands beside the entry."""
    answers = Answers(
        {}, Around(context=("one",), namespace_of_ours=("a", "b"), release=None), asks=False
    )
    for flag in ("context", "namespace", "release"):
        answers.settle(flag)

    found = answers.target().kubernetes
    assert (found.context, found.namespace) == ("one", "")
    assert answers.notes["kubernetes", "namespace"] == "found: a, b"
    assert "nobody answers" in answers.notes["kubernetes", "release"]


def test_every_entry_stands_in_the_text_and_comes_back(tmp_path: Path) -> None:
    """Also with signs that TOML quotes."""
    target = Target(
        folder=str(tmp_path),
        kubernetes=KubernetesTarget(namespace="n", release="r", context='a "b" \\ c'),
        values=ValuesTarget(files=(str(tmp_path / "v.yaml"), "/else/w.yaml")),
        dynamodb=TableTarget(table="t-{ring}", puller_sync_time="5s"),
        deploy=DeployTarget(method=DeployMethod.COMMAND, command="a\tb # c"),
        hooks=HooksTarget(approval="./say.sh", on_failure=OnFailure.HOLD),
        journal=JournalTarget(copy=CopyPlace.CLUSTER),
    )
    text = target_text(target, folder=str(tmp_path))
    (tmp_path / "target.toml").write_text(text)

    assert load_target(str(tmp_path / "target.toml"), {}) == target
    for section, key, what in FLAGS.values():
        assert f"[{section}]" in text
        assert f"{key} = " in text
        assert what in text
