"""The wire contracts of the audit log."""

from datetime import date
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, PlainSerializer

from atrium.audit.activity import Activity, Call, Day
from atrium.audit.canonical import instant
from atrium.audit.models import AuditEntry, LedgerDay, Verification
from atrium.ledger.models import dollars
from atrium.web.pagination import Page
from atrium.web.schemas import Reply, Timestamp

Instant = Annotated[AwareDatetime, PlainSerializer(instant, return_type=str, when_used="json")]
"""RFC 3339 in UTC with microseconds, as the hash chain has it."""


class AuditReply(Reply):
    """One entry of the log."""

    id: UUID
    at: Instant
    actor: str = Field(description="`user:<id>`, `api_key:<id>`, `worker:…`, `operator:…` or `anonymous`.")
    action: str
    target: str = Field(description="What it was done to, `document:<id>`; empty where there is no one thing.")
    detail: dict[str, Any]
    request_id: str = Field(description="The request's `X-Request-Id`; empty where it was none.")
    seq: int | None = Field(description="Its number in the tenant's hash chain; null until it is sealed.")
    hash: str | None = Field(description="SHA-256 over the hash before and the entry, in hex; null until it is sealed.")

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """The wire form."""
        return cls.model_validate(entry)


class HeadReply(Reply):
    """Where the chain ends. Whoever notes it elsewhere can prove later what was there then."""

    seq: int
    hash: str
    sealed_at: Timestamp | None = Field(description="Null while nothing was ever sealed.")


class VerificationReply(Reply):
    """What became of computing the chain again."""

    valid: bool = Field(description="Whether every entry from `after_seq` + 1 to `verified_to` is as it was sealed.")
    first_broken_seq: int | None = Field(description="The first entry that was changed, moved or removed.")
    verified_to: int
    complete: bool = Field(description="Whether that is the chain's end.")
    sealed: int = Field(description="How many entries the chain has.")
    unsealed: int = Field(description="How many entries wait to be sealed; minutes, as a rule.")
    oldest_unsealed_at: Timestamp | None
    head: HeadReply

    @classmethod
    def of(cls, found: Verification) -> Self:
        """The wire form."""
        chain = found.chain
        return cls(
            valid=found.first_broken is None,
            first_broken_seq=found.first_broken,
            verified_to=found.verified_to,
            complete=found.complete,
            sealed=chain.end.seq,
            unsealed=chain.unsealed,
            oldest_unsealed_at=chain.oldest_unsealed_at,
            head=HeadReply(seq=chain.end.seq, hash=(chain.end.hash or b"").hex(), sealed_at=chain.sealed_at),
        )


class LedgerDayReply(Reply):
    """A day's calls of models, and what the audit log says of them."""

    day: date
    valid: bool = Field(description="Whether the day is closed, and its ledger entries are those that it was closed with.")
    closed: bool = Field(
        description="Days are closed when they are over and their calls have ended; the audit log then has an entry."
    )
    calls: int
    cost_usd: float
    digest: str = Field(description="SHA-256 over the SHA-256 of each ledger entry of now, in hex.")
    entry: AuditReply | None = Field(description="`ledger.closed`; its `detail` says what the calls came to then.")

    @classmethod
    def of(cls, found: LedgerDay) -> Self:
        """The wire form."""
        return cls(
            day=found.day,
            valid=found.valid,
            closed=found.entry is not None,
            calls=found.now.calls,
            cost_usd=dollars(found.now.cost),
            digest=found.now.digest,
            entry=None if found.entry is None else AuditReply.of(found.entry),
        )


class CallReply(Reply):
    """A call of a model, as the ledger has it."""

    id: UUID
    kind: str
    model: str
    feature: str
    outcome: str
    input_tokens: int
    output_tokens: int
    cost_usd: float

    @classmethod
    def of(cls, call: Call) -> Self:
        """The wire form."""
        return cls(
            id=call.id,
            kind=call.kind,
            model=call.model,
            feature=call.feature,
            outcome=call.outcome,
            input_tokens=call.input_tokens,
            output_tokens=call.output_tokens,
            cost_usd=dollars(call.cost),
        )


class ActivityReply(Reply):
    """One thing that went on: a change, or a call of a model."""

    id: UUID
    at: Instant
    summary: str = Field(description="For people, in English: `ada@example.com deleted document report.pdf`.")
    actor: str
    actor_name: str | None = Field(description="A user's e-mail or an API key's name, while there is one.")
    action: str | None = Field(description="Of a change, as in the audit log.")
    target: str | None
    target_name: str | None
    request_id: str
    call: CallReply | None = Field(description="Of a call of a model: its entry of the ledger.")

    @classmethod
    def of(cls, activity: Activity) -> Self:
        """The wire form."""
        call = None if activity.call is None else CallReply.of(activity.call)
        return cls.model_validate({name: getattr(activity, name) for name in cls.model_fields} | {"call": call})


class DayReply(Reply):
    """How much went on in a day (UTC)."""

    day: date
    changes: int
    calls: int = Field(description="Calls of models that have ended.")
    cost_usd: float

    @classmethod
    def of(cls, day: Day) -> Self:
        """The wire form."""
        return cls(day=day.day, changes=day.changes, calls=day.calls, cost_usd=dollars(day.cost))


class ActivityPage(Page[ActivityReply]):
    """One page, and on the first the last fourteen days in numbers, today's first; they do not go by the filters."""

    days: list[DayReply]
