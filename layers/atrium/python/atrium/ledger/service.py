"""The verbs of money: reserve before a call goes out, settle after, and look at what was spent."""

import logging
from typing import Any, Final
from uuid import UUID

from atrium.audit import record as audit
from atrium.db import Database, Transaction
from atrium.kernel.errors import FieldError, InvalidFields, Unavailable
from atrium.kernel.principal import Operator, Principal, TenantId, worker
from atrium.ledger import repository
from atrium.ledger.holding import reservation_of
from atrium.ledger.models import (
    GroupBy,
    Limit,
    Origin,
    Period,
    Reservation,
    Scope,
    Settlement,
    Spend,
    Terms,
    UsageReport,
    dollars,
)

_log: Final = logging.getLogger(__name__)
# Documents, jobs and conversations can be many; days and models are not.
_MOST_GROUPS: Final = 10_000


class LedgerService:
    """Every call that may cost money goes through it. Its verbs run outside any transaction, each in one round trip."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, principal: Principal, spend: Spend) -> Reservation:
        """Room for a call. Errors: BudgetExceeded; Unavailable (the database: closed).

        Where `spend.bound` does not fit and `spend.least` does, what is left is reserved: `Reservation.bound`. A bound of 0
        always fits.
        """
        return reservation_of(await repository.reserve(self._database, principal, spend), spend)

    async def settle(self, principal: Principal, call_id: UUID, settlement: Settlement) -> bool:
        """Write what a reserved call came to; False when it was settled before. Whatever it cost is written.

        It does not fail: an answer that is there is worth more than its row. What cannot be written is logged, and the sweep
        settles the call at what was reserved.
        """
        for last in (False, True):
            try:
                settled, overshoot = await repository.settle(self._database, principal, call_id, settlement)
            except Unavailable:
                if last:
                    _log.exception("a call stays unsettled", extra={"call": str(call_id), "cost_usd": dollars(settlement.cost)})
                continue
            if settled and overshoot:
                extra = {"call": str(call_id), "model": settlement.model, "overshoot_usd": dollars(overshoot)}
                _log.warning("a call cost more than was reserved for it", extra=extra)
            return settled
        return False

    async def record(self, principal: Principal, spend: Spend, settlement: Settlement) -> bool:
        """Write a call that is over and had nothing to reserve (OCR, local embeddings); False when it was written before.

        Errors: Unavailable.
        """
        return await repository.record(self._database, principal, spend, settlement)

    async def usage(self, principal: Principal, group_by: GroupBy, period: Period) -> UsageReport:
        """The tenant's calls of some days in sums, days in their order, anything else dearest first; 10,000 lines at most."""
        async with self._database.transaction(principal) as tx:
            return await repository.usage(tx, group_by, period, _MOST_GROUPS)

    async def limits(self, principal: Principal, after: tuple[Any, ...] | None, rows: int) -> list[Limit]:
        """A page of the tenant's limits, the operator's among them; `after` as of `position_of` the last one seen."""
        async with self._database.transaction(principal) as tx:
            return await repository.limits(tx, after, rows)

    async def limit(self, principal: Principal, scope: Scope, scope_id: UUID, terms: Terms, request_id: str = "") -> Limit:
        """Set the tenant's own limit for itself, a user or a key; the operator's for the tenant holds besides.

        Errors: InvalidFields for an id that is not there, also another tenant's.
        """
        async with self._database.transaction(principal) as tx:
            known = scope_id == principal.tenant_id if scope is Scope.TENANT else await repository.has_member(tx, scope, scope_id)
            if not known:
                raise _unknown(scope)
            await repository.limit_own(tx, scope, scope_id, terms)
            detail = {
                "set_by": Origin.TENANT.value,
                "monthly_budget_usd": None if terms.monthly_budget is None else dollars(terms.monthly_budget),
                "mode": terms.mode.value,
                "rate": terms.rate,
            }
            await audit(tx, action="limits.changed", target=f"{scope.value}:{scope_id}", detail=detail, request_id=request_id)
            return await _of(tx, scope_id, Origin.TENANT)

    async def limit_tenant(self, operator: Operator, tenant_id: UUID, terms: Terms, request_id: str = "") -> Limit:
        """Set the operator's limit for a tenant; its audit log says so. `InvalidFields` when there is none of that id."""
        if not await repository.limit_tenant(self._database, tenant_id, terms, operator, request_id):
            raise _unknown(Scope.TENANT)
        async with self._database.transaction(worker(TenantId(tenant_id))) as tx:
            return await _of(tx, tenant_id, Origin.PLATFORM)


def _unknown(scope: Scope) -> InvalidFields:
    return InvalidFields((FieldError("/id", f"There is no such {scope.value.replace('_', ' ')}."),))


async def _of(tx: Transaction, scope_id: UUID, origin: Origin) -> Limit:
    (limit,) = [each for each in await repository.limits_of(tx, scope_id) if each.origin is origin]
    return limit


def position_of(limit: Limit) -> tuple[int, UUID, str]:
    """Where a limit stands in the list."""
    return int(limit.scope is not Scope.TENANT), limit.id, limit.origin.value
