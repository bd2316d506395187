"""The text format of metrics pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

_MEAN: Final = 0.01
"""Seconds that one request is counted with in histograms."""

_REMEMBERED: Final = 16_384
"""Sets of labels whose text is kept: a page has the same ones each time."""

Sample = tuple[Mapping[str, str], float]
"""Labels and value."""


class Exposition:
    """Families in the order that they are added."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, name: str, kind: str, text: str, samples: Iterable[Sample]) -> None:
        """Add a family; one without samples is left out, as the real pages do."""
        rows = [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
        if rows:
            self.lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *rows]

    def histogram(self, name: str, text: str, samples: Iterable[Sample]) -> None:
        """Add a histogram of which only the counts matter."""
        rows = []
        for labels, count in samples:
            rows += [
                f"{name}_bucket{_labels({**labels, 'le': '+Inf'}, sort=False)} {_number(count)}",
                f"{name}_sum{_labels(labels)} {_number(count * _MEAN)}",
                f"{name}_count{_labels(labels)} {_number(count)}",
            ]
        if rows:
            self.lines += [f"# HELP {name} {text}", f"# TYPE {name} histogram", *rows]


def _labels(labels: Mapping[str, str], *, sort: bool = True) -> str:
    return _written(tuple(labels.items()), sort) if labels else ""


@lru_cache(maxsize=_REMEMBERED)
def _written(labels: tuple[tuple[str, str], ...], sort: bool) -> str:
    names = sorted(labels) if sort else labels
    return "{" + ",".join([f'{name}="{value}"' for name, value in names]) + "}"


def _number(value: float) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return str(int(value)) if value == int(value) else repr(value)
