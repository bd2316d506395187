"""`clean` by the command on a sandbox: what a migration and a rollback leave, and what it takes away."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

TABLE = "observability-dev-mimir-rings"
ITEMS = f"items/{TABLE}/ruler"


def found(operator: Any) -> dict[str, dict[str, Any]]:
    """What `clean` shows, by name."""
    document = operator.call("clean", "--target", operator.target, "--json").document
    return {one["name"]: one for one in document["found"]}


def removed(operator: Any, name: str, code: int = 0) -> str:
    """What `clean --remove` says."""
    answer = operator.call(
        "clean", "--target", operator.target, "--remove", name, "--yes", code=code
    )
    return str(answer.err)


def test_what_is_in_use_stays_and_what_is_left_goes_by_name(mimir: Any, outside: Any) -> None:
    """After the migration nothing of the ring's goes; after the rollback its items do, exported first."""
    look = outside(mimir)
    mimir.call("apply", mimir.plan("dynamodb", "ruler"), "--yes")

    there = found(mimir)
    assert "has dynamodb in its configuration" in there[ITEMS]["kept_because"]
    assert there[f"table/{TABLE}"]["kept_because"]
    members = look.members()["rulers/ring"]
    assert "Nothing was removed" in removed(mimir, ITEMS, code=3)
    assert look.members()["rulers/ring"] == members

    mimir.call("rollback", "--yes")
    left = found(mimir)
    for _ in range(30):
        if not left[ITEMS]["kept_because"]:
            break
        time.sleep(1.0)  # until their last heartbeat is older than ten of the ring's timeouts
        left = found(mimir)
    assert not left[ITEMS]["kept_because"], left[ITEMS]
    items = set(look.members()["rulers/ring"])
    assert items

    removed(mimir, ITEMS)

    assert "rulers/ring" not in look.members()
    assert look.lease() is None
    exports = list(Path(mimir.state).rglob("*rulers-ring-*.json"))
    kept = json.dumps([json.loads(one.read_text()) for one in exports])
    assert all(member in kept for member in items)
    # Its deletion protection is never lifted, so the table stays and what would remove it is printed.
    stays = found(mimir)[f"table/{TABLE}"]
    assert "protect" in stays["kept_because"]
    assert any("delete-table" in line for line in stays["by_hand"])
    assert "Nothing was removed" in removed(mimir, f"table/{TABLE}", code=3)
