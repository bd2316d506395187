"""Values files reach the cluster in the way that the target names, and in no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mimir_migrate.adapters.deploy.deployer import Deployer
from mimir_migrate.adapters.deploy.helm import Helm
from mimir_migrate.adapters.deploy.render import ManifestRenderer, ValuesRender
from mimir_migrate.adapters.process import Programs
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import CommandError, DocumentError, UsageError
from mimir_migrate.model.changes import Deploy
from mimir_migrate.model.target import (
    DeployMethod,
    DeployTarget,
    KubernetesTarget,
    Target,
    ValuesTarget,
)


def parts(target: Target, **options: object) -> tuple[Deployer, ManifestRenderer]:
    programs = Programs(Redactor(), grace=0.5)
    helm = Helm(programs, target.kubernetes, lambda: "")
    values = ValuesRender(programs, target)
    deployer = Deployer(programs, helm, values, **options)
    return deployer, ManifestRenderer(programs, target, helm, values)


def change(deploy: DeployTarget, folder: Path, *files: str) -> Deploy:
    return Deploy(
        deploy=deploy,
        files=files or ("values.yaml",),
        release="mimir",
        namespace="metrics",
        folder=str(folder),
    )


def command(line: str, **fields: str) -> DeployTarget:
    return DeployTarget(method=DeployMethod.COMMAND, command=line, **fields)


def test_a_command_is_told_the_file_the_run_and_the_step(tmp_path: Path) -> None:
    """It runs in the target's folder with the absolute path of the values file."""
    deployer, _ = parts(Target())
    line = 'printf "%s|" "$VALUES" "$MIMIR_MIGRATE_RUN" "$MIMIR_MIGRATE_STEP" "$(pwd)" > out'
    outcome = deployer.deploy(change(command(line), tmp_path), run="run-1", step="2-roll")

    assert (tmp_path / "out").read_text() == f"{tmp_path}/values.yaml|run-1|2-roll|{tmp_path}|"
    assert "succeeded" in outcome.detail


def test_several_files_are_told_in_order(tmp_path: Path) -> None:
    """All in VALUES, and each by its number."""
    deployer, _ = parts(Target())
    line = 'printf "%s|" "$VALUES" "$VALUES_1" "$VALUES_2" > out'
    deployer.deploy(change(command(line), tmp_path, "a.yaml", "/b c.yaml"), run="", step="")

    first = f"{tmp_path}/a.yaml"
    assert (tmp_path / "out").read_text() == f"{first} /b c.yaml|{first}|/b c.yaml|"


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    """The end of stderr stands in the error, without its secrets."""
    deployer, _ = parts(Target())
    line = "echo password: hunter2-Tr0ub4dor >&2; echo no access >&2; exit 2"
    with pytest.raises(CommandError, match="no access") as failed:
        deployer.deploy(change(command(line), tmp_path), run="", step="")

    assert "hunter2" not in failed.value.message + failed.value.stderr


def test_a_command_ends_with_its_timeout(tmp_path: Path) -> None:
    """deploy.timeout is kept; what is not a duration is refused."""
    deployer, _ = parts(Target())
    with pytest.raises(CommandError, match="did not end within"):
        deployer.deploy(change(command("sleep 60", timeout="200ms"), tmp_path), run="", step="")
    for wrong in ("soon", "0s", "-1m"):
        with pytest.raises(UsageError, match="not a duration"):
            deployer.deploy(change(command("true", timeout=wrong), tmp_path), run="", step="")


def test_no_command_is_refused(tmp_path: Path) -> None:
    """method = "command" needs one."""
    deployer, _ = parts(Target())
    with pytest.raises(UsageError, match="no deploy command"):
        deployer.deploy(change(command(""), tmp_path), run="", step="")


def test_external_names_what_somebody_else_must_apply(tmp_path: Path) -> None:
    """It returns at once, and nothing is started."""
    deployer, _ = parts(Target())
    external = DeployTarget(method=DeployMethod.EXTERNAL, command="touch out")
    outcome = deployer.deploy(change(external, tmp_path), run="", step="")

    assert f"{tmp_path}/values.yaml must be applied to the release mimir" in outcome.detail
    assert not (tmp_path / "out").exists()


