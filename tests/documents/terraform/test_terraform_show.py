"""`terraform show -json`: names, keys and policies as Terraform computed them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimir_migrate.documents.terraform.facts import Subject, Text
from mimir_migrate.documents.terraform.folder import read_terraform
from mimir_migrate.documents.terraform.language.json_syntax import read_json_body
from mimir_migrate.documents.terraform.show import merged, read_show
from mimir_migrate.errors import DocumentError

TRUST = {
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {"oidc:sub": "system:serviceaccount:mimir:mimir"}},
        }
    ]
}
POLICY = {
    "Statement": {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": "arn:aws:x"},
}


def resource(kind: str, address: str, **values: Any) -> dict[str, Any]:
    return {"mode": "managed", "type": kind, "address": address, "values": values}


def table(address: str, name: str | None) -> dict[str, Any]:
    named = {} if name is None else {"name": name}
    return resource(
        "aws_dynamodb_table",
        address,
        **named,
        hash_key="RingKey",
        range_key="InstanceKey",
        attribute=[{"name": "RingKey", "type": "S"}, {"name": "InstanceKey", "type": "S"}],
        billing_mode="PAY_PER_REQUEST",
        deletion_protection_enabled=True,
        ttl=[{"attribute_name": "", "enabled": False}],
        server_side_encryption=[{"enabled": True, "kms_key_arn": "arn:aws:kms:1:2:key/a"}],
    )


def shown(*resources: dict[str, Any], key: str = "values") -> str:
    child = {"address": "module.m", "resources": list(resources)}
    return json.dumps({"format_version": "1.0", key: {"root_module": {"child_modules": [child]}}})


@pytest.mark.parametrize("key", ["values", "planned_values"])
def test_a_table_has_its_computed_name(key: str) -> None:
    """In a state and in a plan alike."""
    (found,) = read_show(shown(table("module.m.aws_dynamodb_table.t[0]", "rings"), key=key)).tables

    assert found.name == Text("rings")
    assert found.is_ring_table is True
    assert (found.deletion_protection, found.ttl_attribute) == (True, "")
    assert found.kms_key == "arn:aws:kms:1:2:key/a"


def test_what_a_plan_knows_only_after_it_was_applied_is_unknown() -> None:
    """A plan leaves such values out."""
    (found,) = read_show(shown(table("aws_dynamodb_table.t", None), key="planned_values")).tables

    assert found.name == Text("${aws_dynamodb_table.t.name}", "known after apply")


def test_a_role_has_its_trust_and_its_policies() -> None:
    """Inline, attached, kept by AWS, and one that Terraform does not keep."""

    def attached(arn: str) -> dict[str, Any]:
        kind = "aws_iam_role_policy_attachment"
        return resource(kind, f"{kind}.x", role="pods", policy_arn=arn)

    text = shown(
        resource(
            "aws_iam_role", "aws_iam_role.pods", name="pods", assume_role_policy=json.dumps(TRUST)
        ),
        resource("aws_iam_policy", "aws_iam_policy.p", arn="arn:p", policy=json.dumps(POLICY)),
        resource(
            "aws_iam_role_policy", "aws_iam_role_policy.i", role="pods", policy=json.dumps(POLICY)
        ),
        attached("arn:p"),
        attached("arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"),
        attached("arn:aws:iam::1:policy/other"),
    )

    (role,) = read_show(text).roles

    assert role.subjects == (Subject(namespace="mimir", name="mimir"),)
    assert [one.actions for one in role.statements] == [
        ("dynamodb:Query",),
        ("dynamodb:Query",),
        ("dynamodb:*",),
    ]
    assert role.unread == ("aws_iam_role_policy_attachment.x: arn:aws:iam::1:policy/other",)


def test_what_is_shown_replaces_what_is_written_and_the_rest_stays() -> None:
    """A module call in the files stands for the table that is shown below it."""
    written = read_terraform(
        {
            "main.tf": 'module "m" {\n  source = "github.com/x/y"\n  hash_key = "RingKey"\n}\n'
            'resource "aws_dynamodb_table" "new" {\n  name = "new"\n}\n'
        }
    )

    facts = merged(written, read_show(shown(table("module.m.aws_dynamodb_table.t[0]", "rings"))))

    assert [one.name.value for one in facts.tables] == ["rings", "new"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"values": {}}',
        "No state.",
        '{"format_version": "1", "values": {"root_module": {"resources": [1]}}}',
        shown(resource("aws_dynamodb_table", "t", attribute=[{}])),
        "[" * 100_000,
    ],
)
def test_other_output_is_refused(text: str) -> None:
    """An empty state file or the output without -json says how to get the right one."""
    with pytest.raises(DocumentError) as caught:
        read_show(text)

    assert "terraform show -json" in caught.value.hint


def test_an_association_is_of_its_kind_and_of_the_role() -> None:
    """Another resource with the role's ARN lets nobody in, and neither does one of another role."""
    values = {"namespace": "mimir", "service_account": "mimir"}

    def subjects(kind: str, arn: str) -> tuple[Subject, ...]:
        role = resource("aws_iam_role", "aws_iam_role.pods", name="pods", arn="arn:pods")
        found = read_show(shown(role, resource(kind, "x.y", role_arn=arn, **values))).roles
        return tuple(subject for one in found for subject in one.subjects)

    kind = "aws_eks_pod_identity_association"
    assert subjects(kind, "arn:pods") == (
        Subject(namespace="mimir", name="mimir", association=True),
    )
    assert subjects(kind, "arn:others") == ()
    assert subjects("aws_eks_node_group", "arn:pods") == ()


