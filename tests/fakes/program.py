"""A fake `helm`: a program in a folder on PATH that keeps releases in a file and answers from them."""

from __future__ import annotations

import json
import os
import stat
import sys
import textwrap
from pathlib import Path

_HELM = """\
#!{python}
import json, os, sys, time

folder = {folder!r}
state_path = os.path.join(folder, "releases.json")
with open(os.path.join(folder, "calls.jsonl"), "a") as log:
    files = [sys.argv[i + 1] for i, word in enumerate(sys.argv) if word == "-f"]
    log.write(json.dumps({{
        "args": sys.argv[1:],
        "contents": [open(name).read() for name in files],
        "modes": [oct(os.stat(name).st_mode & 0o777) for name in files],
        "cwd": os.getcwd(),
        "stdin": sys.stdin.read(),
    }}) + "\\n")
with open(state_path) as file:
    state = json.load(file)
words = sys.argv[1:]
if "--fail" in words:
    print("password: hunter2-Tr0ub4dor", file=sys.stderr)
    print("Error: UPGRADE FAILED: cannot patch", file=sys.stderr)
    sys.exit(1)
if words[0] == "upgrade":
    name = words[1]
    if name not in state:
        print(f'Error: UPGRADE FAILED: "{{name}}" has no deployed releases', file=sys.stderr)
        sys.exit(1)
    release = state[name]
    if release[-1]["status"].startswith("pending"):
        print("Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress", file=sys.stderr)
        sys.exit(1)
    release.append({{"revision": len(release) + 1, "status": "pending-upgrade",
                    "chart": "mimir-distributed-" + words[words.index("--version") + 1]}})
    with open(state_path, "w") as file:
        json.dump(state, file)
    if "--hang" in words:
        print("hanging", flush=True)
        time.sleep(60)
    release[-1]["status"] = "deployed"
    with open(state_path, "w") as file:
        json.dump(state, file)
    print(f'Release "{{name}}" has been upgraded.')
elif words[0] == "template":
    for content in [open(name).read() for name in files]:
        print("---")
        print("kind: ConfigMap")
        print("data:")
        print("  values: " + json.dumps(content))
elif words[0] == "history":
    print(json.dumps(state[words[1]]))
else:
    print(f"nobody declared: {{words}}", file=sys.stderr)
    sys.exit(99)
"""


class FakeHelm:
    """Puts a `helm` first on PATH; `calls` is what it was asked, `releases` what it has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.write_releases(
            {"mimir": [{"revision": 1, "status": "deployed", "chart": "mimir-distributed-5.7.0"}]}
        )
        program = folder / "helm"
        program.write_text(
            textwrap.dedent(_HELM).format(python=sys.executable, folder=str(folder))
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    @property
    def path(self) -> str:
        """The value of PATH that finds it."""
        return f"{self.folder}{os.pathsep}{os.environ['PATH']}"

    @property
    def calls(self) -> list[dict[str, object]]:
        """Every call: its arguments, the values files' contents and modes, its folder, its stdin."""
        log = self.folder / "calls.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def releases(self) -> dict[str, list[dict[str, object]]]:
        """Every release's revisions."""
        found: dict[str, list[dict[str, object]]] = json.loads(
            (self.folder / "releases.json").read_text()
        )
        return found

    def write_releases(self, releases: dict[str, list[dict[str, object]]]) -> None:
        """Set what it has."""
        (self.folder / "releases.json").write_text(json.dumps(releases))
