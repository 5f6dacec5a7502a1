"""Routes of the audit log: parse, call one verb, shape the reply."""

from atrium.web.pagination import Page, Paged
from atrium.web.routing import area_router
from functions.admin.audit_schemas import AuditReply
from functions.admin.dependencies import AuditReader, Audits, Filter

router = area_router(prefix="/admin", tags=["admin"])


@router.get("/audit")
async def list_audit(principal: AuditReader, audits: Audits, page: Paged, where: Filter) -> Page[AuditReply]:
    """Who did what to what, the newest first."""
    rows = await audits.list_page(principal, where, after=page.after, limit=page.rows)
    return page.page(rows, key=lambda entry: (entry.at, entry.id), shape=AuditReply.of)
