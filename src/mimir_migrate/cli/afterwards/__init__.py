"""The commands for what comes after a run."""
