"""The ledger's rows, and the calls that write them."""

import json
import math
from collections.abc import Mapping
from typing import Any, Final, LiteralString
from uuid import UUID

from atrium.db import Database, Transaction, load_queries
from atrium.kernel.principal import Operator, Principal, PrincipalKind, TenantId
from atrium.ledger.metrics import listed, metric_name
from atrium.ledger.models import GroupBy, Limit, Period, Scope, Settlement, Spend, Terms, Usage, UsageReport

_queries = load_queries(__package__)
_Row = dict[str, Any]
# More than any call has; what a provider says that is beyond them is nonsense, and must not keep a call from being settled.
_MOST_TOKENS: Final = 10**12
_MOST_NANO: Final = 10**15


async def reserve(database: Database, principal: Principal, spend: Spend) -> _Row:
    """The row of `ledger_hold`."""
    return await _one(database, _queries.reserve, **_own(principal), **spend_params(spend))


async def settle(database: Database, principal: Principal, call_id: UUID, settlement: Settlement) -> tuple[bool, int]:
    """Whether it was not settled before, and by how much it cost more than was reserved."""
    row = await _one(database, _queries.settle, **_own(principal), call_id=call_id, **_result_params(settlement))
    return bool(row["settled"]), int(row["overshoot"] or 0)


async def record(database: Database, principal: Principal, spend: Spend, settlement: Settlement) -> bool:
    """Whether it was not written before."""
    call = spend_params(spend)
    call["planned_model"] = call.pop("model")
    row = await _one(database, _queries.record, **_own(principal), **call, **_result_params(settlement))
    return bool(row["written"])


async def unsettled(relay: Database, most: int) -> list[tuple[TenantId, UUID]]:
    """Tenant and id of calls that nobody came back for, as `atrium_relay`."""
    return [(TenantId(row["tenant_id"]), row["id"]) for row in await relay.call(_queries.unsettled, most=most)]


async def abandon(database: Database, tenant_id: TenantId, call_id: UUID) -> bool:
    """Whether it was such a call, and is settled now."""
    return bool(
        (await _one(database, _queries.abandon, tenant_id=tenant_id, call_id=call_id, metrics=sorted(listed())))["settled"]
    )


async def fold_usage(database: Database) -> int:
    """How many rows of days long ago became part of the deployment's sums."""
    return int((await _one(database, _queries.fold_usage))["folded"])


async def usage_figures(database: Database) -> list[_Row]:
    """The deployment's usage by provider, model and feature."""
    return await database.call(_queries.usage_figures)


async def tell_usage(database: Database) -> list[_Row]:
    """What models were used for since this was called last, by model; nothing of those that were not."""
    return await database.invoke(_queries.usage_tell)


async def ledger_figures(database: Database) -> list[tuple[str, str, float]]:
    """Name, label and value of the ledger's own numbers."""
    return [(row["name"], row["label"], float(row["value"])) for row in await database.call(_queries.ledger_figures)]


async def usage(tx: Transaction, group_by: GroupBy, period: Period, most: int) -> UsageReport:
    """Sums of the transaction's tenant, `most` groups of them."""
    rows = await tx.fetch_all(_queries.usage, group_by=group_by.value, first=period.first, last=period.last, most=most)
    total, *lines = (Usage.from_row(row | {"key": row["key"] or ""}) for row in rows)
    return UsageReport(total, tuple(lines[:most]), truncated=len(lines) > most)


async def limits(tx: Transaction, after: tuple[Any, ...] | None, rows: int) -> list[Limit]:
    """A page of the tenant's limits; `after` is `(scope is not the tenant, id, origin)` of the last one seen."""
    others, after_id, origin = after or (None, None, None)
    place = None if others is None else bool(others)
    found = await tx.fetch_all(
        _queries.limits, scope_id=None, after_others=place, after_id=after_id, after_origin=origin, rows=rows
    )
    return [Limit.from_row(row) for row in found]


async def limits_of(tx: Transaction, scope_id: UUID) -> list[Limit]:
    """Who limits it, at most two: the operator and the tenant."""
    found = await tx.fetch_all(_queries.limits, scope_id=scope_id, after_others=None, after_id=None, after_origin=None, rows=2)
    return [Limit.from_row(row) for row in found]


async def limit_own(tx: Transaction, scope: Scope, scope_id: UUID, terms: Terms) -> None:
    """Set the tenant's limit for itself, a user or a key."""
    await tx.fetch_all(_queries.limit_own, scope=scope.value, scope_id=scope_id, **_terms(terms))


async def limit_tenant(database: Database, tenant_id: UUID, terms: Terms, operator: Operator, request_id: str) -> bool:
    """Whether there is such a tenant; it is limited by the operator, and its audit log says so."""
    who = {"operator": operator.key_id, "proof": operator.digest}
    params = {"tenant_id": tenant_id, "request_id": request_id} | who | _terms(terms)
    return bool((await _one(database, _queries.limit_tenant, **params))["known"])


async def has_member(tx: Transaction, scope: Scope, member: UUID) -> bool:
    """Whether the tenant has such a user or key."""
    row = await tx.fetch_one(_queries.has_member, scope=scope.value, id=member)
    return bool(row and row["known"])


def spend_params(spend: Spend) -> dict[str, Any]:
    """The fields of `ledger_call`, by the names that the queries have. Amounts are text, as of `_within`."""
    return {
        "call_id": spend.id,
        "kind": spend.kind.value,
        "model": spend.model,
        "feature": spend.feature,
        "bound": str(spend.bound),
        "least": None if spend.least is None else str(spend.least),
        "seconds": float(spend.seconds),
        "document_id": spend.document_id,
        "job_id": spend.job_id,
        "conversation_id": spend.conversation_id,
        "request_id": spend.request_id,
    }


def _own(principal: Principal) -> dict[str, Any]:
    """The principal's own scope; a worker has none."""
    worker = principal.kind is PrincipalKind.WORKER
    return {
        "tenant_id": principal.tenant_id,
        "own_scope": None if worker else principal.kind.value,
        "own_id": None if worker else principal.id,
    }


def _result_params(settlement: Settlement) -> dict[str, Any]:
    return {
        "outcome": settlement.outcome.value,
        "cost": _within(settlement.cost, _MOST_NANO),
        "model": settlement.model,
        "input_tokens": _within(settlement.input_tokens, _MOST_TOKENS),
        "output_tokens": _within(settlement.output_tokens, _MOST_TOKENS),
        "cached_tokens": _within(settlement.cached_tokens, _MOST_TOKENS),
        "units": _within(settlement.units, _MOST_TOKENS),
        "milliseconds": _within(settlement.milliseconds, _MOST_TOKENS),
        "counted": settlement.counted,
        "attempts": json.dumps(_storable(list(settlement.attempts))),
        "metric": metric_name(settlement.model),
    }


def _within(number: int, most: int) -> str:
    """The number as text: as one it would have the type of its size, and a statement is prepared anew for each of its types."""
    return str(max(0, min(number, most)))


def _storable(value: object) -> object:
    """JSON as Postgres takes it: providers' words are in it, with whatever they had in them."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(_storable(str(name))): _storable(each) for name, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list | tuple) else value


def _terms(terms: Terms) -> dict[str, Any]:
    return {"budget": terms.monthly_budget, "mode": terms.mode.value, "rate": terms.rate}


async def _one(database: Database, query: LiteralString, **params: object) -> _Row:
    return (await database.invoke(query, **params))[0]
