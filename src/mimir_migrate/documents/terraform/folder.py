"""Reads a Terraform folder: tables, roles and helm releases that stand in it.

What only Terraform computes is unknown here, with the reason; `terraform show -json` knows it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from mimir_migrate.documents.terraform.blocks import Block
from mimir_migrate.documents.terraform.facts import HelmReleaseFact, TerraformFacts
from mimir_migrate.documents.terraform.modules import read_modules
from mimir_migrate.documents.terraform.role_parts import read_associations, text_fact
from mimir_migrate.documents.terraform.roles import read_resource_policies, read_roles
from mimir_migrate.documents.terraform.tables import read_remote, read_tables, read_terragrunt


def read_terraform(files: Mapping[str, str]) -> TerraformFacts:
    """Read the files of a folder.

    Args:
        files: Text by path, relative to the folder. Modules whose folder is among the files are
            followed with the arguments of each call.
    """
    modules, unread = read_modules(files)
    return TerraformFacts(
        tables=tuple(table for module in modules for table in read_tables(module)),
        roles=tuple(read_roles(modules)),
        releases=tuple(
            _release(one) for module in modules for one in module.of("resource", "helm_release")
        ),
        unread=unread,
        associations=tuple(read_associations(modules)),
        resource_policies=tuple(read_resource_policies(modules)),
        remote=(
            *(one for module in modules for one in read_remote(module)),
            *(
                read_terragrunt(path, text)
                for path, text in sorted(files.items())
                if posixpath.basename(path) == "terragrunt.hcl"
            ),
        ),
    )


def _release(block: Block) -> HelmReleaseFact:
    node = block.body.attributes.get("values")
    written = node.text if node is not None else ""
    return HelmReleaseFact(
        address=block.address,
        file=block.file,
        name=text_fact(block.get("name")),
        namespace=text_fact(block.get("namespace")),
        chart=text_fact(block.get("chart")),
        templates=tuple(re.findall(r'templatefile\(\s*"([^"]+)"', written)),
    )
