"""What a ring table is, as the DynamoDB client of Cortex reads it (pkg/ring/kv/dynamodb/dynamodb.go)."""

from __future__ import annotations

from typing import Final

HASH_KEY: Final = "RingKey"
"""A ring's key, with its prefix; a string."""
RANGE_KEY: Final = "InstanceKey"
"""A member's id; a string."""
TTL_ATTRIBUTE: Final = "ttl"
"""By which items expire, where that is asked for."""
