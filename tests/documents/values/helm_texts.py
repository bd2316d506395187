"""Texts whose meaning to Helm is recorded: scalars, keys, merges, documents, each drawn the same way."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

_LINES = (
    "y n Y N yes Yes YES no on off On OFF true True TRUE tRue false null Null NULL nULL ~ <<",
    "= 0 00 -0 +0 1 +1 -1 010 -010 +010 08 09 0o10 0O17 0o8 0x10 0X1f -0x1f 0x 0x_ 0x_1 0x1_0",
    "0b11 0B1 0b -0b11 0b-11 0b+1 -0b-1 1_000 1__0 1_ _1 -_1 0_1 0__x1 1.0 1. .5 +.5 -.5 .1_0",
    ".1_ ._1 1.0_1 1_.5 1e3 1E5 1e+3 1.e3 .1e3 1e 1e400 1e-400 -1e400 1_e3 1e21 1e20 5e-324",
    "0.1e-7 0.30000000000000004 123456789.0 0e0 -0.0 9007199254740993 9223372036854775807",
    "9223372036854775808 -9223372036854775808 -9223372036854775809 18446744073709551615",
    "18446744073709551616 +18446744073709551615 100000000000000000000000 0x8000000000000000",
    "0xffffffffffffffff 0x10000000000000000 -0x8000000000000000 .inf -.inf +.INF .Inf .nan",
    ".NaN .NAN nan inf .infinity Infinity 1.2.3 ..1 -. + 12:30 1:2 1,000 1e3e 2001-01-01",
    "2001-01-01T10:00:00Z 2001-1-1 01-01-2001 10s 1m30s v1 1Gi 500m 0x1p4 \u0661 \uff11",
)
_WORDS = tuple(word for line in _LINES for word in line.split())
_TAGGED = (
    "!!str 1", "!!str ~", "!!str", "!!int '1'", "!!int 1.0", "!!int foo", "!!int 0x_", "!!int '010'",
    "!!float 1", "!!float 1.5", "!!float y", "!!float 0x10", "!!bool y", "!!bool 1", "!!bool 'no'",
    "!!null ''", "!!null x", "!!timestamp 2001-01-01", "!!timestamp x", "!!binary aGk=", "!!binary a",
    "!!binary '//4='", "!foo 1", "! 1", "! '1'", "!!map 1", "'yes'", '"010"', "'~'", "|\n  yes",
    ">\n  1", '"\\x41\\u00e9"', "'it''s'", "a b", "a\n  b", "[1, '1', yes]", "{a: 1, b: '1'}", "[]", "{}",
)  # fmt: skip
_WHOLE = (
    "", "# a comment\n", "---\n", "---\n# x\n---\nb: 2\n", "a: 1\n---\nb: 2\n", "a: 1\n...\nb: 2\n",
    "a: 1\n---\n}{\n", "[1]\n", "word\n", "null\n", "a: 1\na: 2\n", "a: {b: 1}\na: {c: 2}\n",
    "a: {b: 1, b: 2}\n", "? {x: 1}\n: 2\n", "? [x]\n: 2\n", "? a\n: 2\n", "a: {{ b }}\n", "a:\tb\n",
    "a: 'x'\n\tb: 1\n", "a: [\n", "a: 'x\n", "a: b: c\n", "a: *x\n", "a: &x [1, *x]\n", "a: @b\n",
    "a: &x {b: 1, c: 2}\nd: {b: 3, <<: *x}\n", "a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}\n",
    "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}\n",
    "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*y, *x], d: 4}\n",
    "a: &x {b: 1}\nc: &y {<<: *x, d: 3}\ne: {<<: *y}\n", "a: {<<: 1}\n", "a: {<<: [1]}\n", "a: {<<: {b: 1}}\n",
    "a: {'<<': {b: 1}}\n", "a: &x {b: {c: 1}}\nd:\n  <<: *x\n  b: {e: 2}\n", "a: &x 1\nb: *x\n",
    "a: &x yes\n*x : b\n", "a: &x 1\nb: &x 2\nc: *x\n", "a: null\nb: ~\nc:\nd: {}\ne: ''\n",
    "a:\n- 1\n-\n- ~\n", "a: |+\n  x\n\nb: >-\n  x\n  y\n", "\ufeffa: 1\n", "a: 1 # x\n", "a: 'b' # c\n",
    'a: "b\\\n  c"\n', "%YAML 1.1\n---\na: yes\n", "%YAML 1.2\n---\na: yes\n", "!!map {a: 1}\n",
    "a: !!set {b, c}\n", "a: !!omap [b: 1]\n", "{a: 1, b: [c, {d: e}]}\n", '{"a": true, "b": null}\n',
    "a: 1\nA: 2\n", "1.0: a\n", "a: \u00e9\U0001f600\n", "a: \x07\n",
)  # fmt: skip
OVERRIDES = (
    ({"a": 1, "b": {"c": 1, "d": 2}}, {}),
    ({"a": 1, "b": {"c": 1, "d": 2}}, {"a": None}),
    ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": None}),
    ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"c": None}}),
    ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {}}),
    ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"c": {"x": 1}}}),
    ({"a": 1}, {"b": None}),
    ({"a": [1, 2]}, {"a": [3]}),
    ({"a": None}, {"a": {"b": 1}}),
)
"""A chart's own values and the values laid over them."""


def texts() -> tuple[str, ...]:
    """All texts of which it is recorded what Helm makes of them, some hundreds."""
    found = [f"a: {word}\n" for word in (*_WORDS, *_TAGGED)]
    found += [f"{word}: a\n" for word in _WORDS]
    found += _WHOLE
    found += itertools.islice(_drawn(random.Random(4)), 120)
    return tuple(dict.fromkeys(found))


def _drawn(dice: random.Random) -> Iterator[str]:
    """Mappings, lists and merges of drawn words."""
    while True:
        names = ["a", "b", "c", "d", "1", "yes", "x-y", "'q'"]
        lines = ["base: &base", *(f"  {dice.choice(names)}: {_value(dice)}" for _ in range(2))]
        lines.append("other: &other {a: 1, z: 010}")
        lines.append("top:")
        for _ in range(dice.randint(1, 5)):
            if dice.random() < 0.25:
                lines.append("  <<: " + dice.choice(["*base", "*other", "[*base, *other]"]))
            else:
                lines.append(f"  {dice.choice(names)}: {_value(dice)}")
        yield "\n".join(lines) + "\n"


def _value(dice: random.Random) -> str:
    if dice.random() < 0.3:
        inside = ", ".join(dice.choice(["1", "yes", "'yes'", "x", "~", "1.50"]) for _ in range(2))
        return f"[{inside}]"
    return dice.choice(_WORDS)
