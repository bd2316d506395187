"""Every action of the app: its key, what it does, and the command that does the same."""

# Longer than 400 lines. One table of every key, with the command that does the same.

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from textual.binding import Binding


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the operator can do."""

    id: str
    """`place.method`; the place is a screen's, or `app` where it is everywhere."""
    key: str
    label: str
    """As the footer shows it."""
    help: str
    command: str
    """The command that does the same; words in capitals stand for names."""
    show: bool = True
    """Whether the footer shows it."""
    writes: bool = False
    """Whether it leads to a question after which something outside the app can change."""

    @property
    def place(self) -> str:
        """Where it can be done."""
        return self.id.partition(".")[0]

    @property
    def keys(self) -> tuple[str, ...]:
        """Its keys, as Textual names them."""
        return tuple(self.key.split(","))

    @property
    def name(self) -> str:
        """What it is called where actions of all places stand together."""
        key = KEY_NAMES.get(first := self.key.partition(",")[0], first)
        where = "" if self.place == "app" else f"{self.place.capitalize()}: "
        return f"{key:<7}{where}{self.label}"

    @property
    def method(self) -> str:
        """The name of its `action_` method."""
        return self.id.partition(".")[2]


KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "vertical_line": "|",
    "exclamation_mark": "!",
    "equals_sign": "=",
    "full_stop": ".",
    "ctrl+c": "^c",
    "ctrl+p": "^p",
}
"""Keys whose names are not what stands on them."""

