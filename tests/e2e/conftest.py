"""Operators in front of small sandboxes with real processes."""

from operators import cortex, mimir, operator, outside, pool

__all__ = ["cortex", "mimir", "operator", "outside", "pool"]
