"""What the routes work with."""

import re
from datetime import date
from typing import Annotated, Final, Literal

from fastapi import Depends, Query, Request
from pydantic import AwareDatetime, BeforeValidator, Field

from atrium.audit.activity import ActivityFilter
from atrium.audit.models import AuditFilter, Link
from atrium.audit.reading import ActivityService, AuditService
from atrium.kernel.principal import Principal
from atrium.tenancy.permissions import Permission
from atrium.web.auth import require
from atrium.web.schemas import PlainText

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _spelt(value: object) -> object:
    # The parser below also reads seconds since 1970.
    if isinstance(value, str) and not _RFC3339.fullmatch(value):
        raise ValueError("must be a date and time with an offset, 2026-11-20T09:52:10Z")
    return value


def _day(value: object) -> object:
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("must be a date, 2026-11-20")
    return value


Day = Annotated[date, BeforeValidator(_day), Field(ge=date(1970, 1, 1), le=date(9998, 12, 31))]
"""A day in a query."""
Moment = Annotated[AwareDatetime, BeforeValidator(_spelt)]
"""A moment in a query: RFC 3339 with any offset."""


Actor = Annotated[PlainText | None, Query(max_length=200, description="`user:<id>`, `api_key:<id>`.")]
OfRequest = Annotated[PlainText | None, Query(max_length=200, description="A response's `X-Request-Id`.")]
Since = Annotated[Moment | None, Query(alias="from", description="Not before this moment.")]
Until = Annotated[Moment | None, Query(alias="to", description="Before this moment.")]


async def audit_service(request: Request) -> AuditService:
    """The audit log of the process's runtime."""
    return AuditService(request.app.state.runtime.database)


async def activity_service(request: Request) -> ActivityService:
    """The activity of the process's runtime."""
    return ActivityService(request.app.state.runtime.database)


async def audit_filter(
    action: Annotated[
        str | None,
        Query(pattern=r"^[a-z_]+(\.[a-z_]+)*$", max_length=100, description="`document.deleted`, or `document` for all of them."),
    ] = None,
    actor: Actor = None,
    target: Annotated[PlainText | None, Query(max_length=2000, description="`document:<id>`.")] = None,
    request_id: OfRequest = None,
    since: Since = None,
    until: Until = None,
) -> AuditFilter:
    """What the log is narrowed to."""
    return AuditFilter(action, actor, target, request_id, since, until)


async def activity_filter(
    kind: Annotated[
        Literal["change", "call"] | None,
        Query(description="Changes alone, or calls of models alone, those that embed text among them. Else both, without those."),
    ] = None,
    actor: Actor = None,
    request_id: OfRequest = None,
    since: Since = None,
    until: Until = None,
) -> ActivityFilter:
    """What the activity is narrowed to."""
    everything = kind == "call" or request_id is not None
    return ActivityFilter(kind != "call", kind != "change", everything, actor, request_id, since, until)


AfterSeq = Annotated[int, Query(ge=0, le=2**63 - 1, description="Only entries with a higher `seq`.")]


async def noted_link(
    after_seq: AfterSeq = 0,
    after_hash: Annotated[
        str | None, Query(pattern="^[0-9a-f]{64}$", description="The hash that the entry `after_seq` had when it was noted.")
    ] = None,
) -> Link:
    """Where in the chain to begin."""
    return Link(after_seq, None if after_hash is None else bytes.fromhex(after_hash))


Audits = Annotated[AuditService, Depends(audit_service)]
AuditReader = Annotated[Principal, require(Permission.AUDIT_READ)]
Filter = Annotated[AuditFilter, Depends(audit_filter)]
Noted = Annotated[Link, Depends(noted_link)]
Activities = Annotated[ActivityService, Depends(activity_service)]
ActivityWhere = Annotated[ActivityFilter, Depends(activity_filter)]
