"""A report as blocks of text, and its three written forms: Markdown, one HTML page, plain text.

Text from the world is text in each of them: escaped in Markdown and HTML, one line per cell, and
without signs that steer a terminal.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import assert_never

import msgspec


class Code(msgspec.Struct, frozen=True):
    """A name, a path or a command within a line."""

    text: str


Inline = str | Code | tuple[str | Code, ...]
"""One line of text."""


class Heading(msgspec.Struct, frozen=True):
    """A heading; `level` 1 is the report's own."""

    text: str
    level: int = 2
    tone: str = ""
    """`good`, `warn` or `bad`, where the words are a verdict."""


class Paragraph(msgspec.Struct, frozen=True):
    """A line of its own."""

    text: Inline


class Items(msgspec.Struct, frozen=True):
    """A list."""

    items: tuple[Inline, ...]


class Table(msgspec.Struct, frozen=True):
    """A table with its head."""

    head: tuple[str, ...]
    rows: tuple[tuple[Inline, ...], ...]


class Lines(msgspec.Struct, frozen=True):
    """Lines as they are: a diff, commands."""

    text: str
    kind: str = ""
    """`diff`, `sh`, or nothing."""


class Folded(msgspec.Struct, frozen=True):
    """What is unfolded by whoever wants to see it."""

    summary: str
    blocks: tuple[Heading | Paragraph | Items | Table | Lines, ...]


Block = Heading | Paragraph | Items | Table | Lines | Folded

_MARKUP = re.compile(r"([\\`*_\[\]<>|&])")
_WORD = re.compile(r"(?<=[0-9A-Za-z])\\_(?=[0-9A-Za-z])")
"""An underscore within a word is not markup."""


def to_markdown(blocks: Sequence[Block]) -> str:
    """The blocks as Markdown (CommonMark with tables)."""
    return "\n".join(_markdown(blocks)).rstrip("\n") + "\n"


def unescaped(markdown: str) -> str:
    """A line of such Markdown as it was meant, for whoever shows it without a Markdown reader."""
    return re.sub(r"\\([\\`*_\[\]<>|&])", r"\1", markdown)


def to_html(title: str, blocks: Sequence[Block]) -> str:
    """The blocks as one page: its own style, no script, nothing loaded from anywhere."""
    body = "\n".join(_html(blocks))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{html.escape(_shown(title))}</title>\n<style>\n{_STYLE}</style>\n"
        f"</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def to_text(blocks: Sequence[Block]) -> str:
    """The blocks as plain text; what is folded elsewhere stands there whole."""
    return "\n".join(_text(blocks)).rstrip("\n") + "\n"


