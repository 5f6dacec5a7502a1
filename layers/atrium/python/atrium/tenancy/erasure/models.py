"""How far a tenant's erasure is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from atrium.kernel.principal import TenantId


@dataclass(frozen=True, slots=True)
class Erasure:
    """What the operator keeps of a tenant. `emptied_at`: nothing was left; `finished_at`: nor later, and nobody looks again."""

    tenant_id: TenantId
    requested_at: datetime
    rows_removed: int
    objects_removed: int
    emptied_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """From a row of `erasures`."""
        return cls(**{name: row[name] for name in cls.__slots__})
