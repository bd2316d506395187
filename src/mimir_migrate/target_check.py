"""What is wrong with a target file or a target's flags: all of it at once, each with its place.

`tomllib` reads the file; lines are found by looking for the entry in the text, since no TOML reader
at hand says where a value stood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from mimir_migrate.durations import read_duration
from mimir_migrate.model.target import Target, Through

LONGEST_HOOK = 600.0
"""Seconds that a hook may take at most: the end of a run waits for those that still run."""

LEAST_HEARTBEAT_TIMEOUT = 240.0
"""Seconds that rings on the ring bridge have to wait for heartbeats. A watch that met an error sleeps for
up to a minute, so an outage of T is seen as up to 2 T: with 4 min one of 105 s is harmless (docs/bridge.md)."""

LEAST_TTL = 86_400.0
"""Seconds that an item must at least live on without being renewed: a ring's members must outlive any
stretch in which nobody can write, and DynamoDB deletes expired items within a few days anyway."""

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
"""DynamoDB's rule for table names (CreateTable, TableName)."""
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A DNS label, RFC 1123: what Kubernetes asks of a namespace."""
_RELEASE = re.compile(r"[a-z0-9]([-a-z0-9.]{0,51}[a-z0-9])?")
"""Helm's rule for release names: at most 53 characters."""
_SERVICE = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LAST_PORT = 65535
_SHORT = 2
"""Labels of a Service's name with its namespace."""
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}|\{\{.*?\}\}")
_TYPE_WORDS = {
    str: "text in quotes",
    int: "a whole number",
    bool: "true or false",
    tuple: 'a list of texts, for example ["a", "b"]',
}


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with an entry."""

    section: str
    key: str
    """Empty: it is about the section."""
    what: str
    """What was found and what is allowed."""
    line: int = 0
    """Counted from 1; 0: not known."""

    def words(self, path: str) -> str:
        """The mistake with its place, as one line."""
        place = f"{path}:{self.line}" if self.line else path
        entry = f"[{self.section}] {self.key}".rstrip()
        return f"{place}: {entry}: {self.what}"


def mistakes(found: Mapping[str, Any], text: str = "") -> tuple[Mistake, ...]:
    """Everything that is wrong with a target's entries.

    Args:
        found: Sections, each with its entries, as TOML or flags gave them.
        text: The file's text, for the lines; empty: there is none.
    """
    lines = _Lines(text)
    return tuple(
        sorted(
            (
                msgspec.structs.replace(one, line=lines.of(one.section, one.key))
                for one in (
                    *(
                        one
                        for section, entries in found.items()
                        for one in _in_section(section, entries)
                    ),
                    *_of_bridge(found),
                )
            ),
            key=lambda one: one.line,
        )
    )


def duration_problem(text: str) -> str:
    """Why a text is not a duration above zero; empty: it is one."""
    seconds = read_duration(text)
    if seconds is None:
        return f"{text!r} is not a duration; write for example 10s, 1m30s or 2h"
    return "" if seconds > 0 else f"{text!r} is not above zero"


def region_problem(text: str) -> str:
    """Why a text is not the name of an AWS region; empty: it looks like one."""
    if _REGION.fullmatch(text):
        return ""
    zone = re.fullmatch(rf"({_REGION.pattern})[a-f]", text)
    if zone:
        return f"{text!r} is an availability zone; its region is {zone[1]!r}"
    return f"{text!r} is not the name of an AWS region, for example eu-west-1"


def table_problem(text: str) -> str:
    """Why a text is not a table's name, in which `{ring}` may stand; empty: it is one."""
    if _PLACEHOLDER.search(text):
        return ""  # somebody else's template fills it in
    name = text.replace("{ring}", "ring")
    if "{" in name:
        return f"{text!r} holds a placeholder; the only one there is is {{ring}}"
    if text.startswith("arn:"):
        return f"{text!r} is an ARN; write the name behind table/"
    if _TABLE.fullmatch(name):
        return ""
    return (
        f"{text!r} is not the name of a DynamoDB table: 3 to 255 letters, digits, `_`, `-` and `.`"
    )


