"""Changes of settings as nested dictionaries, applied to plain data.

Text or a boolean sets a value, a dictionary goes into a mapping, `REMOVE` takes an entry out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final


class _Remove:
    """The type of `REMOVE`."""

    def __repr__(self) -> str:
        return "REMOVE"


REMOVE: Final = _Remove()

Delta = Mapping[str, Any]


def pruned(data: Any, delta: Delta, keep: Sequence[str] = ()) -> dict[str, Any]:
    """The delta without what changes nothing, and with mappings that it empties removed whole.

    Args:
        data: What the delta is for.
        delta: The changes.
        keep: Keys down to a mapping that stays, as an empty one, where the delta empties it.
    """
    settings = data if isinstance(data, dict) else {}
    result: dict[str, Any] = {}
    for key, wanted in delta.items():
        kept = bool(keep) and keep[0] == key
        if wanted is REMOVE:
            if key in settings:
                result[key] = REMOVE
        elif isinstance(wanted, Mapping):
            inner = pruned(settings.get(key), wanted, keep[1:] if kept else ())
            if inner:
                held = settings.get(key)
                emptied = isinstance(held, dict) and not applied(held, inner)
                result[key] = REMOVE if emptied and not kept else inner
        elif key not in settings or not same(settings[key], wanted):
            result[key] = wanted
    return result


def applied(data: Any, delta: Delta) -> dict[str, Any]:
    """The data after the delta, by the same rules as the text."""
    result = dict(data) if isinstance(data, dict) else {}
    for key, wanted in delta.items():
        if wanted is REMOVE:
            result.pop(key, None)
        elif isinstance(wanted, Mapping):
            result[key] = applied(result.get(key), wanted)
        else:
            result[key] = wanted
    return result


def at_keys(data: Any, keys: Sequence[str]) -> Any:
    """What stands at keys of plain data, numbers standing for items of lists; None: nothing."""
    for key in keys:
        if isinstance(data, list):
            data = data[int(key)]
        elif isinstance(data, dict):
            data = data.get(key)
        else:
            return None
    return data


def with_delta(data: Any, keys: Sequence[str], delta: Delta) -> Any:
    """The data with a delta applied at keys."""
    return with_value(data, keys, applied(at_keys(data, keys), delta))


def with_value(data: Any, keys: Sequence[str], value: Any) -> Any:
    """The data with a value put at keys."""
    if not keys:
        return value
    if isinstance(data, list):
        changed = list(data)
        changed[int(keys[0])] = with_value(data[int(keys[0])], keys[1:], value)
        return changed
    inside = data if isinstance(data, dict) else {}
    return {**inside, keys[0]: with_value(inside.get(keys[0]), keys[1:], value)}


def same(one: Any, other: Any) -> bool:
    """Whether two pieces of data are equal, types included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
