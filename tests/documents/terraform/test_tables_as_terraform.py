"""Which tables a folder makes, as Terraform decides it."""

from __future__ import annotations

import pytest
from judged import ARN, FINE, KEYS, TABLE, judged, policy, role

from mimir_migrate.documents.terraform.folder import read_terraform

MISSING = {"terraform-table-missing"}
UNKNOWN = {"terraform-table-unknown"}


def found(*texts: str, table: str = "rings", region: str = "eu-west-1") -> set[str]:
    return set(judged(*texts, role(), policy(), table=table, region=region))


def of_files(files: dict[str, str], *, table: str = "rings") -> set[str]:
    return set(judged(files={"role.tf": role() + policy(), **files}, table=table))


def with_count(written: str) -> str:
    return TABLE.replace("  name =", f"  {written}\n  name =")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("count = 1", FINE),
        ("count = var.yes ? 1 : 0", FINE),
        ('count = "1"', FINE),
        ("count = length(var.names)", FINE),
        ("count = var.no ? 0 : 1", FINE),
        ("count = !var.no && var.yes ? 1 : 0", FINE),
        ('count = tonumber("1")', FINE),
        ("count = 0", MISSING),
        ("count = (0)", MISSING),
        ("count = (var.no ? 1 : 0)", MISSING),
        ("count = var.no && var.open ? 1 : 0", MISSING),
        ("count = length([])", MISSING),
        ("for_each = {}", MISSING),
        ("for_each = toset([])", MISSING),
        ('for_each = var.yes ? toset([]) : toset(["a"])', MISSING),
        ('for_each = { for one in var.names : one => one if one == "z" }', MISSING),
        ("for_each = toset(var.names)", FINE),
        ("count = var.open", UNKNOWN),
        ("count = var.open ? 1 : 0", UNKNOWN),
        ("count = length(var.open)", UNKNOWN),
        ("count = module.elsewhere.count", UNKNOWN),
        ('count = data.aws_region.r.name == "x" ? 1 : 0', UNKNOWN),
        ("for_each = var.open", UNKNOWN),
        ("for_each = toset(var.open)", UNKNOWN),
        ("for_each = unheard_of(1)", UNKNOWN),
        ("lifecycle {\n    enabled = false\n  }", MISSING),
        ("lifecycle {\n    enabled = var.open\n  }", UNKNOWN),
    ],
)
def test_a_table_is_made_as_often_as_its_count_says(written: str, expected: set[str]) -> None:
    """None where it is 0, unknown where nobody can tell."""
    names = """\
variable "yes" { default = true }
variable "no" { default = "false" }
variable "open" {}
variable "names" { default = ["a"] }
data "aws_region" "r" {}
"""

    assert found(with_count(written), names) == expected


