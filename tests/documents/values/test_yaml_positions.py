"""Reading YAML with positions: both readers agree, and data is what Helm would see."""

from __future__ import annotations

import sys

import pytest
from ruamel.yaml import YAML

from mimir_migrate.documents.yaml.data import to_data
from mimir_migrate.documents.yaml.positions import Node, Text, YamlError, parse
from mimir_migrate.documents.yaml.templates import mask

RICH = """\
# Überschrift
a: &one {x: 1, y: [2, 'three', "fo\\u00fcr"], z: }
b:
  - *one
  - <<: *one
    y: true
  -   - nested
      - ~
text: |-
  first

    second # no comment
nothing:
folded: >
  one
  two
? complex
: value
--- # another
just a word
...
"""


def outline(node: Node) -> tuple[object, ...]:
    # Nothing at all stands nowhere in particular.
    place = (node.start, node.end) if node.start < node.end else None
    return (
        node.kind,
        place,
        node.value,
        node.style,
        node.flow,
        node.anchor,
        node.shared,
        [(outline(key), outline(value)) for key, value in node.entries],
        [outline(item) for item in node.items],
    )


def test_both_readers_see_the_same(monkeypatch, examples):
    """libyaml and ruamel.yaml give the same parts at the same places."""
    texts = [RICH, *(path.read_text() for path in sorted(examples.glob("*.yaml")))]
    fast = [[outline(node) for node in parse(Text(text))] for text in texts]
    monkeypatch.setitem(sys.modules, "yaml", None)

    slow = [[outline(node) for node in parse(Text(text))] for text in texts]

    assert slow == fast


def test_both_readers_say_where_a_text_is_wrong(monkeypatch):
    """The place of the error does not depend on the reader."""
    for _ in range(2):
        with pytest.raises(YamlError) as wrong:
            parse(Text("a: 1\nb: [1, 2\nc: 3\n"))

        assert Text("a: 1\nb: [1, 2\nc: 3\n").line_of(wrong.value.offset) == 2
        monkeypatch.setitem(sys.modules, "yaml", None)


def test_data_is_what_an_independent_reader_finds(examples):
    """The examples hold no word on which YAML versions differ, so ruamel.yaml agrees."""
    for path in sorted(examples.glob("*.yaml")):
        text = path.read_text()

        assert to_data(parse(Text(text))[0]) == YAML(typ="safe", pure=True).load(text)


def test_words_are_read_as_helm_reads_them():
    """YAML 1.1 words are booleans, quoted ones are text, and durations are text."""
    text = "[yes, Off, 'yes', 010, 0x1F, 1_000, 1e3, .5, 12:30, 1m, 2020-01-01, ~, '', 0o17]"

    assert to_data(parse(Text(text))[0]) == [
        True, False, "yes", 8, 31, 1000, 1000.0, 0.5, "12:30", "1m", "2020-01-01", None, "",
        15,
    ]  # fmt: skip


def test_a_template_keeps_every_position():
    """Masking changes no length and no line, and the values are read back as they were."""
    text = (
        "a: ${one}\n%{ if x ~}\nb: [{{ .two }}, '{{ \"}}\" }}']\n%{ else }\n"
        "{{- /* a\n  comment */ -}}\nc: x{% raw %}\n"
    )

    masked = mask(text)
    data = to_data(parse(Text(text))[0])

    assert len(masked.text) == len(text)
    assert masked.text.count("\n") == text.count("\n")
    assert data == {"a": "${one}", "b": ["{{ .two }}", '{{ "}}" }}'], "c": "x{% raw %}"}


def test_branches_are_told_apart():
    """Each position knows the branches that it is in."""
    text = "a\n{{ if x }}\nb\n{{ else if y }}\nc\n{{ range z }}\nd\n{{ end }}\n{{ end }}\ne\n"
    masked = mask(text)

    depth = {letter: len(masked.block_at(text.index(f"{letter}\n"))) for letter in "abcde"}

    assert depth == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 0}
    assert masked.block_at(text.index("b\n")) != masked.block_at(text.index("c\n"))
