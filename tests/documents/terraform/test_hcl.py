"""The reader of HCL, held to python-hcl2, and the time that a folder takes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import hcl2
import pytest
from judged import TABLE, judged, policy, role

from mimir_migrate.documents.terraform.language.hcl import read_body
from mimir_migrate.documents.terraform.language.syntax import Body, Literal
from mimir_migrate.errors import DocumentError

Fact = tuple[Any, ...]


def ours(body: Body, at: tuple[str, ...] = ()) -> Iterator[Fact]:
    """Every attribute with its place, and its value where it is a plain text or a number."""
    for name, node in body.attributes.items():
        plain = isinstance(node, Literal) and not node.text.startswith("<<")
        yield (*at, name, node.value if plain and isinstance(node, Literal) else "…")
    for one in body.blocks:
        yield from ours(one.body, (*at, one.type, *one.labels))


def theirs(document: dict[str, Any], at: tuple[str, ...] = ()) -> Iterator[Fact]:
    for key, value in document.items():
        if key.startswith("__"):
            continue
        name = key.strip('"')
        if isinstance(value, list) and value and all(_is_block(one) for one in value):
            for one in value:
                yield from theirs(one, (*at, name))
        elif isinstance(value, dict) and _is_block(value):
            yield from theirs(value, (*at, name))
        else:
            yield (*at, name, _plain(value))


def _is_block(value: Any) -> bool:
    return isinstance(value, dict) and (
        "__is_block__" in value or any(_is_block(one) for one in value.values())
    )


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str) and value.startswith('"') and not value.startswith('"<<'):
        inner = value[1:-1]
        return inner if "${" not in inner and "\\" not in inner else "…"
    return "…"


def agree(text: str) -> None:
    """Both see the same attributes at the same places, and the same plain values."""
    one = sorted(map(repr, ours(read_body(text, "x.tf"))))
    other = sorted(map(repr, theirs(hcl2.loads(text + "\n"))))
    # What one of them takes for an expression is compared by its place alone.
    assert [_place(fact) for fact in one] == [_place(fact) for fact in other]
    for mine, yours in zip(one, other, strict=True):
        assert mine == yours or "'…'" in mine + yours


def _place(fact: str) -> str:
    return fact.rsplit(", ", 1)[0]


@pytest.mark.parametrize(
    "text",
    [
        TABLE + role() + policy(),
        'a "b" c {\n  d = 1 # e\n  /* f */ g = "h" // i\n\n  j {}\n}\n',
        "x = -1\ny = !true\nz = [1, 2,\n  3]\n",
        'x = { a = 1, "b" = 2\n  c : 3 }\n',
        'x = [for k, v in y : "${k}-${v}" if v != null]\nz = { for k in y : k => k... }\n',
        'x = <<EOT\na ${b} "c"\nEOT\ny = <<-EOT\n    a\n  EOT\n',
        'x = a ? b : c == "d:e" ? 1 : 2\n',
        'x = y[0].z["a"].*.b\nw = y[*].c\n',
        'locals { a = "b" }\n',
    ],
)
def test_it_reads_what_python_hcl2_reads(text: str) -> None:
    """Blocks, comments, collections, loops, heredocs, choices, indexes."""
    agree(text)


@pytest.mark.corpus
def test_it_reads_real_files_as_python_hcl2_does(shared: Path) -> None:
    """All of them."""
    files = sorted((shared / "corpus").rglob("*.tf"))
    for path in files:
        agree(path.read_text())
    assert len(files) > 30


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", 2),
        ("a = 1\nb {\n  c = 1\n", 4),
        ('a = "x\n', 1),
        ("a = <<EOT\nb\n", 1),
        ("a = 1 b = 2\n", 1),
        ("\n\na = [1 2]\n", 3),
        ("a = 1\na = 2\n", 2),
        ('a = "${b"\n', 1),
    ],
)
def test_what_is_not_hcl_is_refused_with_its_line(text: str, line: int) -> None:
    """And with what is missing."""
    with pytest.raises(DocumentError) as caught:
        read_body(text, "x.tf")

    assert caught.value.line == line


def test_a_heredoc_s_end_may_have_spaces_behind_it() -> None:
    """Terraform trims the line."""
    node = read_body("a = <<EOT\nb\nEOT  \nc = 1\n", "x.tf").attributes["a"]

    assert isinstance(node, Literal)
    assert node.value == "b\n"


def calls(files: dict[str, str]) -> int:
    """How many functions of this package a judgement calls."""
    count = 0

    def counted(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        if event == "call" and "mimir_migrate" in frame.f_code.co_filename:
            count += 1

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        judged(files=files)
    finally:
        sys.setprofile(before)
    return count


def one_each(number: int) -> str:
    more = role().replace('"pods"', f'"pods{number}"') + policy().replace(
        '"rings"', f'"rings{number}"'
    ).replace("aws_iam_role.pods", f"aws_iam_role.pods{number}")
    return (
        TABLE.replace('"rings"', f'"t{number}"')
        .replace('"t', '"${local.prefix}-t', 1)
        .replace('"aws_dynamodb_table" "${local.prefix}-', '"aws_dynamodb_table" "')
        + more
    )


@pytest.mark.parametrize(
    "written",
    [
        lambda count: "".join(one_each(number) for number in range(count)),
        lambda count: (
            TABLE.replace("  name =", f"  count = {count}\n  name =").replace(
                'name = "rings"', 'name = "${local.prefix}-${count.index}"'
            )
            + policy(
                *(
                    'Effect = "Allow", Action = "dynamodb:*", '
                    f"Resource = aws_dynamodb_table.rings[{number}].arn"
                    for number in range(count)
                )
            )
            + role()
        ),
        lambda count: (
            'module "m" {\n  source   = "./m"\n'
            f"  for_each = toset([for n in range({count}) : tostring(n)])\n  name     = each.key\n}}\n"
        ),
    ],
)
def test_the_work_grows_with_the_folder_and_not_faster(written: Any) -> None:
    """Each name is evaluated once: four times the resources take four times the calls."""
    module = {"m/main.tf": 'variable "name" {}\n' + TABLE.replace('"rings"\n', "var.name\n", 1)}
    locals_ = 'variable "env" { default = "dev" }\nlocals {\n  prefix = "obs-${var.env}"\n}\n'
    few, many = (calls({**module, "main.tf": locals_ + written(count)}) for count in (12, 48))

    assert many < 4.5 * few
