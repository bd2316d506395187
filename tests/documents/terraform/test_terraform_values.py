"""Values in Terraform files: told where they can be, else unknown with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from mimir_migrate.documents.terraform.language.expressions import (
    Unresolved,
    known,
    policy_document,
)
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
        ("10 - 4 - 3", 3),
        ("(false ? 1 : 3\n  + 1)", 4),
        ("var.on ? 1\n  + 1 : 3", 2),
        ("[{ a = [1, 2] }, { a = [3] }][*].a[0]", [1, 3]),
        ("[{ a = [1, 2] }, { a = [3] }].*.a[0]", [1, 2]),
        ("chunklist([1, 2, 3], 2)", [[1, 2], [3]]),
        ("tonumber(null)", None),
        ('{ for a in ["x", "y"] : "k" => a... }', {"k": ["x", "y"]}),
        ("{a=1}", {"a": 1}),
        ("{a=1,b=2}", {"a": 1, "b": 2}),
        ("{a:1,b:2}", {"a": 1, "b": 2}),
        ('"${var.env /* } */}"', "dev"),
        ('"${{ a = "}" }["a"]}"', "}"),
        ("[1, 2] == [1, 2]", True),
        ("[1] == [1, 2]", False),
        ("[1, 3] == [1, 2]", False),
        ("{ a = 1 } == { a = 1 }", True),
        ("{ a = 1 } == { b = 1 }", False),
        ("{ a = 1 } == { a = 2 }", False),
        ('["a", "b"].1', "b"),
        ('"\\u00e9x"', "éx"),
        ('"\\U0001F600x"', "\U0001f600x"),
        ("8 / 4 / 2", 1),
        ("var.region == var.region", True),
        ("true == true", True),
        ("false == true", False),
        ('true == "true"', False),
        ('concat([["a"], ["b"]]...)', ["a", "b"]),
        ('concat([["a"], ["b"]]... )', ["a", "b"]),
        ('lookup({ a = "x" }, "b", "none")', "none"),
        ('lookup({ a = "x" }, "a", "none")', "x"),
        ("<<EOT\na\\b\nEOT", "a\\b\n"),
        ("<<EOT\n\\${var.env}\nEOT", "\\dev\n"),
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


def test_a_map_with_a_key_that_is_not_known_may_hold_any() -> None:
    """So that neither its default nor an error is sure."""
    found = value('lookup({ (var.region) = "x" }, "b", "none")')

    assert isinstance(found, Unresolved)
    assert found.reason == "a map whose keys are not known"


def test_a_value_of_another_type_than_its_variable_is_unknown() -> None:
    """Terraform refuses it; it is not taken for what it looks like."""
    text = 'variable "n" {\n  type    = number\n  default = "many"\n}\nlocals {\n  x = var.n\n}\n'
    (module,), _ = read_modules({"main.tf": text})

    assert module.local("x").reason == "the variable n has another type"


def test_json_is_known_as_far_as_its_value_is() -> None:
    """A text that is made of a value which is not known is not known either."""
    assert known(value('jsonencode({ a = "b" })'))
    assert not known(value("jsonencode({ a = var.region })"))


def test_an_expression_of_any_length_has_a_value_or_a_reason() -> None:
    """Never an error of Python's."""
    long = value(" + ".join(["1"] * 4000))

    assert long == 4000 or isinstance(long, Unresolved)


@pytest.mark.parametrize(
    "text",
    [
        "locals {\n  x =\n}\n",
        "locals {\n  x = [1, ]]\n}\n",
        "locals {\n  x = [for a of b : a]\n}\n",
        "locals {\n  x = max(1 2)\n}\n",
        "locals {\n  x == 1\n}\n",
        "locals {\n  x = <\n}\n",
    ],
)
def test_what_is_not_an_expression_is_told(text: str) -> None:
    """With its place."""
    with pytest.raises(DocumentError) as raised:
        read_body(text, "main.tf")

    assert raised.value.line


def test_two_lists_with_something_unknown_are_not_known_to_be_the_same() -> None:
    """Only one expression by itself is the same as itself."""
    assert isinstance(value("[var.region] == [var.region]"), Unresolved)


def test_a_range_has_as_many_elements_as_terraform_makes() -> None:
    """1,024; it refuses one of more."""
    assert value("length(range(1024))") == 1024
    assert isinstance(value("range(1025)"), Unresolved)


def test_a_name_of_no_kind_is_only_known_to_terraform() -> None:
    """A type of resource has an underscore in it."""
    assert value("foo.bar").reason == "an expression that only Terraform computes"


def test_an_output_that_a_module_does_not_have_is_told() -> None:
    """And one without a value is as good as none."""
    files = {
        "main.tf": 'module "m" {\n  source = "./m"\n}\nlocals {\n  x = module.m.a\n  y = module.m.b\n}\n',
        "m/main.tf": 'output "b" {\n}\n',
    }
    modules, _ = read_modules(files)
    root = next(one for one in modules if not one.prefix)

    assert root.local("x").reason == "the module has no output a"
    assert root.local("y").reason == "the module has no output b"


def test_what_has_no_value_in_a_module_is_an_error_that_can_be_tried() -> None:
    """As `try` takes its next argument."""
    files = {
        "main.tf": 'module "m" {\n  source = "./m"\n}\nlocals {\n  x = try(module.m.a, "b")\n}\n',
        "m/main.tf": "",
    }
    modules, _ = read_modules(files)
    root = next(one for one in modules if not one.prefix)

    assert root.local("x") == "b"
    assert root.local("nobody").reason == "there is no local nobody"


def test_the_last_file_of_values_wins() -> None:
    """`terraform.tfvars` first, whatever its name sorts after."""
    files = {
        "main.tf": 'variable "a" {}\nlocals {\n  x = var.a\n}\n',
        "terraform.tfvars": 'a = "first"\n',
        "a.auto.tfvars": 'a = "second"\n',
        "b.auto.tfvars": 'a = "third"\n',
    }
    (module,), _ = read_modules(files)

    assert module.local("x") == "third"
    del files["b.auto.tfvars"]
    (module,), _ = read_modules(files)
    assert module.local("x") == "second"
