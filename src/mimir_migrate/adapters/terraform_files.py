"""Reads a Terraform folder from disk: its files, and those of local modules that it calls."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sized
from pathlib import Path

from mimir_migrate.adapters.given_files import next_step
from mimir_migrate.errors import DocumentError
from mimir_migrate.ports import TerraformText

SHOW_FILE = "show.json"
"""A file of this name in the folder is taken for the output of `terraform show -json`."""

_MOST_FILES = 2_000
_LARGEST = 4_194_304
"""Bytes; a file beyond it is not a configuration that somebody wrote."""

_LOCAL_SOURCE = re.compile(r'\bsource"?\s*[=:]\s*"(\.{1,2}/[^"]*)"')
"""In HCL and in JSON."""
_NAMED_FILE = re.compile(
    r'\b(?:file|templatefile)\(\s*\\?"(\$\{path\.(?:module|root)\}/)?'
    r'([^"\\$]+\.(?:json|tpl|tftpl|tmpl|json\.tpl))\\?"'
)
"""Files that expressions read: policies, and templates of them."""
_LARGEST_NAMED = 262_144
"""Bytes; a policy has at most some ten thousand."""
_CONFIGURATION = ("*.tf", "*.tf.json", "*.tofu", "*.tofu.json")
_TFVARS = (
    "terraform.tfvars",
    "terraform.tfvars.json",
    "*.auto.tfvars",
    "*.auto.tfvars.json",
)


_TERRAGRUNT = "terragrunt.hcl"


class DiskTerraform:
    """Implements `ports.TerraformFolders`."""

    def read(self, folder: str) -> TerraformText:
        """The files of a folder, and `terraform show -json` where it was saved in it.

        Raises:
            DocumentError: There is no such folder, nothing in it is Terraform, or a file cannot be
                read.
        """
        return TerraformText(files=read_folder(folder), shown=read_shown(folder))


def read_folder(folder: str) -> dict[str, str]:
    """Read a root module with the local modules that it calls, or a tree of them.

    A folder that has no `.tf` file of its own is read with everything below it. What Terragrunt hands to
    modules is read as well.

    Args:
        folder: The folder that the target names.

    Returns:
        Text by path relative to the folder, with `/` between parts; a module outside of it begins
        with `../`.

    Raises:
        DocumentError: There is no such folder, nothing in it is Terraform, or a file cannot be read.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DocumentError(
            "there is no such folder",
            path=folder,
            hint="Name another in [terraform] dir or with --terraform.",
        )
    files: dict[str, str] = {}
    if any(path for name in _CONFIGURATION for path in root.glob(name)):
        waiting = [root]
        seen = set()
        while waiting:
            here = waiting.pop()
            if here in seen or not here.is_dir():
                continue
            seen.add(here)
            texts = _read(_own_files(here), root)
            files |= texts
            files |= _named_files(texts, here, root)
            for text in texts.values():
                sources = _LOCAL_SOURCE.findall(text)
                waiting += [Path(os.path.normpath(here / source)) for source in sources]
    else:
        for here in _tree(root):
            texts = _read(_own_files(here), root)
            files |= texts
            files |= _named_files(texts, here, root)
            _limit(files, root)
    if not files:
        raise DocumentError(
            "no .tf file (nor .tofu, nor .tf.json) in the folder or below it",
            path=folder,
            hint="Name the folder with the Terraform of tables and permissions, or leave it out.",
        )
    return files


def read_shown(folder: str) -> str | None:
    """What `terraform show -json` printed, where it was saved in the folder.

    Raises:
        DocumentError: The file is there and cannot be read.
    """
    path = Path(folder) / SHOW_FILE
    return _text(path) if path.is_file() else None


def _own_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for name in (*_CONFIGURATION, *_TFVARS, _TERRAGRUNT)
        for path in folder.glob(name)
        if path.is_file() and not path.name.startswith(".")
    )


def _tree(root: Path) -> Iterator[Path]:
    for here, folders, _ in os.walk(root):
        # `.terraform` holds copies of remote modules, which nobody calls by a local path.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(here)


def _read(paths: list[Path], root: Path) -> dict[str, str]:
    _limit(paths, root)
    return {_relative(path, root): _text(path) for path in paths}


def _limit(files: Sized, root: Path) -> None:
    if len(files) > _MOST_FILES:
        raise DocumentError(
            f"more than {_MOST_FILES} Terraform files below the folder",
            path=str(root),
            hint="name the folder of one environment: [terraform] dir",
        )


def _relative(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()


def _named_files(texts: Mapping[str, str], here: Path, root: Path) -> dict[str, str]:
    """Files that `file` and `templatefile` of a folder name; those that are not there are left out."""
    found: dict[str, str] = {}
    for text in texts.values():
        for at_module, name in _NAMED_FILE.findall(text):
            for folder in (here, root) if not at_module else (here,):
                path = Path(os.path.normpath(folder / name))
                if path.is_file() and path.stat().st_size <= _LARGEST_NAMED:
                    found[_relative(path, root)] = _text(path)
                    break
    return found


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST and path.name != SHOW_FILE:
            raise DocumentError(
                f"larger than {_LARGEST} bytes",
                path=str(path),
                hint="Name a folder with Terraform only.",
            )
        return path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise DocumentError(
            f"cannot be read: {error.strerror}", path=str(path), hint=next_step(error)
        ) from error