def test_an_unknown_count_is_shown() -> None:
    """With the expression and why it is not known."""
    title = judged(with_count("count = var.open ? 1 : 0"), 'variable "open" {}\n')[
        "terraform-table-unknown"
    ].title

    assert "${var.open ? 1 : 0}" in title
    assert "the variable open has no default" in title


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ('lower("RINGS")', FINE),
        ('"${lower("RI")}ngs"', FINE),
        ('join("", ["ri", "ngs"])', FINE),
        ('format("%s%s", "ri", "ngs")', FINE),
        ('trimprefix("x-rings", "x-")', FINE),
        ('replace("r_ings", "_", "")', FINE),
        ('coalesce("", "rings")', FINE),
        ('try(var.object.absent, "rings")', FINE),
        ("var.object.name", FINE),
        ('lookup(var.object, "name", "x")', FINE),
        ('element(["rings"], 0)', FINE),
        ('one(["rings"])', FINE),
        ('split("/", "a/rings")[1]', FINE),
        ('substr("my-rings", 3, 5)', FINE),
        ('jsondecode("{\\"a\\": \\"rings\\"}").a', FINE),
        ('[for one in ["x", "rings"] : one if one != "x"][0]', FINE),
        ("keys({ rings = 1 })[0]", FINE),
        ('true ? "rings" : "a:b"', FINE),
        ('var.object.name == "rings" ? "rings" : "x:y:z"', FINE),
        ('upper("rings")', MISSING),
        ('"other"', MISSING),
        ("unheard_of(1)", UNKNOWN | {"terraform-name-unknown"}),
        ("lower()", UNKNOWN | {"terraform-name-unknown"}),
        ("var.open", UNKNOWN | {"terraform-name-unknown"}),
        ('"${var.open}ngs"', UNKNOWN | {"terraform-name-unknown"}),
        ('"${var.open}-other"', MISSING | {"terraform-name-unknown"}),
        ("random_pet.name.id", UNKNOWN | {"terraform-name-unknown"}),
    ],
)
def test_the_name_is_what_terraform_computes(name: str, expected: set[str]) -> None:
    """Each function is evaluated, or its value is unknown."""
    names = 'variable "open" {}\nvariable "object" { default = { name = "rings" } }\n'

    assert found(TABLE.replace('"rings"\n', f"{name}\n", 1), names) == expected


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("", FINE),
        ('provider "aws" {\n  region = "eu-west-1"\n}\n', FINE),
        ('provider "aws" {\n  region = var.known\n}\n', FINE),
        ('provider "aws" {\n  region = "us-east-1"\n}\n', {"terraform-table-elsewhere"}),
        ('provider "aws" {\n  region = var.open\n}\n', {"terraform-region-unknown"}),
    ],
)
def test_a_table_is_made_where_its_provider_is(provider: str, expected: set[str]) -> None:
    """The region of the default provider."""
    names = 'variable "open" {}\nvariable "known" { default = "eu-west-1" }\n'

    assert found(TABLE, provider, names) == expected


ALIAS = 'provider "aws" {\n  alias  = "us"\n  region = "us-east-1"\n}\n'


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("provider = aws.us", {"terraform-table-elsewhere"}),
        ('region = "us-east-1"', {"terraform-table-elsewhere"}),
        ('region = "eu-west-1"\n  provider = aws.us', FINE),
        ("region = null", FINE),
        ("region = var.open", {"terraform-region-unknown"}),
        ("provider = aws.absent", {"terraform-region-unknown"}),
    ],
)
def test_an_alias_and_the_resource_s_own_region_count(written: str, expected: set[str]) -> None:
    """The argument `region` of the provider's version 6 wins over the provider's."""
    assert found(with_count(written), ALIAS, 'variable "open" {}\n') == expected


def test_the_one_in_the_wanted_region_is_taken() -> None:
    """Two tables of one name in two regions are two tables."""
    other = TABLE.replace('"rings" {', '"us" {').replace(
        "  name =", "  provider = aws.us\n  name ="
    )

    assert found(other, TABLE, ALIAS) == FINE
    assert found(TABLE, other, ALIAS, region="us-east-1") >= FINE


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("providers = { aws = aws.us }", {"terraform-table-elsewhere"}),
        ("", FINE),
    ],
)
def test_a_module_is_handed_its_provider(call: str, expected: set[str]) -> None:
    """By the map of the call, else its caller's."""
    files = {
        "main.tf": f'{ALIAS}module "t" {{\n  source = "./t"\n  {call}\n}}\n',
        "t/main.tf": TABLE,
    }

    assert of_files(files) == expected


WRONG = TABLE.replace("InstanceKey", "Wrong")
RIGHT = 'resource "aws_dynamodb_table" "rings" {{\n  range_key = "InstanceKey"\n{}}}\n'.format(
    '  attribute {\n    name = "RingKey"\n    type = "S"\n  }\n'
)


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("override.tf", RIGHT, FINE),
        ("a_override.tf", RIGHT, FINE),
        (
            "override.tf.json",
            '{"resource": {"aws_dynamodb_table": {"rings": {"range_key": "InstanceKey", "attribute": []}}}}',
            FINE,
        ),
        ("override.tofu", RIGHT, FINE),
        ("overrides.tf", "locals {\n  a = 1\n}\n", {"terraform-table-wrong-keys"}),
    ],
)
def test_override_files_are_put_in(file: str, text: str, expected: set[str]) -> None:
    """By their names, in each syntax, argument by argument."""
    assert of_files({"main.tf": WRONG, file: text}) == expected


