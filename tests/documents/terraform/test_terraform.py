"""Tables, roles and releases that stand in a Terraform folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from mimir_migrate.documents.policies import Condition, Statement
from mimir_migrate.documents.terraform.facts import Subject, Text
from mimir_migrate.documents.terraform.folder import read_terraform

RING_TABLE = """\
variable "env" { default = "dev" }
locals { prefix = "obs-${var.env}" }

resource "aws_dynamodb_table" "rings" {
  name                        = "${local.prefix}-rings"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "RingKey"
  range_key                   = "InstanceKey"
  deletion_protection_enabled = true

  attribute {
    name = "RingKey"
    type = "S"
  }

  attribute {
    name = "InstanceKey"
    type = "S"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = aws_kms_key.own.arn
  }
}
"""

ROLE = """\
resource "aws_iam_role" "pods" {
  name = "mimir-pods"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = local.oidc_arn }
      Condition = {
        StringEquals = {
          "${local.oidc}:sub" = ["system:serviceaccount:mimir:mimir", "system:serviceaccount:x:y"]
        }
      }
    }]
  })
}

data "aws_iam_policy_document" "rings" {
  statement {
    actions   = ["dynamodb:Query", "dynamodb:PutItem"]
    resources = [aws_dynamodb_table.rings.arn, "${aws_dynamodb_table.rings.arn}/index/*"]
  }

  statement {
    effect    = "Deny"
    actions   = ["dynamodb:DeleteTable"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = ["eu-west-1"]
    }
  }
}

resource "aws_iam_policy" "rings" {
  policy = data.aws_iam_policy_document.rings.json
}

resource "aws_iam_role_policy_attachment" "rings" {
  role       = aws_iam_role.pods.name
  policy_arn = aws_iam_policy.rings.arn
}

resource "aws_iam_role_policy_attachment" "elsewhere" {
  role       = aws_iam_role.pods.name
  policy_arn = var.other_policy
}

resource "aws_iam_role_policy_attachment" "managed" {
  role       = aws_iam_role.pods.name
  policy_arn = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"
}
"""


def test_a_table_is_read_with_what_can_be_told() -> None:
    """Names through variables and locals, keys, protection, TTL; the key's ARN is only known made."""
    (table,) = read_terraform({"main.tf": RING_TABLE}).tables

    assert table.address == "aws_dynamodb_table.rings"
    assert table.name == Text("obs-dev-rings")
    assert table.is_ring_table is True
    assert (table.billing.value, table.deletion_protection) == ("PAY_PER_REQUEST", True)
    assert (table.ttl_attribute, table.kms_key) == ("ttl", "${aws_kms_key.own.arn}")


def test_variables_come_from_tfvars_before_their_defaults() -> None:
    """`terraform.tfvars` is what is applied; a file that nobody names on a command line is not."""
    files = {"main.tf": RING_TABLE, "terraform.tfvars": 'env = "prod"\n', "x.tfvars": 'env = "x"'}

    assert read_terraform(files).tables[0].name == Text("obs-prod-rings")


def test_a_local_module_is_read_with_the_arguments_of_its_call() -> None:
    """One module for two environments makes two tables of different names."""
    caller = 'module "{0}" {{\n  source = "../../modules/rings"\n  env    = "{0}"\n}}\n'

    tables = read_terraform(
        {
            "envs/all/main.tf": caller.format("dev") + caller.format("prod"),
            "modules/rings/main.tf": RING_TABLE,
        }
    ).tables

    assert {table.address: table.name.value for table in tables} == {
        "module.dev.aws_dynamodb_table.rings": "obs-dev-rings",
        "module.prod.aws_dynamodb_table.rings": "obs-prod-rings",
    }


def test_one_table_for_each_ring_is_read_as_several() -> None:
    """`for_each` over names that stand in the file is unrolled."""
    text = """\
resource "aws_dynamodb_table" "rings" {
  for_each = toset(["ingester", "ruler"])
  name     = "mimir-${each.key}-ring"
  hash_key = "RingKey"
}
"""

    tables = read_terraform({"main.tf": text}).tables

    assert {table.address: table.name.value for table in tables} == {
        'aws_dynamodb_table.rings["ingester"]': "mimir-ingester-ring",
        'aws_dynamodb_table.rings["ruler"]': "mimir-ruler-ring",
    }


