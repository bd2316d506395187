"""Findings about the configuration that the values files set, before it is deployed."""

from __future__ import annotations

from collections.abc import Iterator

from mimir_migrate.documents.config.check import RUNTIME, UnknownKey
from mimir_migrate.documents.config.settable import written
from mimir_migrate.inspection.question import Question, listed, shown
from mimir_migrate.model.facts import Evidence
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.stores import DynamoDBSettings
from mimir_migrate.words import counted


def unknown_keys(question: Question) -> Iterator[Finding]:
    """`unknown-keys`: the files set something that the binary does not know.

    Mimir and Cortex parse strictly: the next pod that starts with such a key does not come up.
    """
    found = question.values
    if found is None:
        return
    if found.unknown_keys:
        keys = found.unknown_keys
        yield Finding(
            id="unknown-keys",
            severity=Severity.BLOCKS,
            title=f"The values files set {counted(len(keys), 'key')} that the binary does not know, "
            f"so that no pod would start again: {listed(one.dotted for one in keys)}",
            evidence=tuple(_evidence(question, one) for one in keys),
            fix="Take each of them out, or write what its line of evidence says instead; "
            "`mimir-migrate edit --check` lists them again.",
        )
    if found.unchecked:
        yield Finding(
            id="unknown-keys",
            severity=Severity.BLOCKS,
            title="Whether the binary knows every key that the values files set is not known",
            evidence=tuple(
                question.evidence("GET /config?mode=defaults", f"no answer of {image}")
                for image in found.unchecked
            ),
            fix="Make a pod of this image answer /config?mode=defaults, then inspect again.",
            unknown=True,
        )


def _evidence(question: Question, key: UnknownKey) -> Evidence:
    place = f"{key.place[0]}:{key.place[1]}" if key.place else "the rendered configuration"
    which = "runtime configuration: " if key.document == RUNTIME else ""
    instead = f"; instead: {key.instead}" if key.instead else ""
    return question.evidence(place, f"{which}{key.dotted}: {key.explanation}{instead}")


def setting_not_known(question: Question) -> Iterator[Finding]:
    """`setting-not-known`: the move would write what a binary of the release does not have.

    All pods read one configuration, so one image that ends itself at a setting is one too many.
    """
    unknown = question.inspection.lacking()
    asked = question.target.dynamodb
    dynamodb = DynamoDBSettings(
        region="-",
        table_name="-",
        puller_sync_time=asked.puller_sync_time,
        ttl=asked.ttl,
    )
    found = {
        setting: unknown[setting]
        for name in question.rings
        for setting in written(question.ring(name), dynamodb)
        if setting in unknown
    }
    if found:
        yield Finding(
            id="setting-not-known",
            severity=Severity.BLOCKS,
            title=f"The move would write {counted(len(found), 'setting')} that a binary does not know, so "
            f"that no pod of it would start again: {listed(found)}",
            evidence=shown(
                question.evidence("GET /config?mode=defaults", f"{image} does not list {setting}")
                for setting, images in found.items()
                for image in images
            ),
            fix="Leave out of the target file what it asks for beyond the least ([dynamodb] ttl), or run a "
            "version whose DynamoDB client has the setting.",
            rings=question.rings,
        )


RULES = {"unknown-keys": unknown_keys, "setting-not-known": setting_not_known}
