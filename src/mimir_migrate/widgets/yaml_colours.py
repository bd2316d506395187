"""Colours for one line of YAML, without parsing the file it is from."""

from __future__ import annotations

import re

from mimir_migrate.widgets.text import Line, Span, plain

_KEY = re.compile(
    r"""^(\s*(?:-\s+)*)("[^"]*"|'[^']*'|[^\s#:\[\]{},"'&*!|>%@`][^#:]*?)(\s*:)(?=\s|$)"""
)
_COMMENT = re.compile(r"(^|\s)(#.*)$")
_STRING = re.compile(r"""^("(?:\\.|[^"])*"|'[^']*')$""")


def coloured(text: str) -> Line:
    """The line as spans: key, value, comment."""
    text = plain(text.expandtabs(4))
    spans: list[Span] = []
    body, comment = text, ""
    found = _COMMENT.search(text)
    if found and not _inside_quotes(text, found.start(2)):
        body, comment = text[: found.start(2)], found[2]
    key = _KEY.match(body)
    if key:
        spans += [Span(key[1]), Span(key[2], "key"), Span(key[3])]
        body = body[key.end() :]
    if body:
        lead = len(body) - len(body.lstrip(" "))
        value = body.strip(" ")
        style = "string" if _STRING.match(value) else ""
        spans += [Span(body[:lead]), Span(body[lead:], style)]
    if comment:
        spans.append(Span(comment, "comment"))
    return tuple(span for span in spans if span.text)


def _inside_quotes(text: str, place: int) -> bool:
    before = text[:place]
    return before.count('"') % 2 == 1 or before.count("'") % 2 == 1
