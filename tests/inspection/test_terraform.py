"""What the Terraform folder and IAM say joins the findings: when, about whom, and what is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import msgspec
import pytest

from mimir_migrate.errors import DeniedError, DocumentError
from mimir_migrate.inspection.terraform import terraform_findings
from mimir_migrate.model.facts import Inspection, PodFacts, ServiceAccount
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.target import (
    AwsTarget,
    DeployMethod,
    DeployTarget,
    KubernetesTarget,
    TableTarget,
    Target,
    TerraformTarget,
)
from mimir_migrate.ports import RolePolicies, SimulatedAction, TerraformText

TARGET = Target(
    kubernetes=KubernetesTarget(namespace="observability", release="metrics"),
    dynamodb=TableTarget(table="rings"),
    terraform=TerraformTarget(dir="terraform"),
)
TABLE = """\
resource "aws_dynamodb_table" "rings" {
  name                        = "rings"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "RingKey"
  range_key                   = "InstanceKey"
  deletion_protection_enabled = true
}
"""
ARN = "arn:aws:iam::123456789012:role/pods"
SUBJECT = "system:serviceaccount:observability:metrics"
TRUST = {
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/x"},
            "Condition": {"StringEquals": {"x:sub": SUBJECT}},
        }
    ]
}
ANNOTATED = ServiceAccount(name="metrics", role=ARN)


class Folders:
    """Folders with one text in them; none of another name."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self, folder: str) -> TerraformText:
        if folder != "terraform":
            raise DocumentError("no such folder", path=folder, hint="[terraform] dir")
        return TerraformText(files={"main.tf": self.text})


class Roles:
    """IAM with one role, which allows these actions; without any it may not be asked."""

    def __init__(self, *actions: str) -> None:
        self.actions = actions

    decision = ""
    """What the simulator answers; empty: it may not be asked."""

    def simulate(
        self,
        role_arn: str,
        actions: Sequence[str],
        resources: Sequence[str],
        context: Mapping[str, tuple[str, ...]],
    ) -> tuple[SimulatedAction, ...]:
        if not self.decision:
            raise DeniedError(f"SimulatePrincipalPolicy of {role_arn}: AccessDenied")
        assert context["aws:requestedregion"]
        return tuple(
            SimulatedAction(action=action, resource=resource, decision=self.decision)
            for action in actions
            for resource in resources
        )

    def policies(self, role_arn: str) -> RolePolicies:
        if not self.actions:
            raise DeniedError(f"GetRole of {role_arn}: AccessDenied")
        statement = {"Effect": "Allow", "Action": list(self.actions), "Resource": "*"}
        return RolePolicies(trust=TRUST, policies=({"Statement": [statement]},))


def with_account(inspection: Inspection, **fields: Any) -> Inspection:
    """Every pod runs under the service account `metrics`."""

    def change(facts: PodFacts) -> PodFacts:
        pod = msgspec.structs.replace(facts.pod, service_account="metrics", **fields)
        return msgspec.structs.replace(facts, pod=pod)

    pods = tuple(change(facts) for facts in inspection.pods)
    return msgspec.structs.replace(inspection, pods=pods)


class Case:
    """The small cluster with a folder and a service account."""

    def __init__(self, small: ModuleType, build: ModuleType) -> None:
        self.cluster = small.SmallCluster()
        self.cluster.account_list = (ANNOTATED,)
        self.inspection = with_account(build.own())
        self.folders: Folders | None = Folders(TABLE)
        self.roles: Roles | None = None
        self.target = TARGET

    def findings(self) -> dict[str, Finding]:
        world = msgspec.structs.replace(
            self.cluster.world(), terraform=self.folders, roles=self.roles
        )
        found = terraform_findings(world, self.inspection, self.target, rings=("ruler",))
        return {finding.id: finding for finding in found}


@pytest.fixture
def case(small: ModuleType, build: ModuleType) -> Case:
    return Case(small, build)


def test_without_a_folder_nothing_is_judged(case: Case) -> None:
    """Whoever makes tables through the API owes no Terraform."""
    case.target = msgspec.structs.replace(TARGET, terraform=TerraformTarget())

    assert case.findings() == {}


def test_a_folder_that_cannot_be_read_blocks(case: Case) -> None:
    """Not knowing what Terraform makes is not a leave to go on."""
    case.target = msgspec.structs.replace(TARGET, terraform=TerraformTarget(dir="gone"))

    (found,) = case.findings().values()

    assert found.severity is Severity.BLOCKS
    assert found.unknown
    assert "no such folder" in found.evidence[0].detail


