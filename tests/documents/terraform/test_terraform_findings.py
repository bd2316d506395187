"""What a Terraform folder means for the pods that are to use a ring table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mimir_migrate.documents.terraform.findings import assess
from mimir_migrate.model.facts import ServiceAccount
from mimir_migrate.model.findings import Finding, Severity

TABLE = """\
resource "aws_dynamodb_table" "rings" {
  name                        = "rings"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "RingKey"
  range_key                   = "InstanceKey"
  deletion_protection_enabled = true
}
"""
ROLE = """\
module "pods" {
  source         = "terraform-aws-modules/iam/aws//modules/iam-role-for-service-accounts"
  name           = "pods"
  policies       = { rings = aws_iam_policy.rings.arn }
  oidc_providers = { main = { namespace_service_accounts = ["mimir:mimir"] } }
}
resource "aws_iam_policy" "rings" {
  policy = data.aws_iam_policy_document.rings.json
}
data "aws_iam_policy_document" "rings" {
  statement {
    actions   = ["dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"]
    resources = [aws_dynamodb_table.rings.arn]
  }
}
"""
WHOLE = {"main.tf": TABLE + ROLE}
ANNOTATED = ServiceAccount(name="mimir", role="arn:aws:iam::123456789012:role/pods")


def findings(
    files: Mapping[str, str],
    *,
    account: ServiceAccount = ANNOTATED,
    version: str = "1.21.1",
    namespace: str = "mimir",
    show: str | None = None,
) -> dict[str, Finding]:
    found = assess(
        files,
        show_json=show,
        tables=["rings"],
        namespace=namespace,
        service_accounts=[account],
        client_version=version,
    )
    assert len({one.id for one in found}) == len(found)
    return {one.id: one for one in found}


def test_a_folder_with_everything_has_nothing_to_complain_of() -> None:
    """The table is named with its billing, and that is all."""
    found = findings(WHOLE)

    assert list(found) == ["terraform-table-found"]
    assert "PAY_PER_REQUEST" in found["terraform-table-found"].title


@pytest.mark.parametrize(
    ("before", "after", "finding", "severity"),
    [
        ('"rings"\n  billing', '"other"\n  billing', "terraform-table-missing", "warns"),
        ('= "RingKey"', '= "metric_name"', "terraform-table-wrong-keys", "blocks"),
        ("= true", "= false", "terraform-table-unprotected", "warns"),
        ("PAY_PER_REQUEST", "PROVISIONED", "terraform-table-provisioned", "warns"),
        ('= "RingKey"', "= var.key", "terraform-keys-unknown", "blocks"),
        ('["mimir:mimir"]', '["monitoring:mimir"]', "irsa-wrong-namespace", "blocks"),
        ('["mimir:mimir"]', '["mimir:loki"]', "irsa-wrong-service-account", "blocks"),
        ('["mimir:mimir"]', '["${var.ns}:mimir"]', "irsa-trust-unknown", "blocks"),
        (', "dynamodb:PutItem"', "", "iam-missing-actions", "blocks"),
        ("[aws_dynamodb_table.rings.arn]", "[var.arn]", "iam-unknown-actions", "blocks"),
        ("data.aws_iam_policy_document.rings.json", "var.json", "iam-unknown-actions", "blocks"),
    ],
)
def test_each_thing_that_is_wrong_has_its_finding(
    before: str, after: str, finding: str, severity: str
) -> None:
    """One change in the folder, one finding that is about it."""
    assert before in WHOLE["main.tf"]

    found = findings({"main.tf": WHOLE["main.tf"].replace(before, after)})

    assert finding in found
    assert found[finding].severity.value == severity
    assert found[finding].unknown is ("unknown" in finding)
    assert found[finding].evidence
    assert found[finding].fix


def test_what_pods_need_depends_on_their_client() -> None:
    """A role made for a client since 1.20 does not do for one before."""
    missing = findings(WHOLE, version="1.19.1")["iam-missing-actions"]

    assert "dynamodb:BatchWriteItem" in missing.title
    assert "dynamodb:PutItem" not in missing.title


def test_a_service_account_without_a_role_blocks() -> None:
    """The annotation that is missing is written out, with the role that would do."""
    found = findings(WHOLE, account=ServiceAccount(name="mimir", role=""))

    assert found["irsa-annotation-missing"].severity is Severity.BLOCKS
    assert "role/pods" in found["irsa-annotation-missing"].fix


def test_a_service_account_that_could_not_be_read_is_unknown() -> None:
    """Not knowing the annotation is not the same as having none."""
    found = findings(WHOLE, account=ServiceAccount(name="mimir"))

    assert found["irsa-annotation-unknown"].unknown


def test_pod_identity_needs_no_annotation() -> None:
    """An association is as good."""
    role = """\
