"""A Terraform folder of 3,000 resources judged whole, against python-hcl2's parse of its text alone.

One JSON line for each kind of folder: seconds of processor time (best of three) for 3,000 resources
and for 300, how much the ten times larger one takes over ten times the small one (`growth`, 1 is
linear), and the ratio to the baseline. `--baseline` measures python-hcl2 as well, which takes a
minute.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

RESOURCES = 3_000
RUNS = 3
HEAD = 'variable "env" { default = "dev" }\nlocals {\n  prefix = "obs-${var.env}"\n}\n'
TABLE = """\
resource "aws_dynamodb_table" "t%(n)d" {
  name         = "${local.prefix}-t%(n)d"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "RingKey"
  range_key    = "InstanceKey"
  attribute {
    name = "RingKey"
    type = "S"
  }
  attribute {
    name = "InstanceKey"
    type = "S"
  }
}
"""
ROLE = """\
resource "aws_iam_role" "r%(n)d" {
  name = "${local.prefix}-r%(n)d"
  assume_role_policy = jsonencode({
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "arn:aws:iam::1:oidc-provider/example.com/id/A" }
      Condition = {
        StringEquals = { "example.com/id/A:sub" = "system:serviceaccount:metrics:pods%(n)d" }
      }
    }]
  })
}
resource "aws_iam_role_policy" "p%(n)d" {
  role   = aws_iam_role.r%(n)d.id
  policy = jsonencode({ Statement = [{ Effect = "Allow", Action = "dynamodb:*", Resource = "*" }] })
}
"""
OTHER = """\
resource "aws_s3_bucket" "b%(n)d" {
  bucket = "${local.prefix}-b%(n)d"
  tags   = { Name = "b%(n)d", Env = var.env }
}
"""
KINDS = {"tables": (TABLE, 1), "roles-and-policies": (ROLE, 2), "others": (OTHER, 1)}


def folder(kind: str, resources: int) -> str:
    """A file with so many resources."""
    text, each = KINDS[kind]
    return HEAD + "".join(text % {"n": number} for number in range(resources // each))


def judge(text: str) -> None:
    """Everything that `mimir-migrate terraform` does with the text of a folder."""
    from mimir_migrate.documents.terraform.findings import assess
    from mimir_migrate.model.facts import ServiceAccount

    account = ServiceAccount(name="pods1", role="arn:aws:iam::1:role/obs-dev-r1")
    assess(
        {"main.tf": text},
        show_json=None,
        tables=["obs-dev-t1"],
        namespace="metrics",
        service_accounts=[account],
        client_version="1.21.1",
        region="eu-west-1",
    )


def parse(text: str) -> None:
    """The parse alone, by python-hcl2."""
    import hcl2

    hcl2.loads(text)


def seconds(work: Callable[[str], None], text: str, runs: int) -> float:
    """Processor time, the best of some runs."""
    times = []
    for _ in range(runs):
        before = time.process_time()
        work(text)
        times.append(time.process_time() - before)
    return min(times)


def main() -> None:
    """Print a line for each kind."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--baseline", action="store_true")
    baseline = options.parse_args().baseline
    judge(folder("tables", 10))  # imports
    for kind in KINDS:
        large = seconds(judge, folder(kind, RESOURCES), RUNS)
        small = seconds(judge, folder(kind, RESOURCES // 10), RUNS)
        line: dict[str, object] = {
            "bench": "terraform_folder",
            "kind": kind,
            "resources": RESOURCES,
            "seconds": round(large, 3),
            "seconds_of_a_tenth": round(small, 3),
            "growth": round(large / (10 * small), 2),
        }
        if baseline:
            theirs = seconds(parse, folder(kind, RESOURCES), 1)
            line |= {"baseline_seconds": round(theirs, 2), "ratio": round(large / theirs, 3)}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