def test_the_region_of_a_table_is_in_its_arn_where_it_is_said_nowhere_else() -> None:
    """Providers before version 6 have no attribute for it."""
    one = table("aws_dynamodb_table.t", "rings")
    regions = []
    for more in (
        {"arn": "arn:aws:dynamodb:us-east-1:1:table/rings"},
        {"arn": "arn:aws:dynamodb:us-east-1:1:table/rings", "region": "eu-west-1"},
        {},
    ):
        (found,) = read_show(shown({**one, "values": {**one["values"], **more}})).tables
        regions.append(found.region.value)

    assert regions == ["us-east-1", "eu-west-1", ""]


def test_what_terraform_shows_makes_unread_files_no_doubt() -> None:
    """It has seen them all; the files by themselves have not."""
    shown = read_show(shown_table())
    files = read_terraform({"main.tf": "not HCL"})

    assert files.unread
    assert not files.shown
    assert merged(files, shown).shown


def shown_table() -> str:
    """One table, as Terraform shows it."""
    return shown(table("aws_dynamodb_table.t", "rings"))


def test_json_that_python_does_not_read_is_told_without_a_line() -> None:
    """A number of five thousand digits has no place of its own."""
    with pytest.raises(DocumentError) as raised:
        read_json_body('{"a": ' + "1" * 5000 + "}", "main.tf.json")

    assert (raised.value.line, raised.value.column) == (0, 0)
    assert "a number is too long" in raised.value.message
    with pytest.raises(DocumentError) as raised:
        read_json_body("{\n", "main.tf.json")
    assert raised.value.line == 2


def test_a_mark_in_front_of_the_text_is_no_part_of_it() -> None:
    """As PowerShell writes it."""
    assert read_show("\ufeff" + shown(table("aws_dynamodb_table.t", "rings"))).tables


def test_a_policy_that_is_looked_up_is_in_what_is_shown() -> None:
    """Data sources are there with their values."""
    role = resource(
        "aws_iam_role", "aws_iam_role.pods", name="pods", assume_role_policy=json.dumps(TRUST)
    )
    attached = resource("aws_iam_role_policy_attachment", "a", role="pods", policy_arn="arn:own")
    data = resource("aws_iam_policy", "data.p", arn="arn:own", policy=json.dumps(POLICY))

    (found,) = read_show(shown(role, attached, {**data, "mode": "data"})).roles

    assert [one.actions for one in found.statements] == [("dynamodb:Query",)]
    assert found.unread == ()


