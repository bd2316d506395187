"""The tests that are run against mutants: what each covers, how long it takes, and a process full of them.

Tests are collected once. Each mutant is run in a fork of that process, in which the code of one function
is exchanged; what stands outside functions takes a fork of a process that has imported none of the product.
"""

from __future__ import annotations

import contextlib
import difflib
import gc
import hashlib
import importlib.machinery
import inspect
import json
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FunctionType
from typing import Any

import msgspec
import pytest

from mutation.operators import Mutant, mutated
from mutation.scope import ROOT, SOURCE, TESTS

FOLDER = ROOT / ".mutants"
MOST = 4.0
"""Seconds of CPU of a test that is used at all."""
MOST_OF_FUNCTION = 8.0
"""Seconds that the cases of one test function are tried for; cases after that are not used."""
BUDGET = 8.0
"""Seconds that the covering tests of a mutant may take together (without it), unless `--all-tests`."""
AT_LEAST = 2.0
"""Seconds of CPU that a test of a mutant is given at least, and so many times what it takes without it."""
TIMES = 8.0
MORE_BY_THE_CLOCK = 10.0
"""So many times that may pass by the clock: the machine has more to do, and tests wait."""
MEMORY = 4 << 30
"""Bytes that the process of a mutant may take."""

KILLED, SURVIVED, TIMED_OUT, UNFIT = 1, 0, 3, 4
"""How the process of a mutant ends. UNFIT: its code fits into no function; it is run the other way."""


class Test(msgspec.Struct, kw_only=True):
    """A test that was run without mutants."""

    nodeid: str
    seconds: float
    lines: dict[str, list[int]]
    """What it runs in each module that is mutated."""
    code: str = ""
    """Digest of its text: another one is another test."""
    batch: int = 0
    """Which measuring saw it first as it is."""
    left_out: str = ""
    """Why it is not used; empty: it is."""


class Pool(msgspec.Struct, kw_only=True):
    """All tests, and the modules as they were when those were measured."""

    tests: dict[str, Test]
    sources: dict[str, dict[str, str]]
    """The text of each module, by batch."""

    def covering(self, modules: dict[str, str]) -> dict[str, dict[int, list[Test]]]:
        """The tests that run each line of each module as it is now.

        A line that is new since is covered by what covers the last known one before it.
        """
        maps = {
            (int(batch), module): _moved(text, modules.get(module, ""))
            for batch, texts in self.sources.items()
            for module, text in texts.items()
        }
        found: dict[str, dict[int, list[Test]]] = {one: defaultdict(list) for one in modules}
        for test in self.tests.values():
            for module, lines in ({} if test.left_out else test.lines).items():
                moved = maps[test.batch, module]
                for line in {new for old in lines for new in moved.get(old, ())}:
                    found[module][line].append(test)
        return found


def _moved(before: str, now: str) -> dict[int, list[int]]:
    """The lines that each line became."""
    if before == now:
        return {line: [line] for line in range(1, now.count("\n") + 2)}
    old, new = before.splitlines(), now.splitlines()
    moved: dict[int, list[int]] = defaultdict(list)
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        if tag == "equal":
            for shift in range(i2 - i1):
                moved[i1 + shift + 1].append(j1 + shift + 1)
        elif tag in {"replace", "insert"}:
            for line in range(max(i1, 1), max(i2, i1) + 1):
                moved[line].extend(range(j1 + 1, j2 + 1))
    return moved


def arguments(tests: Sequence[str] = TESTS) -> list[str]:
    """What pytest is given, whatever it is started for."""
    return [
        *(str(ROOT / one) for one in tests),
        f"--rootdir={ROOT}",
        *("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov"),
        *("-q", "--no-header", "--no-summary", "--tb=native", "-o", "addopts="),
        "--continue-on-collection-errors",  # other files are as good as before
        *("--strict-markers", "--import-mode=importlib", "-m", "not soak"),
        *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
    ]


def few_examples() -> None:
    """Properties draw the same few examples in each process."""
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "mutants",
        max_examples=25,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")


# --- what covers what ---------------------------------------------------------------------------


