"""`mimir-migrate` and `python -m mimir_migrate`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    from mimir_migrate.cli import run
    from mimir_migrate.cli.guard import install

    install("in the background")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
