"""Build the wheel and the sdist, install each into fresh environments, and use what was installed.

    python scripts/release_check.py [EXTRA …]

Each archive is installed without extras and with each extra that is named (default: those that
operators install), at the versions of constraints.txt. `--help`, `--version` and `edit` have to work in
all of them, `demo` and `bridge serve` where their part is installed; where it is not, each has to say
what is missing. Both are built from a copy
of the tracked files in which `STRAYS` lie about: the archives must hold no file that git does not
track, and the sdist every one that it is to. What passed is left in `dist/`.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "values.yaml"
STRAYS = (
    "report.md",
    "report.html",
    "plan.json",
    "target.toml",
    "values.yaml",
    "some-1.0-py3-none-any.whl",
    ".real/rows.json",
    "sb/cluster.log",
    "sb/values.yaml",
    "examples/values.yaml.undo",
    "examples/report.md",
    "plans/mine.json",
    "tests/report.html",
    "tests/sb/target.toml",
    "src/mimir_migrate/report.md",
    "src/mimir_migrate/sandbox/sb/values.yaml",
    "src/mimir_migrate/some-1.0-py3-none-any.whl",
)
"""What is left in a checkout by those who work in it: reports, plans, sandboxes, archives, records."""
EXTRAS = ("bridge", "sandbox")
"""Those that operators install."""
SERVES = ("sandbox", "bridge")
"""Those with what `bridge serve` needs."""
BRIDGE = (
    *("bridge", "serve", "--table", "rings", "--region", "eu-west-1", "--cluster", "one"),
    *("--keys", "collectors/ring", "--no-token", "--listen", "127.0.0.1", "--port", "0"),
    *("--endpoint-url", "http://127.0.0.1:9", "--leaving", "0s"),
)
"""A replica whose table is away: it listens, and ends when it is told to."""
NOT_SHIPPED = {".ci/run"}
"""Tracked files that only a clone has a use for."""


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


def tracked() -> set[str]:
    """The files that git tracks and that are there."""
    names = run("git", "-C", ROOT, "ls-files").split("\n")
    return {name for name in names if name and (ROOT / name).is_file()}


def littered(into: Path) -> Path:
    """A copy of the tracked files as they are in the working tree, with strays among them."""
    for name in tracked():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, into / name)
    for name in STRAYS:
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        (into / name).write_text("left here\n")
    return into


def build(tree: Path, into: Path) -> tuple[Path, Path]:
    """The wheel and the sdist of a tree, each made from it and not one from the other."""
    run(sys.executable, "-m", "build", "--wheel", "--sdist", "--outdir", into, tree)
    (wheel,), (sdist,) = into.glob("*.whl"), into.glob("*.tar.gz")
    return wheel, sdist


def check_contents(wheel: Path, sdist: Path) -> None:
    """Nothing stray is in the archives, and nothing is missing."""
    ours = tracked()
    with tarfile.open(sdist) as archive:
        inside = {one.name.partition("/")[2] for one in archive.getmembers() if one.isfile()}
    if stray := inside - ours - {"PKG-INFO"}:
        sys.exit(f"{sdist.name} holds what git does not track: {sorted(stray)[:5]}")
    if missing := ours - inside - NOT_SHIPPED:
        sys.exit(f"{sdist.name} lacks {sorted(missing)[:5]}")
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if not name.endswith("/")}
    package = {name.removeprefix("src/") for name in ours if name.startswith("src/")}
    examples = {f"mimir_migrate/sandbox/{name}" for name in ours if name.startswith("examples/")}
    meta = {name for name in names if ".dist-info/" in name}
    if stray := names - meta - package - examples:
        sys.exit(f"{wheel.name} holds what git does not track: {sorted(stray)[:5]}")
    if missing := (package | examples) - names:
        sys.exit(f"{wheel.name} lacks {sorted(missing)[:5]}")


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
    if extra in SERVES or serves(folder):
        check_serving(ours)
    elif "Install it: " not in run(ours, *BRIDGE, code=2):
        sys.exit(f"{archive.name}: bridge serve does not say how its part is installed")
    print(f"{archive.name}{f'[{extra}]' if extra else ''}: good", flush=True)


def serves(folder: Path) -> bool:
    """Whether what `bridge serve` needs came along with something else: the Kubernetes client has it too."""
    look = "import importlib.util as it; print(it.find_spec('aiohttp') is not None)"
    return run(folder / "bin" / "python", "-c", look).strip() == "True"


def check_serving(program: Path) -> None:
    """Start a replica of the ring bridge, and end it in order once it listens."""
    with subprocess.Popen(
        [program, *BRIDGE], stderr=subprocess.PIPE, text=True, cwd="/"
    ) as replica:
        said = []
        for line in replica.stderr or ():
            said.append(line)
            if line.startswith("serving 1 ring on port "):
                replica.send_signal(signal.SIGTERM)
    if replica.returncode != 0 or not any(line.startswith("serving ") for line in said):
        sys.exit(f"bridge serve ended with {replica.returncode}\n{''.join(said)}")


def main(extras: list[str]) -> None:
    """Check both archives, without extras and with each."""
    scope: dict[str, str] = {}
    exec((ROOT / "src" / "mimir_migrate" / "__init__.py").read_text(), scope)  # noqa: S102
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        wheel, sdist = build(littered(place / "tree"), place / "dist")
        check_contents(wheel, sdist)
        for archive in (wheel, sdist):
            for extra in ("", *(extras or EXTRAS)):
                where = place / f"{archive.suffix[1:]}-{extra or 'plain'}"
                check_installed(archive, extra, scope["__version__"], where)
        (ROOT / "dist").mkdir(exist_ok=True)
        for archive in (wheel, sdist):
            shutil.copy(archive, ROOT / "dist")
    print(f"{wheel.name} and {sdist.name} are in dist/")


if __name__ == "__main__":
    main(sys.argv[1:])
