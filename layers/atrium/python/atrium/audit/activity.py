"""What went on in a tenant, for people: changes from the audit log and calls of models from the ledger, in one list.

A call of a model has no entry in the audit log: it would be a second write on the way of every answer, of what the ledger
already holds and nobody can change. Both carry the id of the request that they belong to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

from atrium.audit import phrases


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a model. `id` is the ledger's; `cost` in nano-dollars."""

    id: UUID
    kind: str
    model: str
    feature: str
    outcome: str
    input_tokens: int
    output_tokens: int
    cost: int


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing that went on: a change (`action`, `target`) or a call of a model (`call`)."""

    id: UUID
    at: datetime
    actor: str
    actor_name: str | None
    summary: str
    action: str | None
    target: str | None
    target_name: str | None
    request_id: str
    call: Call | None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Of a row of `list_activity`."""
        who = phrases.who(row["actor"], row["actor_name"])
        found = None
        if row["call"] is None:
            summary = phrases.change(who, row["action"], row["target_name"] or phrases.what(row["target"]))
        else:
            found = Call(row["id"], **row["call"])
            summary = phrases.call(who, found.kind, found.model, found.feature)
        kept = {name: row[name] for name in ("id", "at", "actor", "actor_name", "action", "target", "target_name", "request_id")}
        return cls(**kept, summary=summary, call=found)


@dataclass(frozen=True, slots=True)
class Day:
    """How much went on in a day (UTC). `cost` in nano-dollars."""

    day: date
    changes: int
    calls: int
    cost: int


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """What the list is narrowed to. `changes` False leaves the calls, `calls` False the changes. `since` <= at < `until`.

    Every search and every part of a document is embedded: those calls are shown with `embeddings` only.
    """

    changes: bool = True
    calls: bool = True
    embeddings: bool = False
    actor: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
