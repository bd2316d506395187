"""The signs that stand beside words: one set for most terminals, one of ASCII only."""

from __future__ import annotations

import msgspec
from textual.widget import Widget


class Glyphs(msgspec.Struct, frozen=True, kw_only=True):
    """One sign for each meaning; no two meanings of one place share a sign."""

    good: str
    bad: str
    unknown: str
    warn: str
    note: str
    differ: str
    none: str
    now: str
    held: str
    todo: str
    cursor: str
    """Where the keys go."""
    rest: str
    """Where the cursor of a list stands that the keys do not go to."""
    open: str
    folded: str
    leaf: str
    checked: str
    unchecked: str
    chosen: str
    rule: str
    arrow: str
    ellipsis: str
    bar: str
    full: str
    hollow: str


UNICODE = Glyphs(
    good="✓",
    bad="✗",
    unknown="?",
    warn="!",
    note="i",
    differ="≠",
    none="·",
    now="▶",
    held="‖",
    todo="○",
    cursor="▌",
    rest="▏",
    open="▾",
    folded="▸",
    leaf=" ",
    checked="[x]",
    unchecked="[ ]",
    chosen="(•)",
    rule="─",
    arrow="→",
    ellipsis="…",
    bar="│",
    full="█",
    hollow="░",
)

ASCII = Glyphs(
    good="+",
    bad="x",
    unknown="?",
    warn="!",
    note="i",
    differ="#",
    none=".",
    now="*",
    held="=",
    todo="o",
    cursor="|",
    rest=":",
    open="v",
    folded=">",
    leaf=" ",
    checked="[x]",
    unchecked="[ ]",
    chosen="(*)",
    rule="-",
    arrow="->",
    ellipsis="~",
    bar="|",
    full="#",
    hollow=".",
)


def glyphs_of(widget: Widget) -> Glyphs:
    """The set that the app was started with."""
    found = getattr(widget.app, "glyphs", UNICODE)
    return found if isinstance(found, Glyphs) else UNICODE
