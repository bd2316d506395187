"""What a rehearsal of a plan found, as it is kept beside the plan, and what `apply` says of it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mimir_migrate import decoding
from mimir_migrate.documents.edits import sha256
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.plan import SCHEMA, Plan
from mimir_migrate.plans.facts import file_fact
from mimir_migrate.words import counted


class RehearsedBinary(msgspec.Struct, frozen=True, kw_only=True):
    """One binary that pods of the twin were."""

    tag: str
    """Of the image that it stood for; empty: every other."""
    product: str
    version: str
    sha256: str


class Walked(msgspec.Struct, frozen=True, kw_only=True):
    """One way on the twin: there, or back."""

    purpose: str
    exit_code: int
    seconds: float
    steps: dict[str, float]
    """Step → seconds, gates included."""
    rollouts: dict[str, float]
    """Step → seconds until every pod was of the newest revision."""
    observations: int
    misses: int
    failed_pushes: int
    failed_queries: int
    took: float | None = None
    """What the steps took by the run's journal, seconds."""
    least: float | None = None
    """The least that they can take, seconds: see the report's section on time."""
    reason: str = ""


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as it was walked on a twin of the release."""

    schema: str = SCHEMA
    at: float
    tool_version: str
    plan_sha256: str
    """Of the plan's file; empty: a target was rehearsed, not a plan."""
    values: dict[str, str]
    """Values file → SHA-256 of its bytes."""
    images: str
    """The release's images, as the plan's facts name them."""
    running: tuple[str, ...]
    """The versions that the release's pods say they are."""
    binaries: tuple[RehearsedBinary, ...]
    """Empty: the pods were simulated."""
    chart: str
    """What rendered the twin's manifests."""
    replaced: tuple[str, ...]
    """Everything in which the twin differs from the release."""
    steps: tuple[str, ...]
    legs: tuple[Walked, ...]
    passed: bool
    why: str = ""
    """Why it did not pass; empty: it did."""

    @property
    def pods(self) -> str:
        """With what kind of pods, in words."""
        if not self.binaries:
            return "with simulated pods: whether the images work this way is not known from it"
        named = ", ".join(f"{one.product} {one.version}" for one in self.binaries)
        return f"with this binary: {named}"

    @property
    def same_version(self) -> bool:
        """Whether the binaries are of the versions that the release runs."""
        versions = {one.version for one in self.binaries}
        return all(any(_alike(one, version) for version in versions) for one in self.running)


def to_json(rehearsal: Rehearsal) -> bytes:
    """The form that it is kept in."""
    return msgspec.json.format(msgspec.json.encode(rehearsal), indent=2) + b"\n"


def from_json(content: bytes, *, path: str) -> Rehearsal:
    """Read a kept rehearsal.

    Raises:
        DocumentError: It is none, or one of another version.
    """
    try:
        return decoding.decode(content, Rehearsal)
    except decoding.UNREADABLE as error:
        raise DocumentError(
            f"not a rehearsal of this version: {decoding.problem(error)}",
            path=path,
            hint="`mimir-migrate rehearse PLAN.json` writes it.",
        ) from error


def beside(plan: str) -> str:
    """Where a plan's rehearsal is kept: `plan.json` → `plan.rehearsal.json`."""
    return f"{plan.removesuffix('.json').removesuffix('.toml')}.rehearsal.json"


def file_hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each values file."""
    return {path: sha256(content) for path, content in files.items()}


def images_of(plan: Plan) -> str:
    """The images that a plan rests on."""
    return next((fact.value for fact in plan.facts if fact.name == "images"), "")


def verdict_words(rehearsal: Rehearsal | None, plan: Plan, content: bytes) -> str:
    """One line for whoever applies a plan: rehearsed, otherwise rehearsed, or not rehearsed.

    Args:
        rehearsal: What is kept beside the plan; None: nothing.
        plan: The plan that is to be applied.
        content: The bytes of its file.
    """
    if rehearsal is None:
        return "not rehearsed: `mimir-migrate rehearse PLAN.json` walks it on a twin first"
    other = _other(rehearsal, plan, content)
    if other:
        return f"rehearsed with {other}: it says nothing about this plan"
    if not rehearsal.passed:
        return f"rehearsed {rehearsal.pods}, and it did not pass: {rehearsal.why}"
    misses = sum(leg.misses for leg in rehearsal.legs)
    observations = sum(leg.observations for leg in rehearsal.legs)
    pushes = sum(leg.failed_pushes for leg in rehearsal.legs)
    failed = f", and {counted(pushes, 'push', 'pushes')} failed" if pushes else ""
    return (
        f"rehearsed {rehearsal.pods}; there and back, {counted(misses, 'miss', 'misses')} of "
        f"{counted(observations, 'observation')}{failed}"
    )


def _other(rehearsal: Rehearsal, plan: Plan, content: bytes) -> str:
    """In what a rehearsal was of something else; empty: in nothing."""
    facts = {fact.name: fact.value for fact in plan.facts}
    found = []
    if images_of(plan) != rehearsal.images or (rehearsal.binaries and not rehearsal.same_version):
        found.append("another image")
    if any(facts.get(file_fact(path)) != digest for path, digest in rehearsal.values.items()):
        found.append("other values")
    if rehearsal.plan_sha256 and rehearsal.plan_sha256 != sha256(content):
        found.append("another plan")
    return " and ".join(found)


def _alike(running: str, binary: str) -> bool:
    """Whether two versions are one: pods and binaries write it with and without a `v`."""
    return running.removeprefix("v") == binary.removeprefix("v")