def ttl_problem(text: str) -> str:
    """Why a text is not an expiry of items; empty: it is one, or none is asked for."""
    if not text or (read_duration(text) or 0.0) >= LEAST_TTL:
        return ""
    return f"{text!r} is not a duration of at least 24h"


def _in_section(section: str, entries: object) -> Iterator[Mistake]:
    sections = _sections()
    if section not in sections:
        yield Mistake(
            section=section,
            key="",
            what="there is no such section" + _meant(section, sections, "[{}]"),
        )
        return
    if not isinstance(entries, Mapping):
        yield Mistake(section=section, key="", what="it must be a section of entries")
        return
    kinds = get_type_hints(sections[section])
    for key, value in entries.items():
        if key not in kinds:
            yield Mistake(
                section=section, key=key, what="unknown entry" + _meant(key, kinds, "{}")
            )
        elif wrong := _wrong_type(value, kinds[key]) or _wrong_value(section, key, value, entries):
            yield Mistake(section=section, key=key, what=wrong)


def _of_bridge(found: Mapping[str, Any]) -> Iterator[Mistake]:
    """What `[dynamodb] through = "bridge"` and the section `[bridge]` need of each other."""
    dynamodb, bridge = found.get("dynamodb"), found.get("bridge")
    through = dynamodb.get("through") if isinstance(dynamodb, Mapping) else None
    if through == Through.BRIDGE.value:
        if not (isinstance(bridge, Mapping) and bridge.get("service")):
            yield Mistake(
                section="dynamodb",
                key="through",
                what='"bridge" needs [bridge] service, the host name of the ring bridge\'s Service, '
                "for example ring-bridge.mimir.svc",
            )
        if "{ring}" in str(dynamodb.get("table", "") if isinstance(dynamodb, Mapping) else ""):
            yield Mistake(
                section="dynamodb",
                key="table",
                what="the ring bridge has one table for all rings; leave {ring} out of its name",
            )
        for key in ("ttl", "min_ready_duration"):
            if isinstance(dynamodb, Mapping) and dynamodb.get(key):
                yield Mistake(
                    section="dynamodb",
                    key=key,
                    what='it does nothing with through = "bridge": only pods that read the table '
                    "themselves have it",
                )
        yield from _elsewhere(bridge, found.get("kubernetes"))
    elif isinstance(bridge, Mapping) and bridge.get("service"):
        yield Mistake(
            section="bridge",
            key="service",
            what='nothing goes through it: [dynamodb] through = "bridge" is not there',
        )


def _elsewhere(bridge: object, kubernetes: object) -> Iterator[Mistake]:
    """The replicas are looked for where `bridge manifest` puts them: in Mimir's own namespace."""
    service = bridge.get("service") if isinstance(bridge, Mapping) else None
    namespace = kubernetes.get("namespace") if isinstance(kubernetes, Mapping) else None
    labels = service.split(".") if isinstance(service, str) else []
    named = labels[1] if len(labels) > 1 and (len(labels) == _SHORT or labels[2] == "svc") else ""
    if named and isinstance(namespace, str) and namespace and named != namespace:
        yield Mistake(
            section="bridge",
            key="service",
            what=f"{service!r} is in the namespace {named!r}; the bridge has to run in Mimir's own, "
            f"{namespace!r}",
        )


def _sections() -> dict[str, Any]:
    hints = get_type_hints(Target)
    return {name: kind for name, kind in hints.items() if name != "folder"}


def _meant(name: str, names: Mapping[str, Any], shape: str) -> str:
    close = get_close_matches(name, list(names), n=1)
    if close:
        return f"; did you mean {shape.format(close[0])}?"
    return "; there are " + ", ".join(shape.format(one) for one in names)


def _wrong_type(value: object, kind: Any) -> str:
    wanted = get_origin(kind) or kind
    if wanted is tuple:
        if isinstance(value, list | tuple):
            odd = next((one for one in value if not isinstance(one, get_args(kind)[0])), None)
            return "" if odd is None else f"{odd!r} in it is not text in quotes"
        return f"it must be {_TYPE_WORDS[tuple]}, and is {value!r}"
    if wanted is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        return "" if number else f"it must be a number above zero, and is {value!r}"
    if wanted in {bool, int}:
        return (
            "" if type(value) is wanted else f"it must be {_TYPE_WORDS[wanted]}, and is {value!r}"
        )
    if isinstance(value, str):
        if isinstance(wanted, type) and issubclass(wanted, StrEnum):
            allowed = {one.value: one for one in wanted}
            if value not in allowed:
                return (
                    f"{value!r} is not one of {', '.join(allowed)}"
                    + _meant(value, allowed, "{}").partition("; there are")[0]
                )
        return ""
    return f"it must be {_TYPE_WORDS[str]}, and is {value!r}"


