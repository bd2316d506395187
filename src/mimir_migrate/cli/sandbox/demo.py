"""`demo` and `sandbox`: the whole journey on a cluster on this machine."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mimir_migrate.adapters.temporary import temporary_folder
from mimir_migrate.cli.extras import refuse_missing
from mimir_migrate.cli.options import is_terminal, narrate, print_json, rings_from
from mimir_migrate.cli.sandbox.demo_cluster import (
    DYNAMODB_STORE,
    PREFIX,
    STATE_IN_FOLDER,
    DemoStage,
    commands,
    end_abandoned,
    end_demo,
    follow_line,
    log_kept,
    speed_for,
)
from mimir_migrate.cli.sandbox.ending import ENDS, told_when_stopped, undisturbed, values_words
from mimir_migrate.durations import spoken
from mimir_migrate.errors import ExitCode, UsageError
from mimir_migrate.settings import STATE, load_target, state_folder
from mimir_migrate.words import counted

if TYPE_CHECKING:
    from mimir_migrate.cli.interrupts import Interrupts
    from mimir_migrate.model.target import Target
    from mimir_migrate.operations import Operations


def demo(options: argparse.Namespace) -> int:
    """Start a sandbox and walk it from memberlist to DynamoDB and back, or open the app on it."""
    _check_rings(options)
    refuse_missing("sandbox", "the demo")
    if options.through:
        refuse_missing("bridge", "a demo through the ring bridge")
    kept = state_folder() / "logs"
    with told_when_stopped(options.dir or ""), _sandbox_folder(options.dir) as folder:
        os.environ[STATE] = str(folder / STATE_IN_FOLDER)
        with log_kept(folder, kept):
            _start(folder, options)
        try:
            return _walk(folder, options, kept.parent)
        finally:
            end_demo(folder)


def _walk(folder: Path, options: argparse.Namespace, state: Path) -> int:
    if not options.headless and not options.json and is_terminal():
        return _in_the_app(folder, options, state)
    if options.tour:
        from mimir_migrate.cli.sandbox.touring import tour

        return tour(folder, json=options.json)
    return _headless(folder, options)


def _check_rings(options: argparse.Namespace) -> None:
    """Refuse a ring that the product does not have before a sandbox is started for it."""
    from mimir_migrate.model.rings import Product, ring_named, unknown_ring

    product = Product(options.product)
    for name in rings_from(options):
        ring = ring_named(product, name)
        if ring is None:
            raise unknown_ring(name, product)
        if not ring.movable:
            raise UsageError(
                f"the ring {name} cannot be moved: {ring.left_because}",
                hint="Leave it out of --rings.",
            )


@contextlib.contextmanager
def _sandbox_folder(named: str) -> Iterator[Path]:
    if named:
        folder = Path(named).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    end_abandoned(narrate)
    with contextlib.ExitStack() as held:
        made = held.enter_context(temporary_folder(PREFIX))
        try:
            yield made
        finally:
            with undisturbed():
                held.close()


def _start(folder: Path, options: argparse.Namespace) -> None:
    narrate(f"starting a simulated {options.product} cluster on this machine, in {folder}")
    if options.through:
        narrate(
            "a stock Mimir, and three processes of the experimental ring bridge in front of DynamoDB"
        )
    elif options.product == "mimir":
        narrate(
            "no upstream Mimir release has a DynamoDB KV client; this simulated build is given one"
        )
    speed = speed_for(options.speed, narrate, through=options.through)
    began = time.monotonic()
    commands().up(
        folder,
        product=options.product,
        stores=DYNAMODB_STORE if options.product == "mimir" and not options.through else "",
        speed=speed,
        seed=options.seed,
        through=options.through,
        bound=True,
    )
    narrate(
        f"it answers after {spoken(time.monotonic() - began)}, {speed:g} times as fast as a real one"
    )


def _in_the_app(folder: Path, options: argparse.Namespace, state: Path) -> int:
    from mimir_migrate.cli.opening import draw, make_app

    target = load_target(str(folder / "target.toml"), {})
    code = draw(
        make_app(
            target,
            state=state,
            ascii_only=options.ascii,
            in_demo=True,
            stage=DemoStage(folder),
            tour=options.tour is not False,
        )
    )
    narrate("ending the demo: its sandbox, and whatever run is left in it")
    return code


def _headless(folder: Path, options: argparse.Namespace) -> int:
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.cli.interrupts import Interrupts
    from mimir_migrate.model.stores import Store

    target = load_target(str(folder / "target.toml"), {})
    work, interrupts = operations(), Interrupts(ENDS)
    before = Path(target.values.files[-1]).read_bytes()
    forward, strategy, rings = _one_way(work, target, Store.DYNAMODB, options, interrupts)
    back: dict[str, Any] = {"verdict": "not begun", "exit": None, "seconds": 0.0}
    if forward["exit"] == 0 and not interrupts.pressed:
        back, _, _ = _one_way(work, target, Store.MEMBERLIST, options, interrupts)
    same = Path(target.values.files[-1]).read_bytes() == before
    watched = commands().status(folder)
    stopped = interrupts.pressed and (
        ExitCode.INTERRUPTED in {forward["exit"], back["exit"]} or back["exit"] is None
    )
    whole = forward["exit"] == 0 and back["exit"] == 0
    said = (
        "the demo was stopped before its end" if stopped else "",
        values_words(same=same, whole=whole, stays=bool(options.dir)),
        f"the sandbox asked {watched['observations']} times whether a pod sees a living member and counted "
        + counted(watched["lost_sight"], "miss", "misses"),
    )
    narrate("; ".join(filter(None, said)))
    if options.json:
        _print_finished(
            options,
            {
                "strategy": strategy,
                "rings": rings,
                "forward": forward,
                "back": back,
                "values_restored": same,
                "lost_sight": watched["lost_sight"],
                "observations": watched["observations"],
            },
        )
    if watched["lost_sight"]:
        return ExitCode.FAILED
    if stopped:
        raise KeyboardInterrupt
    return ExitCode.DONE if whole and same else ExitCode.FAILED


def _print_finished(options: argparse.Namespace, found: dict[str, Any]) -> None:
    import msgspec

    from mimir_migrate.model.plan import SCHEMA

    head = {"schema": SCHEMA, "event": "demo.finished", "product": options.product}
    sys.stdout.write(msgspec.json.encode({**head, **found}).decode() + "\n")
    sys.stdout.flush()


def _one_way(
    work: Operations,
    target: Target,
    to: Any,
    options: argparse.Namespace,
    interrupts: Interrupts,
) -> tuple[dict[str, Any], str, list[str]]:
    from mimir_migrate.cli.following import follow
    from mimir_migrate.model.plan import Strategy
    from mimir_migrate.operations import RunOptions
    from mimir_migrate.plans.planner import Order

    began = time.monotonic()
    narrate(f"\n=== to {to.value} ===")
    order = Order(to=to, rings=rings_from(options), strategy=Strategy(options.strategy))
    plan = work.plan(target, order)
    narrate(
        f"plan: {', '.join(plan.rings)} to {plan.end.value}, strategy {plan.strategy.value}, "
        f"steps {', '.join(step.id for step in plan.steps)}"
    )
    run = work.start(plan, options=RunOptions(approve_all=True))
    narrate(f"from a second terminal:\n    {follow_line(Path(os.environ[STATE]), run)}")
    code = follow(work, run, after=0, as_json=options.json, asks=False, interrupts=interrupts)
    status = work.status(run)
    result = {
        "verdict": status.state.value,
        "exit": int(code),
        "seconds": round(time.monotonic() - began, 1),
        "run": run,
    }
    return result, plan.strategy.value, list(plan.rings)


def sandbox_up(options: argparse.Namespace) -> int:
    """Start a sandbox."""
    start = commands().up
    if options.through:
        refuse_missing("bridge", "a sandbox with the ring bridge")
    if options.binary:
        from mimir_migrate.sandbox.processes.twin import CHANGES

        narrate("the pods are real processes; what differs from a real cluster's:")
        for change in CHANGES:
            narrate(f"- {change}")
    start(
        Path(options.dir),
        product=options.product,
        stores=options.stores,
        binary=options.binary,
        speed=options.speed,
        seed=options.seed,
        client=options.client,
        values=options.values,
        state=options.state,
        chart=options.chart,
        through=options.through,
    )
    narrate(
        f"the sandbox answers; `mimir-migrate inspect --target {options.dir}/target.toml` looks at it"
    )
    return ExitCode.DONE


def sandbox_inject(options: argparse.Namespace) -> int:
    """Let something go wrong in a sandbox."""
    arguments: dict[str, str] = {}
    for pair in options.arguments:
        name, sign, value = pair.partition("=")
        if not sign:
            raise UsageError(
                f"{pair!r} is not NAME=VALUE",
                hint="For example ring=ruler, pod=mimir-ruler-0 or seconds=60.",
            )
        arguments[name] = value
    for name in ("ring", "pod", "seconds", "member"):
        value = getattr(options, name)
        if value:
            arguments[name] = value
    narrate(commands().inject(Path(options.dir), options.fault, arguments))
    return ExitCode.DONE


def sandbox_status(options: argparse.Namespace) -> int:
    """What the sandbox's own watch has seen."""
    found = commands().status(Path(options.dir))
    if options.json:
        print_json(dict(found))
    else:
        print(f"observations {found['observations']}, lost sight {found['lost_sight']}")
    return ExitCode.DONE


def sandbox_down(options: argparse.Namespace) -> int:
    """Stop a sandbox."""
    commands().down(Path(options.dir))
    return ExitCode.DONE
