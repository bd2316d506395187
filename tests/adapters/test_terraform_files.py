"""Which files of a Terraform folder are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mimir_migrate.adapters.terraform_files import DiskTerraform, read_folder, read_shown
from mimir_migrate.errors import DocumentError


def write(root: Path, *names: str, text: str = "") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or f"# {name}\n")


def test_a_root_module_is_read_with_the_local_modules_it_calls(tmp_path: Path) -> None:
    """Folders beside it that nobody calls are other people's."""
    write(tmp_path, "envs/dev/main.tf", text='module "a" {\n  source = "../../modules/a"\n}\n')
    write(tmp_path, "modules/a/main.tf", text='module "b" {\n  source = "./b"\n}\n')
    write(
        tmp_path,
        "modules/a/b/x.tf",
        "modules/other/x.tf",
        "envs/dev/terraform.tfvars",
        "envs/dev/prod.tfvars",
        "envs/dev/README.md",
    )

    files = read_folder(str(tmp_path / "envs" / "dev"))

    assert sorted(files) == [
        "../../modules/a/b/x.tf",
        "../../modules/a/main.tf",
        "main.tf",
        "terraform.tfvars",
    ]


def test_a_tree_is_read_whole(tmp_path: Path) -> None:
    """A folder without files of its own; copies of remote modules in it are left out."""
    write(tmp_path, "envs/dev/main.tf", "modules/a/main.tf", ".terraform/modules/r/main.tf")

    assert sorted(read_folder(str(tmp_path))) == ["envs/dev/main.tf", "modules/a/main.tf"]


def test_modules_that_call_each_other_end(tmp_path: Path) -> None:
    """A circle that Terraform would refuse does not hang."""
    write(tmp_path, "a/main.tf", text='module "b" {\n  source = "../b"\n}\n')
    write(tmp_path, "b/main.tf", text='module "a" {\n  source = "../a"\n}\n')

    assert sorted(read_folder(str(tmp_path / "a"))) == ["../b/main.tf", "main.tf"]


def test_no_terraform_is_refused(tmp_path: Path) -> None:
    """An empty folder is most likely the wrong one."""
    with pytest.raises(DocumentError, match=r"no \.tf file"):
        read_folder(str(tmp_path))
    with pytest.raises(DocumentError, match="no such folder"):
        read_folder(str(tmp_path / "nowhere"))


def test_a_saved_state_is_found(tmp_path: Path) -> None:
    """The output of `terraform show -json`, where somebody saved it."""
    assert read_shown(str(tmp_path)) is None

    (tmp_path / "show.json").write_text("{}")

    assert read_shown(str(tmp_path)) == "{}"


def test_a_folder_comes_with_what_terraform_showed(tmp_path: Path) -> None:
    """Where `show.json` is not there, nothing was shown."""
    write(tmp_path, "main.tf")
    assert DiskTerraform().read(str(tmp_path)).shown is None

    write(tmp_path, "show.json", text="{}")
    found = DiskTerraform().read(str(tmp_path))

    assert (list(found.files), found.shown) == (["main.tf"], "{}")


def test_every_syntax_and_what_terraform_reads_by_itself_is_read(tmp_path: Path) -> None:
    """JSON, OpenTofu's files and automatic variables; nothing that a command line has to name."""
    names = (
        *("a.tf", "b.tf.json", "c.tofu", "d.tofu.json", "override.tf", "terraform.tfvars"),
        *("terraform.tfvars.json", "e.auto.tfvars", "f.auto.tfvars.json"),
    )
    write(tmp_path, *names, "prod.tfvars", "x.json", ".hidden.tf", "notes.txt")

    assert sorted(read_folder(str(tmp_path))) == sorted(names)


@pytest.mark.parametrize("name", ["only.tf.json", "only.tofu"])
def test_a_folder_without_a_tf_file_can_be_a_root_module(tmp_path: Path, name: str) -> None:
    """Then what lies below it is read where it is called."""
    write(tmp_path, "other/x.tf")
    text = '{"module": {"m": {"source": "./m"}}}' if name.endswith("json") else ""
    write(tmp_path, name, text=text)
    write(tmp_path, "m/main.tf")

    called = ["m/main.tf"] if text else []
    assert sorted(read_folder(str(tmp_path))) == sorted([name, *called])


def test_policies_that_expressions_name_are_read(tmp_path: Path) -> None:
    """By `file` and `templatefile`, in the module's folder or the root's; nothing else is opened."""
    text = (
        'locals {\n  a = file("${path.module}/p/trust.json")\n  b = templatefile("t.tftpl", {})\n'
        '  c = file("/etc/passwd")\n  d = file("key.pem")\n  e = file("${path.module}/gone.json")\n}\n'
    )
    write(tmp_path, "main.tf", text=text)
    write(tmp_path, "p/trust.json", "t.tftpl", "key.pem", "p/other.json")

    assert sorted(read_folder(str(tmp_path))) == ["main.tf", "p/trust.json", "t.tftpl"]


def test_terragrunt_s_files_are_read_with_the_others(tmp_path: Path) -> None:
    """Also where nothing else is there."""
    write(tmp_path, "prod/terragrunt.hcl", "prod/other.hcl", "dev/main.tf", "dev/terragrunt.hcl")

    assert sorted(read_folder(str(tmp_path))) == [
        "dev/main.tf",
        "dev/terragrunt.hcl",
        "prod/terragrunt.hcl",
    ]
    assert sorted(read_folder(str(tmp_path / "prod"))) == ["terragrunt.hcl"]
