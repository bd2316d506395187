"""What an operator can do, as one object that the commands and the app share.

It is handed everything that touches the world, so that a test can hand it a cluster in memory.
"""

from mimir_migrate.operations.environment import (
    DryRun,
    Environment,
    Look,
    RunListing,
    RunOptions,
    RunStore,
)
from mimir_migrate.operations.operations import Operations

__all__ = ["DryRun", "Environment", "Look", "Operations", "RunListing", "RunOptions", "RunStore"]
