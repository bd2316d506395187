"""`python -m mutation`: a slice of the mutation run, or the document from what was run so far."""

from __future__ import annotations

import argparse
import ast
import contextlib
import fcntl
import fnmatch
import inspect
import json
import os
import re
import sys
import time
from collections import Counter, defaultdict
from typing import Any

import pytest

from mutation import report
from mutation.operators import WHOLE, Mutant
from mutation.pool import (
    BUDGET,
    FOLDER,
    SURVIVED,
    TIMED_OUT,
    UNFIT,
    Cold,
    Test,
    Warm,
    arguments,
    cold_server,
    few_examples,
    measured,
    order,
    quiet,
)
from mutation.results import Result, Results, codes_of
from mutation.scope import ROOT, TESTS, all_mutants, chosen, texts


def main() -> int:
    """Run what is left, for as long as it was given."""
    given = _parser().parse_args()
    modules = texts()
    first, rest = all_mutants(modules)
    codes: dict[tuple[str, str], str] = {}
    for module, text in modules.items():
        codes |= codes_of(module, text)
    FOLDER.mkdir(exist_ok=True)
    results = Results(FOLDER / "results.jsonl", codes)
    if given.report:
        report.write(first, rest, results)
        return 0
    took = _Slice(given, modules, chosen(first, rest), results)
    if given.against:
        took.run_against(given.against)
    else:
        took.run()
    print(report.counted(first, rest, results))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long a slice takes (30)")
    parser.add_argument(
        "--only", default="*", metavar="GLOB", help="these modules, e.g. 'engine/asking/*'"
    )
    parser.add_argument(
        "--id",
        nargs="*",
        default=[],
        help="these mutants, whatever is known of them, with all their tests",
    )
    parser.add_argument(
        "--against", nargs="*", default=[], metavar="PATH", help="with --id: with these tests only"
    )
    parser.add_argument(
        "--part", default="1/1", metavar="K/N", help="one of N processes at a time"
    )
    parser.add_argument(
        "--all-tests", action="store_true", help="survivors of the quick tests meet the others"
    )
    parser.add_argument(
        "--measure",
        nargs="*",
        default=TESTS,
        metavar="PATH",
        help="look for new tests only here; without one: take those that are known",
    )
    parser.add_argument("--report", action="store_true", help="write docs/mutants.md, run nothing")
    return parser


