"""Numbers with their nouns."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 pod`, `3 pods`, `2 switches`; `many` where it is formed otherwise."""
    if number == 1:
        return f"1 {one}"
    return f"{number} {many or one + ('es' if one.endswith('ch') else 's')}"
