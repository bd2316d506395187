"""`edit`, `rbac` and `terraform`: documents, without a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mimir_migrate.cli.colours import print_diff
from mimir_migrate.cli.edits.bridge import with_bridge
from mimir_migrate.cli.edits.checks import (
    refuse_bad_settings,
    refuse_or_warn_of_binary,
    warn_of_foreign,
)
from mimir_migrate.cli.edits.unknown_keys import check, print_check, tell_check
from mimir_migrate.cli.options import narrate, print_json, rings_from, target_from
from mimir_migrate.errors import ExitCode, MigrateError, UsageError

if TYPE_CHECKING:
    from mimir_migrate.cli.edits.unknown_keys import Checked
    from mimir_migrate.documents.values.files import SourceFile, ValuesFiles, ValuesView, Wanted
    from mimir_migrate.model.edits import FileEdit, PathChange
    from mimir_migrate.model.rings import Product


def edit(options: argparse.Namespace) -> int:
    """Edit values files, take an edit back, or check them, also as they would be after an edit."""
    _refuse_wrong_use(options)
    files = _read(options.values)
    if options.check and not options.to:
        return print_check(_values(files, options), options)
    checked: Checked | None = None
    if options.undo:
        values, edits = None, _undone(files, options)
    else:
        values = _values(files, options)
        edits = _edited(values, options)
        checked = check(values.after(edits), options) if options.check else None
    _show(files, values, edits, options, checked)
    if checked is not None:
        tell_check(checked)
        if checked.unknown:
            return ExitCode.BLOCKED
    if options.dry_run or not (options.in_place or options.output):
        return ExitCode.DONE
    if options.output:
        return _write_elsewhere(files, edits, options)
    return _write_in_place(edits, options)


def _refuse_wrong_use(options: argparse.Namespace) -> None:
    """Refuse a call that asks for nothing, or for two things at once, before a file is read."""
    if not (options.to or options.undo or options.check):
        absent = [name for name in options.values if not Path(name).exists()]
        options.parser.error(
            "one of the arguments --to --undo --check is required"
            + "".join(f"; {name}: no such file or directory" for name in absent)
        )
    if options.undo and options.check:
        options.parser.error("argument --check: not allowed with argument --undo")
    rings_from(options)


def _read(paths: Sequence[str]) -> tuple[SourceFile, ...]:
    from mimir_migrate.adapters.files import DiskFiles
    from mimir_migrate.documents.values.files import SourceFile

    disk = DiskFiles()
    return tuple(SourceFile(path=path, content=disk.read(path)) for path in paths)


def _product(options: argparse.Namespace) -> Product | None:
    from mimir_migrate.model.rings import Product

    return Product(options.product) if options.product else None


def _values(files: Sequence[SourceFile], options: argparse.Namespace) -> ValuesFiles:
    from mimir_migrate.documents.values.files import ValuesFiles

    return ValuesFiles(files, product=_product(options), root=options.values_root)


def _edited(files: ValuesFiles, options: argparse.Namespace) -> tuple[FileEdit, ...]:
    from mimir_migrate.documents.values.root_names import written

    view = files.view
    narrate(
        f"{view.product.value} values ({view.shape}), the chart's values "
        + (f"under {written(view.root)}" if view.root else "at the top")
    )
    warn_of_foreign(files)
    wanted = with_bridge(files, _wanted(view, options), options)
    files.refuse_other_stores(tuple(wanted.states), wanted.bridge)
    made = _made(files, wanted)
    if made and not options.check:
        refuse_or_warn_of_binary(files.after(made), options)
    for one in made:
        for note in one.notes:
            narrate(f"note: {note}")
    if not made:
        narrate("the files say so already; nothing to change")
    return made


def _made(files: ValuesFiles, wanted: Wanted) -> tuple[FileEdit, ...]:
    """The edits; back to memberlist they bring the bytes of undo records beside the files."""
    from mimir_migrate.adapters.undo_records import known_records
    from mimir_migrate.documents.values.editing import CANONICAL_NOTE
    from mimir_migrate.documents.values.files import undo

    plain = files.edit(wanted)
    if not any(CANONICAL_NOTE in one.notes for one in plain):
        return plain
    records: tuple[FileEdit, ...] = ()
    for record in known_records(files.files):
        records = (*records, *record)
        try:
            back = undo(records, files.files)
        except MigrateError:
            break
        made = files.edit(wanted, original=records)
        if made == back:
            return made
    return plain


def _wanted(view: ValuesView, options: argparse.Namespace) -> Wanted:
    from mimir_migrate.documents.values.files import Wanted
    from mimir_migrate.model.rings import ring_named, unknown_ring
    from mimir_migrate.model.stores import DynamoDBSettings, RuntimeBlock, StoreState

    asked = rings_from(options)
    for name in asked:
        ring = ring_named(view.product, name)
        if ring is None:
            raise unknown_ring(name, view.product)
        if not ring.movable:
            raise UsageError(
                f"the ring {name} cannot be moved: {ring.left_because}",
                hint="Leave it out of --rings.",
            )
    names = asked or view.all_rings
    state = StoreState(options.to)
    natively = state is not StoreState.MEMBERLIST and not options.through
    if natively and not (options.table and options.region):
        raise UsageError(
            f"--to {state.value} needs --table and --region",
            hint="A ring on DynamoDB must know its table and where it is, for example --table rings "
            "--region eu-west-1.",
        )
    refuse_bad_settings(options)
    mirror = options.mirror == "on"
    runtime = None
    if options.runtime_primary and options.runtime_primary != "none":
        runtime = RuntimeBlock(primary=options.runtime_primary, mirror_enabled=mirror)
    return Wanted(
        states=dict.fromkeys(names, state),
        mirror=mirror,
        dynamodb={}
        if options.through
        else {
            name: DynamoDBSettings(
                region=options.region,
                table_name=options.table.replace("{ring}", name),
                puller_sync_time=options.puller_sync_time,
                ttl=options.ttl,
            )
            for name in names
        },
        runtime=runtime,
        keep_runtime=options.runtime_primary is None,
    )


def _undone(files: Sequence[SourceFile], options: argparse.Namespace) -> tuple[FileEdit, ...]:
    from mimir_migrate.adapters.undo_records import read_undo, refuse_out_of_order
    from mimir_migrate.documents.values.files import undo

    refuse_out_of_order(options.undo, files)
    return undo(read_undo(options.undo), files)


def _show(
    files: Sequence[SourceFile],
    values: ValuesFiles | None,
    edits: Sequence[FileEdit],
    options: argparse.Namespace,
    checked: Checked | None,
) -> None:
    """Print the edits; `values` are the files as they were read for the edit, None: they were not."""
    from mimir_migrate.documents import edits as file_edits
    from mimir_migrate.plans.planner import applied

    contents = {file.path: file.content for file in files}
    paths: tuple[PathChange, ...] = ()
    if options.paths or options.json:
        before = values or _values(files, options)
        paths = before.changes_to(before.after(edits))
    rendered = _rendered(files, applied(files, edits), options) if options.rendered else None
    if options.json:
        import msgspec

        print_json(
            {
                "edits": msgspec.to_builtins(list(edits)),
                "paths": msgspec.to_builtins(list(paths)),
                "diff": [file_edits.unified(one, contents[one.path]) for one in edits],
                "rendered": rendered,
                **(checked.document() if checked is not None else {}),
            }
        )
        return
    if rendered is not None:
        print(rendered, end="")
        if not rendered:
            narrate("the configuration renders to the same")
    elif options.paths:
        for change in paths:
            said = f"{change.path}: {change.before or 'absent'}"
            print(f"{_without_secrets(said)} -> {change.after or 'absent'}")
    elif options.diff or not (options.in_place or options.output):
        for one in edits:
            print_diff(_without_secrets(file_edits.unified(one, contents[one.path])))


def _without_secrets(text: str) -> str:
    """Lines of a values file as they may stand in a terminal or in the log of a pipeline."""
    import os

    from mimir_migrate.adapters.redaction import Redactor

    return Redactor(os.environ).text(text)


def _rendered(
    before: Sequence[SourceFile], after: Sequence[SourceFile], options: argparse.Namespace
) -> str:
    """The diff of the configuration that the files render to, secrets taken out."""
    from mimir_migrate.bootstrap import renderer_for
    from mimir_migrate.plans.files.rendered import configuration_diff, configuration_texts

    target = target_from(options)
    if not (target.deploy.template or target.deploy.chart):
        raise UsageError(
            "--rendered: nothing here renders the values",
            hint="Give --chart and --chart-version for helm, or --target FILE with [deploy] template "
            "or chart.",
        )
    renderer = renderer_for(target)
    old = renderer.render({file.path: file.content for file in before})
    new = renderer.render({file.path: file.content for file in after})
    if old is None or new is None:
        raise UsageError(
            f'--rendered: the target deploys by "{target.deploy.method.value}" and names no command '
            "that renders",
            hint="Set [deploy] template: a command that prints the manifests of $VALUES.",
        )
    if not configuration_texts(new):
        raise UsageError(
            "--rendered: the manifests hold no configuration of Mimir or Cortex",
            hint="The chart must be mimir-distributed or cortex.",
        )
    return _without_secrets(configuration_diff(old, new))


def _write_in_place(edits: Sequence[FileEdit], options: argparse.Namespace) -> int:
    from mimir_migrate.adapters.files import apply_edit
    from mimir_migrate.adapters.new_files import create_new
    from mimir_migrate.adapters.undo_records import put_aside, write_beside
    from mimir_migrate.documents import edits as file_edits
    from mimir_migrate.documents.undo_record import write_record

    if not edits:
        return ExitCode.DONE
    if not options.undo:
        content = write_record([file_edits.inverse(one) for one in reversed(edits)])
        record = options.record
        if record:
            create_new(record, content)
        else:
            record = write_beside(options.values[-1], content)
        narrate(f"wrote the undo record {record}")
    for one in edits:
        apply_edit(one)
        narrate(f"wrote {one.path}")
    if options.undo and (aside := put_aside(options.undo)):
        narrate(f"the undo record is {aside} now")
    return ExitCode.DONE


def _write_elsewhere(
    files: Sequence[SourceFile], edits: Sequence[FileEdit], options: argparse.Namespace
) -> int:
    from mimir_migrate.adapters.new_files import create_new, write_new
    from mimir_migrate.documents import edits as file_edits
    from mimir_migrate.documents.undo_record import write_record
    from mimir_migrate.plans.planner import applied

    if len(files) != 1:
        raise UsageError(
            "--output takes the result of one file, and several were given",
            hint="Use --in-place for several files.",
        )
    if any(Path(options.output).resolve() == Path(file.path).resolve() for file in files):
        raise UsageError(
            f"--output {options.output} is the values file itself",
            hint="Use --in-place, which keeps an undo record.",
        )
    write_new(options.output, applied(files, edits)[0].content)
    narrate(f"wrote {options.output}")
    if options.record and not options.undo:
        create_new(
            options.record, write_record([file_edits.inverse(one) for one in reversed(edits)])
        )
    return ExitCode.DONE


# --- permissions ---------------------------------------------------------------------------------


def rbac(options: argparse.Namespace) -> int:
    """Print the least permissions that the tool and the pods need."""
    from mimir_migrate.cli.permissions import print_permissions

    return print_permissions(options)


def terraform(options: argparse.Namespace) -> int:
    """Read a Terraform folder, or write what it lacks."""
    from mimir_migrate.cli.terraforming import assess_folder

    return assess_folder(options)
