"""What the commands `sandbox up`, `inject`, `status` and `down` do."""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mimir_migrate.errors import UnreachableError, UsageError
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.bridging import setup as bridging
from mimir_migrate.sandbox.charts.helm import chart_facts
from mimir_migrate.sandbox.charts.versions import app_version_of
from mimir_migrate.sandbox.deploy import Deployment, HttpApi
from mimir_migrate.sandbox.files import SandboxFile, read_sandbox, write_sandbox
from mimir_migrate.sandbox.furnishing import (
    make_role,
    make_table,
    on_dynamodb,
    values_text,
    write_files,
)
from mimir_migrate.sandbox.processes.binary import binaries_of, linux_only, read_binary
from mimir_migrate.sandbox.processes.child import ends_with_this_process

NAMESPACE: Final = "observability"
USUAL_SPEED: Final = 30.0
MOST_SPEED: Final = 600.0
"""Faster than this the grace periods, whole seconds, and the machine no longer keep up."""
_ANSWERS_WITHIN: Final = 60.0
"""Real seconds until the API server answers."""
_ROLLS_WITHIN: Final = 1200.0
"""Seconds of the sandbox's own time that the first rollout may take."""
_STOPS_WITHIN: Final = 10.0
_CRASHES: Final = 3
"""A real process that ended so often before it was ever Ready will not get Ready."""
_STARTED: Final[dict[int, subprocess.Popen[bytes]]] = {}
"""Daemons that this process started and must reap when they end."""
_OWN_FILES: Final = ("values.yaml", "target.toml", "kubeconfig")


def up(
    folder: str | Path,
    *,
    product: str = "mimir",
    stores: str = "",
    binary: Sequence[str] | str = (),
    speed: float | None = None,
    seed: int = 1,
    client: str = "master",
    values: str = "",
    state: str = "memberlist",
    chart: str = "",
    table: str = "",
    puller_sync_time: str = "",
    tables: Sequence[str] = (),
    bound: bool = False,
    through: str = "",
) -> SandboxFile:
    """Start a sandbox in the background; it is Ready, and its rings are complete, on return.

    Args:
        folder: Where its files stand; made where there is none.
        product: `mimir` or `cortex`.
        stores: `+dynamodb` gives the simulated Mimir a DynamoDB client, which no upstream build has.
        binary: Binaries of the product to run as pods instead of the simulation: `PATH`, and
            `TAG=PATH` for images with that tag.
        speed: How many of the sandbox's seconds pass in one; left out: 30, and with a binary 1.
        seed: Makes names and delays the same in each run.
        client: The generation of the DynamoDB client: `1.16`, `1.20` or `master`.
        values: The values file to start from; left out: the product's example.
        state: Where the rings are at the start: `memberlist` or `dynamodb`.
        chart: The folder of the real chart, for Helm to render; left out: an imitation of it.
        table: The ring table that the target is to name; left out: the example's.
        puller_sync_time: What the target is to say; left out: 10 s of the sandbox's time.
        tables: Ring tables that are there already.
        bound: Whether it ends when this process does, however that ends; on Linux.
        through: `bridge`: a ring bridge runs beside the release, three processes of `bridge serve`, and the
            target reaches DynamoDB through it.

    Raises:
        UsageError: A sandbox runs there already, the folder is not a sandbox's, or an argument is wrong.
        UnreachableError: It did not start; its log is named.
    """
    place = Path(folder).absolute()
    named = [binary] if isinstance(binary, str) and binary else list(binary)
    if through:
        _check_bridge(product, stores, state, speed)
        speed = bridging.USUAL_SPEED if speed is None and not named else speed
    sandbox = _new(product, stores, named, speed, seed, client)
    if chart:
        sandbox = msgspec.structs.replace(sandbox, chart=str(Path(chart).absolute()))
        chart_facts(sandbox.chart)
    sandbox = msgspec.structs.replace(sandbox, table=table, puller_sync_time=puller_sync_time)
    text = values_text(sandbox, values)
    if through:
        text = text if values else bridging.with_token(text)
        asked = bridging.TOKEN_VARIABLE.encode() in text
        sandbox = msgspec.structs.replace(sandbox, through=through, token_asked=asked)
    _make_room(place)
    if state == "dynamodb":
        text = on_dynamodb(sandbox, text)
    elif state != "memberlist":
        raise UsageError(f"a sandbox cannot start on {state!r}", hint="memberlist or dynamodb")
    (place / "values.yaml").write_bytes(text)
    write_sandbox(place, sandbox)
    started = _start_daemon(place, bound=bound)
    try:
        sandbox = _wait_for_answer(place, started)
        write_files(place, sandbox, bridging.target_lines(sandbox) if through else "")
        if through:
            bridging.put_up(sandbox)
        if state == "dynamodb":
            make_table(sandbox)
        for name in tables:
            make_table(sandbox, name)
        make_role(sandbox)
        Deployment(sandbox, [(str(place / "values.yaml"), text)], HttpApi(sandbox)).run()
        _wait_for_rings(place, sandbox)
    except BaseException:
        down(place)
        raise
    return sandbox


