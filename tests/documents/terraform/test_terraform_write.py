"""The new Terraform file: what is in it, and that `terraform fmt` would leave it as it is."""

from __future__ import annotations

import re
from pathlib import Path

import hcl2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mimir_migrate.documents.terraform.folder import read_terraform
from mimir_migrate.documents.terraform.language.hcl import read_body
from mimir_migrate.documents.terraform.write import (
    RingTable,
    labels_taken,
    quoted,
    terraform_file,
)
from mimir_migrate.errors import BlockedError
from mimir_migrate.model.changes import TableSpec
from mimir_migrate.model.facts import Table, TableKey

ACTIONS = ("dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem")
RING_KEYS = (
    TableKey(name="RingKey", role="HASH", type="S"),
    TableKey(name="InstanceKey", role="RANGE", type="S"),
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def not_formatted(text: str) -> list[str]:
    """Lines that `terraform fmt` would change, by its rules.

    Two spaces for each open bracket; in neighbouring lines with an assignment whose brackets close
    on the same line, the `=` stand in one column, one space after the longest name.
    """
    wrong = []
    depth = 0
    chain: list[tuple[str, str]] = []
    for line in [*text.split("\n"), ""]:
        bare = _STRING.sub(lambda found: "s" * len(found[0]), line)
        bare = re.sub(r"(^|\s)(#|//).*$", "", bare)
        opened = sum(bare.count(one) for one in "{[(")
        closed = sum(bare.count(one) for one in "}])")
        leading = re.match(r"^[\s\]})]*", bare)
        first = depth - sum((leading[0] if leading else "").count(one) for one in "}])")
        if line != line.rstrip() or (line.strip() and len(line) - len(line.lstrip()) != 2 * first):
            wrong.append(line)
        assignment = re.match(r"^(\s*\S+)(\s+)= \S", bare)
        if assignment and opened == closed:
            chain.append((assignment[1], line))
        else:
            column = max((len(name) for name, _ in chain), default=0)
            wrong += [one for name, one in chain if one[column : column + 3] != " = "]
            chain = []
        depth += opened - closed
    if not text.endswith("\n") or text.endswith("\n\n"):
        wrong.append("the end of the file")
    return wrong


def ring(name: str = "rings", **more: object) -> TableSpec:
    return TableSpec(name=name, region="eu-west-1", **more)  # type: ignore[arg-type]


def test_a_table_is_written_as_the_ring_client_needs_it() -> None:
    """On-demand, protected, with the ring's keys, without a TTL that nobody asked for."""
    text = terraform_file([RingTable(spec=ring())], actions=ACTIONS)

    (table,) = read_terraform({"new.tf": text}).tables
    assert (table.name.value, table.is_ring_table) == ("rings", True)
    assert (table.billing.value, table.deletion_protection) == ("PAY_PER_REQUEST", True)
    assert (table.ttl_attribute, table.kms_key) == ("", "")
    assert "eu-west-1" in text
    assert "import" not in text


def test_a_ttl_is_written_where_it_is_asked_for() -> None:
    """By the attribute that the ring client writes."""
    text = terraform_file([RingTable(spec=ring(ttl=True))], actions=ACTIONS)

    assert read_terraform({"new.tf": text}).tables[0].ttl_attribute == "ttl"


def test_a_table_that_is_there_is_imported_and_keeps_what_it_has() -> None:
    """Its key and its TTL would else be taken away by the first apply."""
    there = Table(name="rings", keys=RING_KEYS, kms_key="arn:aws:kms:key", ttl_attribute="ttl")

    text = terraform_file([RingTable(spec=ring(), existing=there)], actions=ACTIONS)

    (table,) = read_terraform({"new.tf": text}).tables
    assert (table.kms_key, table.ttl_attribute) == ("arn:aws:kms:key", "ttl")
    assert hcl2.loads(text)["import"][0]["id"] == '"rings"'
    assert "kms:Decrypt" in text


def test_a_table_with_other_keys_is_not_imported() -> None:
    """Terraform would destroy and make it again."""
    index = Table(name="rings", keys=(TableKey(name="metric_name", role="HASH", type="S"),))

    with pytest.raises(BlockedError, match="metric_name"):
        terraform_file([RingTable(spec=ring(), existing=index)], actions=ACTIONS)


def test_the_policy_allows_the_pods_what_their_client_calls() -> None:
    """It is attached to the role where the role is known, and names the tables alone."""
    text = terraform_file(
        [RingTable(spec=ring("a")), RingTable(spec=ring("b"))], actions=ACTIONS, role="pods"
    )
    trusted = (
        'resource "aws_iam_role" "pods" {\n  name = "pods"\n'
        "  assume_role_policy = jsonencode({ Statement = [{ Condition = { StringEquals = "
        '{ "x:sub" = "system:serviceaccount:a:b" } } }] })\n}\n'
    )
    by_reference = text.replace('= "pods"', "= aws_iam_role.pods.name")

    (role,) = read_terraform({"new.tf": trusted + by_reference}).roles

    (statement,) = role.statements
    assert set(statement.actions) == set(ACTIONS)
    assert {one.rsplit("/", 1)[-1] for one in statement.resources} == {"a", "b"}


def test_no_label_of_the_folder_is_used_twice() -> None:
    """A second resource of one name stops Terraform."""
    files = {
        "main.tf": 'resource "aws_dynamodb_table" "rings" {\n}\n'
        'data "aws_iam_policy_document" "ring_tables" {\n}\n'
    }

    text = terraform_file(
        [RingTable(spec=ring("rings")), RingTable(spec=ring("rings.x"))],
        actions=ACTIONS,
        taken=labels_taken(files),
    )

    assert labels_taken(files) == {"rings", "ring_tables"}
    assert labels_taken({"new.tf": text}) == {"rings_2", "rings_x", "ring_tables_2"}


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20)
names = st.from_regex(r"\A[a-zA-Z0-9_.-]{3,30}\Z")


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.builds(
            TableSpec,
            name=names,
            region=st.just("eu-west-1"),
            ttl=st.booleans(),
            deletion_protection=st.booleans(),
            tags=st.dictionaries(texts.filter(bool), texts, max_size=3),
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda one: one.name,
    ),
    names,
)
def test_every_file_is_formatted_and_parses_back(specs: list[TableSpec], role: str) -> None:
    """Whatever the names and tags are."""
    tables = [RingTable(spec=one) for one in specs]

    text = terraform_file(tables, actions=ACTIONS, role=role)

    read = read_terraform({"new.tf": text})
    assert not_formatted(text) == []
    assert read.unread == ()
    assert [one.name.value for one in read.tables] == [one.name for one in specs]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))))
