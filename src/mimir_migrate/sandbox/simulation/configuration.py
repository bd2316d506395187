"""A process' configuration: read strictly from file and flags, reported as the pages show it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Final

import yaml

from mimir_migrate.durations import read_duration
from mimir_migrate.model.rings import Product, Ring, Role, components_of, rings_of, version_in
from mimir_migrate.sandbox.simulation.defaults import (
    Path,
    Tree,
    default_values,
    known_settings,
)

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_DURATION = re.compile(r"-?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")
_RING_FLAGS: Final = {
    "multi.primary": ("multi", "primary"),
    "multi.secondary": ("multi", "secondary"),
    "multi.mirror-enabled": ("multi", "mirror_enabled"),
    "consul.hostname": ("consul", "host"),
    "consul.acl-token": ("consul", "acl_token"),
    "consul.client-timeout": ("consul", "http_client_timeout"),
    "consul.consistent-reads": ("consul", "consistent_reads"),
    "consul.watch-rate-limit": ("consul", "watch_rate_limit"),
    "consul.watch-burst-size": ("consul", "watch_burst_size"),
    "consul.cas-retry-delay": ("consul", "cas_retry_delay"),
    "dynamodb.region": ("dynamodb", "region"),
    "dynamodb.table-name": ("dynamodb", "table_name"),
    "dynamodb.ttl-time": ("dynamodb", "ttl"),
    "dynamodb.puller-sync-time": ("dynamodb", "puller_sync_time"),
}
_HIDDEN: Final = "acl_token"
_MASKED: Final = "********"
"""What dskit's `flagext.Secret` prints of a value."""
_FAST_JOIN: Final = ("memberlist", "abort_if_cluster_fast_join_fails")
"""A setting of Mimir that only its page lists, since 2.17; the chart gives it to ingesters as a flag."""
_FLAGS: Final[dict[str, Path]] = {
    "target": ("target",),
    "ingester.availability-zone": ("ingester", "lifecycler", "availability_zone"),
    "memberlist.join": ("memberlist", "join_members"),
    "memberlist.cluster-label": ("memberlist", "cluster_label"),
    "memberlist.bind-port": ("memberlist", "bind_port"),
    "memberlist.rejoin-interval": ("memberlist", "rejoin_interval"),
    "memberlist.abort-if-join-fails": ("memberlist", "abort_if_cluster_join_fails"),
    "memberlist.abort-if-fast-join-fails": _FAST_JOIN,
    "runtime-config.file": ("runtime_config", "file"),
    "runtime-config.reload-period": ("runtime_config", "period"),
}
_TYPES: Final[dict[str, str]] = {
    "kvstore": "kv.Config",
    "multi": "kv.MultiConfig",
    "dynamodb": "dynamodb.Config",
    "consul": "consul.Config",
    "etcd": "etcd.Config",
    "memberlist": "memberlist.KVConfig",
    "runtime_config": "runtimeconfig.Config",
    "lifecycler": "ring.LifecyclerConfig",
    "limits": "validation.plainLimits",
    "multi_kv_config": "kv.MultiRuntimeConfig",
}


class BadConfigurationError(Exception):
    """The process ends at start; the message is what the product logs."""


