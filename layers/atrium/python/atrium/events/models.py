"""An event, as consumers will get it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from atrium.kernel.clock import now
from atrium.kernel.ids import new_id
from atrium.kernel.principal import TenantId


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, once and for ever.

    `type` is dotted: `document.ready`. `subject` is what it is about: `document:<id>`. `payload` is JSON for
    consumers: ids and facts, no secrets.
    """

    tenant_id: TenantId
    type: str
    subject: str
    payload: Mapping[str, Any]
    id: UUID = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