def test_the_last_override_wins() -> None:
    """They are read by their names."""
    one = 'resource "aws_dynamodb_table" "rings" {\n  name = "%s"\n}\n'
    files = {"main.tf": TABLE, "a_override.tf": one % "a", "b_override.tf": one % "b"}

    assert of_files(files, table="b") == FINE
    assert of_files(files, table="a") == MISSING
    assert of_files(files) == MISSING


def test_locals_and_variables_are_overridden_one_by_one() -> None:
    """The others stay."""
    text = TABLE.replace('name = "rings"', 'name = "${local.a}${var.b}"')
    files = {
        "main.tf": text + 'locals {\n  a = "x"\n  c = "ri"\n}\nvariable "b" { default = "x" }\n',
        "override.tf": 'locals {\n  a = local.c\n}\nvariable "b" { default = "ngs" }\n',
    }

    assert of_files(files) == FINE


def test_an_override_of_nothing_is_told() -> None:
    """Terraform refuses such a folder."""
    found_ids = of_files({"main.tf": "", "override.tf": TABLE})

    assert "terraform-unread" in found_ids


JSON_TABLE = (
    '{"resource": {"aws_dynamodb_table": {"rings": {"name": "${local.name}", "hash_key": "RingKey", '
    '"billing_mode": "PAY_PER_REQUEST", "deletion_protection_enabled": true, '
    '"range_key": "InstanceKey", "attribute": [{"name": "RingKey", "type": "S"}, '
    '{"name": "InstanceKey", "type": "S"}]}}}, "locals": {"name": "rings"}}'
)


@pytest.mark.parametrize("name", ["t.tf.json", "t.tofu.json"])
def test_json_is_read_like_hcl(name: str) -> None:
    """Expressions within it too."""
    assert of_files({name: JSON_TABLE}) == FINE
    assert of_files({name: JSON_TABLE.replace('"InstanceKey", "attr', '"x", "attr')}) == {
        "terraform-table-wrong-keys"
    }


@pytest.mark.parametrize("name", ["t.tf", "t.tf.json", "t.tofu"])
def test_a_file_that_cannot_be_read_leaves_the_table_unknown(name: str) -> None:
    """It may be in there."""
    ids = of_files({name: "{{{"})

    assert ids == {"terraform-unread", "terraform-table-unknown"}


def test_a_local_module_that_is_not_here_leaves_the_table_unknown() -> None:
    """It may make it."""
    assert of_files({"main.tf": 'module "t" {\n  source = "./gone"\n}\n'}) == {
        "terraform-unread",
        "terraform-table-unknown",
    }


def test_opentofu_s_own_file_takes_the_other_s_place() -> None:
    """Where both are there."""
    assert of_files({"t.tf": WRONG, "t.tofu": TABLE}) == FINE
    assert of_files({"t.tf.json": "{", "t.tofu.json": JSON_TABLE}) == FINE
    assert of_files({"t.tf": TABLE, "u.tofu": ""}) == FINE


ITEM = (
    '{ name = "%s", hash_key = "RingKey", range_key = "InstanceKey", '
    "deletion_protection_enabled = true }"
)
REGISTRY = "terraform-aws-modules/dynamodb-table/aws"
GIT = "git::https://github.com/terraform-aws-modules/terraform-aws-dynamodb-table.git"


def module(source: str, inside: str) -> str:
    return f'module "t" {{\n  source = "{source}"\n  {inside}\n}}\nvariable "open" {{}}\n'