_STYLE = """\
:root { color-scheme: light dark; --line: #767676; --soft: #f2f2f2; --good: #126b2e; --warn: #7a4b00;
  --bad: #a8071a; --add: #126b2e; --gone: #a8071a; }
@media (prefers-color-scheme: dark) { :root { --line: #8a8a8a; --soft: #262626; --good: #7ee29a;
  --warn: #ffcf70; --bad: #ff9c9c; --add: #7ee29a; --gone: #ff9c9c; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 64em; margin: 2em auto; padding: 0 1em; }
h1, h2 { line-height: 1.2; break-after: avoid; }
h2 { margin-top: 2em; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1em 0; }
td, th { border: 1px solid var(--line); padding: .25em .6em; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; min-width: 8ch; }
td:first-child, td:last-child { min-width: 11ch; }
tr { break-inside: avoid; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: var(--soft); padding: .75em; overflow-x: auto; }
.add { color: var(--add); } .gone { color: var(--gone); }
details { margin: .5em 0; } summary { cursor: pointer; }
@media print {
  :root { --line: #000; --soft: #fff; --good: #000; --warn: #000; --bad: #000; --add: #000; --gone: #000; }
  body { font-size: 10pt; color: #000; background: #fff; }
  main { max-width: none; margin: 0; padding: 0; }
  pre { white-space: pre-wrap; border: 1px solid #000; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""


def _shown(text: str) -> str:
    """Text without what steers a terminal or turns its direction round."""
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text)


def _line(text: str) -> str:
    return " ".join(_shown(text).split("\n"))


def _parts(inline: Inline) -> tuple[str | Code, ...]:
    return inline if isinstance(inline, tuple) else (inline,)


# --- Markdown ------------------------------------------------------------------------------------


def _markdown(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Heading(text=text, level=level):
                yield f"{'#' * level} {_marked(text)}"
            case Paragraph(text=inline):
                yield _markdown_inline(inline)
            case Items(items=items):
                yield from (f"- {_markdown_inline(item)}" for item in items)
            case Table(head=head, rows=rows):
                yield f"| {' | '.join(head)} |"
                yield "|" + "---|" * len(head)
                for row in rows:
                    yield f"| {' | '.join(_markdown_inline(cell) for cell in row)} |"
            case Lines(text=text, kind=kind):
                fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
                yield f"{fence}{kind}"
                yield _shown(text.rstrip("\n"))
                yield fence
            case Folded(summary=summary, blocks=inner):
                yield f"<details><summary>{html.escape(_line(summary))}</summary>"
                yield ""
                yield from _markdown(inner)
                yield "</details>"
            case _:
                assert_never(block)
        yield ""


def _markdown_inline(inline: Inline) -> str:
    return "".join(
        _markdown_code(part.text) if isinstance(part, Code) else _marked(part)
        for part in _parts(inline)
    )


def _marked(text: str) -> str:
    return _WORD.sub("_", _MARKUP.sub(r"\\\1", _line(text)))


def _markdown_code(text: str) -> str:
    fence = "`" * (1 + max(map(len, re.findall(r"`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{_line(text)}{pad}{fence}".replace("|", "\\|")


# --- HTML ----------------------------------------------------------------------------------------


def _html(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Heading(text=text, level=level, tone=tone):
                mark = f' class="{tone}"' if tone else ""
                yield f"<h{level}{mark}>{html.escape(_line(text))}</h{level}>"
            case Paragraph(text=inline):
                yield f"<p>{_html_inline(inline)}</p>"
            case Items(items=items):
                yield "<ul>"
                yield from (f"<li>{_html_inline(item)}</li>" for item in items)
                yield "</ul>"
            case Table(head=head, rows=rows):
                yield '<div class="wide"><table><thead><tr>'
                yield "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in head)
                yield "</tr></thead><tbody>"
                for row in rows:
                    cells = "".join(f"<td>{_html_inline(cell)}</td>" for cell in row)
                    yield f"<tr>{cells}</tr>"
                yield "</tbody></table></div>"
            case Lines(text=text, kind=kind):
                lines = _shown(text.rstrip("\n")).split("\n")
                yield "<pre>" + "\n".join(_html_line(one, kind) for one in lines) + "</pre>"
            case Folded(summary=summary, blocks=inner):
                yield f"<details><summary>{html.escape(_line(summary))}</summary>"
                yield from _html(inner)
                yield "</details>"
            case _:
                assert_never(block)


def _html_inline(inline: Inline) -> str:
    return "".join(
        f"<code>{html.escape(_line(part.text))}</code>"
        if isinstance(part, Code)
        else html.escape(_line(part))
        for part in _parts(inline)
    )


def _html_line(text: str, kind: str) -> str:
    escaped = html.escape(text)
    if kind != "diff" or text.startswith(("+++", "---")):
        return escaped
    tone = {"+": "add", "-": "gone"}.get(text[:1])
    return f'<span class="{tone}">{escaped}</span>' if tone else escaped


# --- plain text ----------------------------------------------------------------------------------


def _text(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Heading(text=text, level=level):
                yield _line(text)
                yield ("=" if level == 1 else "-") * len(_line(text))
            case Paragraph(text=inline):
                yield _text_inline(inline)
            case Items(items=items):
                yield from (f"- {_text_inline(item)}" for item in items)
            case Table(head=head, rows=rows):
                yield from _text_table(
                    [head, *([_text_inline(one) for one in row] for row in rows)]
                )
            case Lines(text=text):
                yield from (f"    {one}" for one in _shown(text.rstrip("\n")).split("\n"))
            case Folded(summary=summary, blocks=inner):
                yield _line(summary)
                yield ""
                yield from _text(inner)
            case _:
                assert_never(block)
        yield ""


def _text_inline(inline: Inline) -> str:
    return "".join(_line(part.text if isinstance(part, Code) else part) for part in _parts(inline))


def _text_table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns below each other; the last one is as long as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        yield "  ".join(
            [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]
        )
