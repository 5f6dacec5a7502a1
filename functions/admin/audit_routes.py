"""Routes of the audit log: parse, call one verb, shape the reply."""

from datetime import timedelta
from typing import Annotated

from fastapi import Query, Response

from atrium.kernel.budget import Budget
from atrium.kernel.clock import now
from atrium.web.pagination import Page, Paged
from atrium.web.problems import problem_responses
from atrium.web.routing import area_router
from functions.admin.audit_schemas import ActivityPage, ActivityReply, AuditReply, DayReply, LedgerDayReply, VerificationReply
from functions.admin.dependencies import Activities, ActivityWhere, AfterSeq, AuditReader, Audits, Day, Filter, Noted

router = area_router(prefix="/admin", tags=["admin"])
NDJSON = "application/x-ndjson"
_EXPORT_LINES = 5000
# Below the 29 seconds that a reply may take.
_VERIFICATION_SECONDS = 20.0


@router.get("/audit")
async def list_audit(principal: AuditReader, audits: Audits, page: Paged, where: Filter) -> Page[AuditReply]:
    """Who did what to what, the newest first."""
    rows = await audits.list_page(principal, where, after=page.after, limit=page.rows)
    return page.page(rows, key=lambda entry: (entry.at, entry.id), shape=AuditReply.of)


@router.get("/audit/verify", responses=problem_responses([409]))
async def verify_audit(principal: AuditReader, audits: Audits, noted: Noted) -> VerificationReply:
    """Compute the hash chain again and compare.

    A long log takes several calls: while `complete` is false, go on with `after_seq` = `verified_to`. With the `seq` and `hash`
    of an earlier answer's `head` as `after_seq` and `after_hash` it also shows that nobody wrote the chain anew since. One
    verification at a time: 409 while another one runs.
    """
    return VerificationReply.of(await audits.verify(principal, noted, Budget(_VERIFICATION_SECONDS)))


@router.get("/audit/ledger", responses=problem_responses([409]))
async def verify_ledger(
    principal: AuditReader,
    audits: Audits,
    day: Annotated[Day | None, Query(description="A day in UTC, `2026-11-20`; else yesterday.")] = None,
) -> LedgerDayReply:
    """Compare a day's calls of models with the digest that the sealed audit log holds of them."""
    return LedgerDayReply.of(await audits.ledger_day(principal, day or now().date() - timedelta(days=1)))


@router.get(
    "/audit/export",
    response_class=Response,
    responses={200: {"description": "Entries.", "content": {NDJSON: {"schema": {"type": "string"}}}}},
)
async def export_audit(
    principal: AuditReader,
    audits: Audits,
    after_seq: AfterSeq = 0,
    limit: Annotated[int, Query(ge=1, le=_EXPORT_LINES, description="How many lines at most.")] = _EXPORT_LINES,
) -> Response:
    """The sealed entries in the chain's order, one JSON object a line; the header `Link` names the next page, where there is one.

    With these lines anybody can compute the chain without us: docs/operations.md tells how.
    """
    lines, last = await audits.export(principal, after=after_seq, limit=limit)
    next_page = f'</api/v1/admin/audit/export?after_seq={last}&limit={limit}>; rel="next"'
    return Response(lines, media_type=NDJSON, headers={} if last is None else {"Link": next_page})


@router.get("/activity")
async def list_activity(principal: AuditReader, activities: Activities, page: Paged, where: ActivityWhere) -> ActivityPage:
    """What went on, for people: changes and calls of models, the newest first. Renewed logins are left out."""
    rows = await activities.list_page(principal, where, after=page.after, limit=page.rows)
    shown = page.page(rows, key=lambda activity: (activity.at, activity.id), shape=ActivityReply.of)
    days = [DayReply.of(day) for day in await activities.days(principal)] if page.after is None else []
    return ActivityPage(data=shown.data, next_cursor=shown.next_cursor, days=days)