@pytest.mark.parametrize("source", [REGISTRY, GIT, f"{GIT}//.?ref=v4"])
@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", FINE),
        ("create_table = true", FINE),
        ("create_table = false", MISSING),
        ("create = false", MISSING),
        ("create_table = var.open", UNKNOWN),
        ("count = 0", MISSING),
        ("count = var.open", UNKNOWN),
        ('region = "us-east-1"', {"terraform-table-elsewhere"}),
    ],
)
def test_the_table_module_makes_what_it_is_told(
    source: str, more: str, expected: set[str]
) -> None:
    """From the registry and from git."""
    inside = 'name = "rings"\n  hash_key = "RingKey"\n  range_key = "InstanceKey"\n'
    inside += f"  deletion_protection_enabled = true\n  {more}"

    assert found(module(source, inside)) == expected


@pytest.mark.parametrize("source", [f"{REGISTRY}//wrappers", f"{GIT}//wrappers?ref=v4"])
@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (f"items = {{ a = {ITEM % 'other'}, b = {ITEM % 'rings'} }}", FINE),
        (f'defaults = {ITEM % "x"}\n  items = {{ a = {{ name = "rings" }} }}', FINE),
        (f"items = {{ a = {ITEM % 'other'} }}", MISSING),
        ("items = {}", MISSING),
        ("items = var.open", UNKNOWN | {"terraform-name-unknown"}),
        (
            'items = { for one in ["rings"] : one => { name = one, hash_key = "RingKey", range_key = "InstanceKey", deletion_protection_enabled = true } }',
            FINE,
        ),
    ],
)
def test_its_wrapper_makes_one_of_each_item(source: str, inside: str, expected: set[str]) -> None:
    """With the defaults of all."""
    assert found(module(source, inside)) == expected


@pytest.mark.parametrize(
    ("source", "inside", "expected"),
    [
        ("cloudposse/dynamodb/aws", 'name = "rings"', UNKNOWN | {"terraform-name-unknown"}),
        (
            "cloudposse/dynamodb/aws",
            'name = "x"\n  hash_key = "a"\n  range_key = "b"',
            MISSING | {"terraform-name-unknown", "terraform-table-wrong-keys"},
        ),
        (
            "git@github.com:us/dynamodb.git",
            'tables = ["rings"]',
            UNKNOWN | {"terraform-name-unknown"},
        ),
        ("us/observability/aws", "tables = { rings = {} }", UNKNOWN),
        ("us/observability/aws", 'table_name = "rings"', UNKNOWN),
        ("us/observability/aws", 'bucket = "logs"', MISSING),
        ("terraform-aws-modules/vpc/aws", 'name = "rings"', MISSING),
    ],
)
def test_modules_that_nobody_knows_are_unknown(
    source: str, inside: str, expected: set[str]
) -> None:
    """Where they are about DynamoDB, or are given the table's name."""
    assert found(module(source, inside)) == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            (
                'jsonencode([{ AttributeName = "RingKey", KeyType = "HASH" }, '
                '{ AttributeName = "InstanceKey", KeyType = "RANGE" }])'
            ),
            FINE,
        ),
        (
            (
                '[{ attribute_name = "RingKey", key_type = "HASH" }, '
                '{ attribute_name = "InstanceKey", key_type = "RANGE" }]'
            ),
            FINE,
        ),
        (
            'jsonencode([{ AttributeName = "RingKey", KeyType = "HASH" }])',
            {"terraform-table-wrong-keys"},
        ),
        ("var.keys", {"terraform-keys-unknown"}),
    ],
)
def test_a_table_made_through_cloud_control_is_a_table(keys: str, expected: set[str]) -> None:
    """awscc has its keys in a list, as JSON or not."""
    text = f"""\
resource "awscc_dynamodb_table" "rings" {{
  table_name                  = "rings"
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = true
  key_schema                  = {keys}
}}
variable "keys" {{}}
"""

    assert found(text) == expected


