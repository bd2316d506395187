"""Build the wheel and the sdist, install each into fresh environments, and use what was installed.

    python scripts/release_check.py [EXTRA …]

Each archive is installed without extras and with each extra that is named (default: sandbox), at the
versions of constraints.txt. `--help`, `--version` and `edit` have to work in all of them, `demo` where
its part is installed; where it is not, `demo` has to say what is missing. The archives must hold
nothing that git does not track, and both must call themselves what the package does.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "values.yaml"


def run(*words: str | Path, code: int = 0) -> str:
    """Run a program and return what it printed; another exit code than `code` ends the check."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, cwd="/"
    )
    if done.returncode != code:
        sys.exit(
            f"{' '.join(map(str, words))}\nended with {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done.stdout + done.stderr


def build(into: Path) -> tuple[Path, Path]:
    """The wheel and the sdist of the working tree."""
    run(sys.executable, "-m", "build", "--outdir", into, ROOT)
    (wheel,), (sdist,) = into.glob("*.whl"), into.glob("*.tar.gz")
    return wheel, sdist


def check_contents(wheel: Path, sdist: Path) -> None:
    """Nothing stray is in the archives, and nothing is missing."""
    tracked = set(run("git", "-C", ROOT, "ls-files").split("\n"))
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames() if "/" in name}
    folders = {str(parent) for name in tracked for parent in Path(name).parents}
    stray = inside - tracked - folders - {"PKG-INFO", ""}
    if stray:
        sys.exit(f"{sdist.name} holds what git does not track: {sorted(stray)[:5]}")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    for needed in ("mimir_migrate/py.typed", "mimir_migrate/sandbox/examples/values.yaml"):
        if needed not in names:
            sys.exit(f"{wheel.name} lacks {needed}")


def check_installed(archive: Path, extra: str, version: str, folder: Path) -> None:
    """Install an archive with one extra, or none, and use it."""
    venv.create(folder, with_pip=True)
    wanted = f"{archive}[{extra}]" if extra else str(archive)
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet")
    run(*pip, "--constraint", ROOT / "constraints.txt", wanted)
    ours = folder / "bin" / "mimir-migrate"
    for said, words in {
        f"mimir-migrate {version}": ("--version",),
        "inspect": ("--help",),
        "+++ ": (
            *("edit", EXAMPLE, "--to", "memberlist+dynamodb", "--rings", "ruler"),
            *("--table", "rings", "--region", "eu-west-1"),
        ),
    }.items():
        if said not in run(ours, *words):
            sys.exit(f"{archive.name}[{extra}]: {words[0]} does not say {said!r}")
    if extra == "sandbox":
        run(ours, "demo", "--headless", "--rings", "ruler")
    elif "Install it: " not in run(ours, "demo", "--headless", code=2):
        sys.exit(f"{archive.name}: demo does not say how its part is installed")
    print(f"{archive.name}{f'[{extra}]' if extra else ''}: good", flush=True)


def main(extras: list[str]) -> None:
    """Check both archives, without extras and with each."""
    scope: dict[str, str] = {}
    exec((ROOT / "src" / "mimir_migrate" / "__init__.py").read_text(), scope)  # noqa: S102
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        wheel, sdist = build(place / "dist")
        check_contents(wheel, sdist)
        for archive in (wheel, sdist):
            for extra in ("", *(extras or ["sandbox"])):
                where = place / f"{archive.suffix[1:]}-{extra or 'plain'}"
                check_installed(archive, extra, scope["__version__"], where)


if __name__ == "__main__":
    main(sys.argv[1:])