class Configuration:
    """What one process runs with.

    Args:
        product: Which product.
        version: Its version, for the settings that it knows.
        stores: Stores that the build offers besides the product's own.
        text: The configuration file.
        args: The container's arguments.

    Raises:
        BadConfigurationError: The file or a flag is not one that the binary takes.
    """

    def __init__(
        self,
        product: Product,
        version: str,
        stores: frozenset[str],
        text: str,
        args: tuple[str, ...],
    ) -> None:
        self.product = product
        self.version = version_in(version)
        self._pages: dict[tuple[str, float], str] = {}
        self.defaults = default_values(product, version, stores)
        self._settings, self._maps = known_settings(product, version, stores)
        self._given = self._read_file(text)
        self._read_flags(args)
        self.components = components_of(product, str(self.value(("target",))))
        self.rings = tuple(
            ring for ring in rings_of(product) if (*ring.path, "store") in self.defaults
        )
        self._check_stores()

    # --- asking ---------------------------------------------------------------------------------

    def value(self, path: Path) -> Any:
        """A setting's value, the default where it is not given."""
        found = self._given.get(path)
        return self.defaults.get(path) if found is None else found

    def seconds(self, path: Path, default: float = 0.0) -> float:
        """A duration, in seconds of product time."""
        found = read_duration(self.value(path))
        return default if found is None else found

    def is_on(self, ring: Ring) -> bool:
        """Whether a ring is used at all with this configuration."""
        return all(self.value(when.path) in when.values for when in ring.enabled_when)

    def role(self, ring: Ring, component: str) -> Role | None:
        """What a component does with a ring in this version; None: it does not touch it."""
        return ring.role_of(component, self.version)

    def roles(self, ring: Ring) -> tuple[Role, ...]:
        """What this process' components do with a ring."""
        found = (self.role(ring, component) for component in self.components)
        return tuple(role for role in found if role is not None)

    def store_names(self, ring: Ring) -> tuple[str, ...]:
        """The stores that a ring uses: one, or with `multi` the primary and the secondary."""
        store = str(self.value((*ring.path, "store")))
        if store != "multi":
            return (store,)
        return (
            str(self.value((*ring.path, "multi", "primary"))),
            str(self.value((*ring.path, "multi", "secondary"))),
        )

    def is_multi(self, ring: Ring) -> bool:
        """Whether the ring is on `multi`."""
        return bool(self.value((*ring.path, "store")) == "multi")

    def ring_key(self, ring: Ring) -> str:
        """The full key of a ring."""
        return ring.ring_key(str(self.value((*ring.path, "prefix"))))

    # --- reporting ------------------------------------------------------------------------------

    def page(self, mode: str, speed: float) -> str:
        """`/config`: everything, what differs from the defaults (`diff`), or the `defaults`."""
        key = mode, speed
        if key not in self._pages:
            self._pages[key] = self._page(mode, speed)
        return self._pages[key]

    def _page(self, mode: str, speed: float) -> str:
        if mode == "defaults":
            return _dump(self.defaults, speed)
        if mode == "diff":
            return _dump(
                {
                    path: value
                    for path, value in sorted(self._given.items())
                    if not _same(value, self.defaults.get(path))
                },
                speed,
            )
        return _dump(self.defaults | self._given, speed)

    # --- reading --------------------------------------------------------------------------------

    def _read_file(self, text: str) -> dict[Path, Any]:
        try:
            tree = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader, with one tag more
        except yaml.YAMLError as error:
            raise BadConfigurationError(
                f"error loading config from file: yaml: {' '.join(str(error).split())}"
            ) from error
        if tree is None:
            return {}
        if not isinstance(tree, dict):
            raise BadConfigurationError(
                f"error loading config from file: yaml: unmarshal errors: cannot unmarshal !!str "
                f"into {self.product.value}.Config"
            )
        given: dict[Path, Any] = {}
        blocks = _blocks(self._settings | self._maps)
        self._take(tree, (), given, blocks, text)
        return given

    def _take(
        self,
        tree: Mapping[Any, Any],
        path: Path,
        given: dict[Path, Any],
        blocks: frozenset[Path],
        text: str,
    ) -> None:
        for key, value in tree.items():
            here = (*path, str(key))
            if here in self._maps:
                given[here] = value
            elif here in self._settings:
                if value is not None:
                    given[here] = value
            elif here in blocks:
                if isinstance(value, Mapping):
                    self._take(value, here, given, blocks, text)
                elif value is not None:
                    raise BadConfigurationError(
                        f"error parsing config: line {_line(text, here)}: cannot unmarshal "
                        f"{value!r} into {_type_name(self.product, here)}"
                    )
            else:
                raise BadConfigurationError(
                    f"error parsing config: yaml: unmarshal errors:\n  line {_line(text, here)}: "
                    f"field {key} not found in type {_type_name(self.product, path)}"
                )

    def _read_flags(self, args: tuple[str, ...]) -> None:
        flags = {
            name: path
            for name, path in _FLAGS.items()
            if path in self._settings or (path == _FAST_JOIN and self.product is Product.MIMIR)
        }
        prefixes = []
        for ring in rings_of(self.product):
            flags[ring.flag_prefix + "store"] = (*ring.path, "store")
            flags[ring.flag_prefix + "prefix"] = (*ring.path, "prefix")
            flags[ring.flag_prefix + "heartbeat-timeout"] = ring.heartbeat_timeout_path
            zone = (*ring.ring_path, "instance_availability_zone")
            if zone in self._settings:
                flags[ring.flag_prefix + "instance-availability-zone"] = zone
            period = "ingester." if ring.heartbeat_period_path[:-1] != ring.ring_path else None
            flags[(period or ring.flag_prefix) + "heartbeat-period"] = ring.heartbeat_period_path
            for name, keys in _RING_FLAGS.items():
                flags[ring.detail_flag_prefix + name] = (*ring.path, *keys)
            prefixes.append(ring.detail_flag_prefix + "dynamodb.")
        for arg in args:
            name, separator, text = arg.lstrip("-").partition("=")
            path = flags.get(name)
            if path is None or (path not in self._settings and path != _FAST_JOIN):
                if path is not None or name.startswith(tuple(prefixes)):
                    raise BadConfigurationError(f"flag provided but not defined: -{name}")
                continue
            value: Any = text if separator else True
            if path[-1] == "join_members":
                value = [*self._given.get(path, []), text]
            elif path == _FAST_JOIN or isinstance(self.defaults.get(path), bool):
                value = value is True or text.lower() in {"true", "1", "t"}
            self._given[path] = value

    def _check_stores(self) -> None:
        offered = {"consul", "etcd", "inmemory", "memberlist"}
        for ring in self.rings:
            here = set(offered)
            if (*ring.path, "dynamodb", "table_name") in self._settings:
                here.add("dynamodb")
            if not self.is_on(ring) or not self.roles(ring):
                continue
            names = self.store_names(ring)
            if self.is_multi(ring):
                _check_multi(names)
            for name in names:
                if name not in here:
                    raise BadConfigurationError(f"invalid KV store type: {name}")
                if name == "dynamodb" and not self.value((*ring.path, "dynamodb", "table_name")):
                    raise BadConfigurationError("table_name is required for the dynamodb KV store")


