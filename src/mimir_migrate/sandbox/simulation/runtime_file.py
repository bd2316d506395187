"""The runtime configuration file as the products read it, strictly, and the page that shows it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import msgspec
import yaml

from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import RuntimeBlock

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FIELDS: Final[dict[Product, tuple[str, ...]]] = {
    Product.CORTEX: (
        "overrides",
        "multi_kv_config",
        "ingester_stream_chunks_when_using_blocks",
        "ingester_limits",
    ),
    Product.MIMIR: (
        "overrides",
        "multi_kv_config",
        "ingester_stream_chunks_when_using_blocks",
        "ingester_limits",
        "distributor_limits",
    ),
}
NO_FILE: Final = "runtime config file doesn't exist"


class BadRuntimeFileError(Exception):
    """The file is none that the product takes; the message is what it logs."""


class RuntimeFile(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of the file."""

    block: RuntimeBlock
    page: str
    """`/runtime_config`, everything."""
    diff: str
    """`/runtime_config?mode=diff`: what is set."""
    sha256: str
    """Of the configuration as it was understood, so that pods can be compared."""


@lru_cache(maxsize=64)
def read_runtime_file(product: Product, text: str) -> RuntimeFile:
    """Read the file.

    Raises:
        BadRuntimeFileError: Not YAML, several documents, or a field that the product does not have.
    """
    try:
        documents = list(yaml.load_all(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise BadRuntimeFileError(f"load file: yaml: {' '.join(str(error).split())}") from error
    if len(documents) > 1:
        raise BadRuntimeFileError(
            "load file: the provided runtime configuration has several documents"
        )
    tree = documents[0] if documents else None
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise BadRuntimeFileError("load file: yaml: unmarshal errors: not a mapping")
    fields = _FIELDS[product]
    for key in tree:
        if key not in fields:
            raise BadRuntimeFileError(
                f"load file: yaml: unmarshal errors: field {key} not found in type "
                f"{product.value}.runtimeConfigValues"
            )
    block = _block(tree.get("multi_kv_config"))
    shown = {name: tree.get(name) for name in fields}
    shown["overrides"] = shown["overrides"] or {}
    shown["multi_kv_config"] = {
        "primary": block.primary,
        "mirror_enabled": block.mirror_enabled,
    }
    page = _dump(shown)
    return RuntimeFile(
        block=block,
        page=page,
        diff=_dump({key: value for key, value in tree.items() if value}),
        sha256=hashlib.sha256(page.encode()).hexdigest(),
    )


class RuntimeLoader:
    """What one process has loaded of its runtime file.

    Args:
        product: Whose file it is.
        text: Gives the file as it is now; None: there is none.
        hear: Called with the `multi_kv_config` block of each file that was taken in later.
    """

    def __init__(
        self,
        product: Product,
        text: Callable[[], str | None],
        hear: Callable[[RuntimeBlock], None],
    ) -> None:
        self.file = RuntimeFile(block=RuntimeBlock(), page="", diff="", sha256="")
        self.ok = True
        """Whether the last attempt to load it succeeded."""
        self._product = product
        self._text = text
        self._hear = hear
        self._loaded = ""

    def load(self, path: str) -> None:
        """Load it at start. Raises BadRuntimeFileError."""
        text = self._text()
        if text is None:
            raise BadRuntimeFileError(f"load file: open {path}: no such file")
        self.file = read_runtime_file(self._product, text)
        self._loaded = text

    def reload(self) -> None:
        """Load it again; a file that cannot be taken keeps the one before."""
        text = self._text()
        if text == self._loaded and self.ok:
            return
        self.ok = False
        if text is None:
            return
        try:
            self.file = read_runtime_file(self._product, text)
        except BadRuntimeFileError:
            return
        self.ok = True
        self._loaded = text
        self._hear(self.file.block)


def _block(block: Any) -> RuntimeBlock:
    if block is None:
        return RuntimeBlock()
    if not isinstance(block, dict):
        raise BadRuntimeFileError("load file: yaml: unmarshal errors: multi_kv_config")
    for key in block:
        if key not in {"primary", "mirror_enabled"}:
            raise BadRuntimeFileError(
                f"load file: yaml: unmarshal errors: field {key} not found in type "
                "kv.MultiRuntimeConfig"
            )
    mirror = block.get("mirror_enabled")
    if mirror is not None and not isinstance(mirror, bool):
        raise BadRuntimeFileError(
            "load file: yaml: unmarshal errors: mirror_enabled is not a bool"
        )
    return RuntimeBlock(primary=str(block.get("primary") or ""), mirror_enabled=mirror)


def _dump(tree: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(tree, sort_keys=False, default_flow_style=False)
    return text