def inject(folder: str | Path, fault: str, arguments: Mapping[str, str]) -> str:
    """Make something go wrong; returns one line that says what.

    Raises:
        UsageError: No sandbox runs there, there is no such fault, or an argument is missing.
    """
    sandbox = _running(folder)
    body = {"fault": fault, "arguments": dict(arguments)}
    code, answer = HttpApi(sandbox).call("POST", "sandbox/inject", body)
    if code != http.client.OK:
        raise UsageError(
            str(answer.get("message", answer)),
            hint="`mimir-migrate sandbox inject --help` says how a fault is given.",
        )
    return str(answer["injected"])


def status(folder: str | Path) -> Mapping[str, Any]:
    """What the sandbox's own watch has seen, and how its cluster is.

    Raises:
        UsageError: No sandbox runs there.
    """
    _, answer = HttpApi(_running(folder)).call("GET", "sandbox/status")
    return answer


def down(folder: str | Path) -> bool:
    """Stop a sandbox, also one that crashed; returns whether there was anything to stop.

    Raises:
        UsageError: There is no sandbox.
    """
    place = Path(folder).absolute()
    sandbox = read_sandbox(place)
    stopped = _is_daemon(sandbox.pid, place)
    if stopped:
        _end(sandbox.pid, place)
    write_sandbox(place, msgspec.structs.replace(sandbox, pid=0, port=0, tls_port=0, aws_port=0))
    return stopped


def is_running(folder: str | Path) -> bool:
    """Whether the sandbox of a folder runs."""
    return _is_daemon(read_sandbox(folder).pid, Path(folder).absolute())


def _check_bridge(product: str, stores: str, state: str, speed: float | None) -> None:
    """Refuse what does not go with a bridge, before anything is started."""
    linux_only()
    if Product(product) is not Product.MIMIR:
        raise UsageError(
            "--through bridge: Cortex has a DynamoDB client of its own",
            hint="Leave --through out.",
        )
    if stores or state != "memberlist":
        raise UsageError(
            "--through bridge is for the stock Mimir, whose rings begin on memberlist",
            hint="Leave --stores and --state out.",
        )
    bridging.check_speed(speed or 1.0)


def _new(
    product: str,
    stores: str,
    binary: Sequence[str],
    speed: float | None,
    seed: int,
    client: str,
) -> SandboxFile:
    """What a new sandbox is made of, arguments checked."""
    if binary:
        return _with_processes(Product(product), stores, binary, speed, seed)
    speed = USUAL_SPEED if speed is None else speed
    if not 0 < speed <= MOST_SPEED:
        raise UsageError(
            f"--speed {speed:g} is not between 0 and {MOST_SPEED:g}",
            hint=f"Leave it out for {USUAL_SPEED:g}.",
        )
    extra = tuple(name for name in stores.replace(",", "+").split("+") if name)
    unknown = set(extra) - {"memberlist", "dynamodb"}
    if unknown:
        raise UsageError(f"--stores {stores}: {min(unknown)} is not a store", hint="+dynamodb")
    kind = Product(product)
    # Cortex has the store since 1.15, whatever is asked for; upstream Mimir has it never.
    offered = {"dynamodb"} if kind is Product.CORTEX else set(extra) - {"memberlist"}
    return SandboxFile(
        product=kind,
        speed=speed,
        seed=seed,
        namespace=NAMESPACE,
        release=kind.value,
        stores=tuple(sorted(offered)),
        client=client,
        app_version=app_version_of(kind, client),
        token=secrets.token_hex(16),
    )