def test_tfvars_are_read_in_terraform_s_order() -> None:
    """terraform.tfvars, its JSON, then the others by name."""
    text = TABLE.replace('"rings"\n', "var.name\n", 1) + 'variable "name" {}\n'
    files = {"main.tf": text, "terraform.tfvars": 'name = "a"\n'}

    assert of_files(files, table="a") == FINE
    files["terraform.tfvars.json"] = '{"name": "b"}'
    assert of_files(files, table="b") == FINE
    files["z.auto.tfvars.json"] = '{"name": "rings"}'
    files["a.auto.tfvars"] = 'name = "c"\n'
    assert of_files(files) == FINE


def test_a_table_of_a_key_is_made_for_each() -> None:
    """Names of each key; one that is not known may be the wanted one."""
    text = TABLE.replace('name = "rings"', "for_each = %s\n  name = each.value")

    assert found(text % '{ a = "x", b = "rings" }') == FINE
    ids = found(text % '{ a = "x", b = var.open }', 'variable "open" {}\n')
    assert ids == UNKNOWN | {"terraform-name-unknown"}
    ids = found(text % 'toset(concat(["rings"], var.open))', 'variable "open" {}\n')
    assert ids == FINE


def test_the_annotation_is_on_a_role_of_another_account() -> None:
    """The account in the role's ARN is the pods'; a policy on another account's table is not it."""
    elsewhere = ARN.replace("123456789012", "999999999999")
    text = policy(
        'Effect = "Allow", Action = "dynamodb:*", '
        'Resource = "arn:aws:dynamodb:eu-west-1:123456789012:table/rings"'
    )

    assert set(judged(TABLE, role(), text, account=elsewhere)) - FINE == {"iam-missing-actions"}
    assert set(judged(TABLE, role(), text)) == FINE


def test_keys_written_as_constants_stand_in_the_shared_text() -> None:
    """What these tests write is a ring table."""
    assert "RingKey" in KEYS


def test_a_table_of_a_remote_module_is_found_behind_a_local_one() -> None:
    """Every call of a module is looked at, and the older module's name for attributes is known."""
    call = """\
module "near" {
  source = "./near"
}
module "rings" {
  source   = "terraform-aws-modules/dynamodb-table/aws"
  name     = "rings"
  hash_key = "RingKey"
  range_key = "InstanceKey"
  deletion_protection_enabled = true
  attributes = [{ name = "RingKey", type = "S" }, { name = "InstanceKey", type = "S" }]
}
"""

    assert of_files({"main.tf": call, "near/main.tf": 'variable "x" {}\n'}) == FINE


def test_a_module_is_in_the_region_of_whoever_calls_it() -> None:
    """Without a provider of its own, and without one that it is handed."""
    files = {
        "main.tf": 'provider "aws" {\n  region = "us-east-1"\n}\nmodule "m" {\n  source = "./m"\n}\n',
        "m/main.tf": TABLE,
    }

    assert of_files(files) != FINE
    assert of_files({**files, "main.tf": files["main.tf"].replace("us-east", "eu-west")}) == FINE


def test_a_resource_that_is_there_twice_is_told() -> None:
    """Terraform refuses it, so nobody knows which one counts."""
    (told,) = [
        one
        for one in read_terraform({"a.tf": TABLE, "b.tf": TABLE}).unread
        if "is there twice" in one
    ]

    assert told.startswith("b.tf: resource.aws_dynamodb_table.rings")


@pytest.mark.parametrize("argument", ["attributes", "dynamodb_attributes"])
def test_the_types_of_a_module_s_keys_are_read(argument: str) -> None:
    """Two modules have two names for them."""
    call = f"""\
module "rings" {{
  source    = "cloudposse/dynamodb/aws"
  name      = "rings"
  hash_key  = "RingKey"
  range_key = "InstanceKey"
  {argument} = [{{ name = "RingKey", type = "S" }}, {{ name = "InstanceKey", type = "N" }}]
}}
"""
    (table,) = read_terraform({"main.tf": call}).tables

    assert table.key_types == {"RingKey": "S", "InstanceKey": "N"}