ACTIONS: tuple[Action, ...] = (
    Action(
        id="app.go_start",
        key="1",
        label="Start",
        help="Runs, the target, a new migration",
        command="mimir-migrate runs",
        show=False,
    ),
    Action(
        id="app.go_inspect",
        key="2",
        label="Inspect",
        help="Where every ring stands",
        command="mimir-migrate inspect",
        show=False,
    ),
    Action(
        id="app.go_choices",
        key="3",
        label="Choices",
        help="Stay, some rings or all, side by side",
        command="mimir-migrate inspect --json",
        show=False,
    ),
    Action(
        id="app.go_plan",
        key="4",
        label="Plan",
        help="Every step before it is made",
        command="mimir-migrate plan --to STORE",
        show=False,
    ),
    Action(
        id="app.go_values",
        key="5",
        label="Values",
        help="The difference of the values file",
        command="mimir-migrate edit VALUES --to STATE --diff",
        show=False,
    ),
    Action(
        id="app.go_run",
        key="6",
        label="Run",
        help="Follow a run, approve, hold, stop, go back",
        command="mimir-migrate status RUN --follow",
        show=False,
    ),
    Action(
        id="app.go_report",
        key="7",
        label="Report",
        help="What was done, on what evidence",
        command="mimir-migrate report RUN",
        show=False,
    ),
    Action(
        id="app.help",
        key="question_mark,f1",
        label="Help",
        help="Help for what is focused, and every key",
        command="mimir-migrate --help",
    ),
    Action(
        id="app.palette",
        key="ctrl+p",
        label="All",
        help="Every action by name",
        command="mimir-migrate --help",
    ),
    Action(
        id="app.leave",
        key="q",
        label="Quit",
        help="Leave the app; a run goes on without it",
        command="mimir-migrate status RUN --brief",
    ),
    Action(
        id="app.filter",
        key="slash",
        label="Find",
        help="Show only rows that hold some words; in a text: find them, n and N go on",
        command="mimir-migrate inspect | grep WORDS",
    ),
    Action(
        id="app.copy_command",
        key="c",
        label="Copy command",
        help="Copy the command that does or shows the same as the row under the cursor",
        command="mimir-migrate --help",
    ),
    Action(
        id="app.copy",
        key="C",
        label="Copy text",
        help="Copy what is shown to the clipboard and to a file",
        command="mimir-migrate status RUN > FILE",
        show=False,
    ),
    Action(
        id="app.interrupt",
        key="ctrl+c",
        label="Leave",
        help="Close a question; elsewhere leave the app, at once when it is pressed again",
        command="mimir-migrate status RUN --brief",
        show=False,
    ),
    Action(
        id="app.tour",
        key="f9",
        label="Tour",
        help="Begin the demo's guided tour, or end it",
        command="mimir-migrate demo --headless --tour",
        show=False,
    ),
    Action(
        id="app.next_theme",
        key="f8",
        label="Theme",
        help="Change between dark, light and high contrast",
        command="NO_COLOR=1 mimir-migrate",
        show=False,
    ),
    Action(
        id="start.open",
        key="o",
        label="Open",
        help="Open the run, the demo or a new migration under the cursor",
        command="mimir-migrate status RUN",
    ),
    Action(
        id="start.resume",
        key="r",
        label="Resume",
        help="Continue the run under the cursor where it is held; resume it where its runner is gone",
        command="mimir-migrate resume RUN",
        writes=True,
    ),
    Action(
        id="start.roll_back",
        key="b",
        label="Roll back",
        help="Take the run under the cursor back to where it began",
        command="mimir-migrate rollback RUN",
        writes=True,
    ),
    Action(
        id="start.edit",
        key="e",
        label="Change",
        help="Choose or type the entry of the target under the cursor",
        command="mimir-migrate inspect --ENTRY VALUE",
    ),
    Action(
        id="start.export",
        key="x",
        label="Export",
        help="Save the target as a commented target.toml; asks before it writes over one",
        command="mimir-migrate init --output FILE",
    ),
    Action(
        id="start.demo",
        key="m",
        label="Demo",
        help="Start a sandbox on this machine and work on it; again: leave and end it",
        command="mimir-migrate demo",
    ),
    Action(
        id="inspect.look",
        key="i",
        label="Inspect",
        help="Ask Kubernetes, every pod and DynamoDB; changes nothing",
        command="mimir-migrate inspect",
    ),
    Action(
        id="inspect.findings",
        key="f",
        label="Findings",
        help="Back to the list of findings",
        command="mimir-migrate inspect",
    ),
    Action(
        id="choices.change",
        key="e",
        label="Change",
        help="Change the entry under the cursor",
        command="mimir-migrate plan --to STORE --rings NAMES --strategy STRATEGY",
    ),
    Action(
        id="choices.take",
        key="t",
        label="Take",
        help="Take the choice under the cursor: its rings, or to stay",
        command="mimir-migrate plan --to STORE --rings NAMES",
    ),
    Action(
        id="choices.make_plan",
        key="p",
        label="Plan",
        help="Make a plan for what is chosen; changes nothing",
        command="mimir-migrate plan --to STORE --rings NAMES --strategy STRATEGY",
    ),
    Action(
        id="plan.make_plan",
        key="p",
        label="Plan",
        help="Look at the cluster again and plan from what is there; changes nothing",
        command="mimir-migrate plan --to STORE",
    ),
    Action(
        id="plan.dry_run",
        key="d",
        label="Dry run",
        help="Walk the plan with recorders in the place of everything that writes",
        command="mimir-migrate apply PLAN.json --dry-run",
    ),
    Action(
        id="plan.export",
        key="x",
        label="Export",
        help="Write the plan as Markdown, JSON or a shell script",
        command="mimir-migrate plan --to STORE --output FILE.md",
    ),
    Action(
        id="plan.start_run",
        key="s",
        label="Start the run",
        help="Start a runner that walks the plan; asks for the release's name first",
        command="mimir-migrate apply PLAN.json",
        writes=True,
    ),
    Action(
        id="values.next_change",
        key="n",
        label="Next",
        help="Go to the next edit of this step",
        command="mimir-migrate edit VALUES --to STATE --diff",
    ),
    Action(
        id="values.previous_change",
        key="N",
        label="Previous",
        help="Go to the edit before, of this step",
        command="mimir-migrate edit VALUES --to STATE --diff",
    ),
    Action(
        id="values.next_step",
        key="right_square_bracket",
        label="Next step",
        help="The file's difference in the next step",
        command="mimir-migrate plan --to STORE --output FILE.md",
    ),
    Action(
        id="values.previous_step",
        key="left_square_bracket",
        label="Step before",
        help="The file's difference in the step before",
        command="mimir-migrate plan --to STORE --output FILE.md",
    ),
    Action(
        id="values.layout",
        key="vertical_line",
        label="Layout",
        help="Change between side by side and unified",
        command="mimir-migrate edit VALUES --to STATE --diff",
    ),
    Action(
        id="run.approve",
        key="a",
        label="Approve",
        help="Let the step go on that waits for an approval",
        command="mimir-migrate approve RUN",
        writes=True,
    ),
    Action(
        id="run.hold",
        key="h",
        label="Hold",
        help="Change nothing more until the run is told to go on",
        command="mimir-migrate hold RUN",
        writes=True,
    ),
    Action(
        id="run.resume",
        key="r",
        label="Resume",
        help="Continue: end a hold of a living runner. Resume: start a runner again where the run stopped",
        command="mimir-migrate resume RUN",
        writes=True,
    ),
    Action(
        id="run.stop",
        key="z",
        label="Stop",
        help="Stop after the step under way; at once where the run is held",
        command="mimir-migrate stop RUN",
        writes=True,
    ),
    Action(
        id="run.roll_back",
        key="b",
        label="Roll back",
        help="Take everything back to where the run began",
        command="mimir-migrate rollback RUN",
        writes=True,
    ),
    Action(
        id="run.override",
        key="exclamation_mark",
        label="Override",
        help="Let the gate that holds the run pass once, with a typed reason",
        command="mimir-migrate override GATE RUN --reason TEXT",
        show=False,
        writes=True,
    ),
    Action(
        id="run.show_gates",
        key="g",
        label="Gates",
        help="The gates of the present step, with their evidence",
        command="mimir-migrate status RUN --json",
        show=False,
    ),
    Action(
        id="run.show_stores",
        key="equals_sign",
        label="Stores",
        help="Compare the two stores, ring by ring and pod by pod",
        command="mimir-migrate verify --json",
        show=False,
    ),
    Action(
        id="run.show_users",
        key="u",
        label="Users",
        help="The users' errors against the baseline",
        command="mimir-migrate verify",
        show=False,
    ),
    Action(
        id="run.show_log",
        key="l",
        label="Log",
        help="Everything that the journal says",
        command="mimir-migrate status RUN --follow",
        show=False,
    ),
    Action(
        id="run.here",
        key="full_stop",
        label="Now",
        help="Back to the step under way; the cursor follows it again",
        command="mimir-migrate status RUN",
        show=False,
    ),
    Action(
        id="run.look_into",
        key="i",
        label="Inspect",
        help="Behind the failing gate under the cursor: its pod's answer, its log, its events",
        command="mimir-migrate status RUN --json",
    ),
    Action(
        id="run.verify",
        key="v",
        label="Verify",
        help="Judge every gate and compare the stores now; changes nothing",
        command="mimir-migrate verify",
    ),
    Action(
        id="run.pick",
        key="o",
        label="Open",
        help="Follow another run",
        command="mimir-migrate runs",
        show=False,
    ),
    Action(
        id="run.hand_over",
        key="w",
        label="Hand over",
        help="A text to paste into a chat: where, what it waits for, rollback, next decision",
        command="mimir-migrate status RUN",
        show=False,
    ),
    Action(
        id="report.export",
        key="x",
        label="Export",
        help="Write the report as Markdown, JSON or HTML",
        command="mimir-migrate report RUN --output FILE.md",
    ),
    Action(
        id="report.hand_over",
        key="w",
        label="Hand over",
        help="A text to paste into a chat",
        command="mimir-migrate status RUN",
    ),
    Action(
        id="report.pick",
        key="o",
        label="Open",
        help="Show another run's report",
        command="mimir-migrate runs",
    ),
)


def actions_of(place: str) -> tuple[Action, ...]:
    """The actions of one screen, or of the app as a whole."""
    return tuple(action for action in ACTIONS if action.place == place)


def bindings_of(place: str) -> Iterator[Binding]:
    """The key bindings of one screen."""
    for action in actions_of(place):
        yield Binding(
            action.key,
            action.method,
            action.label,
            show=action.show,
            id=action.id,
            tooltip=f"{action.help} ({action.command})",
            priority=action.key == "ctrl+c",
        )


WRITING = frozenset(action.id for action in ACTIONS if action.writes)
"""Actions after which something outside the app can change; `--read-only` refuses them."""


def action_named(place: str, method: str) -> Action | None:
    """The action of a screen with that method; None: it is none of the table's."""
    return next((each for each in actions_of(place) if each.method == method), None)
