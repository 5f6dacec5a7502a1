"""The wire contracts of the audit log."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, PlainSerializer

from atrium.audit.canonical import instant
from atrium.audit.models import AuditEntry
from atrium.web.schemas import Reply

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