def test_what_is_switched_off_is_not_there() -> None:
    """A count of zero makes nothing."""
    text = 'resource "aws_dynamodb_table" "t" {\n  count = 0\n  name = "t"\n}\n'

    assert read_terraform({"main.tf": text}).tables == ()


def test_the_well_known_table_module_names_its_table_plainly() -> None:
    """Its argument `name` is the table's name; on-demand is its default."""
    text = """\
module "rings" {
  source     = "terraform-aws-modules/dynamodb-table/aws"
  name       = "mimir-rings"
  hash_key   = "RingKey"
  range_key  = "InstanceKey"
  attributes = [{ name = "RingKey", type = "S" }, { name = "InstanceKey", type = "S" }]
}
"""

    (table,) = read_terraform({"main.tf": text}).tables

    assert table.name == Text("mimir-rings")
    assert table.is_ring_table is True
    assert table.billing == Text("PAY_PER_REQUEST")


def test_the_name_in_any_other_remote_module_is_computed_there() -> None:
    """Modules compose names; the reason says which module, and from what."""
    text = """\
module "index" {
  source    = "github.com/some/modules//dynamodb?ref=main"
  namespace = "obs"
  name      = "index"
  hash_key  = "metric_name"
  range_key = "timestamp"
}
"""

    (table,) = read_terraform({"main.tf": text}).tables

    assert not table.name.known
    assert table.name.reason == (
        "computed in module index (github.com/some/modules//dynamodb?ref=main) "
        "from namespace 'obs', name 'index'"
    )
    assert table.is_ring_table is False


def test_a_role_is_read_with_its_trust_and_its_policies() -> None:
    """Service accounts by the token's subject, statements through documents and attachments."""
    (role,) = read_terraform({"main.tf": RING_TABLE + ROLE}).roles

    table = "arn:${this partition}:dynamodb:${this region}:${this account}:table/obs-dev-rings"
    assert role.subjects == (
        Subject(namespace="mimir", name="mimir"),
        Subject(namespace="x", name="y"),
    )
    assert role.statements == (
        Statement(
            actions=("dynamodb:Query", "dynamodb:PutItem"), resources=(table, f"{table}/index/*")
        ),
        Statement(
            allows=False,
            actions=("dynamodb:DeleteTable",),
            resources=("*",),
            conditions=(Condition("StringEquals", "aws:RequestedRegion", ("eu-west-1",)),),
        ),
    )
    assert role.unread == ("${var.other_policy}: the variable other_policy has no default",)


def test_the_trust_can_be_a_policy_document() -> None:
    """A document's conditions are read like those of JSON."""
    text = """\
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    condition {
      test     = "StringLike"
      variable = "${var.oidc}:sub"
      values   = ["system:serviceaccount:mimir:*"]
    }
  }
}
resource "aws_iam_role" "pods" {
  assume_role_policy = data.aws_iam_policy_document.trust.json
  managed_policy_arns = ["arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"]
  inline_policy {
    policy = jsonencode({ Statement = [{ Effect = "Allow", Action = "s3:*", Resource = "*" }] })
  }
}
"""

    (role,) = read_terraform({"main.tf": text}).roles

    assert role.subjects == (Subject(namespace="mimir", name="*"),)
    assert {one.actions for one in role.statements} == {("dynamodb:*",), ("s3:*",)}


def test_the_role_modules_are_read() -> None:
    """The two forms of the IRSA module, and pod identity, with a policy made by a module."""
    text = """\
module "policy" {
  source = "terraform-aws-modules/iam/aws//modules/iam-policy"
  policy = jsonencode({ Statement = [{ Effect = "Allow", Action = ["dynamodb:Query"], Resource = "*" }] })
}
module "irsa" {
  source         = "terraform-aws-modules/iam/aws//modules/iam-role-for-service-accounts"
  name           = "one"
  policies       = { rings = module.policy.arn }
  oidc_providers = { main = { namespace_service_accounts = ["mimir:mimir", "${var.ns}:x"] } }
}
module "oidc" {
  source                        = "terraform-aws-modules/iam/aws//modules/iam-assumable-role-with-oidc"
  create_role                   = true
  role_name                     = "two"
  oidc_fully_qualified_subjects = ["system:serviceaccount:mimir:ruler"]
}
module "identity" {
  source       = "terraform-aws-modules/eks-pod-identity/aws"
  name         = "three"
  associations = { main = { namespace = "mimir", service_account = "mimir" } }
}
"""

    one, two, three = read_terraform({"main.tf": text}).roles

    assert [role.name.value for role in (one, two, three)] == ["one", "two", "three"]
    assert one.subjects == (
        Subject(namespace="mimir", name="mimir"),
        Subject(namespace="${var.ns}", name="x"),
    )
    assert [statement.actions for statement in one.statements] == [("dynamodb:Query",)]
    assert two.subjects == (Subject(namespace="mimir", name="ruler"),)
    assert three.subjects == (Subject(namespace="mimir", name="mimir", association=True),)


