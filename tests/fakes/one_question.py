"""The barest question, before the step `swap`, for tests of who asks and who answers."""

from __future__ import annotations

from mimir_migrate.model.events import Asked
from mimir_migrate.model.plan import Duration

ASKED = Asked(
    step="swap",
    index=1,
    of=1,
    title="",
    gates=(),
    stores="",
    pods="",
    seen_at=0.0,
    duration=Duration(low=0.0, high=0.0, basis=""),
    rollback="",
    back=None,
)