def _with_processes(
    product: Product, stores: str, given: Sequence[str], speed: float | None, seed: int
) -> SandboxFile:
    """A sandbox whose pods are real processes: what it offers is the binary's affair."""
    linux_only()
    if speed not in {None, 1.0}:
        raise UsageError(
            f"--speed {speed:g}: real processes live in real time",
            hint="Leave --speed out, and shorten the heartbeats in the values instead.",
        )
    if stores:
        raise UsageError(
            f"--stores {stores}: a real binary offers the stores that it was built with",
            hint="Leave --stores out.",
        )
    paths = binaries_of(given)
    read = {tag: read_binary(path) for tag, path in paths.items()}
    for one in read.values():
        if one.product is not product:
            raise UsageError(
                f"{one.path} is {one.product.value} {one.version}, the sandbox is to be {product.value}",
                hint=f"Say --product {one.product.value}, or name another binary.",
            )
    tag, first = next(iter(read.items()))
    # Which generation of the example's settings the binary takes: 1.21 does not know the label.
    labelled = "memberlist.cluster-label" in first.flags
    return SandboxFile(
        product=product,
        speed=1.0,
        seed=seed,
        namespace=NAMESPACE,
        release=product.value,
        stores=(),
        client="master" if labelled else "1.20",
        app_version=tag or first.version,
        token=secrets.token_hex(16),
        binaries=paths,
    )


def _make_room(place: Path) -> None:
    """Refuse a folder in which a sandbox runs, or that is not a sandbox's; clear a stale one."""
    place.mkdir(parents=True, exist_ok=True)
    if (place / "sandbox.json").exists():
        old = read_sandbox(place)
        if _is_daemon(old.pid, place):
            raise UsageError(
                f"a sandbox runs in {place} already (pid {old.pid})",
                hint=f"Stop it with `mimir-migrate sandbox down --dir {place}`.",
            )
        return
    foreign = [name for name in _OWN_FILES if (place / name).exists()]
    if foreign:
        raise UsageError(
            f"{place} holds {', '.join(foreign)} and no sandbox: they would be overwritten",
            hint="Name an empty folder.",
        )


def _start_daemon(place: Path, *, bound: bool) -> subprocess.Popen[bytes]:
    """Start the process in the background, in a session of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    with (place / "sandbox.log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "mimir_migrate.sandbox.daemon", "--dir", str(place)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment,
            preexec_fn=(  # noqa: PLW1509 - whoever binds a sandbox starts it from its main thread
                ends_with_this_process(signal.SIGTERM)
                if bound and sys.platform == "linux"
                else None
            ),
        )
    _STARTED[started.pid] = started
    return started


def _wait_for_answer(place: Path, started: subprocess.Popen[bytes]) -> SandboxFile:
    deadline = time.monotonic() + _ANSWERS_WITHIN
    while time.monotonic() < deadline and started.poll() is None:
        sandbox = read_sandbox(place)
        if sandbox.port:
            return sandbox
        time.sleep(0.05)
    raise _not_started(place, "it does not answer")


def _wait_for_rings(place: Path, sandbox: SandboxFile) -> None:
    deadline = time.monotonic() + max(60.0, _ROLLS_WITHIN / sandbox.speed)
    found: Mapping[str, Any] = {}
    while time.monotonic() < deadline:
        found = status(place)
        if found.get("started"):
            return
        for pod, crashed in (found.get("crashed") or {}).items():
            if crashed["times"] >= _CRASHES:
                raise _not_started(place, f"{pod} ends at once, {crashed['reason']}")
        time.sleep(0.1)
    raise _not_started(place, f"its pods did not become Ready: {found.get('cluster')}")


def _not_started(place: Path, why: str) -> UnreachableError:
    with contextlib.suppress(OSError):
        lines = (place / "sandbox.log").read_text(errors="replace").strip().splitlines()
        why += f"; {lines[-1]}" if lines else ""
    return UnreachableError(
        f"starting the sandbox in {place}: {why}", hint=f"Its log is {place / 'sandbox.log'}."
    )


def _running(folder: str | Path) -> SandboxFile:
    sandbox = read_sandbox(folder)
    if not _is_daemon(sandbox.pid, Path(folder).absolute()):
        raise UsageError(
            f"the sandbox in {folder} does not run",
            hint=f"Start it with `mimir-migrate sandbox up --dir {folder}`.",
        )
    return sandbox


def _is_daemon(pid: int, place: Path) -> bool:
    """Whether a process of that id is this folder's daemon; ids are used again by the system."""
    if pid <= 0:
        return False
    if pid in _STARTED:
        _STARTED[pid].poll()
    listed = _command_line(pid)
    return "mimir_migrate.sandbox.daemon" in listed and str(place) in listed


def _command_line(pid: int) -> str:
    """What a process was started with; empty: there is none, or it has ended."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return ""
    command = ["/bin/ps", "-ww", "-p", str(pid), "-o", "args="]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _end(pid: int, place: Path) -> None:
    for signalled in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signalled)
        deadline = time.monotonic() + _STOPS_WITHIN
        while time.monotonic() < deadline:
            if not _is_daemon(pid, place):
                if started := _STARTED.pop(pid, None):
                    started.wait()
                return
            time.sleep(0.05)
