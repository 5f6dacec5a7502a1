"""What the audit log holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Self
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what. `seq` and `hash` (hex) are None until housekeeping has sealed it."""

    id: UUID
    at: datetime
    actor: str
    action: str
    target: str
    detail: dict[str, Any]
    request_id: str
    seq: int | None
    hash: str | None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """Of a row of `list_entries`."""
        return cls(**row | {"hash": None if row["hash"] is None else row["hash"].hex()})


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What a list is narrowed to; `action` is one, or the first words of several: `document`. `since` <= at < `until`."""

    action: str | None = None
    actor: str | None = None
    target: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain: an entry's number and hash. 0 and None, or zeros, are before the first."""

    seq: int = 0
    hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """An entry as it is hashed: `members` are those of `atrium.audit.canonical`."""

    seq: int
    hash: bytes
    members: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class DayDigest:
    """What a day's calls of models come to: how many, their cost in nano-dollars, a digest of their ledger entries in hex."""

    calls: int
    cost: int
    digest: str


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """A day of the ledger as it is now, and as the sealed audit log has it; None: the day is not closed, or not sealed yet."""

    day: date
    now: DayDigest
    entry: AuditEntry | None

    @property
    def valid(self) -> bool:
        """Whether the day is closed and its calls are those that it was closed with."""
        return self.entry is not None and self.entry.detail == asdict(self.now)


@dataclass(frozen=True, slots=True)
class Chain:
    """A tenant's chain as the database has it: where it should end, the highest number there is, and what waits to be sealed."""

    end: Link
    sealed_at: datetime | None
    last: int
    unsealed: int
    oldest_unsealed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Verification:
    """What was verified of a chain: the entries above `after` up to `verified_to`.

    `first_broken` is the first entry that is not as it was sealed; None: none of those.
    """

    chain: Chain
    after: int
    verified_to: int
    first_broken: int | None = None

    @property
    def complete(self) -> bool:
        """Whether the chain was verified to its end."""
        return self.first_broken is None and self.verified_to == self.chain.end.seq
