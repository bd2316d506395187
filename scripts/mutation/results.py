"""What became of each mutant, a line of JSON each, in a file that only grows."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import msgspec

from mutation.operators import Mutant


class Result(msgspec.Struct, kw_only=True):
    """One mutant's end."""

    id: str
    module: str
    function: str
    operator: str
    was: str
    now: str
    code: str
    """Digest of the function that it is in: a result holds for as long as that is the same."""
    ended: str
    """killed, timed out, survived, or no test: none covers it."""
    by: str = ""
    """The test that killed it, or that was running when its time was over."""
    seconds: float = 0.0
    seen: int = 0
    """The newest of the tests that it survived, by the batch in which they were first seen."""
    left: int = 0
    """So many covering tests were not run, as the quick ones took the time that a mutant has."""


class Results:
    """The file, and what stands in it for the code as it is."""

    def __init__(self, path: Path, codes: dict[tuple[str, str], str]) -> None:
        self._path = path
        self._codes = codes
        self.found: dict[str, Result] = {}
        if path.exists():
            for line in path.read_bytes().splitlines():
                one = msgspec.json.decode(line, type=Result)
                if codes.get((one.module, one.function)) == one.code:
                    known = self.found.get(one.id)
                    # Two processes may run one mutant: what killed it once kills it.
                    if known is None or known.ended not in {"killed", "timed out"}:
                        self.found[one.id] = one

    def of(self, mutant: Mutant) -> Result | None:
        """What is known of a mutant."""
        return self.found.get(mutant.id)

    def add(
        self,
        mutant: Mutant,
        ended: str,
        *,
        by: str = "",
        seconds: float = 0.0,
        seen: int = 0,
        left: int = 0,
    ) -> None:
        """Write down how it ended."""
        one = Result(
            id=mutant.id,
            module=mutant.module,
            function=mutant.function,
            operator=mutant.operator,
            was=mutant.was,
            now=mutant.now,
            code=self._codes.get((mutant.module, mutant.function), ""),
            ended=ended,
            by=by,
            seconds=round(seconds, 2),
            seen=seen,
            left=left,
        )
        self.found[one.id] = one
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(one) + b"\n")


def codes_of(module: str, source: str) -> dict[tuple[str, str], str]:
    """A digest of each function and method of a module, and of what stands in it outside them."""
    found: dict[tuple[str, str], str] = {}
    outside: list[str] = []

    def take(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found[module, prefix + node.name] = _digest(ast.dump(node))
            elif isinstance(node, ast.ClassDef):
                rest = [one for one in node.body if not isinstance(one, ast.FunctionDef)]
                found[module, f"{prefix}{node.name}."] = _digest(
                    "".join(ast.dump(one) for one in rest)
                )
                take(node.body, f"{prefix}{node.name}.")
            elif not prefix:
                outside.append(ast.dump(node))

    take(ast.parse(source).body, "")
    found[module, "<module>"] = _digest("".join(outside))
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