class Measure:
    """A plugin of pytest that runs each test by itself and writes down what it covers.

    Args:
        modules: The text of each module that is mutated.
        pool: What is known already; tests that are in it as they are, are not run again.
        until: When to end (`time.monotonic`); what is not measured by then is the next time.
    """

    def __init__(self, modules: dict[str, str], pool: Pool, until: float) -> None:
        self._modules = modules
        self._until = until
        self.pool = pool

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests that are not known under coverage, each with a context of its own."""
        import coverage

        batch = max((int(one) for one in self.pool.sources), default=0) + 1
        codes = {item.nodeid: _code_of(item) for item in session.items}
        files = {nodeid.partition("::")[0] for nodeid in codes}
        for nodeid in [one for one in self.pool.tests if one not in codes]:
            if nodeid.partition("::")[0] not in files:
                continue
            del self.pool.tests[nodeid]
        unknown = [
            item
            for item in session.items
            if item.nodeid not in self.pool.tests
            or self.pool.tests[item.nodeid].code != codes[item.nodeid]
        ]
        if not unknown:
            return True
        cov = coverage.Coverage(
            data_file=None,
            config_file=False,
            include=[str(SOURCE / one) for one in self._modules],
            concurrency="thread",
        )
        spent: dict[str, float] = defaultdict(float)
        found: dict[str, Test] = {}
        cov.start()
        for item in unknown:
            if time.monotonic() > self._until:
                break
            test = Test(
                nodeid=item.nodeid, seconds=0.0, lines={}, code=codes[item.nodeid], batch=batch
            )
            found[item.nodeid] = test
            function = item.nodeid.partition("[")[0]
            if spent[function] > MOST_OF_FUNCTION:
                test.left_out = "other cases of the function took long already"
                continue
            cov.switch_context(item.nodeid)
            before = time.process_time()
            passed = _passes(item, None)
            test.seconds = round(time.process_time() - before, 4)
            cov.switch_context("")
            spent[function] += test.seconds
            if not passed:
                test.left_out = "does not pass, or is skipped"
            elif test.seconds > MOST:
                test.left_out = "takes too long"
        cov.stop()
        data = cov.get_data()
        for module in self._modules:
            for line, contexts in data.contexts_by_lineno(str(SOURCE / module)).items():
                for context in contexts:
                    if context in found:
                        found[context].lines.setdefault(module, []).append(line)
        self.pool.tests.update(found)
        self.pool.sources[str(batch)] = dict(self._modules)
        return True


def measured(
    modules: dict[str, str], tests: Sequence[str] = TESTS, until: float = float("inf")
) -> Pool:
    """What each test covers, kept in a file; tests that are new or changed are measured now.

    Args:
        modules: The text of each module that is mutated.
        tests: Files and folders whose tests are measured.
        until: See `Measure`.
    """
    path = FOLDER / "tests.json"
    pool = Pool(tests={}, sources={})
    if path.exists():
        pool = msgspec.json.decode(path.read_bytes(), type=Pool)
    if not tests:
        return pool
    measure = Measure(modules, pool, until)
    reading = os.fork()
    if not reading:
        # In a process of its own, so that the one that measures leaves nothing behind in this one.
        with quiet():
            few_examples()
            pytest.main(arguments(tests), plugins=[measure])
        FOLDER.mkdir(exist_ok=True)
        path.with_suffix(".new").write_bytes(msgspec.json.encode(measure.pool))
        path.with_suffix(".new").replace(path)
        os._exit(0)
    os.waitpid(reading, 0)
    return msgspec.json.decode(path.read_bytes(), type=Pool)


def _code_of(item: pytest.Item) -> str:
    function = getattr(item, "function", None)
    try:
        text = inspect.getsource(function) if function is not None else ""
    except OSError:
        text = ""
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _passes(item: pytest.Item, following: pytest.Item | None) -> bool:
    from _pytest.runner import runtestprotocol

    reports = runtestprotocol(item, log=False, nextitem=following)
    return all(one.passed for one in reports) and len(reports) == 3  # noqa: PLR2004 - set up, call, tear down


def order(tests: list[Test], killers: dict[str, int]) -> list[Test]:
    """Killers first; then one case of each test function before the second of any.

    Of those, quick ones that run little come before slow ones that run everything: what is about a line
    runs few others.
    """
    rounds: dict[str, int] = defaultdict(int)
    ranked: list[tuple[tuple[int, int, float], Test]] = []
    for test in sorted(tests, key=lambda one: one.seconds):
        function = test.nodeid.partition("[")[0]
        effort = test.seconds * sum(map(len, test.lines.values()))
        ranked.append(((-killers.get(test.nodeid, 0), rounds[function], effort), test))
        rounds[function] += 1
    return [test for _, test in sorted(ranked, key=lambda one: one[0])]


# --- running one mutant ---------------------------------------------------------------------------


class Warm:
    """A plugin of pytest that runs mutants instead of tests, when all tests are collected.

    Args:
        work: Is given a function that runs a mutant against tests, and calls it as often as it likes.
        texts: The modules as they were when this process began: somebody may edit them meanwhile.
    """

    def __init__(self, work: Callable[[Warm], None], texts: dict[str, str]) -> None:
        self._work = work
        self._texts = texts
        self._items: dict[str, pytest.Item] = {}
        self._functions: dict[tuple[str, str, int], list[FunctionType]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Hand the process over to the work."""
        self._items = {item.nodeid: item for item in session.items}
        found = defaultdict(list)
        for one in gc.get_objects():
            if type(one) is FunctionType and one.__code__.co_filename.startswith(str(SOURCE)):
                code = one.__code__
                found[code.co_filename, code.co_qualname, code.co_firstlineno].append(one)
        self._functions = dict(found)
        gc.collect()
        gc.freeze()
        self._work(self)
        return True

    def run(self, mutant: Mutant, tests: list[Test]) -> tuple[int, str, float]:
        """How it ends, the test that killed it, and seconds."""
        return in_fork(lambda: self._exchange(mutant), lambda report: self._walk(tests, report))

    def _exchange(self, mutant: Mutant) -> bool:
        path = SOURCE / mutant.module
        tree = mutated(self._texts[mutant.module], mutant.place)
        whole = compile(tree, str(path), "exec", dont_inherit=True)
        done = False
        for code in _codes(whole):
            outermost, _, _ = code.co_qualname.partition(".<locals>")
            if outermost != mutant.function:
                continue
            for function in self._functions.get(
                (str(path), code.co_qualname, code.co_firstlineno), []
            ):
                if function.__code__.co_freevars != code.co_freevars:
                    return False
                if function.__code__ != code:
                    function.__code__ = code
                    done = True
        return done

    def _walk(self, tests: list[Test], report: Callable[[str], None]) -> int:
        known = [test for test in tests if test.nodeid in self._items]
        items = [self._items[test.nodeid] for test in known]
        for test, item, following in zip(known, items, [*items[1:], None], strict=True):
            report(test.nodeid)
            _limit(test.seconds)
            if not _passes(item, following):
                return KILLED
        return SURVIVED


