"""Whatever stands in a Terraform folder, it is judged or refused in words; nothing else comes out."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judged import ARN, TABLE, judged, policy, role

from mimir_migrate.documents.terraform.findings import assess
from mimir_migrate.documents.terraform.language.hcl import read_body
from mimir_migrate.documents.terraform.language.json_syntax import read_json_body
from mimir_migrate.documents.terraform.show import read_show
from mimir_migrate.documents.terraform.write import labels_taken
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.facts import ServiceAccount

WORDS = st.sampled_from(
    [
        *(
            '"',
            "${",
            "}",
            "{",
            "[",
            "]",
            "(",
            ")",
            "=",
            "=>",
            "?",
            ":",
            "...",
            "*",
            ".",
            ",",
            "\n",
        ),
        *("<<EOT\n", "EOT", "%{ if x }", "$${", "\\", "#", "//", "/*", "*/", "for", "in", "if"),
        *("var.a", "local.b", "each.key", "data.aws_region.r.name", "module.m.x", "null", "true"),
        *(
            "lower(",
            "jsonencode(",
            "file(",
            "format(",
            "merge(",
            "[for a in b : a]",
            "0x_",
            "9" * 400,
        ),
        *('resource "aws_iam_role" "r" {\n', 'resource "aws_dynamodb_table" "t" {\n', "name = "),
        *(
            "locals {\n",
            'variable "a" {\n',
            'module "m" {\n  source = "./m"\n',
            "count = ",
            "\ufeff",
        ),
        *("assume_role_policy = ", "for_each = ", 'dynamic "statement" {\n', "\x00", "é", "🙂"),
    ]
)
texts = st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=25).map(" ".join))
NAMES = ("main.tf", "x.tf.json", "y.tofu", "override.tf", "terraform.tfvars", "a.auto.tfvars.json")
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
WHOLE = (
    TABLE
    + role()
    + policy()
    + 'locals {\n  a = { for one in ["x"] : one => lower("${one}") if one != "" }\n'
    '  b = <<-EOT\n    text ${local.a["x"]}\n  EOT\n  c = var.d ? [1, 2.5] : null\n}\n'
    'variable "d" {\n  type    = bool\n  default = true # yes\n}\n'
)


def judge_all(files: dict[str, str], shown: str | None = None) -> None:
    try:
        found = assess(
            files,
            show_json=shown,
            tables=["rings"],
            namespace="monitoring",
            service_accounts=[ServiceAccount(name="mimir", role=ARN)],
            client_version="",
            region="eu-west-1",
        )
    except DocumentError:
        assert shown is not None
        return
    assert all(one.title for one in found)
    assert all("\ue000" not in one.title for one in found)
    labels_taken(files)


@relaxed
@given(st.dictionaries(st.sampled_from(NAMES), texts, max_size=3))
def test_garbage_is_judged_or_told(files: dict[str, str]) -> None:
    """A folder of anything gives findings."""
    judge_all(files)


@relaxed
@given(texts)
def test_expressions_of_garbage_are_values_or_told(text: str) -> None:
    """As the value of a table's name, a count, a policy and a trust policy."""
    judge_all(
        {
            "main.tf": f'locals {{\n  x = {text}\n}}\nresource "aws_dynamodb_table" "t" {{\n'
            "  name = local.x\n  count = local.x\n}\n"
            'resource "aws_iam_role" "pods" {\n  name = "pods"\n  assume_role_policy = local.x\n}\n'
            'resource "aws_iam_role_policy" "p" {\n  role = "pods"\n  policy = local.x\n}\n'
        }
    )


def readers(text: str) -> Iterator[None]:
    for read in (read_body, read_json_body):
        try:
            read(text, "x")
        except DocumentError as error:
            assert error.hint  # noqa: PT017 - it says what next
        yield
    try:
        read_show(text)
    except DocumentError as error:
        assert error.hint  # noqa: PT017
    yield


@relaxed
@given(texts)
def test_each_reader_refuses_in_words(text: str) -> None:
    """HCL, JSON and what `terraform show` prints."""
    assert len(list(readers(text))) == 2 + 1


SHOWN = (
    *("resource", "aws_dynamodb_table", "aws_iam_role", "t", "name", "module", "locals", "//"),
    *("format_version", "values", "root_module", "resources", "child_modules", "type", "address"),
    *("attribute", "ttl", "assume_role_policy", "policy", "inline_policy", "roles", "count"),
)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "a", "${var.x}", "arn:a", "*"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(SHOWN), inner, max_size=5)
    ),
    max_leaves=20,
)


