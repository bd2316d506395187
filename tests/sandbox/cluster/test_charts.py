"""What values are rendered to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.charts.rendering import release_of, render

EXAMPLES = Path(__file__).parents[3] / "examples"


def rendered(product: Product, *texts: str, **release) -> dict[tuple[str, str], dict]:
    files = [(f"values-{number}.yaml", text.encode()) for number, text in enumerate(texts)]
    manifests = render(product, files, release_of(product, **release))
    return {(one["kind"], one["metadata"]["name"]): one for one in manifests}


def mimir_config(found) -> dict:
    return yaml.safe_load(found["ConfigMap", "mimir-config"]["data"]["mimir.yaml"])


def pod_template(found, kind: str, name: str) -> dict:
    return found[kind, name]["spec"]["template"]


def test_the_chart_s_own_defaults_are_below_the_structured_config():
    """What the values set wins, deep inside too; null takes a default away; the rest stays."""
    found = rendered(
        Product.MIMIR,
        "mimir: {structuredConfig: {ingester: {ring: {heartbeat_period: 15s, tokens_file_path: null}}}}",
    )
    config = mimir_config(found)

    ring = config["ingester"]["ring"]
    assert ring["heartbeat_period"] == "15s"
    assert ring["heartbeat_timeout"] == "10m"
    assert "tokens_file_path" not in ring
    assert config["memberlist"]["join_members"] == [
        "dns+mimir-gossip-ring.observability.svc.cluster.local.:7946"
    ]
    assert config["runtime_config"]["file"] == "/var/mimir/runtime.yaml"
    assert config["store_gateway"]["sharding_ring"]["kvstore"] == {"prefix": "multi-zone/"}
    assert "store" not in ring.get("kvstore", {})


def test_a_later_values_file_wins():
    """Files are laid over each other in order."""
    found = rendered(
        Product.MIMIR,
        "mimir: {structuredConfig: {limits: {ingestion_rate: 1, request_rate: 2}}}",
        "mimir: {structuredConfig: {limits: {ingestion_rate: 3}}}",
    )
    limits = mimir_config(found)["limits"]
    assert (limits["ingestion_rate"], limits["request_rate"]) == (3, 2)


def test_zones_become_statefulsets_with_on_delete():
    """Three zones by default, a share of the replicas in each, restarted by the rollout-operator."""
    found = rendered(Product.MIMIR, "ingester: {replicas: 4}")

    zones = {name: one for (kind, name), one in found.items() if "mimir-ingester-zone" in name}
    assert sorted(zones) == [f"mimir-ingester-zone-{letter}" for letter in "abc"]
    one = zones["mimir-ingester-zone-b"]
    assert one["spec"]["replicas"] == 2
    assert one["spec"]["updateStrategy"] == {"type": "OnDelete"}
    assert one["metadata"]["labels"]["rollout-group"] == "ingester"
    assert one["metadata"]["annotations"]["rollout-max-unavailable"] == "50"
    container = one["spec"]["template"]["spec"]["containers"][0]
    assert "-ingester.ring.instance-availability-zone=zone-b" in container["args"]
    assert one["spec"]["template"]["metadata"]["labels"]["zone"] == "zone-b"


def test_without_zones_a_component_is_one_statefulset():
    """`zoneAwareReplication.enabled: false` renders one workload that rolls."""
    found = rendered(
        Product.MIMIR, "ingester: {replicas: 3, zoneAwareReplication: {enabled: false}}"
    )
    one = found["StatefulSet", "mimir-ingester"]
    assert one["spec"]["replicas"] == 3
    assert one["spec"]["updateStrategy"] == {"type": "RollingUpdate"}
    assert "zone_awareness_enabled" not in mimir_config(found)["ingester"]["ring"]


def test_extra_args_are_flags_in_order():
    """Sorted, null as an empty value, after the chart's own."""
    found = rendered(
        Product.MIMIR, "ruler: {extraArgs: {ruler.ring.store: memberlist, a.b: null, c: true}}"
    )
    args = pod_template(found, "Deployment", "mimir-ruler")["spec"]["containers"][0]["args"]
    assert args[0] == "-target=ruler"
    assert args[-3:] == ["-a.b=", "-c=true", "-ruler.ring.store=memberlist"]


def test_a_change_of_the_configuration_changes_every_pod_template_and_nothing_else():
    """One checksum for the whole release; a change of the runtime configuration changes none."""
    text = (
        "mimir: {structuredConfig: {limits: {ingestion_rate: %s}}}\nruntimeConfig: {overrides: %s}"
    )
    before = rendered(Product.MIMIR, text % (1, "{}"))
    config = rendered(Product.MIMIR, text % (2, "{}"))
    runtime = rendered(Product.MIMIR, text % (1, "{a: {ingestion_rate: 5}}"))

    changed = {key for key in before if before[key] != config[key]}
    workloads = {key for key in before if key[0] in {"StatefulSet", "Deployment"}}
    plain = {("Deployment", "mimir-rollout-operator"), ("Deployment", "mimir-nginx")}
    assert changed == workloads - plain | {("ConfigMap", "mimir-config")}
    assert {key for key in before if before[key] != runtime[key]} == {
        ("ConfigMap", "mimir-runtime")
    }


