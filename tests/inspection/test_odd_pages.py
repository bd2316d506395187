"""A pod may answer anything. Whatever it is, it is unknown, it hides no other pod, and nothing crashes."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import yaml
from small_values import SMALL
from virtual_world import VirtualWorld

from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import MigrateError
from mimir_migrate.model.facts import Inspection, Pod
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.operations import Look, Operations
from mimir_migrate.plans.planner import Order
from mimir_migrate.ports import Page

SEEDS = range(24)
MANY_SEEDS = range(24, 600)
GARBAGE: tuple[Any, ...] = (
    None, True, -1, 10**30, 1.5, float("nan"), "", "x", "\0", "é" * 200, [], {}, [[]], {"": None}, "[::]",
    "memberlist", "0001-01-01T00:00:00Z", "-1s", "9e999h", {"ring": 3}, ["a", {"b": 1}],
)  # fmt: skip

Spoil = Callable[[random.Random, bytes], bytes]


def cut(dice: random.Random, body: bytes) -> bytes:
    """The page ends somewhere."""
    return body[: dice.randrange(len(body) + 1)]


def doubled(dice: random.Random, body: bytes) -> bytes:
    """A part of the page comes twice."""
    begin = dice.randrange(len(body) + 1)
    end = dice.randrange(begin, len(body) + 1)
    return body[:end] + body[begin:end] + body[end:]


def flipped(dice: random.Random, body: bytes) -> bytes:
    """Some bits are others."""
    changed = bytearray(body)
    for _ in range(dice.randrange(1, 8)):
        if changed:
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def replaced(dice: random.Random, body: bytes) -> bytes:
    """Somewhere in the document stands something else, of any type."""
    try:
        document = json.loads(body)
        written: Callable[[Any], str] = json.dumps
    except ValueError:
        try:
            document, written = yaml.safe_load(body), yaml.safe_dump
        except yaml.YAMLError:
            return flipped(dice, body)
    return written(_with_garbage(dice, document)).encode()


def _with_garbage(dice: random.Random, tree: Any) -> Any:
    if isinstance(tree, dict) and tree and dice.random() < 0.9:
        key = dice.choice(list(tree))
        return {**tree, key: _with_garbage(dice, tree[key])}
    if isinstance(tree, list) and tree and dice.random() < 0.9:
        at = dice.randrange(len(tree))
        return [*tree[:at], _with_garbage(dice, tree[at]), *tree[at + 1 :]]
    return dice.choice(GARBAGE)


def other(dice: random.Random, body: bytes) -> bytes:
    """Quite another page."""
    return dice.choice(
        [b"", b"<html>", b"\xff" * 40, b"[" * 3000, b"null", b"0", b"a: &a [*a]", b"{}"]
    )


SPOILS: tuple[Spoil, ...] = (cut, doubled, flipped, replaced, replaced, replaced, other)


class Odd:
    """Pages of which some of one pod's are spoilt."""

    def __init__(self, inner: Any, dice: random.Random, pod: str) -> None:
        self._inner = inner
        self._dice = dice
        self._pod = pod
        self.spoilt: list[str] = []

    def get(self, pod: Pod, path: str, *, accept: str = "*/*", limit: int = 33_554_432) -> Page:
        page: Page = self._inner.get(pod, path, accept=accept, limit=limit)
        if pod.name != self._pod or self._dice.random() < 0.5:
            return page
        spoil = self._dice.choice(SPOILS)
        self.spoilt.append(f"{path}: {spoil.__name__}")
        return Page(
            status=self._dice.choice([200, 200, 200, page.status]),
            content_type=page.content_type,
            body=spoil(self._dice, page.body),
        )


@pytest.fixture(scope="module")
def world() -> VirtualWorld:
    """A Cortex with all its rings."""
    return VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])


def seen_pods(world: VirtualWorld) -> list[str]:
    """The names of the pods."""
    found = world.operations.look(world.target, twice=False).inspection
    return sorted(facts.pod.name for facts in found.pods)