@relaxed
@given(values)
def test_json_of_any_shape_is_judged_or_told(value: object) -> None:
    """As a file of the folder, and as what was shown."""
    text = json.dumps(value)
    judge_all({"main.tf.json": text})
    judge_all({"main.tf": WHOLE}, text)


def damaged(text: str, seed: int) -> str:
    """Cut, doubled, a bit flipped, or two pieces exchanged."""
    draw = random.Random(seed)
    data = bytearray(text.encode())
    at, to = sorted((draw.randrange(len(data) + 1), draw.randrange(len(data) + 1)))
    kind = seed % 5
    if kind == 0:
        data = data[:at]
    elif kind == 1:
        data = data[:to] + data[at:]
    elif kind == 2:
        for _ in range(1 + seed % 4):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif kind == 3:
        del data[at:to]
    else:
        data = data[at:to] + data[:at] + data[to:]
    return data.decode("utf-8", "replace")


@pytest.mark.parametrize("seed", range(150))
def test_a_damaged_folder_is_judged_or_told(seed: int) -> None:
    """Wherever the damage is."""
    judge_all(
        {"main.tf": damaged(WHOLE, seed), "x.tf.json": damaged('{"locals": {"a": 1}}', seed)}
    )


def real_files(shared: Path) -> list[Path]:
    return sorted((shared / "corpus").rglob("*.tf"))


@pytest.mark.corpus
@pytest.mark.parametrize("seed", range(40))
def test_damaged_real_files_are_judged_or_told(shared: Path, seed: int) -> None:
    """One of them, damaged in its own way."""
    files = real_files(shared)

    judge_all({"main.tf": damaged(files[seed % len(files)].read_text(), seed)})


@pytest.mark.soak
@pytest.mark.corpus
def test_every_real_file_damaged_often_is_judged_or_told(shared: Path) -> None:
    """Each of them in many ways."""
    for number, path in enumerate(real_files(shared)):
        text = path.read_text()
        for seed in range(60):
            judge_all({"main.tf": damaged(text, number * 1_000 + seed)})


@pytest.mark.parametrize(
    "text",
    [
        "locals {\n  a = " + "(" * 5_000 + "\n}\n",
        "locals {\n  a = " + "[" * 5_000 + "]" * 5_000 + "\n}\n",
        "locals {\n  a = " + "!" * 5_000 + "true\n}\n",
        "locals {\n  a = 1" + " + 1" * 5_000 + "\n}\n",
        "locals {\n  a = " + "9" * 5_000 + "\n}\n",
        "locals {\n  a = 1e999999\n}\n",
        'resource "aws_dynamodb_table" "t" {\n  count = jsondecode("[NaN, Infinity]")[0]\n}\n',
        'resource "aws_dynamodb_table" "t" {\n  count = jsondecode("[NaN, Infinity]")[1]\n}\n',
        "a {\n" * 5_000,
        'locals {\n  a = "' + "${" * 2_000 + '"\n}\n',
        "locals {\n"
        + "".join(f'  a{n} = "${{local.a{n + 1}}}${{local.a{n + 1}}}"\n' for n in range(60))
        + '  a60 = "x"\n}\n',
        "locals {\n"
        + "".join(f"  a{n} = [local.a{n + 1}, local.a{n + 1}]\n" for n in range(18))
        + "  a18 = []\n}\n",
        "locals {\n  a = range(1e12)\n}\n",
        "locals {\n  a = local.b\n  b = local.c\n  c = local.a\n}\n",
        'module "m" {\n  source = "./"\n}\n',
        'resource "aws_dynamodb_table" "t" {\n  count = 1e9\n  name = "x"\n}\n',
        'resource "aws_dynamodb_table" "t" {\n  name = aws_dynamodb_table.t.name\n}\n',
        'variable "v" { default = var.v }\n',
        (
            'data "aws_iam_policy_document" "d" {\n  source_policy_documents = [data.aws_iam_policy_document.d.json]\n}\n'
            'resource "aws_iam_role" "pods" {\n  name = "pods"\n  assume_role_policy = data.aws_iam_policy_document.d.json\n}\n'
        ),
    ],
)
def test_what_is_too_much_is_told(text: str) -> None:
    """Depth, size, circles."""
    tail = 'resource "aws_dynamodb_table" "last" {\n  name = tostring(local.a)\n}\nlocals {\n  z = local.a0\n}\n'

    judge_all({"main.tf": text + tail, "use.tf": 'output "o" {\n  value = local.a0\n}\n'})


def test_the_sound_folder_of_these_tests_is_sound() -> None:
    """Damage is what makes the difference."""
    assert set(judged(WHOLE)) == {"terraform-table-found"}
