"""Record a terminal session as an animated SVG: a program in a pseudo-terminal, keys typed by a scenario.

    python scripts/record_session.py scripts/sessions/demo.toml docs/pictures/demo.svg

The scenario (TOML) says what is started, how large the terminal is, and what is waited for and typed. The
picture is one file without scripts: rows that are the same are drawn once, frames are one below the other,
and a CSS animation moves them past a window, which browsers play in an `<img>` too. `--frames DIR` writes
each frame as a still picture besides, to be looked at.

Needs pyte (`pip install pyte`), which turns what a terminal is sent into what it shows.
"""

from __future__ import annotations

import argparse
import fcntl
import html
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyte

CELL_WIDTH, CELL_HEIGHT, FONT = 8.4, 17, 14
"""Pixels: a monospaced font of 14 px is 0.6 of that wide."""
EVERY = 0.2
"""Seconds between two looks at the terminal."""
STILL = 0.45
"""Seconds that a frame is shown at least, and, where nothing says otherwise, at most three times that."""
KEYS = {"Enter": "\r", "Tab": "\t", "Escape": "\x1b", "Down": "\x1b[B", "Up": "\x1b[A"}
GROUND, INK = "#161b22", "#e6edf3"
COLOURS = {
    "black": "#161b22",
    "red": "#ff7b72",
    "green": "#7ee787",
    "brown": "#f2cc60",
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#76e3ea",
    "white": "#e6edf3",
}

Style = tuple[str, str, bool]
"""Ink, ground, bold."""
Row = tuple[tuple[int, str, Style], ...]
"""Column, text and style of each run of cells."""
Frame = tuple[Row, ...]