resource "aws_iam_role" "pods" {
  name               = "pods"
  assume_role_policy = jsonencode({ Statement = [{
    Effect    = "Allow"
    Action    = ["sts:AssumeRole", "sts:TagSession"]
    Principal = { Service = "pods.eks.amazonaws.com" }
  }] })
  inline_policy {
    policy = jsonencode({ Statement = [{ Effect = "Allow", Action = "dynamodb:*", Resource = "*" }] })
  }
}
resource "aws_eks_pod_identity_association" "pods" {
  namespace       = "mimir"
  service_account = "mimir"
  role_arn        = aws_iam_role.pods.arn
}
"""

    found = findings({"main.tf": TABLE + role}, account=ServiceAccount(name="mimir", role=""))

    assert list(found) == ["terraform-table-found"]


def test_the_annotated_role_is_the_one_that_is_judged() -> None:
    """Another role that would do does not help pods that are given this one."""
    other = """\
resource "aws_iam_role" "old" {
  name = "old"
  assume_role_policy = jsonencode({ Statement = [{ Condition = { StringEquals = {
    "oidc:sub" = "system:serviceaccount:monitoring:mimir" } } }] })
}
"""
    account = ServiceAccount(name="mimir", role="arn:aws:iam::123456789012:role/old")

    found = findings({"main.tf": TABLE + ROLE + other}, account=account)

    assert "old trusts monitoring:mimir" in found["irsa-wrong-namespace"].title
    assert "role old" in found["iam-missing-actions"].title


def test_a_role_that_nobody_makes_here_is_told() -> None:
    """Perhaps somebody else makes it; an annotation says that there is one, somewhere."""
    assert findings({"main.tf": TABLE})["irsa-role-missing"].unknown


def test_a_customer_key_needs_permissions_of_its_own() -> None:
    """Reading a table and using its key are two permissions."""
    key = "arn:aws:kms:eu-west-1:123456789012:key/a"
    with_key = TABLE.replace(
        "= true\n}", f'= true\n  server_side_encryption {{\n    kms_key_arn = "{key}"\n  }}\n}}'
    )

    missing = findings({"main.tf": with_key + ROLE})["iam-missing-kms"]

    assert "kms:Decrypt, kms:GenerateDataKey" in missing.title


def test_terraform_that_deploys_the_release_is_told() -> None:
    """A deploy beside it would be taken back by the next apply."""
    release = """\
resource "helm_release" "metrics" {
  name   = "metrics"
  chart  = "mimir-distributed"
  values = [templatefile("${path.module}/values.yaml.tftpl", {})]
}
resource "helm_release" "logs" {
  name  = "logs"
  chart = "loki"
}
"""

    found = findings({"main.tf": TABLE + ROLE + release})

    assert "values.yaml.tftpl" in found["terraform-deploys"].title


def test_computed_names_are_known_from_the_shown_state() -> None:
    """What the files leave open is answered by what Terraform itself prints."""
    remote = """\
module "rings" {
  source    = "github.com/some/modules//dynamodb"
  name      = "rings"
  hash_key  = "RingKey"
  range_key = "InstanceKey"
}
"""
    state = {
        "format_version": "1.0",
        "values": {
            "root_module": {
                "child_modules": [
                    {
                        "resources": [
                            {
                                "address": "module.rings.aws_dynamodb_table.this[0]",
                                "type": "aws_dynamodb_table",
                                "values": {
                                    "name": "rings",
                                    "hash_key": "RingKey",
                                    "range_key": "InstanceKey",
                                    "billing_mode": "PAY_PER_REQUEST",
                                    "deletion_protection_enabled": True,
                                },
                            }
                        ]
                    }
                ]
            }
        },
    }
    files = {"main.tf": remote + ROLE.replace("aws_dynamodb_table.rings.arn", '"*"')}

    written, known = findings(files), findings(files, show=json.dumps(state))

    assert list(written) == ["terraform-table-unknown", "terraform-name-unknown"]
    assert list(known) == ["terraform-table-found"]


@pytest.mark.corpus
def test_the_reference_cluster_gets_its_answer(shared: Path) -> None:
    """Wrong keys, a name computed in a remote module, a foreign namespace, no annotation."""
    folder = shared / "corpus" / "reference-cluster" / "terraform"
    files = {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.tf")
    }

    found = assess(
        files,
        show_json=None,
        tables=["observability-dev-mimir-rings"],
        namespace="observability",
        service_accounts=[ServiceAccount(name="mimir", role="")],
        client_version="1.21.1",
    )

    by_id = {one.id: one for one in reversed(found)}
    assert "metric_name (hash) and timestamp (range)" in by_id["terraform-table-wrong-keys"].title
    assert (
        "computed in module mimir_index_table (github.com/"
        in by_id["terraform-name-unknown"].title
    )
    assert (
        "trusts monitoring:mimir, not observability:mimir" in by_id["irsa-wrong-namespace"].title
    )
    assert by_id["irsa-annotation-missing"].severity is Severity.BLOCKS
    assert by_id["terraform-table-unknown"].unknown