def test_gossip_reaches_every_pod_but_the_query_frontend():
    """Labels of members, a headless service that resolves to pods that are not ready, too."""
    found = rendered(Product.MIMIR, "{}")
    service = found["Service", "mimir-gossip-ring"]["spec"]
    assert service["publishNotReadyAddresses"] is True
    label = "app.kubernetes.io/part-of"
    assert service["selector"][label] == "memberlist"
    member = pod_template(found, "Deployment", "mimir-querier")["metadata"]["labels"]
    assert service["selector"].items() <= member.items()
    assert (
        label
        not in pod_template(found, "Deployment", "mimir-query-frontend")["metadata"]["labels"]
    )


def test_names_follow_the_release():
    """A release that does not hold the chart's name gets it behind its own."""
    found = rendered(Product.MIMIR, "{}", name="prod")
    assert ("ConfigMap", "prod-mimir-config") in found
    assert ("StatefulSet", "prod-mimir-compactor") in found
    assert ("Deployment", "prod-rollout-operator") in found


def test_templates_in_values_are_evaluated():
    """The release's names, in the structured configuration and in the runtime configuration."""
    found = rendered(
        Product.MIMIR,
        "mimir: {structuredConfig: {memberlist: {cluster_label: "
        "'{{ .Release.Name }}-{{ .Release.Namespace }}'}}}\n"
        "runtimeConfig: {overrides: {'{{ include \"mimir.fullname\" . }}': {}}}",
    )
    assert mimir_config(found)["memberlist"]["cluster_label"] == "mimir-observability"


def test_an_action_that_is_not_simulated_is_refused():
    """Nothing is rendered from a template that would have to be guessed."""
    with pytest.raises(UsageError, match="cannot evaluate"):
        rendered(Product.MIMIR, "mimir: {structuredConfig: {target: '{{ if .x }}a{{ end }}'}}")


def test_grace_periods_are_divided_by_the_speed():
    """Whole seconds, one at least."""
    slow = rendered(Product.MIMIR, "{}")
    fast = rendered(Product.MIMIR, "{}", speed=60.0)
    name = ("StatefulSet", "mimir-ingester-zone-a")
    assert slow[name]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 1200
    assert fast[name]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 20


def test_the_service_account_carries_the_role():
    """IRSA: the annotation with the role's ARN."""
    role = "arn:aws:iam::123456789012:role/rings"
    values = (
        f"serviceAccount: {{name: rings, annotations: {{eks.amazonaws.com/role-arn: '{role}'}}}}"
    )
    found = rendered(Product.MIMIR, values)
    account = found["ServiceAccount", "rings"]
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == role
    assert (
        pod_template(found, "Deployment", "mimir-ruler")["spec"]["serviceAccountName"] == "rings"
    )


def cortex_config(found) -> dict:
    return yaml.safe_load(found["Secret", "cortex"]["stringData"]["cortex.yaml"])


def test_cortex_keeps_its_configuration_in_a_secret():
    """The Secret `cortex`, mounted at /etc/cortex; the runtime configuration in a ConfigMap."""
    found = rendered(
        Product.CORTEX,
        "config: {ruler: {enable_sharding: true}}\n"
        "runtimeconfigmap: {runtime_config: {multi_kv_config: {primary: dynamodb}}}",
    )
    assert cortex_config(found)["ruler"]["enable_sharding"] is True
    assert cortex_config(found)["memberlist"]["join_members"] == ["cortex-memberlist"]
    runtime = found["ConfigMap", "cortex-runtime-config"]["data"]["runtime_config.yaml"]
    assert yaml.safe_load(runtime) == {"multi_kv_config": {"primary": "dynamodb"}}
    volumes = pod_template(found, "Deployment", "cortex-ruler")["spec"]["volumes"]
    assert volumes[0]["secret"] == {"secretName": "cortex"}


def test_cortex_can_keep_its_configuration_in_a_config_map():
    """`useConfigMap: true` mounts `cortex-config` instead."""
    found = rendered(Product.CORTEX, "useConfigMap: true")
    assert "cortex.yaml" in found["ConfigMap", "cortex-config"]["data"]
    assert ("Secret", "cortex") not in found


def test_in_the_cortex_chart_the_query_frontend_does_not_gossip():
    """As on the pods that were looked at; the gossip service resolves to Ready pods alone."""
    found = rendered(Product.CORTEX, "{}")
    label = "app.kubernetes.io/part-of"
    frontend = pod_template(found, "Deployment", "cortex-query-frontend")["metadata"]["labels"]
    assert label not in frontend
    assert "publishNotReadyAddresses" not in found["Service", "cortex-memberlist"]["spec"]


def test_an_umbrella_chart_s_values_are_found():
    """Values under the chart's name, as a parent chart has them."""
    found = rendered(
        Product.MIMIR,
        "mimir-distributed: {mimir: {structuredConfig: {limits: {ingestion_rate: 7}}}}",
    )
    assert mimir_config(found)["limits"]["ingestion_rate"] == 7


@pytest.mark.parametrize(
    ("product", "name", "pods"),
    [(Product.MIMIR, "values.yaml", 17), (Product.CORTEX, "values-cortex.yaml", 16)],
)
def test_the_examples_render(product, name, pods):
    """Every workload, with as many pods as the example asks for."""
    found = rendered(product, (EXAMPLES / name).read_text())
    workloads = [one for (kind, _), one in found.items() if kind in {"StatefulSet", "Deployment"}]
    assert sum(one["spec"]["replicas"] for one in workloads) == pods
