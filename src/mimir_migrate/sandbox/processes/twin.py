"""What is changed in a pod's arguments and configuration so that it runs on this machine.

Everything that is not named here stays as the chart renders it. Only flags that the binary itself lists
are given to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from mimir_migrate.sandbox.aws.client import REGION
from mimir_migrate.sandbox.aws.tables import POD_AGENT

CHANGES: Final = (
    "each pod listens on an address 127.0.x.y of its own instead of every address of a network namespace",
    "gossip joins through the list of all addresses that are kept for pods, instead of a service's name",
    "instance ids and addresses in the rings are set by flags to the pod's name and address",
    "absolute paths stand below a folder of the pod's own",
    "names of services of the release are replaced by a loopback address that leads to their Ready pods",
    "the ring bridge, where there is one, is reached by its name through HTTP_PROXY, at the pod's own address",
    "addresses outside of the release lead nowhere (127.0.0.1:9)",
    "blocks, rules and Alertmanager state are kept on the file system instead of an object store",
    "caches (memcached) are off; usage reports are off",
    "DynamoDB is a moto server on loopback, reached through the AWS SDK's environment with keys that are none",
    "GOMAXPROCS is 2 and soft memory limits are off; requests, limits, volumes and network policies are not there",
    "a changed ConfigMap reaches a pod within 5 s instead of within about a minute",
    "the gateway (nginx) and the rollout-operator are simulated",
)
"""Told to the operator whenever a sandbox with real processes starts."""

_PATH_KEY: Final = re.compile(r"(?:^|[_.-])(?:dir|directory|path|file|filepath|filename)$")
_ENDPOINT_KEY: Final = re.compile(r"(?:^|[_.-])(?:endpoint|host|hosts)$")
NOWHERE: Final = "127.0.0.1:9"
"""The port of a service that throws everything away and that no machine runs any more."""
_RING_FLAGS: Final = (
    "ingester.ring",
    "distributor.ring",
    "store-gateway.sharding-ring",
    "compactor.ring",
    "ruler.ring",
    "alertmanager.sharding-ring",
    "query-scheduler.ring",
    "overrides-exporter.ring",
    "querier.ring",
    "parquet-converter.ring",
    "usage-tracker.instance-ring",
)
_PASSED_ON: Final = ("PATH", "LANG", "TZ", "TMPDIR")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one pod runs."""

    name: str
    ip: str
    root: str
    """What stands for `/` in its paths."""
    storage: str
    """The folder that stands for the object store; all pods share it."""
    join: tuple[str, ...]
    """Addresses that gossip joins through."""
    flags: frozenset[str]
    """What the binary knows."""
    service: Callable[[str, int], str] = lambda _host, _port: ""
    """The address of a service by the name and port it is reached at; empty: no service of the release."""
    proxied: int = 0
    """The port of a service whose name stays in the configuration, where this tool looks for it: it is
    reached through a proxy at that port of the pod's own address. 0: there is none."""


class Adapted(msgspec.Struct, frozen=True, kw_only=True):
    """A pod's process as it is started."""

    args: tuple[str, ...]
    config: str
    http_port: int
    folders: tuple[str, ...]
    """Folders below the pod's own that its paths need: what volumes are mounted at in a cluster."""


def adapt(args: Sequence[str], config: str, place: Place) -> Adapted:
    """Arguments and configuration of a pod for this machine."""
    tree = _loaded(config)
    text = adapt_config(config, place)
    server = tree.get("server") or {}
    port = int(server.get("http_listen_port") or 8080)
    kept = [_adapt_argument(arg, place) for arg in args]
    roots = (line for line in (text, *kept) for line in _paths_below(line, place.root))
    return Adapted(
        folders=tuple(sorted({str(Path(path).parent) for path in roots})),
        args=(*kept, *_flags(tree, place, port, uses_caches="memcached" in config)),
        config=text,
        http_port=port,
    )