def _wrong_value(section: str, key: str, value: Any, entries: Mapping[str, Any]) -> str:
    if not value and type(value) is not int:
        return ""
    match section, key:
        case ("dynamodb", "puller_sync_time") | ("deploy", "timeout"):
            return duration_problem(value)
        case ("hooks", "timeout"):
            return duration_problem(value) or _too_long(value)
        case ("bridge", _):
            return _wrong_bridge(key, value)
        case ("dynamodb", "ttl"):
            return ttl_problem(value)
        case ("dynamodb", "table"):
            return table_problem(value)
        case ("aws", "region"):
            return "" if entries.get("endpoint_url") else region_problem(value)
        case ("aws", "endpoint_url"):
            good = re.match(r"https?://[^/\s]+", value)
            return "" if good else f"{value!r} is not a URL with http:// or https://"
        case ("kubernetes", "namespace"):
            return "" if _LABEL.fullmatch(value) else f"{value!r} is not the name of a namespace"
        case ("kubernetes", "release"):
            return "" if _RELEASE.fullmatch(value) else f"{value!r} is not a helm release's name"
        case _:
            return ""


def _wrong_bridge(key: str, value: Any) -> str:
    match key:
        case "service":
            good = _SERVICE.fullmatch(value)
            return (
                ""
                if good
                else (
                    f"{value!r} is not a host name as pods resolve it, for example ring-bridge.mimir.svc; "
                    "the port and TLS are entries of their own"
                )
            )
        case "port":
            return "" if 0 < value <= _LAST_PORT else f"{value} is not a port"
        case "token_variable":
            good = _VARIABLE.fullmatch(value)
            return (
                ""
                if good
                else (
                    "it is not the name of an environment variable; the token itself never stands here: name "
                    "the variable that a Secret fills in Mimir's pods"
                )
            )
        case "heartbeat_timeout":
            return duration_problem(value) or _short_timeout(value)
        case _:
            return ""


def _short_timeout(text: str) -> str:
    if (read_duration(text) or 0.0) >= LEAST_HEARTBEAT_TIMEOUT:
        return ""
    return (
        f"{text!r} is less than {LEAST_HEARTBEAT_TIMEOUT / 60:g} minutes, the least with which a short "
        "outage of the bridge is harmless"
    )


def _too_long(text: str) -> str:
    if (read_duration(text) or 0.0) <= LONGEST_HOOK:
        return ""
    return (
        f"{text!r} is longer than {LONGEST_HOOK / 60:g} minutes, which is the most a hook may take"
    )


class _Lines:
    """Where the sections and entries of a TOML text stand."""

    def __init__(self, text: str) -> None:
        self._at: dict[tuple[str, str], int] = {}
        section = ""
        for number, line in enumerate(text.splitlines(), 1):
            if head := re.match(r"\s*\[\[?\s*[\"']?([^\]\"']+?)[\"']?\s*\]", line):
                section = head[1]
                self._at.setdefault((section, ""), number)
            elif entry := re.match(
                r"\s*[\"']?([\w-]+)[\"']?\s*(?:\.\s*[\"']?([\w-]+)[\"']?\s*)?=", line
            ):
                first, second = entry[1], entry[2] or ""
                own = (section, first) if section else (first, second)
                self._at.setdefault(own, number)
                self._at.setdefault((own[0], ""), number)

    def of(self, section: str, key: str) -> int:
        return self._at.get((section, key)) or self._at.get((section, ""), 0)


def told(wrong: Sequence[Mistake], path: str) -> str:
    """All mistakes of one file as a message."""
    if len(wrong) == 1:
        return wrong[0].words(path)
    return f"{path} has {len(wrong)} mistakes:\n" + "\n".join(
        f"  {one.words(path)}" for one in wrong
    )