def test_a_quoted_text_means_itself(text: str) -> None:
    """Quotes, backslashes and `${` in it are none of HCL's."""
    node = read_body(f"x = {quoted(text)}\n", "x.tf").attributes["x"]

    assert getattr(node, "value", None) == text


def test_the_check_of_the_format_finds_what_is_not_formatted() -> None:
    """It is worth something: each rule that is broken is found."""
    good = 'a "b" {\n  long = 1\n  x    = "{"\n\n  c = [\n    1,\n  ]\n}\n'

    assert not_formatted(good) == []
    for before, after in (
        ("x    =", "x ="),
        ("  long", "   long"),
        ("    1,", "  1,"),
        ("}\n", "}"),
        ("= 1\n", "= 1 \n"),
    ):
        assert not_formatted(good.replace(before, after)) != []


@pytest.mark.corpus
def test_the_check_of_the_format_passes_formatted_files(shared: Path) -> None:
    """Files of projects that run `terraform fmt` in their checks have nothing to complain of."""
    for path in sorted((shared / "corpus" / "tf").glob("terraform-aws-modules__*.tf")):
        # What stands in a heredoc is the operator's.
        text = re.sub(r"<<-?(\w+)\n.*?\n\s*\1\n", '""\n', path.read_text(), flags=re.DOTALL)
        assert not_formatted(text) == [], path.name


def test_the_policy_is_named_as_asked_or_after_the_first_table() -> None:
    """In the resource that is written."""
    table = [RingTable(spec=ring())]

    assert '"rings-pods"' in terraform_file(table, actions=ACTIONS)
    named = terraform_file(table, actions=ACTIONS, policy="mine")
    assert '"mine"' in named
    assert "rings-pods" not in named