def _check_multi(names: tuple[str, ...]) -> None:
    if not all(names):
        raise BadConfigurationError("primary or secondary store not set")
    if "multi" in names:
        raise BadConfigurationError("primary and secondary stores cannot be multi-stores")
    if names[0] == names[1]:
        raise BadConfigurationError("primary and secondary stores must be different")


@lru_cache(maxsize=64)
def read_configuration(
    product: Product, version: str, stores: frozenset[str], text: str, args: tuple[str, ...]
) -> Configuration:
    """A configuration, read once for all the pods that share it. Raises BadConfigurationError."""
    return Configuration(product, version, stores, text, args)


def go_duration(seconds: float) -> str:
    """Seconds as Go prints a duration: `1m0s`, `2h0m0s`, `200ms`, `333.333333ms`."""
    if seconds == 0:
        return "0s"
    if seconds < 0:
        return "-" + go_duration(-seconds)
    if seconds < 1e-3:
        return _number(seconds * 1e6) + "µs"
    if seconds < 1:
        return _number(seconds * 1e3) + "ms"
    minutes, rest = divmod(round(seconds, 9), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = _number(rest) + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


@cache
def _blocks(settings: frozenset[Path]) -> frozenset[Path]:
    return frozenset(path[:end] for path in settings for end in range(1, len(path)))


def _same(one: Any, other: Any) -> bool:
    if one == other:
        return True
    if isinstance(one, str) and isinstance(other, str) and other:
        return read_duration(one) is not None and read_duration(one) == read_duration(other)
    return False


def _dump(values: Mapping[Path, Any], speed: float) -> str:
    tree: Tree = {}
    for path, value in values.items():
        here = tree
        for key in path[:-1]:
            here = here.setdefault(key, {})
        here[path[-1]] = _scaled(value, speed) if path[-1] != _HIDDEN else value and _MASKED
    text: str = yaml.dump(tree, Dumper=_DUMPER, sort_keys=False, default_flow_style=False)
    return text


def _scaled(value: Any, speed: float) -> Any:
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return go_duration((read_duration(value) or 0.0) / speed)
    if isinstance(value, list):
        return [_scaled(item, speed) for item in value]
    if isinstance(value, Mapping):
        return {key: _scaled(item, speed) for key, item in value.items()}
    return value


def _line(text: str, path: Path) -> int:
    """The line that a key stands in, counted from 1."""
    node = yaml.compose(text, Loader=_LOADER)
    line = 0
    for key in path:
        if not isinstance(node, yaml.MappingNode):
            break
        for name, value in node.value:
            if name.value == key:
                line, node = name.start_mark.line + 1, value
                break
    return line


def _type_name(product: Product, path: Path) -> str:
    if not path:
        return f"{product.value}.Config"
    return _TYPES.get(path[-1], path[-1].replace("_", "") + ".Config")
