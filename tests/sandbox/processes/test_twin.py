"""What is changed in a pod so that it runs on this machine, and that nothing else is."""

from __future__ import annotations

import difflib

import msgspec
import yaml

from mimir_migrate.sandbox.processes.twin import Place, adapt, adapt_config, environment_of

CONFIG = """\
# as the chart renders it
server:
  http_listen_port: 8080
memberlist:
  join_members:
    - dns+mimir-gossip-ring.monitoring.svc.cluster.local.:7946
  rejoin_interval: 60s
ruler:
  alertmanager_url: http://mimir-alertmanager-headless.monitoring.svc:8080/alertmanager
  external_url: /ruler
  ring: {kvstore: {store: memberlist}}
frontend_worker:
  frontend_address: "mimir-query-frontend:9095"
blocks_storage:
  s3: {endpoint: "s3.eu-west-1.amazonaws.com:443"}
  tsdb:
    dir: /data/tsdb
runtime_config:
  file: /var/mimir/runtime.yaml
api: {prometheus_http_prefix: /prometheus}
"""
SERVICES = {"mimir-alertmanager-headless": "127.0.77.200", "mimir-query-frontend": "127.0.77.201"}


def place(*flags: str) -> Place:
    return Place(
        name="mimir-ruler-0",
        ip="127.0.77.10",
        root="/srv/pods/mimir-ruler-0",
        storage="/srv/storage",
        join=("127.0.77.10", "127.0.77.11"),
        flags=frozenset(flags),
        service=lambda host, _port: SERVICES.get(host.split(".")[0], ""),
    )


def test_paths_join_members_and_services_are_replaced_and_nothing_else() -> None:
    """Each other line of the rendered configuration keeps its bytes."""
    adapted = adapt_config(CONFIG, place())
    found = yaml.safe_load(adapted)
    assert found["memberlist"]["join_members"] == ["127.0.77.10:7946", "127.0.77.11:7946"]
    assert found["memberlist"]["rejoin_interval"] == "60s"
    assert found["ruler"]["alertmanager_url"] == "http://127.0.77.200:8080/alertmanager"
    assert found["frontend_worker"]["frontend_address"] == "127.0.77.201:9095"
    assert found["blocks_storage"]["tsdb"]["dir"] == "/srv/pods/mimir-ruler-0/data/tsdb"
    assert found["runtime_config"]["file"] == "/srv/pods/mimir-ruler-0/var/mimir/runtime.yaml"
    changed = [
        line for line in difflib.ndiff(CONFIG.split("\n"), adapted.split("\n")) if line[0] == "-"
    ]
    assert len(changed) == 7  # six settings in a line each, the join list in two


def test_paths_of_urls_stay_and_addresses_outside_the_release_lead_nowhere() -> None:
    """`/ruler` is not a path of a disk; nothing real is ever reached from a twin."""
    found = yaml.safe_load(adapt_config(CONFIG, place()))
    assert found["ruler"]["external_url"] == "/ruler"
    assert found["api"]["prometheus_http_prefix"] == "/prometheus"
    assert found["blocks_storage"]["s3"]["endpoint"] == "127.0.0.1:9"
    text = (
        "a: {s3: {endpoint: s3.eu-west-1.amazonaws.com}, external_url: https://mimir.example.com/am}\n"
        "b: {addresses: 'dns+memcached.cache.svc:11211', jaeger_endpoint: localhost:6831}\n"
        "c: {alertmanager_url: 'dnssrv+https://_http._tcp.am.example.com/am'}\n"
    )
    found = yaml.safe_load(adapt_config(text, place()))
    assert found["a"] == {
        "s3": {"endpoint": "127.0.0.1:9"},
        "external_url": "https://127.0.0.1:9/am",
    }
    assert found["b"] == {"addresses": "127.0.0.1:9", "jaeger_endpoint": "localhost:6831"}
    assert found["c"] == {"alertmanager_url": "https://127.0.0.1:9/am"}


def test_a_name_whose_port_dns_tells_leads_to_the_service_too() -> None:
    """The chart names the Alertmanager so."""
    url = (
        "dnssrvnoa+http://_http-metrics._tcp.mimir-alertmanager-headless.ns.svc.cluster.local./am"
    )
    found = yaml.safe_load(adapt_config(f"ruler: {{alertmanager_url: '{url}'}}", place()))
    assert found["ruler"]["alertmanager_url"] == "http://127.0.77.200:8080/am"


def test_a_list_as_deep_as_its_key_is_replaced_too() -> None:
    """helm's toYaml writes lists at the indentation of their key."""
    text = "memberlist:\n  join_members:\n  - a:7946\n  - b:7946\nserver: {}\n"
    found = yaml.safe_load(adapt_config(text, place()))
    assert found == {
        "memberlist": {"join_members": ["127.0.77.10:7946", "127.0.77.11:7946"]},
        "server": {},
    }


def test_only_flags_that_the_binary_lists_are_given() -> None:
    """A flag that a version does not know would end it at start."""
    args = ("-target=ruler", "-config.file=/etc/mimir/mimir.yaml")
    adapted = adapt(args, CONFIG, place("ruler.ring.instance-id", "server.http-listen-address"))
    assert adapted.args == (
        "-target=ruler",
        "-config.file=/srv/pods/mimir-ruler-0/etc/mimir/mimir.yaml",
        "-server.http-listen-address=127.0.77.10",
        "-ruler.ring.instance-id=mimir-ruler-0",
    )


def test_what_is_no_yaml_is_left_to_the_process() -> None:
    """The binary's own words about it are what the operator is to see."""
    assert adapt_config("server: [", place()) == "server: ["


def test_credentials_of_whoever_starts_it_do_not_reach_a_pod() -> None:
    """Neither from this machine's environment nor from the container's."""
    found = environment_of(
        {"ZONE": "a", "AWS_PROFILE": "prod"}, {"AWS_SESSION_TOKEN": "t", "PATH": "/bin"}, 4566
    )
    assert found["ZONE"] == "a"
    assert found["PATH"] == "/bin"
    assert found["AWS_ENDPOINT_URL_DYNAMODB"] == "http://127.0.0.1:4566"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & set(found)


def test_folders_that_volumes_would_give_are_named() -> None:
    """The products make the last folder of a path themselves, not those above it."""
    adapted = adapt(("-compactor.data-dir=/scratch/compactor",), CONFIG, place())
    root = "/srv/pods/mimir-ruler-0"
    assert set(adapted.folders) == {f"{root}/data", f"{root}/var/mimir", f"{root}/scratch"}


def test_the_name_of_a_service_that_is_reached_through_a_proxy_stays() -> None:
    """The ring bridge's: this tool looks for it in what a pod shows as its configuration."""
    here = msgspec.structs.replace(place(), service=lambda *_: "127.0.77.10", proxied=8500)
    config = (
        "ruler: {ring: {kvstore: {consul: {host: 'ring-bridge.ns.svc:8500'}}}}\n"
        "frontend_worker: {frontend_address: 'mimir-query-frontend:9095'}\n"
    )
    found = yaml.safe_load(adapt_config(config, here))
    assert found["ruler"]["ring"]["kvstore"]["consul"]["host"] == "ring-bridge.ns.svc:8500"
    assert found["frontend_worker"]["frontend_address"] == "127.0.77.10:9095"