def adapt_config(config: str, place: Place) -> str:
    """The configuration with paths, join members and service names of this machine; else its own bytes."""
    try:
        root = yaml.compose(config, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return config  # The process says better what is wrong with it.
    edits = sorted(_edits(root, (), place), reverse=True)
    for start, end, text in edits:
        config = config[:start] + text + config[end:]
    return config


def _paths_below(text: str, root: str) -> list[str]:
    return re.findall(re.escape(root) + r"/[^\s\"',\]}]+", text)


def environment_of(
    given: Mapping[str, str], inherited: Mapping[str, str], aws_port: int
) -> dict[str, str]:
    """The environment of a pod's process: its container's, and where DynamoDB is."""
    found = {key: inherited[key] for key in _PASSED_ON if key in inherited}
    found |= {
        key: value for key, value in given.items() if not key.startswith(("AWS_", "GOMEMLIMIT"))
    }
    return found | {
        "GOMAXPROCS": "2",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{aws_port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        # moto answers pods by a shorter way, and knows them by this part of their user agent.
        "AWS_SDK_UA_APP_ID": POD_AGENT,
    }


def _loaded(config: str) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(config)
    except yaml.YAMLError:
        return {}
    return tree if isinstance(tree, dict) else {}


def _edits(
    node: yaml.Node | None, path: tuple[str, ...], place: Place
) -> Iterator[tuple[int, int, str]]:
    """Start, end and new text of what is replaced."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            if here == ("memberlist", "join_members"):
                # From the key on: a list in brackets must not begin where a block list may.
                _, end, text = _span(value, _join(value, place))
                yield key.end_mark.index, end, f": {text}"
            else:
                yield from _edits(value, here, place)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _edits(value, path, place)
    elif isinstance(node, yaml.ScalarNode) and node.style not in {"|", ">"}:
        text = _replaced(path[-1] if path else "", node.value, place)
        if text != node.value:
            yield _span(node, json.dumps(text))


def _span(node: Any, text: str) -> tuple[int, int, str]:
    """A block sequence's end mark stands at the next token: the line break before it is kept."""
    start, end = node.start_mark, node.end_mark
    whole = start.buffer[start.index : end.index] if start.buffer else ""
    kept = whole[len(whole.rstrip()) :]
    return start.index, end.index - len(kept), text


def _join(node: Any, place: Place) -> str:
    """All reserved addresses, with the port of the first member that is configured."""
    first = node.value[0].value if isinstance(node, yaml.SequenceNode) and node.value else ""
    port = str(first).rpartition(":")[2]
    members = [f"{address}:{port if port.isdigit() else '7946'}" for address in place.join]
    return json.dumps(members)


_SRV: Final = re.compile(
    r"(?:dnssrv|dnssrvnoa)\+(?P<scheme>https?://)?_[\w-]+\._tcp\.(?P<host>[a-z][\w.-]*?)\.?(?=[/:]|$)(?::\d+)?"
)
"""A name whose port DNS tells, e.g. `dnssrvnoa+http://_http-metrics._tcp.NAME.NAMESPACE.svc…/alertmanager`."""
_SRV_PORT: Final = 8080
_HOST: Final = re.compile(
    r"(?P<dns>(?:dns|dnssrv|dnssrvnoa)\+)?(?<![\w.@/-])(?P<host>[a-z][\w-]*(?:\.[\w-]+)*\.?):(?P<port>\d+)"
    r"|(?<=://)(?P<url>[a-z][\w-]*(?:\.[\w-]+)*\.?)(?::(?P<urlport>\d+))?"
)


def _replaced(key: str, value: str, place: Place) -> str:
    if value.startswith("/") and _PATH_KEY.search(key):
        return in_root(value, place.root)
    if _ENDPOINT_KEY.search(key) and re.fullmatch(r"[a-z][\w-]*(\.[\w-]+)+\.?", value):
        return NOWHERE
    return with_services(value, place)


def with_services(value: str, place: Place) -> str:
    """A text with the names of the release's services replaced by their addresses."""

    def address(found: re.Match[str]) -> str:
        host = found["host"] or found["url"]
        port = found["port"] or found["urlport"] or "80"
        if host == "localhost":
            return found[0]
        known = place.service(host, int(port))
        if known and int(port) == place.proxied:
            return found[0]
        return f"{known}:{port}" if known else NOWHERE

    def srv_address(found: re.Match[str]) -> str:
        known = place.service(found["host"], _SRV_PORT)
        address = f"{known}:{_SRV_PORT}" if known else NOWHERE
        return f"{found['scheme'] or ''}{address}"

    return _HOST.sub(address, _SRV.sub(srv_address, value))


def in_root(path: str, root: str) -> str:
    """An absolute path as it stands below a pod's own folder."""
    return path if path.startswith(root) else str(Path(root) / path.lstrip("/"))


def _adapt_argument(argument: str, place: Place) -> str:
    name, separator, value = argument.partition("=")
    if not separator:
        return argument
    return f"{name}={_replaced(name.lstrip('-'), value, place)}"


def _flags(
    tree: Mapping[str, Any], place: Place, port: int, *, uses_caches: bool
) -> Iterator[str]:
    """The extra flags; a flag wins over the configuration."""
    wanted: dict[str, str] = {
        "server.http-listen-address": place.ip,
        "server.http-listen-port": str(port),
        "server.grpc-listen-address": place.ip,
        "memberlist.bind-addr": place.ip,
        "memberlist.advertise-addr": place.ip,
        "memberlist.nodename": place.name,
        "ingester.lifecycler.ID": place.name,
        "ingester.lifecycler.addr": place.ip,
        "frontend.instance-addr": place.ip,
        "query-frontend.instance-addr": place.ip,
        "querier.instance-addr": place.ip,
        "usage-stats.enabled": "false",
    }
    for prefix in _RING_FLAGS:
        wanted[f"{prefix}.instance-id"] = place.name
        wanted[f"{prefix}.instance-addr"] = place.ip
    for kind, folder in (
        ("blocks-storage", "blocks"),
        ("ruler-storage", "rules"),
        ("alertmanager-storage", "alertmanager"),
    ):
        wanted[f"{kind}.backend"] = "filesystem"
        wanted[f"{kind}.filesystem.dir"] = f"{place.storage}/{folder}"
    if not (tree.get("ruler") or {}).get("rule_path"):
        wanted["ruler.rule-path"] = in_root("/rules", place.root)
    if uses_caches:
        wanted["blocks-storage.bucket-store.index-cache.backend"] = "inmemory"
        wanted["blocks-storage.bucket-store.chunks-cache.backend"] = ""
        wanted["blocks-storage.bucket-store.metadata-cache.backend"] = ""
        wanted["query-frontend.cache-results"] = "false"
        wanted["query-frontend.results-cache.backend"] = ""
    for name, value in wanted.items():
        if name in place.flags:
            yield f"-{name}={value}"
