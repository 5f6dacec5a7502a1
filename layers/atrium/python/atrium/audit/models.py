"""What the audit log holds."""

from dataclasses import dataclass
from datetime import datetime
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
