"""`apply`, `resume`, `rollback`, and everything that watches a run or asks something of it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mimir_migrate.cli.afterwards.fetching import fetch_copy, tell_of_copy
from mimir_migrate.cli.found_target import refuse_another_place
from mimir_migrate.cli.options import is_terminal, narrate, print_json
from mimir_migrate.cli.sandbox.rehearsing import tell_of_rehearsal
from mimir_migrate.errors import BlockedError, ExitCode, UsageError
from mimir_migrate.words import meant

if TYPE_CHECKING:
    from mimir_migrate.model.plan import Plan
    from mimir_migrate.operations import DryRun, Operations, RunOptions
    from mimir_migrate.operations.requests import Left
    from mimir_migrate.runs.status import RunStatus


def apply(options: argparse.Namespace) -> int:
    """Run a plan."""
    from mimir_migrate.adapters.given_files import read_given
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.cli.afterwards.going_back import print_place
    from mimir_migrate.model.plan import Gate
    from mimir_migrate.plans.export import MADE_BY, from_json

    if options.override and not options.reason.strip():
        raise UsageError(
            "--override needs a reason",
            hint="Say why the gate may pass with --reason TEXT; it is kept in the journal.",
        )
    unknown = [name for name in options.override if name not in set(Gate)]
    if unknown:
        raise UsageError(
            f"there is no gate named {unknown[0]!r}",
            hint=meant(unknown[0], [gate.value for gate in Gate]),
        )
    content = read_given(options.plan, "the plan", made_by=MADE_BY)
    made = from_json(content, path=options.plan)
    refuse_another_place(made.target, options.plan)
    work = operations()
    if options.dry_run:
        work.refuse_stale(made)
        return _print_dry_run(work.dry_run(made), json=options.json)
    if not made.steps:
        narrate("nothing is left to do")
        return ExitCode.DONE
    narrate(tell_of_rehearsal(made, options.plan, content))
    tell_of_copy(made)
    work.check_copy(made.target)
    chosen = _run_options(options)
    if not options.yes and not options.detach:
        _ask_to_begin(made)
    else:
        print_place(made)
    run = work.start(
        made,
        options=chosen,
        overrides=[Gate(name) for name in options.override],
        reason=options.reason,
    )
    return _after_start(work, run, options)


def resume(options: argparse.Namespace) -> int:
    """Go on with a run."""
    return _go_on(options, "resume")


def rollback(options: argparse.Namespace) -> int:
    """Bring everything back to where it was before a run."""
    return _go_on(options, "rollback")


def _go_on(options: argparse.Namespace, purpose: str) -> int:
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.cli.afterwards.going_back import (
        ask_to_go_back,
        current_target,
        print_place,
        run_meant,
    )
    from mimir_migrate.engine.history import first_plan

    work = operations()
    fetch_copy(work, options)
    back = purpose == "rollback"
    target = current_target(options) if back else None
    run = run_meant(work, options, target) if back else work.resolve(options.run)
    status = work.status(run)
    own = first_plan(work.events(run))
    if getattr(options, "target", None) is None:
        refuse_another_place(own.target, f"the run {run}", names_target=True)
    if options.dry_run:
        return _print_dry_run(work.dry_run_of(run, purpose), json=options.json)
    if back:
        ask_to_go_back(work, run, options, target)
        status = work.status(run)
    else:
        print_place(own)
    after = max((recorded.seq for recorded in work.events(run)), default=0)
    narrate(_going_on_words(status, purpose))
    work.go_on(run, purpose, _run_options(options))
    if not back and status.runner_pid is not None and not status.runner_host and options.detach:
        return ExitCode.DONE
    code = _after_start(work, run, options, after=after)
    # What ends another command's run elsewhere is what was asked for here.
    return ExitCode.DONE if back and code == ExitCode.ROLLED_BACK else code


def _going_on_words(status: RunStatus, purpose: str) -> str:
    """What `resume` or `rollback` does now, said before anything is waited for."""
    place = f" at {status.step.words}" if status.step else ""
    said = f"{purpose}: the run {status.run} is {status.state.value}{place}; "
    if status.runner_host:
        return (
            f"{said}its runner is on {status.runner_host}, and whether it lives is not known here; "
            "a runner begins here as soon as the lease may be taken"
        )
    if status.runner_pid is not None:
        what = "is asked to go back" if purpose == "rollback" else "works on it"
        return f"{said}its runner (pid {status.runner_pid}) {what}"
    return (
        f"{said}a runner begins: it takes the lease, looks at the cluster and plans what is left"
    )


def _run_options(options: argparse.Namespace) -> RunOptions:
    from mimir_migrate.durations import parse_duration
    from mimir_migrate.operations import RunOptions

    return RunOptions(
        approve_all=options.yes,
        gate_timeout=parse_duration(options.gate_timeout),
        takeover=getattr(options, "takeover", False),
        canonical=getattr(options, "canonical", False),
    )


def _ask_to_begin(plan: Plan) -> None:
    from mimir_migrate.cli.afterwards.going_back import confirm, print_place
    from mimir_migrate.cli.pictures import print_plan

    if not is_terminal():
        raise BlockedError(
            "an approval is awaited and nobody can give it: this is not a terminal",
            hint="Give --yes to approve every step beforehand, or --detach and approve each with "
            "`mimir-migrate approve`. Nothing was changed.",
        )
    print_plan(plan)
    narrate("")
    print_place(plan)
    confirm(plan.identity.release, "to begin")


def _after_start(
    work: Operations, run: str, options: argparse.Namespace, *, after: int = 0
) -> int:
    from mimir_migrate.cli.following import follow, until_working

    narrate(f"run {run}")
    if options.detach:
        code = until_working(work, run, after=after)
        if options.json:
            print_json({"run": run, "exit": int(code)})
        return code
    return follow(work, run, after=after, as_json=options.json, asks=is_terminal())


def _print_dry_run(found: DryRun, *, json: bool) -> int:
    from mimir_migrate.model.changes import describe

    if json:
        import msgspec

        print_json(
            {
                "changes": msgspec.to_builtins(found.changes),
                "steps": [step.id for step in found.plan.steps],
                "exit": int(found.exit_code),
                "reason": found.reason,
            }
        )
    else:
        for number, change in enumerate(found.changes, 1):
            print(f"{number}. {describe(change)}")
        narrate("dry run: nothing was changed")
    return found.exit_code if found.exit_code is not ExitCode.ROLLED_BACK else ExitCode.DONE


def status(options: argparse.Namespace) -> int:
    """Where a run stands."""
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.cli.following import follow
    from mimir_migrate.cli.pictures import print_status
    from mimir_migrate.runs.handing_over import brief

    work = operations()
    fetch_copy(work, options)
    run = work.resolve(options.run)
    if options.follow:
        return follow(
            work, run, after=0, as_json=options.json, asks=False, exits=False, stops=False
        )
    found = work.status(run)
    if options.json:
        import msgspec

        document = msgspec.to_builtins(found)
        document.pop("schema", None)
        print_json(document)
    elif options.brief:
        print(brief(found))
    else:
        print_status(found, work.clock.now())
    return ExitCode.DONE


def runs(options: argparse.Namespace) -> int:
    """Every run of this machine."""
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.cli import explain
    from mimir_migrate.runs.handing_over import brief

    work = operations()
    if options.forget:
        run = work.forget(options.forget)
        narrate(f"closed the run {run}: {work.status(run).reason}")
        if options.json:
            print_json({"run": run, "state": work.status(run).state.value})
        return ExitCode.DONE
    found = work.runs(unreadable=explain)
    if options.json:
        import msgspec

        print_json({"runs": msgspec.to_builtins(found)})
    else:
        for one in found:
            print(brief(one))
        if not found:
            narrate(
                "no run was begun on this machine; `mimir-migrate apply plan.json` begins a run"
            )
    return ExitCode.DONE


def request(options: argparse.Namespace) -> int:
    """Leave a request for a run, and say what its runner made of it."""
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.durations import parse_duration
    from mimir_migrate.model.events import RequestKind
    from mimir_migrate.operations.requests import Wish, refusal
    from mimir_migrate.runs.stopping import stop_words

    work = operations()
    kind = RequestKind(options.request)
    wish = Wish(
        kind=kind,
        reason=options.reason,
        step=getattr(options, "step", ""),
        seconds=parse_duration(options.lasts) if getattr(options, "lasts", "") else 0.0,
    )
    run = work.resolve(options.run)
    found = work.status(run) if kind is RequestKind.STOP else None
    left = work.ask(run, wish)
    if kind in {RequestKind.HOLD, RequestKind.STOP}:
        narrate(f"asked the run {left.run} to {kind.value}")
        for words in stop_words(found) if found is not None else ():
            narrate(words)
        return ExitCode.DONE
    answer = work.answer(left)
    if why := refusal(answer):
        narrate(why if answer is None else f"not {_DONE_WORDS[kind]}: {why}")
        return ExitCode.BLOCKED
    narrate(f"{_DONE_WORDS[kind]} {_place_words(work, left)}of run {left.run}")
    return ExitCode.DONE


_DONE_WORDS = {"approve": "approved", "continue": "continued"}


def _place_words(work: Operations, left: Left) -> str:
    status = work.status(left.run)
    step = left.request.step
    if status.step is not None and status.step.id == step:
        return f"{status.step.words}, "
    return f"{step}, " if step else ""


def override(options: argparse.Namespace) -> int:
    """Let one gate of a running run pass once."""
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.model.events import RequestKind
    from mimir_migrate.model.plan import Gate
    from mimir_migrate.operations.requests import Wish, refusal

    if not options.reason.strip():
        raise UsageError(
            "an override needs a reason",
            hint="Say why the gate may pass with --reason TEXT; it is kept in the journal.",
        )
    if options.gate not in set(Gate):
        raise UsageError(
            f"there is no gate named {options.gate!r}",
            hint=meant(options.gate, [gate.value for gate in Gate]),
        )
    work = operations()
    left = work.ask(
        work.resolve(options.run),
        Wish(kind=RequestKind.OVERRIDE, reason=options.reason, gate=Gate(options.gate)),
    )
    answer = work.answer(left)
    if answer is None:
        narrate(
            f"left: the gate {options.gate} may pass once at step {left.request.step} of run {left.run}, "
            "when it needs it"
        )
        return ExitCode.DONE
    if why := refusal(answer):
        narrate(f"not overridden: {why}")
        return ExitCode.BLOCKED
    narrate(f"the gate {options.gate} passes once in the run {left.run}")
    return ExitCode.DONE


def report(options: argparse.Namespace) -> int:
    """What a run did, from its journal only."""
    from mimir_migrate.adapters.new_files import write_new
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.cli.pictures import print_report
    from mimir_migrate.runs import report as reports
    from mimir_migrate.runs.handing_over import hand_over

    work = operations()
    fetch_copy(work, options)
    run = work.resolve(options.run)
    if options.hand_over:
        print(hand_over(work.status(run)))
        return ExitCode.DONE
    for name in options.output:
        reports.refuse_ending(Path(name).suffix)
    events, found = work.events(run), work.status(run)
    if not options.output:
        if sys.stdout.isatty():
            print_report(reports.render(run, events, ".txt", status=found))
        else:
            print(reports.render(run, events, ".md", status=found), end="")
    for name in options.output:
        text = reports.render(run, events, Path(name).suffix, status=found)
        write_new(name, text.encode())
        narrate(f"wrote {name}")
    return ExitCode.DONE


def work(options: argparse.Namespace) -> int:
    """Be the runner of a run; started by the other commands in a session of its own."""
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.operations import RunOptions

    sys.stdin.close()
    return operations().work(
        options.run,
        options.purpose,
        RunOptions(
            approve_all=options.approve_all,
            gate_timeout=options.gate_timeout,
            takeover=options.takeover,
            canonical=options.canonical,
        ),
    )
