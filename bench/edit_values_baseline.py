"""The baseline of `edit_values.py`: the same edit as a ruamel.yaml round trip of the whole file."""

from __future__ import annotations

from io import BytesIO
from typing import Any


def edit(content: bytes, rings: dict[tuple[str, ...], dict[str, Any]]) -> bytes:
    """Load, set each ring's `kvstore`, and dump, with everything that ruamel.yaml can keep."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 2**16
    document = yaml.load(content)
    for path, settings in rings.items():
        block = document["mimir"]["structuredConfig"]
        for key in path:
            block = block.setdefault(key, {})
        block.update(settings)
    out = BytesIO()
    yaml.dump(document, out)
    return out.getvalue()
