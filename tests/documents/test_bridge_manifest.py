"""The bridge's manifest: what a Kubernetes API takes, and what the bridge is safe with."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from kubernetes import client

from mimir_migrate.bridge import probe
from mimir_migrate.cli import run
from mimir_migrate.documents.bridge_manifest import (
    BRIDGE_ACTIONS,
    BridgePlan,
    bridge_policy,
    bridge_terraform,
    host,
    manifest,
    objects,
)
from mimir_migrate.documents.terraform.folder import read_terraform
from mimir_migrate.sandbox.kubernetes.objects import KINDS, ObjectStore

ROLE = "arn:aws:iam::111122223333:role/ring-bridge"
PLAN = BridgePlan(
    image="registry/mimir-migrate:0.2.0",
    namespace="mimir",
    table="rings",
    region="eu-west-1",
    cluster="prod",
    keys=("collectors/ring", "rulers/ring"),
    role_arn=ROLE,
    token_secret="ring-bridge-token",
    tls_secret="ring-bridge-tls",
)
MODELS = {
    "Deployment": "V1Deployment",
    "NetworkPolicy": "V1NetworkPolicy",
    "PodDisruptionBudget": "V1PodDisruptionBudget",
    "PriorityClass": "V1PriorityClass",
    "Service": "V1Service",
    "ServiceAccount": "V1ServiceAccount",
}


def by_kind(plan: BridgePlan = PLAN) -> dict[str, Any]:
    return {one["kind"]: one for one in objects(plan)}


def container(plan: BridgePlan = PLAN) -> dict[str, Any]:
    (found,) = by_kind(plan)["Deployment"]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def unknown_fields(found: Any, model: str, place: str) -> list[str]:
    """Fields that a real API server's schema does not have; the client is made of that schema."""
    listed = re.fullmatch(r"list\[(\w+)\]", model)
    if listed:
        return [
            wrong
            for number, one in enumerate(found)
            for wrong in unknown_fields(one, listed[1], f"{place}[{number}]")
        ]
    kind = getattr(client, model, None)
    if kind is None or not hasattr(kind, "openapi_types"):
        simple = {"str": str, "int": int, "bool": bool}.get(model)
        return [f"{place}: {found!r}"] if simple and not isinstance(found, simple) else []
    names = {written: name for name, written in kind.attribute_map.items()}
    wrong = [f"{place}.{name}" for name in found if name not in names]
    for name, value in found.items():
        if name in names:
            wrong += unknown_fields(value, kind.openapi_types[names[name]], f"{place}.{name}")
    return wrong


@pytest.mark.parametrize("kind", MODELS)
def test_every_field_is_one_of_the_apis_schema(kind: str) -> None:
    """With a value of its type."""
    assert unknown_fields(by_kind()[kind], MODELS[kind], kind) == []


def test_the_sandboxs_api_server_takes_every_object() -> None:
    """Under the kind that it is of."""
    store = ObjectStore(lambda: 0.0)
    plurals = {kind.kind: kind for kind in KINDS.values()}

    for one in yaml.safe_load_all(manifest(PLAN)):
        kind = plurals[one["kind"]]
        assert kind.api_version == one["apiVersion"]
        store.create(kind.plural, one["metadata"].get("namespace", ""), one)


def test_replicas_stand_apart_and_are_never_all_away() -> None:
    """One a zone, one more before one less, and no drain takes two."""
    spec = by_kind()["Deployment"]["spec"]
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]

    assert spec["replicas"] == 3
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert spread["topologyKey"] == "topology.kubernetes.io/zone"
    assert spread["whenUnsatisfiable"] == "DoNotSchedule"
    assert by_kind()["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert by_kind()["Service"]["spec"]["trafficDistribution"] == "PreferClose"
    labels = spec["template"]["metadata"]["labels"]
    for kind in ("PodDisruptionBudget", "NetworkPolicy", "Service"):
        inner = by_kind()[kind]["spec"]
        chosen = inner.get("selector") or inner["podSelector"]
        assert chosen.get("matchLabels", chosen) == labels


def test_it_runs_with_nothing_that_it_does_not_need() -> None:
    """No root, no writing, no token of the API server; Mimir's pods alone reach it."""
    pod = by_kind()["Deployment"]["spec"]["template"]["spec"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    (rule,) = by_kind()["NetworkPolicy"]["spec"]["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "mimir"}}}]
    assert rule["ports"] == [{"port": 8500, "protocol": "TCP"}]


def test_its_options_are_ones_that_serve_takes() -> None:
    """As the command itself reads them."""
    from mimir_migrate.cli.parsing.parser import build_parser

    for plan in (PLAN, BridgePlan(**{**_fields(PLAN), "token_secret": "", "tls_secret": ""})):
        options = build_parser().parse_all(container(plan)["args"])
        assert (options.table, options.cluster) == ("rings", "prod")
        assert options.keys == ["collectors/ring,rulers/ring"]
        assert options.no_token is not bool(plan.token_secret)
        mounts = {one["mountPath"] for one in container(plan)["volumeMounts"]}
        for file in (options.token_file, options.tls_certificate, options.tls_key):
            assert not file or file.rpartition("/")[0] in mounts


def test_secrets_are_named_and_never_written() -> None:
    """The probes speak TLS where it does, and so does Mimir."""
    pod = by_kind()["Deployment"]["spec"]["template"]["spec"]

    named = [one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one]
    assert named == ["ring-bridge-token", "ring-bridge-tls"]
    assert container()["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    assert host(PLAN) == "https://ring-bridge.mimir.svc:8500"


def test_the_policy_is_the_least_one() -> None:
    """For this table; in the partition of its region; as Terraform too."""
    (statement,) = bridge_policy("rings", "cn-north-1")["Statement"]
    assert statement["Action"] == list(BRIDGE_ACTIONS)
    assert statement["Resource"] == ["arn:aws-cn:dynamodb:cn-north-1:*:table/rings"]

    text = bridge_terraform(PLAN)
    facts = read_terraform({"bridge.tf": text})
    (table,) = facts.tables
    assert table.name.value == "rings"
    for action in BRIDGE_ACTIONS:
        assert f'"{action}"' in text
    assert 'role       = "ring-bridge"' in text


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    """YAML on stdout; Terraform where it is asked for; two replicas at least."""
    call = ["bridge", "manifest", "--image", "i", "--namespace", "mimir", "--table", "rings"]
    call += ["--region", "eu-west-1", "--cluster", "prod", "--keys", "collectors/ring"]

    assert run(call) == 0
    printed = capsys.readouterr().out
    assert [one["kind"] for one in yaml.safe_load_all(printed)] == [
        one["kind"] for one in objects(PLAN)
    ]
    assert "EXPERIMENTAL" in printed
    assert "create-pod-identity-association" in printed
    assert run([*call, "--terraform"]) == 0
    assert 'resource "aws_dynamodb_table"' in capsys.readouterr().out
    assert run([*call, "--replicas", "1"]) == 2
    assert "outage" in capsys.readouterr().err
    assert run([*call, "--client", "app"]) == 2


def _fields(plan: BridgePlan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in plan.__struct_fields__}


def test_the_key_of_the_replicas_own_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A client that was served it could turn the gate about it red, or green."""
    chosen = f"--image i --namespace n --table t --region r --cluster c --keys a,{probe.KEY}"

    assert run(["bridge", "manifest", *chosen.split()]) == 2
    assert f"'{probe.KEY}' is not a key" in capsys.readouterr().err