def test_a_table_in_a_known_region_is_the_one_that_is_judged() -> None:
    """Not another of its name, of which nobody knows where it is."""
    somewhere = (
        'provider "aws" {\n  alias  = "x"\n  region = var.region\n}\nvariable "region" {}\n'
        f'resource "aws_dynamodb_table" "a" {{\n  provider = aws.x\n  name = "rings"\n{KEYS}}}\n'
    )
    home = 'provider "aws" {\n  region = "eu-west-1"\n}\n'

    assert found(somewhere, home) != FINE
    assert found(somewhere, home, TABLE) == FINE
    assert found(home, TABLE, somewhere) == FINE


@pytest.mark.parametrize(
    "name",
    [
        '"%{ if true }rings%{ endif }"',
        '"ri%{ if var.open }ngs%{ endif }"',
        'trimspace(<<EOT\n%{ for one in ["rings"] }${one}%{ endfor }\nEOT\n)',
    ],
)
def test_a_template_directive_is_unknown(name: str) -> None:
    """It may come to the wanted name."""
    assert found(TABLE.replace('"rings"\n', f"{name}\n", 1), 'variable "open" {}\n') == (
        UNKNOWN | {"terraform-name-unknown"}
    )


OPTIONAL = """\
variable "t" {{
  type    = {0}
  default = {1}
}}
"""


@pytest.mark.parametrize(
    ("kind", "default", "expected"),
    [
        ('object({ name = optional(string, "rings") })', "{}", FINE),
        ('object({ name = optional(string, "rings") })', "{ name = null }", FINE),
        ('object({ name = optional(string, "rings") })', '{ name = "other" }', MISSING),
        ("object({ name = string, on = optional(bool, false) })", '{ name = "rings" }', MISSING),
        ("object({ name = string, on = optional(bool) })", '{ name = "rings" }', FINE),
        (
            'object({ inner = optional(object({ name = optional(string, "rings") }), {}) })',
            "{}",
            FINE,
        ),
    ],
)
def test_optional_attributes_have_their_defaults(
    kind: str, default: str, expected: set[str]
) -> None:
    """Also where null is given, and within each other."""
    written = TABLE.replace('"rings"\n', "try(var.t.inner.name, var.t.name)\n", 1).replace(
        "  name =", "  count = try(coalesce(var.t.on, true), true) ? 1 : 0\n  name ="
    )

    assert found(written, OPTIONAL.format(kind, default)) == expected


@pytest.mark.parametrize("over", ["map", "list", "set"])
def test_defaults_reach_into_collections(over: str) -> None:
    """Of objects in a map, a list or a set."""
    default = "{ a = {} }" if over == "map" else "[{}]"
    index = '"a"' if over == "map" else "0"
    taken = f"tolist(var.t)[{index}]" if over == "set" else f"var.t[{index}]"
    written = TABLE.replace('"rings"\n', f"{taken}.name\n", 1)

    assert (
        found(
            written,
            OPTIONAL.format(f'{over}(object({{ name = optional(string, "rings") }}))', default),
        )
        == FINE
    )


@pytest.mark.parametrize(
    "name",
    [
        '[for key, value in toset(["rings"]) : key][0]',
        '[for key, value in { b = "x", a = "rings" } : value][0]',
        'keys({ for key, value in toset(["rings"]) : key => value })[0]',
        'join("", setproduct(["ri"], ["ngs"])[0])',
        '[for key, value in tolist(toset(["rings"])) : key == 0 ? value : "x"][0]',
    ],
)
def test_loops_go_over_sets_and_maps_as_terraform_s(name: str) -> None:
    """A set's key is its element, and a map is walked by its keys in order."""
    assert found(TABLE.replace('"rings"\n', f"{name}\n", 1)) == FINE


