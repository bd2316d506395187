"""Two places are one where nothing that both know differs; a cluster is known by its strongest name."""

from __future__ import annotations

import msgspec
import pytest

from mimir_migrate.runs.places import Difference, Place, differences, same_release

OWN = Place(
    cluster_uid="5d0f",
    cluster="a.test:443",
    context="prod",
    namespace="observability",
    release="mimir",
    account="1234",
    region="eu-west-1",
    table="rings",
)


def like(**fields: str) -> Place:
    """The run's own place with some fields otherwise."""
    return msgspec.structs.replace(OWN, **fields)


def test_a_place_differs_from_itself_in_nothing() -> None:
    """And neither does one of which less is known."""
    assert differences(OWN, OWN) == ()
    assert differences(OWN, Place()) == ()
    assert same_release(OWN, Place())


@pytest.mark.parametrize(
    ("here", "name"),
    [
        (like(cluster="moved.test:443", context="also-prod"), ""),
        (like(cluster_uid="", context="also-prod"), ""),
        (like(cluster_uid="", cluster="", context="dev"), "context"),
        (like(cluster_uid="", cluster="b.test:443"), "cluster"),
        (like(cluster_uid="77", cluster="b.test:443"), "cluster"),
        (like(cluster_uid="77"), "cluster"),
    ],
    ids=[
        "one uid, other address and context",
        "one address, other context",
        "only the contexts are known",
        "other address",
        "other uid and address",
        "other uid behind one address",
    ],
)
def test_the_strongest_name_that_both_know_says_whether_it_is_one_cluster(
    here: Place, name: str
) -> None:
    """Whichever of the two is asked about."""
    for one, other in ((OWN, here), (here, OWN)):
        assert [each.name for each in differences(one, other)] == [name] * bool(name)
        assert same_release(one, other) is not bool(name)


def test_a_rebuilt_cluster_behind_the_same_address_is_told_by_its_uid() -> None:
    """Else both sides of the difference would read the same."""
    assert differences(OWN, like(cluster_uid="77")) == (
        Difference(
            name="cluster", own="a.test:443 with the uid 5d0f", here="a.test:443 with the uid 77"
        ),
    )


@pytest.mark.parametrize("name", ["namespace", "release", "account", "region", "table"])
def test_everything_else_counts_where_both_say_it(name: str) -> None:
    """A release is one whatever account, region and table it uses."""
    (found,) = differences(OWN, like(**{name: "other"}))
    assert (found.name, found.own, found.here) == (name, getattr(OWN, name), "other")
    assert same_release(OWN, like(**{name: "other"})) is (name not in {"namespace", "release"})
    assert differences(OWN, like(**{name: ""})) == ()