class _Slice:
    """One process' share of the mutants, until its time is over."""

    def __init__(
        self, given: Any, modules: dict[str, str], wanted: list[Mutant], results: Results
    ) -> None:
        self._given = given
        self._modules = modules
        self._results = results
        part, _, parts = given.part.partition("/")
        self._wanted = [
            one
            for number, one in enumerate(wanted)
            if number % int(parts) == int(part) - 1
            and fnmatch.fnmatch(one.module, given.only)
            and (not given.id or one.id in given.id)
        ]
        self._until = time.monotonic() + given.minutes * 60
        self._killers: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._executable = {name: _executable(text) for name, text in modules.items()}
        self._at_import = {name: _called_at_import(text) for name, text in modules.items()}
        for one in results.found.values():
            if one.ended == "killed":
                self._killers[one.module, one.function][one.by] += 1

    def run(self) -> None:
        """Measure tests that are new, then run mutants."""
        with (FOLDER / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            pool = measured(self._modules, self._given.measure, self._until)
        self._covering = pool.covering(self._modules)
        self._tests = [test for test in pool.tests.values() if not test.left_out]
        files = {test.nodeid.partition("::")[0] for test in self._tests}
        self._test_files = {path: (ROOT / path).read_text() for path in files}
        self._newest = max((test.batch for test in pool.tests.values()), default=0)
        self._ask, self._heard = _cold_process(self._modules)
        self._out = os.fdopen(os.dup(1), "w", buffering=1)  # pytest takes the other one
        few_examples()
        with quiet():
            pytest.main(arguments(), plugins=[Warm(self._work, self._modules)])

    def run_against(self, paths: list[str]) -> None:
        """Run mutants against tests that were just written: those that they kill are killed."""
        few_examples()
        cold = Cold(self._modules)
        tests = [Test(nodeid=path, seconds=1.0, lines={}) for path in paths]
        self._out = sys.stdout
        for mutant in self._wanted:
            code, by, seconds = cold.run(mutant, tests)
            ended = {SURVIVED: "survived", TIMED_OUT: "timed out"}.get(code, "killed")
            if ended != "survived" and by != "collecting":
                self._results.add(mutant, ended, by=by, seconds=seconds)
            self._say(mutant, ended, f"{by} {seconds:.1f} s")

    def _work(self, warm: Warm) -> None:
        for mutant in self._wanted:
            if time.monotonic() > self._until:
                return
            before = self._results.of(mutant)
            tests = self._tests_of(mutant)
            if self._given.id:
                before = None
            elif before is not None:
                if before.ended in {"killed", "timed out"}:
                    continue
                fresh = [test for test in tests if test.batch > before.seen]
                if not fresh and not (self._given.all_tests and before.left):
                    continue
                if before.ended == "survived" and not (self._given.all_tests and before.left):
                    tests = fresh
            self._one(warm, mutant, tests, before)

    def _one(self, warm: Warm, mutant: Mutant, tests: list[Test], before: Result | None) -> None:
        if not tests:
            self._results.add(mutant, "no test", seen=self._newest)
            self._say(mutant, "no test", "")
            return
        ranked = order(tests, self._killers[mutant.module, mutant.function])
        budget = 1e9 if self._given.all_tests or self._given.id else BUDGET
        taken: list[Test] = []
        for test in ranked:
            if sum(one.seconds for one in taken) + test.seconds <= budget or not taken:
                taken.append(test)
        code, by, seconds = UNFIT, "", 0.0
        if mutant.function not in self._at_import[mutant.module]:
            code, by, seconds = warm.run(mutant, taken)
        if code == UNFIT:
            code, by, seconds = self._cold(mutant, taken)
        ended = {SURVIVED: "survived", TIMED_OUT: "timed out"}.get(code, "killed")
        left = len(ranked) - len(taken) if ended == "survived" else 0
        if before is not None and before.ended == "survived" and not self._given.all_tests:
            left += before.left
        if ended == "killed":
            self._killers[mutant.module, mutant.function][by] += 1
        if ended == "survived":
            by = ""
        self._results.add(mutant, ended, by=by, seconds=seconds, seen=self._newest, left=left)
        self._say(mutant, ended, f"{by} {seconds:.1f} s, {len(taken)} of {len(ranked)} tests")

    def _say(self, mutant: Mutant, ended: str, more: str) -> None:
        was, now = (" ".join(text.split())[:90] for text in (mutant.was, mutant.now))
        print(
            f"{ended:9} {mutant.id} {mutant.module}:{mutant.line} {mutant.function} {mutant.operator}: "
            f"{was} -> {now} | {more}",
            file=self._out,
        )

    def _cold(self, mutant: Mutant, tests: list[Test]) -> tuple[int, str, float]:
        named = [(test.nodeid, test.seconds) for test in tests]
        self._ask.write(json.dumps([mutant, named]) + "\n")
        self._ask.flush()
        code, by, seconds = json.loads(self._heard.readline())
        return code, by, seconds

    def _tests_of(self, mutant: Mutant) -> list[Test]:
        lines = self._covering[mutant.module]
        outermost = mutant.function
        if outermost == WHOLE or outermost.endswith("."):
            return self._tests_of_names(mutant)
        if mutant.line in lines:
            return lines[mutant.line]
        inside, runs = self._executable[mutant.module].get(outermost, (range(0), set()))
        if outermost in self._at_import[mutant.module]:
            return _once(test for found in lines.values() for test in found)
        if mutant.line in runs and mutant.line != inside.start:
            return []
        return _once(test for line in inside for test in lines.get(line, ()))

    def _tests_of_names(self, mutant: Mutant) -> list[Test]:
        """Those that run a line which names what the mutant stands in, or whose file names it."""
        names = _names_at(self._modules[mutant.module], mutant.line)
        if not names:
            return _once(
                test for found in self._covering[mutant.module].values() for test in found
            )
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
        running = [
            test
            for module, text in self._modules.items()
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
            for test in self._covering[module].get(number, ())
        ]
        files = {path for path, text in self._test_files.items() if pattern.search(text)}
        naming = [test for test in self._tests if test.nodeid.partition("::")[0] in files]
        return _once([*naming, *running])


def _once(tests: Any) -> list[Test]:
    return list({test.nodeid: test for test in tests}.values())


def _executable(text: str) -> dict[str, tuple[range, set[int]]]:
    """Each function's lines, and those of them that run."""
    found: dict[str, tuple[range, set[int]]] = {}
    whole = compile(text, "module", "exec", dont_inherit=True)

    def runs(code: Any) -> set[int]:
        lines = {line for _, _, line in code.co_lines() if line}
        if not code.co_flags & inspect.CO_OPTIMIZED:  # a module or a class: imported, not called
            lines = set()
        for one in code.co_consts:
            if hasattr(one, "co_lines"):
                lines |= runs(one)
        return lines

    every = runs(whole)

    def take(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inside = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                found[prefix + node.name] = inside, every & set(inside)
            elif isinstance(node, ast.ClassDef):
                take(node.body, f"{prefix}{node.name}.")

    take(ast.parse(text).body, "")
    return found


def _called_at_import(text: str) -> set[str]:
    """The functions that a module calls while it is imported: exchanged later, they change nothing."""
    found: set[str] = set()

    def take(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(node.func.id)
        for child in ast.iter_child_nodes(node):
            take(child)

    take(ast.parse(text))
    return found


def _names_at(text: str, line: int) -> list[str]:
    """What the statement of a module or class at a line binds."""
    found: list[str] = []

    def take(body: list[ast.stmt]) -> None:
        for node in body:
            if not node.lineno <= line <= (node.end_lineno or node.lineno):
                continue
            if isinstance(node, ast.ClassDef):
                found.append(node.name)
                take(node.body)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found.extend(one.id for one in targets if isinstance(one, ast.Name))

    take(ast.parse(text).body)
    return found[-1:]


def _cold_process(texts: dict[str, str]) -> tuple[Any, Any]:
    """Start the process that has not imported the product."""
    for name in ("hypothesis", "msgspec", "yaml", "ruamel.yaml", "boto3", "kubernetes"):
        with contextlib.suppress(ImportError):
            __import__(name)
    asking, answering = os.pipe(), os.pipe()
    if not os.fork():
        os.close(asking[1])
        os.close(answering[0])
        with os.fdopen(asking[0]) as asked, os.fdopen(answering[1], "w") as answers:
            cold_server(asked, answers, texts)
        os._exit(0)
    os.close(asking[0])
    os.close(answering[1])
    return os.fdopen(asking[1], "w"), os.fdopen(answering[0])


if __name__ == "__main__":
    sys.exit(main())
