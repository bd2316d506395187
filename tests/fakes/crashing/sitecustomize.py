"""Imported by Python at its start: a runner gets its crash point, every other process nothing."""

import os
import sys

if "_work" in sys.orig_argv and "MIMIR_MIGRATE_CRASH" in os.environ:
    import crash_points

    crash_points.install(os.environ)
