"""The rollback onto memberlist while gossip is not whole."""

from __future__ import annotations

import pytest

from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import ChangeDone, RunState
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox import commands


@pytest.mark.soak
def test_gossip_that_is_blocked_holds_the_rollback(pool, outside, tmp_path) -> None:
    """No user notices while the rings are on DynamoDB, yet memberlist does not become primary."""
    values = tmp_path / "values.yaml"
    values.write_bytes(pool.values(Product.MIMIR))
    operator = pool.operator(tmp_path / "sandbox", tmp_path / "state")
    commands.up(
        operator.sandbox,
        product="mimir",
        stores="+dynamodb",
        speed=60.0,
        values=str(values),
        state="dynamodb",
    )
    try:
        look = outside(operator)
        apply = operator.begin("apply", operator.plan("memberlist"), "--yes")
        operator.wait_for(ChangeDone, matching=lambda event: event.step == "mirror")
        [querier] = look.names("querier")
        operator.inject("gossip-blocked", pod=querier)
        answer = operator.end(apply, ExitCode.BLOCKED)
        status = operator.status()
        assert status["state"] == "held", answer.err
        assert "switch" not in status["done_steps"]
        bad = {one["gate"] for one in status["gates"] if one["verdict"] != "pass"}
        assert bad & {"gossip-whole", "stores-equal"}, status["gates"]
        assert "users-fine" not in bad
        assert set().union(*look.stores().values()) == {"multi"}

        operator.clear()
        operator.call("continue", code=None)
        assert operator.ending().state is RunState.DONE
        assert set().union(*look.stores().values()) == {"memberlist"}
        assert commands.status(operator.sandbox)["lost_sight"] == 0
    finally:
        operator.leave()
        commands.down(operator.sandbox)