def test_a_role_that_is_made_elsewhere_is_asked_of_iam(case: Case) -> None:
    """With all permissions there is nothing to say; a missing one blocks; a refusal stays unknown."""
    assert case.findings()["irsa-role-missing"].unknown

    case.roles = Roles("dynamodb:*")
    assert list(case.findings()) == ["terraform-table-found"]

    case.roles = Roles("dynamodb:Query")
    missing = case.findings()["iam-missing-actions"]
    assert missing.severity is Severity.BLOCKS
    assert missing.evidence[0].source == f"IAM {ARN}"

    case.roles = Roles()
    assert case.findings()["irsa-role-missing"].unknown


def test_a_service_account_without_a_role_blocks(case: Case) -> None:
    """Its pods would have no access to the table."""
    case.cluster.account_list = (ServiceAccount(name="metrics", role=""),)

    assert case.findings()["irsa-annotation-missing"].severity is Severity.BLOCKS


@pytest.mark.parametrize("how", ["refused", "absent"])
def test_service_accounts_that_cannot_be_read_are_unknown(case: Case, how: str) -> None:
    """Unknown blocks as a missing role does."""
    if how == "refused":
        case.cluster.failing["service accounts"] = DeniedError("serviceaccounts: forbidden")
    else:
        case.cluster.account_list = ()

    found = case.findings()["irsa-annotation-unknown"]

    assert found.unknown
    assert found.severity is Severity.BLOCKS


def test_pods_with_keys_of_their_own_need_no_role(case: Case) -> None:
    """Credentials in their environment come first in the SDK's order."""
    case.cluster.account_list = (ServiceAccount(name="metrics", role=""),)
    case.inspection = with_account(case.inspection, env=("AWS_ACCESS_KEY_ID",))

    assert list(case.findings()) == ["terraform-table-found"]


def test_pods_that_touch_no_chosen_ring_are_left_out(case: Case) -> None:
    """A ring that nobody chose asks for no permission."""
    case.cluster.account_list = (ServiceAccount(name="metrics", role=""),)
    case.inspection = msgspec.structs.replace(
        case.inspection,
        pods=tuple(
            msgspec.structs.replace(
                facts, rings=tuple(view for view in facts.rings if view.ring != "ruler")
            )
            for facts in case.inspection.pods
        ),
    )

    assert "irsa-annotation-missing" not in case.findings()


def test_keys_that_the_table_itself_tells_are_not_unknown(case: Case) -> None:
    """DynamoDB is asked anyway; a folder that leaves the keys open does not matter then."""
    case.roles = Roles("dynamodb:*")
    case.folders = Folders(TABLE.replace('"RingKey"', "var.key"))
    assert case.findings() == {}

    case.inspection = msgspec.structs.replace(case.inspection, tables={"rings": None})
    assert case.findings()["terraform-keys-unknown"].severity is Severity.BLOCKS


def test_evidence_has_the_time_of_the_inspection(case: Case) -> None:
    """As with every other finding."""
    found = case.findings()["terraform-table-found"]

    assert {one.at for one in found.evidence} == {case.inspection.at}


def test_terraform_that_deploys_warns_only_where_something_else_is_to_deploy(case: Case) -> None:
    """A target whose own command is that apply has nothing to mend."""
    release = 'resource "helm_release" "metrics" {\n  name = "metrics"\n  chart = "mimir-distributed"\n}\n'
    case.folders = Folders(TABLE + release)
    assert case.findings()["terraform-deploys"].severity is Severity.WARNS

    case.target = msgspec.structs.replace(
        TARGET, deploy=DeployTarget(method=DeployMethod.COMMAND, command="terraform apply")
    )
    assert case.findings()["terraform-deploys"].severity is Severity.INFORMS


def test_iam_s_simulator_is_heard_where_it_may_be_asked(case: Case) -> None:
    """What the organisation denies is in no policy of the role."""
    case.target = msgspec.structs.replace(TARGET, aws=AwsTarget(region="eu-west-1"))
    case.roles = Roles("dynamodb:*")
    case.roles.decision = "allowed"
    assert list(case.findings()) == ["terraform-table-found"]

    case.roles.decision = "explicitDeny"
    assert "is denied dynamodb:Query" in case.findings()["iam-missing-actions"].title

    case.roles.decision = "implicitDeny"
    assert case.findings()["iam-unknown-actions"].unknown