def target_with(tmp_path: Path, deploy: DeployTarget, render: str = "") -> Target:
    return Target(
        folder=str(tmp_path),
        kubernetes=KubernetesTarget(namespace="metrics", release="mimir"),
        values=ValuesTarget(files=("values.yaml",), render=render),
        deploy=deploy,
    )


def test_manifests_are_what_the_template_command_prints(tmp_path: Path) -> None:
    """It gets copies that nobody else can read, and they are gone afterwards."""
    line = 'stat -c "mode: \\"%a\\"" $VALUES; echo "path: $VALUES"; echo ---; cat $VALUES; echo "--- null"'
    _, renderer = parts(
        target_with(tmp_path, DeployTarget(method=DeployMethod.COMMAND, template=line))
    )
    found = renderer.render({"/somewhere/values.yaml": b"kind: ConfigMap\ndata: {a: 1}\n"})

    assert found is not None
    assert found[1:] == ({"kind": "ConfigMap", "data": {"a": 1}},)
    assert found[0]["mode"] == "600"
    assert str(found[0]["path"]).endswith("/values.yaml")
    assert not Path(str(found[0]["path"])).exists()


def test_the_template_command_gets_the_rendered_values(tmp_path: Path) -> None:
    """Where the files are templates, `helm template -f $RENDERED` reads what they render to."""
    deploy = DeployTarget(
        method=DeployMethod.COMMAND, template="cat $RENDERED; echo ---; cat $VALUES"
    )
    for render, rendered in (("sed s/NAME/mimir/ $VALUES", "mimir"), ("", "NAME")):
        _, renderer = parts(target_with(tmp_path, deploy, render=render))

        assert renderer.render({"v.yaml.tftpl": b"a: NAME\n"}) == ({"a": rendered}, {"a": "NAME"})


def test_without_a_template_there_is_nothing_to_say(tmp_path: Path) -> None:
    """None means that the manifests are unknown, which is not the same as none."""
    for method in (DeployMethod.COMMAND, DeployMethod.EXTERNAL):
        _, renderer = parts(target_with(tmp_path, DeployTarget(method=method)))

        assert renderer.render({"values.yaml": b""}) is None


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        ("a: [1", "not YAML"),
        ("- a list", "not a manifest"),
        ("a: 1\nb\n", "not YAML"),
        ("a: " + "[" * 5_000, "not YAML"),
        ("a: " + "9" * 5_000, "not YAML"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, printed: str, why: str) -> None:
    """A command that prints something else gets a message that names it."""
    deploy = DeployTarget(method=DeployMethod.COMMAND, template=f"printf '%s' '{printed}'")
    _, renderer = parts(target_with(tmp_path, deploy))
    with pytest.raises(DocumentError, match=why) as refused:
        renderer.render({"values.yaml": b""})

    assert "deploy.template" in refused.value.path


def test_values_are_what_the_render_command_prints(tmp_path: Path) -> None:
    """A template of values is rendered by the user's own command; without one there is nothing to do."""
    programs = Programs(Redactor())
    target = target_with(tmp_path, DeployTarget(), render="sed s/NAME/mimir/ $VALUES")

    assert (
        ValuesRender(programs, target).rendered_values({"v.yaml": b"a: NAME\n"}) == b"a: mimir\n"
    )
    assert ValuesRender(programs, Target()).rendered_values({"v.yaml": b""}) is None


@pytest.fixture
def leftovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], set[str]]:
    """What this program left in a folder for temporary files that no other test uses."""
    import tempfile

    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return lambda: {path.name for path in folder.glob("mimir-migrate-*")}


def test_a_failed_render_leaves_no_copy(tmp_path: Path, leftovers: Callable[[], set[str]]) -> None:
    """Values hold secrets: the copies go also when the command fails."""
    before = leftovers()
    _, renderer = parts(
        target_with(tmp_path, DeployTarget(method=DeployMethod.COMMAND, template="exit 3"))
    )
    with pytest.raises(CommandError):
        renderer.render({"values.yaml": b"password: x"})

    assert leftovers() <= before
