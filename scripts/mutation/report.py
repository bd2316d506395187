"""docs/mutants.md, from what was run and from the reasons that stand in justified.toml."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

from mutation.operators import OPERATORS, Mutant
from mutation.results import Result, Results
from mutation.scope import DRAWN, ROOT, SAMPLED, SEED, TESTS, WHOLE_SETS, chosen

DOCUMENT = ROOT / "docs/mutants.md"
REASONS = Path(__file__).with_name("justified.toml")
SURVIVING = {"survived", "no test"}

_HEAD = """# Mutants

A mutant is the product with one small fault put into it. A test suite that stays green has not noticed; what the fault touched is then tested by nobody. `make mutants` runs them over what decides about changes: the engine, the operations, and the documents that read permissions and Terraform.

    make mutants                                   # one slice of at most 30 minutes; run it again to go on
    make mutants ARGS='--only engine/asking/*'     # some modules
    make mutants ARGS='--part 1/2'                 # one of two processes at a time
    make mutants ARGS='--all-tests'                # survivors of the quick tests meet all that cover them
    make mutants ARGS='--id 1a2b3c4d5e'            # one mutant
    make mutants ARGS='--id 1a2b3c4d5e --against tests/engine/test_watch.py'   # some, against tests just written
    make mutants ARGS=--report                     # write this page from what was run

What became of each mutant is a line in `.mutants/results.jsonl`, so a slice goes on where the last one ended. A result holds for as long as the function that it is in is the same; a survivor meets tests that are new or changed. This page is written from that file and from the reasons in `scripts/mutation/justified.toml`, and `tests/docs/test_mutants.py` holds it to the code: a survivor named here is still a mutant of its function, has a reason, and the figures add up.

## How

- **Only covering tests.** Each test of {tests} is run once by itself under coverage (`.mutants/tests.json`), at most {most_of_function} s for the cases of one test function, none that takes longer than {most} s. A mutant meets the tests that run its line: those that killed its neighbours first, then the quickest case of each test function, then the others, until one fails. A mutant has tests of {budget} s together; `--all-tests` lets survivors meet the rest.
- **In one process.** All tests are collected once; each mutant is a fork of that process in which the code of one function is exchanged. What stands outside functions (constants, fields, defaults) is imported mutated, in a fork of a process that has imported none of the product.
- **Ended by their CPU.** A test that takes eight times its CPU, two seconds at least, is over, and counts as one that noticed. Properties draw 25 examples, the same each time.
- **Drawn by seed.** Whole: {whole}. Of the rest ({sampled}) {drawn} are drawn: those with the lowest numbers of a generator that is seeded with {seed} and the mutant's name, so the draw stays the same while other functions change.

`mutmut` 3.8 forks from a warm process too, but mutates only what stands in functions, takes no statement away, changes texts, chooses tests by function, not by line, and draws nothing. `cosmic-ray` 8.7 starts a test command for each mutant (six seconds of imports here), with all tests, and draws nothing. Hence the small driver in `scripts/mutation/`.

## Operators