@pytest.mark.parametrize(
    ("replica", "expected"),
    [
        ('replica {\n    region_name = "eu-west-1"\n  }', FINE),
        ('replica {\n    region_name = "eu-central-1"\n  }', {"terraform-table-elsewhere"}),
        ("replica {\n    region_name = var.open\n  }", {"terraform-region-unknown"}),
        (
            (
                'dynamic "replica" {\n    for_each = ["eu-west-1"]\n    content {\n'
                "      region_name = replica.value\n    }\n  }"
            ),
            FINE,
        ),
        (
            (
                'dynamic "replica" {\n    for_each = var.open\n    content {\n'
                "      region_name = replica.value\n    }\n  }"
            ),
            {"terraform-region-unknown"},
        ),
    ],
)
def test_a_global_table_is_in_the_regions_of_its_replicas(
    replica: str, expected: set[str]
) -> None:
    """As well as in that of its provider."""
    assert found(with_count(f"provider = aws.us\n  {replica}"), ALIAS, 'variable "open" {}\n') == (
        expected
    )


STACK = """\
resource "{0}" "t" {{
  name          = "stack"
  {1}
}}
"""


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (
            "aws_cloudformation_stack",
            'template_body = jsonencode({ R = { Type = "AWS::DynamoDB::Table", Properties = { TableName = "rings" } } })',
            UNKNOWN,
        ),
        (
            "aws_cloudformation_stack",
            "template_body = <<EOT\nR:\n  Type: AWS::DynamoDB::Table\n  Properties:\n    TableName: rings\nEOT",
            UNKNOWN,
        ),
        (
            "aws_cloudformation_stack",
            'template_body = jsonencode({ R = { Type = "AWS::DynamoDB::Table", Properties = { TableName = "rings-2" } } })',
            MISSING,
        ),
        (
            "aws_cloudformation_stack",
            'template_body = jsonencode({ R = { Type = "AWS::S3::Bucket", Name = "rings" } })',
            MISSING,
        ),
        (
            "aws_cloudcontrolapi_resource",
            'type_name = "AWS::DynamoDB::Table"\n  desired_state = jsonencode({ TableName = "rings" })',
            UNKNOWN,
        ),
        (
            "kubernetes_manifest",
            'manifest = { apiVersion = "dynamodb.services.k8s.aws/v1alpha1", spec = { tableName = "rings" } }',
            UNKNOWN,
        ),
    ],
)
def test_a_template_that_somebody_else_makes_may_hold_the_table(
    kind: str, body: str, expected: set[str]
) -> None:
    """Where it speaks of DynamoDB and of the name."""
    assert found(STACK.format(kind, body)) == expected


TERRAGRUNT = """\
terraform {
  source = "git::https://git.test/modules.git//table?ref=v1"
}
inputs = {
  name = "%s"
}
"""


@pytest.mark.parametrize(
    ("name", "expected"), [("rings", UNKNOWN), ("rings-2", MISSING), ("other", MISSING)]
)
def test_what_terragrunt_hands_to_a_module_is_looked_through(
    name: str, expected: set[str]
) -> None:
    """What the module makes of it is not known."""
    assert of_files({"main.tf": "", "prod/terragrunt.hcl": TERRAGRUNT % name}) == expected


def test_tables_of_two_environments_that_differ_are_unknown() -> None:
    """In whichever order they stand; which one is this release's is not in the files."""
    for wrong, right in (("dev", "prod"), ("prod", "dev")):
        files = {f"{wrong}/main.tf": WRONG, f"{right}/main.tf": TABLE}
        finding = judged(files=files)["terraform-keys-unknown"]
        assert finding.unknown
        assert {one.source.split("/")[0] for one in finding.evidence} == {"dev", "prod"}

    assert of_files({"dev/main.tf": TABLE, "prod/main.tf": TABLE}) == FINE


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('format("ring%s", "s")', FINE),
        ('format("r%02ds", 7) == "r07s" ? "rings" : "x"', FINE),
        ('format("r%3d", 7) == "r  7" ? "rings" : "x"', FINE),
        ('format("r%02d", "7") == "r07" ? "rings" : "x"', FINE),
    ],
)
def test_numbers_are_padded(written: str, expected: set[str]) -> None:
    """As names of numbered things are made."""
    assert found(TABLE.replace('"rings"\n', f"{written}\n", 1)) == expected
