"""Go durations, as both products and the values files write them.

The grammar is that of Go's `time.ParseDuration`: an optional sign and a sequence of decimal numbers,
each with a unit, e.g. `1m30s`, `1.5h`, `300ms`; a lone `0` needs no unit.
"""

from __future__ import annotations

import re
import time

from mimir_migrate.errors import UsageError

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_SECOND = 1.0
_TENTHS = 9.95
"""Seconds below which a tenth still says something."""
_MINUTE = 60.0
_HOUR = 3600.0


def parse_duration(text: str) -> float:
    """Read a Go duration, in seconds.

    Raises:
        UsageError: When the text is not a Go duration.
    """
    seconds = read_duration(text)
    if seconds is None:
        raise UsageError(
            f"reading the duration {text!r}: it is not one",
            hint="write a number with a unit of ns, us, ms, s, m or h, for example 10s or 1m30s",
        )
    return seconds


def read_duration(value: object) -> float | None:
    """Read a Go duration that a page reports, in seconds; None when it is none."""
    if not isinstance(value, str):
        return 0.0 if value == 0 and not isinstance(value, bool) else None
    text = value.strip()
    sign = -1.0 if text.startswith("-") else 1.0
    digits = text[1:] if text[:1] in {"-", "+"} else text
    if digits == "0":
        return 0.0
    total = 0.0
    position = 0
    while position < len(digits):
        part = _PART.match(digits, position)
        if part is None:
            return None
        total += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    return sign * total if position else None


def format_duration(seconds: float) -> str:
    """Write seconds as a Go duration without empty parts: `10s`, `1m30s`, `2h`, `500ms`."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if 0 < seconds < _SECOND:
        return f"{_plain(round(seconds * 1000, 6))}ms"
    rest = round(seconds, 6)
    hours, rest = divmod(rest, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    parts = [f"{int(hours)}h"] if hours else []
    if minutes:
        parts.append(f"{int(minutes)}m")
    if rest or not parts:
        parts.append(f"{_plain(round(rest, 6))}s")
    return "".join(parts)


def spoken(seconds: float) -> str:
    """Seconds as a person writes them, rounded to what matters: `0.4 s`, `10 s`, `2 min 17 s`, `1 h 5 min`."""
    if seconds < 0:
        return "-" + spoken(-seconds)
    if seconds < _TENTHS:
        tenths = f"{seconds:.1f}".removesuffix(".0")
        return f"{tenths} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        minutes, rest = divmod(whole, int(_MINUTE))
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, rest = divmod(round(whole / _MINUTE), 60)
    return f"{hours} h" + (f" {rest} min" if rest else "")


def _plain(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


def clock_words(at: float) -> str:
    """A moment, in seconds since the epoch, as the time of day: `14:03:12` (UTC)."""
    return time.strftime("%H:%M:%S", time.gmtime(at))


def moment_words(at: float) -> str:
    """A moment, in seconds since the epoch, with its day: `2026-11-28 14:03:12 UTC`."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