class Cold:
    """Runs mutants of what a module does while it is imported, each in a process without the product.

    Args:
        texts: See `Warm`.
    """

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def run(self, mutant: Mutant, tests: list[Test]) -> tuple[int, str, float]:
        """How it ends, the test that killed it, and seconds."""
        tests = sorted(tests, key=lambda one: one.nodeid.partition("::")[0])
        return in_fork(
            lambda: self._import_mutated(mutant), lambda report: self._walk(tests, report)
        )

    def _import_mutated(self, mutant: Mutant) -> bool:
        path = str(SOURCE / mutant.module)
        loaded = importlib.machinery.SourceFileLoader.get_code

        def get_code(loader: Any, fullname: str) -> CodeType | None:
            if loader.get_filename(fullname) != path:
                return loaded(loader, fullname)
            tree = mutated(self._texts[mutant.module], mutant.place)
            return compile(tree, path, "exec", dont_inherit=True)

        importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign]
        return True

    def _walk(self, tests: list[Test], report: Callable[[str], None]) -> int:
        few_examples()

        class Named:
            def pytest_runtest_logstart(self, nodeid: str) -> None:
                report(nodeid)

        report("collecting")
        _limit(AT_LEAST * 5 + sum(test.seconds for test in tests))
        own = [one for one in arguments() if not one.startswith(str(ROOT / "tests"))]
        names = [str(ROOT / test.nodeid) for test in tests]
        ended = pytest.main([*names, *own, "-x"], plugins=[Named()])
        return SURVIVED if ended is pytest.ExitCode.OK else KILLED


def cold_server(asked: Any, answers: Any, texts: dict[str, str]) -> None:
    """Answer what the warm process asks, a line each: a mutant and its tests, how it ended."""
    cold = Cold(texts)
    for line in asked:
        mutant, tests = json.loads(line)
        found = [Test(nodeid=nodeid, seconds=seconds, lines={}) for nodeid, seconds in tests]
        answers.write(json.dumps(cold.run(Mutant(*mutant), found)) + "\n")
        answers.flush()


def in_fork(
    prepare: Callable[[], bool], walk: Callable[[Callable[[str], None]], int]
) -> tuple[int, str, float]:
    """Run tests in a process of their own."""
    reading, writing = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.close(reading)
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _child(prepare, walk, writing)
    os.close(writing)
    said = b""
    while chunk := os.read(reading, 65536):
        said = (said + chunk)[-4096:]
    os.close(reading)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    names = said.decode(errors="replace").split("\n")
    last = names[-2] if len(names) > 1 else ""
    took = time.monotonic() - began
    if os.WIFSIGNALED(status):
        timed = os.WTERMSIG(status) in {signal.SIGALRM, signal.SIGPROF, signal.SIGXCPU}
        return (TIMED_OUT if timed else KILLED), last, took
    code = os.WEXITSTATUS(status)
    return (code if code in {SURVIVED, UNFIT} else KILLED), last, took


def _child(
    prepare: Callable[[], bool],
    walk: Callable[[Callable[[str], None]], int],
    writing: int,
) -> None:
    code = KILLED
    try:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        if not prepare():
            os._exit(UNFIT)
        silent = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(silent, number)
        code = walk(lambda name: _ignored(os.write(writing, f"{name}\n".encode())))
    finally:
        os._exit(code)


def _limit(seconds: float) -> None:
    """End this process when the next test takes far longer than it should: by its CPU, or by the clock."""
    limit = max(AT_LEAST, TIMES * seconds)
    signal.setitimer(signal.ITIMER_PROF, limit)
    signal.setitimer(signal.ITIMER_REAL, limit * MORE_BY_THE_CLOCK)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _codes(one)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What pytest prints while it collects is nobody's business."""
    kept, silent = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    sys.stdout.flush()
    os.dup2(silent, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(silent)


def _ignored(_: object) -> None:
    """The number of bytes written is not needed."""
