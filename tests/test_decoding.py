"""Decoding from many threads: the first use of a type by several at once must not kill the process."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from mimir_migrate import decoding

FIRST_USES = """
import sys, threading, types
from mimir_migrate import decoding
sys.setswitchinterval(1e-6)
FIELDS = "    a: int | None = None\\n    b: tuple['S{}', ...] = ()\\n    c: dict[str, int] | None = None\\n"
for turn in range(60):
    module = types.ModuleType(f"shapes_{turn}")
    sys.modules[module.__name__] = module
    classes = [f"class S{n}(msgspec.Struct):\\n" + FIELDS.format(max(n - 1, 0)) for n in range(20)]
    exec("import msgspec\\n" + "\\n".join(classes), module.__dict__)
    together = threading.Barrier(4)
    def first(kind):
        together.wait()
        DECODE
    threads = [threading.Thread(target=first, args=(module.S19,)) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""
OURS = 'decoding.decode(b\'{"a": 1, "b": [{"c": {"x": 1}}]}\', kind)'


def outcome(how: str) -> int:
    program = FIRST_USES.replace("DECODE", how)
    return subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode


def test_many_threads_may_be_the_first_to_read_a_type() -> None:
    """Four threads that read a new type at the same moment all get through, sixty times."""
    assert outcome(OURS) == 0


def test_a_document_of_another_shape_is_refused_as_msgspec_refuses_it() -> None:
    """Callers tell no JSON from JSON of another shape."""
    with pytest.raises(msgspec.ValidationError):
        decoding.decode(b'{"a": 1}', list[int])
    with pytest.raises(msgspec.DecodeError):
        decoding.decode(b"<html>")
    with pytest.raises(msgspec.ValidationError):
        decoding.convert({"a": "x"}, dict[str, int])
    assert decoding.convert({"a": 1}, dict[str, int]) == {"a": 1}


class Part(msgspec.Struct):
    name: str
    size: int = 0


class Whole(msgspec.Struct):
    parts: list[Part]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it is empty, or cut off before its end"),
        (b'{"parts": [', "it is empty, or cut off before its end"),
        (b"# Plan", "it is not JSON, from its first character on"),
        (b"{'parts': []}", "it is not JSON (byte 1)"),
        (b"[]", "it is a list, and has to be a mapping"),
        (b"{}", 'it has no "parts"'),
        (b'{"parts": [{"size": 1}]}', 'parts[0] has no "name"'),
        (b'{"parts": [{"name": 3}]}', "parts[0].name is a whole number, and has to be a text"),
        (b'{"parts": [{"name": "x", "size": "y"}]}', "parts[0].size is a text, and has to be a whole number"),
        (b'{"parts": [{"name": "\xff"}]}', "it is not UTF-8 text (byte 0)"),
        (b'{"x": ' + b"[" * 100_000, "it is nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_document_is_said_in_plain_words(body: bytes, said: str) -> None:
    """Not in the library's: whoever wrote the file knows no structs and no tokens."""
    with pytest.raises(decoding.UNREADABLE) as refused:
        decoding.decode(body, Whole)

    assert decoding.problem(refused.value) == said