def main() -> None:
    """Record what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--frames", type=Path, help="a folder for the frames as still pictures")
    options = parser.parse_args()
    scenario = tomllib.loads(options.scenario.read_text())
    size = int(scenario["columns"]), int(scenario["rows"])
    frames = shortened(record(scenario), scenario)
    options.output.write_text(animated(frames, size, scenario["title"]))
    if options.frames:
        options.frames.mkdir(parents=True, exist_ok=True)
        for number, (frame, _) in enumerate(frames):
            still = animated([(frame, 1.0)], size, scenario["title"])
            (options.frames / f"{number:03}.svg").write_text(still)
    seconds = sum(shown for _, shown in frames)
    kilobytes = options.output.stat().st_size // 1024
    print(f"{options.output}: {len(frames)} frames, {seconds:.0f} s, {kilobytes} KB")


# --- recording -----------------------------------------------------------------------------------


def record(scenario: Mapping[str, Any]) -> list[tuple[Frame, float]]:
    """Play a scenario; every screen that was seen, with the seconds for which it stood."""
    columns, rows = int(scenario["columns"]), int(scenario["rows"])
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    master, started = _start(scenario["command"], columns, rows)
    seen: list[tuple[Frame, float]] = []
    try:
        for step in scenario["step"]:
            _play(step, master, stream, screen, seen)
            if step.get("begins"):
                seen = seen[-1:]  # the picture begins with what this step waited for
    finally:
        os.close(master)
        started.terminate()
        started.wait(timeout=60)
    return seen


def _start(command: str, columns: int, rows: int) -> tuple[int, subprocess.Popen[bytes]]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environment.pop("NO_COLOR", None)
    started = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {command}"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        start_new_session=True,
    )
    os.close(slave)
    return master, started


def _play(
    step: Mapping[str, Any],
    master: int,
    stream: pyte.ByteStream,
    screen: pyte.Screen,
    seen: list[tuple[Frame, float]],
) -> None:
    """Wait for a text or some seconds, then type."""
    limit = time.monotonic() + float(step.get("within", 300))
    until = time.monotonic() + float(step.get("seconds", 0))
    while True:
        _read(master, stream)
        _keep(screen, seen)
        shows = str(step.get("until", "")) in "\n".join(screen.display)
        if shows and time.monotonic() >= until:
            break
        if time.monotonic() > limit:
            raise SystemExit(f"{step.get('until')!r} was not seen:\n" + "\n".join(screen.display))
    for key in step.get("keys", ()):
        os.write(master, KEYS.get(key, key).encode())
        for _ in range(2):
            _read(master, stream)
            _keep(screen, seen)


def _read(master: int, stream: pyte.ByteStream) -> None:
    end = time.monotonic() + EVERY
    while (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select([master], [], [], left)
        if ready:
            try:
                stream.feed(os.read(master, 65_536))
            except OSError:
                return  # the program ended


def _keep(screen: pyte.Screen, seen: list[tuple[Frame, float]]) -> None:
    frame = tuple(_row(screen, number) for number in range(screen.lines))
    if seen and seen[-1][0] == frame:
        seen[-1] = (frame, seen[-1][1] + EVERY)
    else:
        seen.append((frame, EVERY))


def _row(screen: pyte.Screen, number: int) -> Row:
    found: list[tuple[int, str, Style]] = []
    cells = screen.buffer[number]
    for column in range(screen.columns):
        cell = cells[column]
        ink, ground = _colour(cell.fg, INK), _colour(cell.bg, GROUND)
        style = (ground, ink, cell.bold) if cell.reverse else (ink, ground, cell.bold)
        if found and found[-1][2] == style:
            start, text, _ = found[-1]
            found[-1] = (start, text + cell.data, style)
        else:
            found.append((column, cell.data, style))
    return tuple(run for run in found if run[1].strip() or run[2][1] != GROUND)


def _colour(name: str, usual: str) -> str:
    if name == "default":
        return usual
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    return COLOURS.get(name.removeprefix("bright"), usual)


def shortened(
    seen: Sequence[tuple[Frame, float]], scenario: Mapping[str, Any]
) -> list[tuple[Frame, float]]:
    """Frames with what stood too briefly left out and what stood long cut.

    Where there are too many, those go first that differ least from the one before; what a step waited for
    stands for seconds and stays.

    `longest` of the scenario is how many seconds a frame is shown at most; the last one a little longer.
    `hide` are regular expressions: what matches is not for a picture, such as a folder's chance name.
    """
    longest = float(scenario.get("longest", 3 * STILL))
    kept = [(frame, stood) for frame, stood in seen if stood >= 2 * EVERY]
    kept = [pair for pair in kept if any(pair[0])]
    frames: list[tuple[Frame, float]] = []
    for frame, stood in kept:
        shown = min(max(stood, STILL), longest)
        if frames and frames[-1][0] == frame:
            frames[-1] = (frame, min(frames[-1][1] + shown, longest))
        else:
            frames.append((frame, shown))
    most = int(scenario.get("most_frames", 90))
    while len(frames) > most:
        # What changed least since the frame before is missed least.
        brief = [at for at in range(1, len(frames) - 1) if frames[at][1] < longest]
        if not brief:
            break
        del frames[min(brief, key=lambda at: _differing(frames[at - 1][0], frames[at][0]))]
    if frames:
        frames[-1] = (frames[-1][0], longest + 2)
    return frames


def _differing(one: Frame, other: Frame) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


# --- drawing -------------------------------------------------------------------------------------


def animated(frames: Sequence[tuple[Frame, float]], size: tuple[int, int], title: str) -> str:
    """The frames as one SVG."""
    columns, rows = size
    width, height = round(columns * CELL_WIDTH) + 16, rows * CELL_HEIGHT + 16
    known: dict[Row, int] = {}
    drawn = []
    for number, (frame, _) in enumerate(frames):
        uses = []
        for line, row in enumerate(frame):
            if row:
                name = known.setdefault(row, len(known))
                top = number * height + line * CELL_HEIGHT
                uses.append(f'<use href="#r{name}" y="{top}"/>')
        drawn.append("".join(uses))
    classes: dict[tuple[str, bool], str] = {}
    defined = "\n".join(_symbol(row, name, classes) for row, name in known.items())
    styles = "".join(
        f".{name}{{fill:{ink}{';font-weight:bold' if bold else ''}}}"
        for (ink, bold), name in classes.items()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(title)}">\n'
        f"<title>{html.escape(title)}</title>\n<style>"
        "text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        f"font-size:{FONT}px}}{styles}{_moving(frames, height)}</style>\n"
        f'<defs>\n{defined}\n</defs>\n<rect width="{width}" height="{height}" rx="6" fill="{GROUND}"/>\n'
        f'<svg x="8" y="8" width="{width - 16}" height="{height - 16}"><g class="film">\n'
        + "\n".join(drawn)
        + "\n</g></svg>\n</svg>\n"
    )


def _symbol(row: Row, name: int, classes: dict[tuple[str, bool], str]) -> str:
    return f'<g id="r{name}">' + "".join(_runs(row, classes)) + "</g>"


def _runs(row: Row, classes: dict[tuple[str, bool], str]) -> Iterator[str]:
    for column, text, (ink, ground, bold) in row:
        left = f"{column * CELL_WIDTH:g}"
        if ground != GROUND:
            wide = f"{len(text) * CELL_WIDTH:g}"
            yield f'<rect x="{left}" width="{wide}" height="{CELL_HEIGHT}" fill="{ground}"/>'
        style = classes.setdefault((ink, bold), f"c{len(classes)}")
        # Several spaces are not kept by everybody who draws SVG: what stands between them has its own place.
        for part in re.finditer(r"\S+(?: \S+)*", text):
            at = f"{(column + part.start()) * CELL_WIDTH:g}"
            long = f"{len(part[0]) * CELL_WIDTH:g}"
            shown = html.escape(part[0], quote=False)
            yield f'<text x="{at}" y="13" class="{style}" textLength="{long}">{shown}</text>'


def _moving(frames: Sequence[tuple[Frame, float]], height: int) -> str:
    """The animation: each frame in the window for its time, without motion between them."""
    if len(frames) == 1:
        return ""
    whole = sum(shown for _, shown in frames)
    passed, stops = 0.0, []
    for number, (_, shown) in enumerate(frames):
        stops.append(f"{passed / whole:.4%}{{transform:translateY({-number * height}px)}}")
        passed += shown
    return (
        f"@keyframes film{{{''.join(stops)}}}"
        f".film{{animation:film {whole:.1f}s steps(1,end) infinite}}"
    )


if __name__ == "__main__":
    sys.exit(main())