| operator | what it does |
| --- | --- |
"""


def counted(first: list[Mutant], rest: list[Mutant], results: Results) -> str:
    """The figures in a few lines."""
    lines = []
    for name, made, wanted in _groups(first, rest):
        ended = Counter(one.ended for one in _known(wanted, results))
        lines.append(
            f"{name}: {len(made)} generated, {len(wanted)} chosen, {sum(ended.values())} run, "
            f"{ended['killed']} killed, {ended['timed out']} timed out, {ended['survived']} survived, "
            f"{ended['no test']} without a test"
        )
    return "\n".join(lines)


def write(first: list[Mutant], rest: list[Mutant], results: Results) -> None:
    """Write the document.

    Raises:
        SystemExit: A survivor has no reason, or a reason no survivor; both are named, the rest is written.
    """
    reasons = tomllib.loads(REASONS.read_text()) if REASONS.exists() else {}
    wanted = chosen(first, rest)
    known = _known(wanted, results)
    survivors = [one for one in known if one.ended in SURVIVING]
    DOCUMENT.write_text(
        _head()
        + "".join(f"| {name} | {words} |\n" for name, words in OPERATORS.items())
        + "\nLeft alone: texts and what is only put into them (f-strings, arguments of exceptions), annotations, "
        "decorators, docstrings, and how a thing is shown (`__repr__`, `__str__`).\n\n"
        + _figures(first, rest, results)
        + _survivors(survivors, reasons)
    )
    print(counted(first, rest, results))
    unsaid = [one for one in survivors if one.id not in reasons]
    stale = set(reasons) - {one.id for one in survivors}
    for one in unsaid:
        print(
            f"no reason: {one.id} {one.module} {one.function}: {_line(one.was)} -> {_line(one.now)}"
        )
    for name in sorted(stale):
        print(f"not a survivor any more: {name}")
    if unsaid or stale:
        raise SystemExit(1)


def _head() -> str:
    from mutation.pool import BUDGET, MOST, MOST_OF_FUNCTION

    return _HEAD.format(
        tests=", ".join(f"`{one}`" for one in TESTS),
        most_of_function=f"{MOST_OF_FUNCTION:.0f}",
        most=f"{MOST:.0f}",
        budget=f"{BUDGET:.0f}",
        whole=", ".join(f"`{one}`" for one in WHOLE_SETS),
        sampled=", ".join(f"`{one}`" for one in SAMPLED),
        drawn=DRAWN,
        seed=SEED,
    )


def _groups(
    first: list[Mutant], rest: list[Mutant]
) -> list[tuple[str, list[Mutant], list[Mutant]]]:
    return [("whole", first, first), ("drawn", rest, chosen([], rest))]


def _known(wanted: list[Mutant], results: Results) -> list[Result]:
    return [found for one in wanted if (found := results.of(one)) is not None]


def _figures(first: list[Mutant], rest: list[Mutant], results: Results) -> str:
    rows = [
        "## Figures\n",
        "| mutants | generated | chosen | run | killed | timed out | survived |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    total: Counter[str] = Counter()
    left = 0
    for name, made, wanted in _groups(first, rest):
        known = _known(wanted, results)
        ended = Counter(one.ended for one in known)
        left += sum(1 for one in known if one.ended == "survived" and one.left)
        row = Counter(
            generated=len(made),
            chosen=len(wanted),
            run=len(known),
            killed=ended["killed"],
            timed_out=ended["timed out"],
            survived=ended["survived"] + ended["no test"],
        )
        total += row
        rows.append(_row(name, row))
    rows.append(_row("all", total))
    said = (
        "Each survivor met every test that covers it."
        if not left
        else f"{left} of the survivors met the quick ones of their tests only."
    )
    return "\n".join(rows) + f"\n\n{said}\n\n"


def _row(name: str, row: Counter[str]) -> str:
    keys = ("generated", "chosen", "run", "killed", "timed_out", "survived")
    return f"| {name} | " + " | ".join(str(row[key]) for key in keys) + " |"


def _survivors(survivors: list[Result], reasons: dict[str, str]) -> str:
    open_ones = sum(reasons.get(one.id, "open").startswith("open") for one in survivors)
    rows = [
        "## Survivors\n",
        (
            f"Each with why it is left alive. A reason that begins with *open* is none yet ({open_ones} of "
            f"{len(survivors)}): it says what is missing.\n"
        ),
        "| mutant | where | change | why it may live |",
        "| --- | --- | --- | --- |",
    ]
    rows += [
        f"| {one.id} | `{one.module}` `{one.function}` | {_code(one.was)} → {_code(one.now)} | "
        f"{reasons.get(one.id, 'not judged yet')} |"
        for one in sorted(survivors, key=lambda one: (one.module, one.function, one.id))
    ]
    return "\n".join(rows) + "\n"


def _code(text: str) -> str:
    return f"`{_line(text)}`"


def _line(text: str) -> str:
    words = " ".join(text.split()).replace("|", "¦").replace("`", "'")
    return words if len(words) <= 110 else words[:107] + "..."  # noqa: PLR2004 - fits a line