def test_a_table_s_own_policy_and_its_replicas_are_shown() -> None:
    """Both count where the table is judged."""
    rings = table("aws_dynamodb_table.t", "rings")
    rings["values"]["replica"] = [{"region_name": "eu-west-1"}]
    own = resource(
        "aws_dynamodb_resource_policy", "p", resource_arn="arn:t", policy=json.dumps(POLICY)
    )

    facts = merged(read_terraform({}), read_show(shown(rings, own)))

    (policy,) = facts.resource_policies
    assert (policy.table, policy.unread) == (Text("arn:t"), ())
    assert facts.tables[0].replicas == (Text("eu-west-1"),)


def test_an_association_that_hands_on_says_so() -> None:
    """The pods work under another role then."""
    role = resource("aws_iam_role", "aws_iam_role.pods", name="pods", arn="arn:pods")
    association = resource(
        "aws_eks_pod_identity_association",
        "x",
        role_arn="arn:pods",
        namespace="mimir",
        service_account="mimir",
        target_role_arn="arn:far",
    )

    (found,) = read_show(shown(role, association)).roles

    assert "arn:far" in found.subjects[0].doubt


def test_a_table_made_through_cloud_control_is_shown() -> None:
    """With its keys where they are known before the apply."""
    keys = [
        {"attribute_name": "RingKey", "key_type": "HASH"},
        {"attribute_name": "InstanceKey", "key_type": "RANGE"},
    ]
    for schema, expected in (
        (keys, True),
        (json.dumps(keys), True),
        (keys[:1], False),
        (None, None),
    ):
        made = resource("awscc_dynamodb_table", "t", table_name="rings", key_schema=schema)
        (found,) = read_show(shown(made)).tables
        assert (found.name, found.is_ring_table) == (Text("rings"), expected)


@pytest.mark.parametrize("kind", ["inside the role", "exclusive"])
def test_policies_are_found_by_whatever_attaches_them(kind: str) -> None:
    """The role's own list of them, and the resource that keeps all others away."""
    arns = ["arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"]
    inside = {"managed_policy_arns": arns} if kind == "inside the role" else {}
    role = resource(
        "aws_iam_role", "r", name="pods", assume_role_policy=json.dumps(TRUST), **inside
    )
    exclusive = resource(
        "aws_iam_role_policy_attachments_exclusive", "x", role_name="pods", policy_arns=arns
    )

    (found,) = read_show(shown(role, *([] if inside else [exclusive]))).roles

    assert [one.actions for one in found.statements] == [("dynamodb:*",)]


def test_what_an_organisation_denies_may_be_above_the_role() -> None:
    """Where a policy is attached; to whom is not the account's business."""
    denial = {"Statement": {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}}
    role = resource("aws_iam_role", "r", name="pods", assume_role_policy=json.dumps(TRUST))
    limits = resource("aws_organizations_policy", "o", id="p-1", content=json.dumps(denial))
    attachment = resource("aws_organizations_policy_attachment", "a", policy_id="p-1")

    (found,) = read_show(shown(role, limits, attachment)).roles
    (free,) = read_show(shown(role, limits)).roles

    assert [one.allows for one in found.statements] == [False]
    assert "above the pods' account" in found.statements[0].doubt
    assert free.statements == ()


def test_an_association_knows_whether_its_role_is_shown() -> None:
    """What is shown goes before what is written at the same address."""
    role = resource("aws_iam_role", "r", name="pods", arn="arn:pods")
    values = {"namespace": "mimir", "service_account": "mimir"}
    kind = "aws_eks_pod_identity_association"
    here = resource(kind, f"{kind}.here", role_arn="arn:pods", **values)
    away = resource(kind, f"{kind}.away", role_arn="arn:far", **values)
    written = f'resource "{kind}" "here" {{\n  role_arn = var.x\n}}\n'

    facts = merged(read_terraform({"main.tf": written}), read_show(shown(role, here, away)))

    assert [(one.role, one.is_here) for one in facts.associations] == [
        ("arn:pods", True),
        ("arn:far", False),
    ]
