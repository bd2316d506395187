"""Values in Terraform files: told where they can be, else unknown with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from mimir_migrate.documents.terraform.language.expressions import Unresolved, policy_document
from mimir_migrate.documents.terraform.language.hcl import read_body
from mimir_migrate.documents.terraform.modules import read_modules
from mimir_migrate.errors import DocumentError

NAMES = """\
variable "env" { default = "dev" }
variable "region" {}
variable "on" {
  type    = bool
  default = "true"
}
variable "tags" { default = { team = "x" } }
locals {
  name   = "rings-${var.env}"
  circle = local.circle
}
data "aws_caller_identity" "me" {}
"""


def value(expression: str) -> Any:
    (module,), unread = read_modules({"main.tf": f"{NAMES}locals {{\n  x = {expression}\n}}\n"})
    assert unread == ()
    return module.local("x")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('"plain"', "plain"),
        ("5", 5),
        ("true", True),
        ("null", None),
        ("var.env", "dev"),
        ('"${var.env}-x"', "dev-x"),
        ("local.name", "rings-dev"),
        ('"a-${local.name}-${var.env}"', "a-rings-dev-dev"),
        ("var.tags.team", "x"),
        ('var.tags["team"]', "x"),
        ('format("%s-%s", var.env, "y")', "dev-y"),
        ('join("-", [var.env, "y"])', "dev-y"),
        ('lower("ABC")', "abc"),
        ('merge(var.tags, { a = "b" })', {"team": "x", "a": "b"}),
        ('concat(["a"], [var.env])', ["a", "dev"]),
        ('var.on ? "yes" : "no"', "yes"),
        ('var.env == "prod" ? 1 : 0', 0),
        ('{ "${var.env}:sub" = "s" }', {"dev:sub": "s"}),
        ('"$${kept}"', "${kept}"),
        ('"say \\"hi\\""', 'say "hi"'),
        ("<<EOT\nline ${var.env}\nEOT", "line dev\n"),
        ("<<-EOT\n    indented\n  EOT", "indented\n"),
    ],
)
def test_what_the_files_tell_is_known(expression: str, expected: object) -> None:
    """Literals, variables with values, locals and pure functions are filled in."""
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "text", "reason"),
    [
        ("var.region", "${var.region}", "the variable region has no default"),
        ('"${var.env}-${var.region}"', "dev-${var.region}", "the variable region has no default"),
        ("module.rings.name", "${module.rings.name}", "computed in module rings"),
        (
            "data.aws_caller_identity.me.account_id",
            "${this account}",
            "looked up by data aws_caller_identity.me",
        ),
        (
            "aws_dynamodb_table.rings.name",
            "${aws_dynamodb_table.rings.name}",
            "known only once aws_dynamodb_table.rings is made",
        ),
        ("local.circle", "${local.circle}", "it refers to itself"),
        ("var.on ? module.a.x : 1", "${module.a.x}", "computed in module a"),
    ],
)
def test_what_only_terraform_computes_says_why(expression: str, text: str, reason: str) -> None:
    """The text keeps what is known, the reason names what is not."""
    found = value(expression)

    assert isinstance(found, Unresolved)
    assert (found.text, found.reason) == (text, reason)


def test_a_policy_is_read_from_jsonencode_and_from_a_heredoc() -> None:
    """Both ways of writing one give the same document."""
    encoded = value('jsonencode({ Statement = [{ Action = "a:${var.env}" }] })')
    heredoc = value('<<EOT\n{"Statement": [{"Action": "a:${var.env}"}]}\nEOT')

    assert policy_document(encoded) == policy_document(heredoc)
    assert policy_document(encoded) == {"Statement": [{"Action": "a:dev"}]}
    assert isinstance(policy_document(value('file("policy.json")')), Unresolved)


def test_a_file_that_is_not_hcl_is_refused_with_its_place() -> None:
    """The message has file and line."""
    with pytest.raises(DocumentError, match=r"main\.tf:2"):
        read_body('resource "a" "b" {\n  = 1\n}\n', "main.tf")


def test_windows_line_ends_and_a_byte_order_mark_are_read() -> None:
    """Files from a Windows editor are Terraform too."""
    body = read_body('\ufeffx = "a"\r\ny = "b"', "x.tf")

    assert {key: node.text for key, node in body.attributes.items()} == {"x": '"a"', "y": '"b"'}
