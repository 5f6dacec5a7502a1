"""What the routes work with."""

from typing import Annotated

from fastapi import Depends, Query, Request

from atrium.audit.models import AuditFilter
from atrium.audit.reading import AuditService
from atrium.kernel.principal import Principal
from atrium.tenancy.permissions import Permission
from atrium.web.auth import require
from atrium.web.schemas import PlainText, Timestamp


async def audit_service(request: Request) -> AuditService:
    """The audit log of the process's runtime."""
    return AuditService(request.app.state.runtime.database)


async def audit_filter(
    action: Annotated[
        str | None,
        Query(pattern=r"^[a-z_]+(\.[a-z_]+)*$", max_length=100, description="`document.deleted`, or `document` for all of them."),
    ] = None,
    actor: Annotated[PlainText | None, Query(max_length=200, description="`user:<id>`, `api_key:<id>`.")] = None,
    target: Annotated[PlainText | None, Query(max_length=2000, description="`document:<id>`.")] = None,
    request_id: Annotated[PlainText | None, Query(max_length=200, description="A response's `X-Request-Id`.")] = None,
    since: Annotated[Timestamp | None, Query(alias="from", description="Not before this moment.")] = None,
    until: Annotated[Timestamp | None, Query(alias="to", description="Before this moment.")] = None,
) -> AuditFilter:
    """What the log is narrowed to."""
    return AuditFilter(action, actor, target, request_id, since, until)


Audits = Annotated[AuditService, Depends(audit_service)]
AuditReader = Annotated[Principal, require(Permission.AUDIT_READ)]
Filter = Annotated[AuditFilter, Depends(audit_filter)]
