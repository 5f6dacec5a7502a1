"""Routes of usage and limits: parse, call one verb, shape the reply."""

from typing import Annotated, Final

from fastapi import Depends, Query, Request, Response

from atrium.kernel.clock import now
from atrium.kernel.errors import FieldError, InvalidFields
from atrium.kernel.principal import Operator, Principal
from atrium.ledger.models import GroupBy, Period, Scope
from atrium.ledger.service import LedgerService, position_of
from atrium.tenancy.permissions import Permission
from atrium.web.auth import require, require_or_operator
from atrium.web.context import request_id
from atrium.web.pagination import Page, Paged
from atrium.web.routing import area_router
from functions.admin.dependencies import Day
from functions.admin.spending_schemas import Format, LimitIn, LimitReply, UsageReply, as_csv

router = area_router(prefix="/admin", tags=["admin"])
_CSV: Final = "text/csv"
_MOST_DAYS: Final = 366
# Whether a CSV has not all lines: `true` or `false`.
_TRUNCATED: Final = "X-Truncated"


async def ledger_service(request: Request) -> LedgerService:
    """The ledger of the process's runtime."""
    return LedgerService(request.app.state.runtime.database)


async def period(
    first: Annotated[Day | None, Query(alias="from", description="The first day, UTC; by default this month's.")] = None,
    last: Annotated[Day | None, Query(alias="to", description="The last day, which is in it; by default today.")] = None,
) -> Period:
    """Which days are asked for."""
    last = last or now().date()
    first = first or last.replace(day=1)
    if not 0 <= (last - first).days < _MOST_DAYS:
        raise InvalidFields((FieldError("/query/from", f"must be at most {_MOST_DAYS - 1} days before `to`, and not after it"),))
    return Period(first, last)


async def answer_format(
    request: Request,
    format: Annotated[Format | None, Query(description="Goes before the header `Accept`.")] = None,  # noqa: A002  the parameter's name
) -> Format:
    """JSON, unless something else is asked for."""
    accepted = request.headers.get("accept", "")
    return format or (Format.CSV if _CSV in accepted and "application/json" not in accepted else Format.JSON)


Ledger = Annotated[LedgerService, Depends(ledger_service)]
UsageReader = Annotated[Principal, require(Permission.USAGE_READ)]
LimitReader = Annotated[Principal, require(Permission.LIMITS_MANAGE)]
LimitWriter = Annotated[Principal | Operator, require_or_operator(Permission.LIMITS_MANAGE)]
RequestId = Annotated[str, Depends(request_id)]


@router.get(
    "/usage",
    response_model=UsageReply,
    responses={200: {"description": "Sums.", "content": {_CSV: {"schema": {"type": "string"}}}}},
)
async def get_usage(
    principal: UsageReader,
    ledger: Ledger,
    days: Annotated[Period, Depends(period)],
    answered: Annotated[Format, Depends(answer_format)],
    group_by: Annotated[GroupBy, Query(description="What it is told apart by.")] = GroupBy.DAY,
) -> UsageReply | Response:
    """What your organisation's calls of models came to. A call belongs to the day it began on.

    There are 10,000 lines at most: `truncated` (of CSV the header `X-Truncated`) tells whether some are missing; `total` has all.
    """
    report = await ledger.usage(principal, group_by, days)
    if answered is Format.CSV:
        name = f"usage-{group_by}-{days.first}-{days.last}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', _TRUNCATED: str(report.truncated).lower()}
        return Response(as_csv(report.lines), media_type=_CSV, headers=headers)
    return UsageReply.of(group_by, days, report)


@router.get("/limits")
async def list_limits(principal: LimitReader, ledger: Ledger, page: Paged) -> Page[LimitReply]:
    """Budgets and rates in force, the organisation's own first, with what is spent this month."""
    rows = await ledger.limits(principal, page.after, page.rows)
    return page.page(rows, key=position_of, shape=LimitReply.of)


@router.put("/limits")
async def put_limit(body: LimitIn, author: LimitWriter, ledger: Ledger, request_id: RequestId) -> LimitReply:
    """Limit the organisation, one of its users or one of its API keys.

    What the operator set for the organisation holds besides: the tighter of the two decides. With the operator's `X-API-Key` it
    is this ceiling that is set, for any organisation.
    """
    if isinstance(author, Operator):
        if body.scope is not Scope.TENANT:
            raise InvalidFields((FieldError("/scope", "The operator limits organisations: tenant."),))
        return LimitReply.of(await ledger.limit_tenant(author, body.id, body.terms(), request_id))
    return LimitReply.of(await ledger.limit(author, body.scope, body.id, body.terms(), request_id))