def look(world: VirtualWorld, seed: int) -> tuple[Look, Odd]:
    """What the operations make of a cluster with one odd pod."""
    dice = random.Random(seed)
    environment = world.operations._environment
    reading = environment.world_for(world.target)
    pods = [pod.name for pod in reading.cluster.pods()]
    odd = Odd(reading.pages, dice, dice.choice(pods))
    spoilt = msgspec.structs.replace(reading, pages=odd)
    work = Operations(msgspec.structs.replace(environment, world_for=lambda _: spoilt))
    order = Order(to=Store.DYNAMODB, rings=("ruler",))
    found = work.look(world.target, to=Store.DYNAMODB, rings=("ruler",))
    with contextlib.suppress(MigrateError):  # blocked by what is unknown
        work.plan(world.target, order)
    return found, odd


def others(inspection: Inspection, pod: str) -> list[str]:
    """What is unanswered of all other pods."""
    return [
        one.reason
        for facts in inspection.pods
        if facts.pod.name != pod
        for one in facts.unanswered
    ]


def check(world: VirtualWorld, seed: int) -> None:
    """One odd pod, drawn by a seed."""
    found, odd = look(world, seed)
    assert len(found.inspection.pods) > 3, odd.spoilt
    assert others(found.inspection, odd._pod) == [], odd.spoilt


@pytest.mark.parametrize("seed", SEEDS)
def test_an_odd_pod_is_unknown_and_hides_no_other(world: VirtualWorld, seed: int) -> None:
    """Pages cut, doubled, with bits flipped, of other types, or other pages: read, judged, planned on."""
    check(world, seed)


class Broken:
    """Pages whose every reading of one pod ends in an error that nobody foresaw."""

    def __init__(self, inner: Any, pod: str) -> None:
        self._inner = inner
        self._pod = pod

    def get(self, pod: Pod, path: str, *, accept: str = "*/*", limit: int = 33_554_432) -> Page:
        if pod.name == self._pod:
            raise KeyError(path)
        page: Page = self._inner.get(pod, path, accept=accept, limit=limit)
        return page


def seen_with(world: VirtualWorld, pages: Any, **more: Any) -> Inspection:
    """An inspection with other pages."""
    environment = world.operations._environment
    reading = msgspec.structs.replace(environment.world_for(world.target), pages=pages)
    work = Operations(msgspec.structs.replace(environment, world_for=lambda _: reading, **more))
    return work.look(world.target, twice=False).inspection


def test_an_answer_that_no_code_foresaw_is_unknown(world: VirtualWorld) -> None:
    """The net below the parsers: the pod is unanswered with the kind of error, the others are read."""
    pages = world.operations._environment.world_for(world.target).pages

    seen = seen_with(world, Broken(pages, seen_pods(world)[1]))

    odd = [facts for facts in seen.pods if facts.unanswered]
    assert [facts.pod.name for facts in odd] == [seen_pods(world)[1]]
    assert all("nobody foresaw (KeyError)" in one.reason for one in odd[0].unanswered)
    assert odd[0].gossip is None
    assert len(seen.pods) > 3


SECRET = "Planted6f6f-page"


class Telling:
    """Pages that are broken off in the middle of a secret's line."""

    def get(self, pod: Pod, path: str, *, accept: str = "*/*", limit: int = 33_554_432) -> Page:
        body = f"password: {SECRET}\n: [".encode()
        return Page(status=200, content_type="text/plain", body=body)


def test_a_page_that_cannot_be_read_is_quoted_without_its_secrets(world: VirtualWorld) -> None:
    """Its beginning is evidence, and may hold anything."""
    seen = seen_with(world, Telling(), redact=Redactor().text)

    text = repr(seen)
    assert "it begins 'password: [redacted]" in text
    assert SECRET not in text


@pytest.mark.soak
@pytest.mark.parametrize("seed", MANY_SEEDS)
def test_many_odd_pods(world: VirtualWorld, seed: int) -> None:
    """The same, more often."""
    check(world, seed)
