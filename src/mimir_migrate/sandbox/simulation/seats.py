"""What a component registers itself as in a ring, from its configuration and the product's own rules."""

from __future__ import annotations

from typing import Final

from mimir_migrate.model.rings import Product, Ring
from mimir_migrate.sandbox.interface import ProcessSpec
from mimir_migrate.sandbox.simulation.configuration import Configuration
from mimir_migrate.sandbox.simulation.lifecyclers import Seat

_TOKENS: Final = {"ruler": 128, "alertmanager": 128, "store-gateway": 512, "compactor": 512}
"""Tokens of rings whose number is not a setting, or not in every version; the others have 1."""
_FORGET_PERIODS: Final = {"store-gateway": 10, "alertmanager": 5, "ruler": 2}
"""Heartbeat time-outs after which an unhealthy member is removed (constants of both products)."""
_CLASSIC: Final = {
    Product.CORTEX: ("ingester", "compactor", "distributor", "parquet-converter"),
    Product.MIMIR: ("ingester",),
}


def is_classic(product: Product, ring: Ring) -> bool:
    """Whether the ring's members use the classic lifecycler."""
    return ring.name in _CLASSIC[product]


def seat_of(configuration: Configuration, ring: Ring, spec: ProcessSpec) -> Seat:
    """What the process registers itself as in a ring."""
    product = configuration.product
    block = ring.heartbeat_period_path[:-1]
    port = configuration.value(("server", "grpc_listen_port")) or 9095
    timeout = configuration.seconds(ring.heartbeat_timeout_path, 60.0)
    tokens = configuration.value((*block, "num_tokens")) or _TOKENS.get(ring.name, 1)
    waits = product is Product.MIMIR or ring.name in {"store-gateway", "compactor"}
    return Seat(
        id=spec.name,
        address=f"{spec.ip}:{port}",
        zone=_zone(configuration, ring) or spec.zone,
        key=configuration.ring_key(ring),
        heartbeat_period=configuration.seconds(ring.heartbeat_period_path, 15.0),
        heartbeat_timeout=timeout,
        num_tokens=int(tokens),
        join_after=configuration.seconds((*block, "join_after")),
        observe_period=configuration.seconds((*block, "observe_period")),
        unregisters=_unregisters(configuration, ring),
        keeps_tokens=bool(configuration.value((*block, "tokens_file_path"))),
        # Cortex' ruler registers itself ACTIVE, Mimir's JOINING until it has loaded its rules.
        starts_active=ring.name == "ruler" and product is Product.CORTEX,
        stability=configuration.seconds((*block, "wait_stability_min_duration")) if waits else 0.0,
        wait_timeout=configuration.seconds((*block, "wait_instance_state_timeout"), 600.0)
        or 600.0,
        forget_after=_forget_after(configuration, ring, timeout),
    )


def _zone(configuration: Configuration, ring: Ring) -> str:
    for path in (
        (*ring.heartbeat_period_path[:-1], "availability_zone"),
        (*ring.ring_path, "instance_availability_zone"),
    ):
        if zone := configuration.value(path):
            return str(zone)
    return ""


def _unregisters(configuration: Configuration, ring: Ring) -> bool:
    block = ring.heartbeat_period_path[:-1]
    if configuration.value((*block, "keep_instance_in_the_ring_on_shutdown")):
        return False
    unregisters = configuration.value((*block, "unregister_on_shutdown"))
    return unregisters is None or bool(unregisters)


def _forget_after(configuration: Configuration, ring: Ring, timeout: float) -> float:
    if ring.name == "ingester":
        return 0.0
    block = ring.heartbeat_period_path[:-1]
    delay = configuration.seconds((*block, "auto_forget_delay"))
    if delay:
        return delay
    periods = configuration.value((*block, "auto_forget_unhealthy_periods"))
    return float(periods or _FORGET_PERIODS.get(ring.name, 0)) * timeout