def test_a_pod_identity_association_lets_a_service_account_in() -> None:
    """It names the role, and needs no condition on a token."""
    text = """\
resource "aws_iam_role" "pods" {
  assume_role_policy = jsonencode({ Statement = [{ Principal = { Service = "pods.eks.amazonaws.com" } }] })
}
resource "aws_eks_pod_identity_association" "pods" {
  namespace       = "mimir"
  service_account = "mimir"
  role_arn        = aws_iam_role.pods.arn
}
resource "aws_iam_role" "node" {
  assume_role_policy = jsonencode({ Statement = [{ Principal = { Service = "ec2.amazonaws.com" } }] })
}
"""

    (role,) = read_terraform({"main.tf": text}).roles

    assert role.subjects == (Subject(namespace="mimir", name="mimir", association=True),)


def test_a_release_is_read_with_its_templates() -> None:
    """The values file that Terraform renders is where an edit belongs."""
    text = """\
resource "helm_release" "mimir" {
  name      = "mimir"
  namespace = "observability"
  chart     = "mimir-distributed"
  values = [
    templatefile("${path.module}/values.yaml.tftpl", { region = var.region }),
  ]
}
"""

    (release,) = read_terraform({"main.tf": text}).releases

    assert (release.name.value, release.namespace.value) == ("mimir", "observability")
    assert release.templates == ("${path.module}/values.yaml.tftpl",)


def test_what_cannot_be_read_is_told_and_the_rest_is_read() -> None:
    """A broken file, and a module's folder that is not at hand."""
    files = {
        "main.tf": RING_TABLE + 'module "s3" {\n  source = "../s3"\n}\n',
        "broken.tf": "resource {{{",
    }

    facts = read_terraform(files)

    assert len(facts.tables) == 1
    assert [one.split(":")[0] for one in facts.unread] == ["broken.tf", "../s3"]


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", 'resource "aws_dynamodb_table" "t" {}\n', "locals {}\n", "\ufeff\r\n"],
)
def test_files_with_next_to_nothing_in_them_are_read(text: str) -> None:
    """They are Terraform files as good as any."""
    assert read_terraform({"main.tf": text}).unread == ()


@pytest.mark.corpus
def test_real_files_are_read(shared: Path) -> None:
    """Every one, and what people write in them is understood."""
    tables, subjects, releases = set(), set(), set()
    for path in sorted((shared / "corpus" / "tf").glob("*.tf")):
        facts = read_terraform({"main.tf": path.read_text()})
        assert [one for one in facts.unread if "not HCL" in one] == []
        tables |= {table.name.value for table in facts.tables}
        subjects |= {
            f"{one.namespace}:{one.name}" for role in facts.roles for one in role.subjects
        }
        releases |= {release.chart.value for release in facts.releases}

    assert {"vault-table", "${var.dynamodb_table_name_ioc}"} <= tables
    assert {"monitoring:grafana-mimir-sa", "observability:herewith-loki"} <= subjects
    assert "mimir-distributed" in releases


def test_a_policy_that_is_attached_by_a_role_s_name_counts_in_whichever_module() -> None:
    """A file beside the call of a module can attach to the role that the module makes."""
    attached = """\
module "iam" { source = "./iam" }

resource "aws_iam_policy" "more" {
  policy = jsonencode({
    Statement = [{ Effect = "Allow", Action = "dynamodb:DeleteItem", Resource = "*" }]
  })
}

resource "aws_iam_role_policy_attachment" "more" {
  role       = "mimir-pods"
  policy_arn = aws_iam_policy.more.arn
}
"""
    (role,) = read_terraform({"main.tf": attached, "iam/main.tf": ROLE}).roles

    assert Statement(actions=("dynamodb:DeleteItem",), resources=("*",)) in role.statements
