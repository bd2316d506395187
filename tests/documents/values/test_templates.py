"""Placeholders that stand anywhere: folded over lines, in plain values, literals, comments and keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mimir_migrate.documents.yaml.data import to_data
from mimir_migrate.documents.yaml.positions import Text, parse

RING = "mimir:\n  structuredConfig:\n    ruler:\n      rule_path: /data\n"

FOLDED = {
    "in a plain value": 'url: http://{{ template "fullname"\n  . }}-x.{{ .Release.Namespace }}\n',
    "begun on the next line": 'url:\n  {{ include "a"\n    . }}.svc\n',
    "over three lines": 'url: a{{ include "a"\n  (dict "ctx" .\n  "b" 1) }}c\n',
    "in single quotes": "url: 'http://{{ include \"a\"\n  . }}/'\n",
    "in double quotes": 'url: "http://{{ include \\"a\\"\n  . }}/"\n',
    "in a literal": 'url: |\n  x: {{ include "a"\n    . }}\n  y: 1\n',
    "in a folded text": 'url: >-\n  x {{ include "a"\n  . }}\n',
    "in a comment": 'a: 1\n# url: {{ template "a"\n#   . }}-b\n',
    "in a comment beside": "a: 1 # {{ if x\n#  }}\nb: 2\n",
    "in a comment, among directives": '{{- if .x }}\na: 1\n{{- end }}\n# {{ template "a"\n#   . }}-b\n',
    "in a plain value, among directives": (
        '{{- if .x }}\na: 1\n{{- end }}\nurl: http://{{ template "a"\n  . }}-b\n'
    ),
    "in a list": 'args:\n  - -x={{ include "a"\n    . }}\n  - b\n',
    "in a flow list": "args: [a, '{{ include \"a\"\n  . }}']\n",
    "in a key": "{{ .Values.key }}: 1\n",
    "in a key with a folded value": "a-{{ .x }}: b {{ .y\n  }}\n",
    "of the shell": "url: ${A:-b}\n  ${C}\n",
    "windows line breaks": 'url: http://{{ template "a"\r\n  . }}-x\r\n',
}  # fmt: skip


@pytest.mark.parametrize("case", FOLDED)
@pytest.mark.parametrize("before", [True, False], ids=["before", "behind"])
def test_a_folded_placeholder_is_no_reason_to_refuse(
    case: str, before: bool, changed: Callable[..., str], wanted: Callable[..., object]
) -> None:
    """The ring is edited, and everything around it stays byte for byte."""
    text = FOLDED[case]
    whole = text + RING if before else RING + text

    after = changed(whole, wanted("dynamodb"))

    assert "          store: dynamodb\n" in after.replace("\r\n", "\n")
    assert text in after
    assert RING in after


def test_what_helm_reads_is_read_as_it_stands() -> None:
    """A folded placeholder has one space where the line broke, as in every YAML reader."""
    text = Text('a: http://{{ template "x"\n  . }}-y\nb: |\n  {{- if z }}\n  c\n  {{- end }}\n')

    data = to_data(parse(text)[0])

    assert data == {"a": 'http://{{ template "x" . }}-y', "b": "{{- if z }}\nc\n{{- end }}\n"}
    assert text.masked.directive_between(0, len(text.original)) is None


END = (
    ("extra:\n  - |\n    kind: x", "extra"),
    ("note: |\n  a", "note"),
    ("note: >\n  a\n  b", "note"),
    ("note: |2\n    a", "note"),
    ("more:\n  deeper:\n    x: |\n      a\n\n      b", "more"),
)


@pytest.mark.parametrize(("text", "last"), END)
def test_a_literal_without_a_last_line_break_stays_the_last_entry(
    text: str, last: str, changed: Callable[..., str], wanted: Callable[..., object]
) -> None:
    """A line behind it would give it the line break that it does not have."""
    after = changed("ingester:\n  replicas: 3\nstore_gateway: {}\n" + text, wanted("dynamodb"))

    assert after.endswith(text)
    assert after.index("mimir:\n  structuredConfig:") < after.index(f"\n{last}:")


def test_a_literal_without_line_breaks_may_be_followed(
    changed: Callable[..., str], wanted: Callable[..., object]
) -> None:
    """One that strips its line break is the same with lines behind it."""
    text = "ingester: {}\nstore_gateway: {}\nnote: |-\n  a"

    assert changed(text, wanted("dynamodb")).startswith(text + "\nmimir:\n")
