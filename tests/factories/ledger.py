"""What tests of money start from: calls, what they came to, and limits, written past row level security where needed."""

from typing import Any
from uuid import UUID

import psycopg

from atrium.kernel.principal import Principal
from atrium.ledger.models import Kind, Outcome, Settlement, Spend

Connection = psycopg.AsyncConnection[dict[str, Any]]
MODEL = "openai/gpt-4o-mini"


def spend(bound: int, **fields: Any) -> Spend:
    """A chat that may cost `bound` nano-dollars."""
    usual: dict[str, Any] = {"kind": Kind.CHAT, "model": MODEL, "feature": "chat", "bound": bound}
    return Spend(**(usual | fields))


def settlement(cost: int, **fields: Any) -> Settlement:
    """A chat that was answered for `cost` nano-dollars."""
    usual: dict[str, Any] = {"outcome": Outcome.OK, "cost": cost, "model": MODEL, "input_tokens": 10, "output_tokens": 5}
    return Settlement(**(usual | fields))


async def set_limit(
    connection: Connection, tenant: Principal, budget: int | None, *, scope: str = "tenant", mode: str = "hard",
    origin: str = "platform", scope_id: UUID | None = None, rate: int | None = None,
) -> None:  # fmt: skip
    """A limit as a row."""
    await connection.execute(
        "INSERT INTO atrium.spending_limits (tenant_id, scope_id, origin, scope, monthly_budget, mode, rate)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, scope_id, origin)"
        " DO UPDATE SET monthly_budget = excluded.monthly_budget, mode = excluded.mode, rate = excluded.rate",
        [tenant.tenant_id, scope_id or tenant.tenant_id, origin, scope, budget, mode, rate],
    )


async def balances(connection: Connection, tenant: Principal) -> dict[tuple[str, UUID], tuple[int, int, int]]:
    """Spent, reserved and calls of this month, by scope and id."""
    rows = await (
        await connection.execute(
            "SELECT scope, scope_id, spent, reserved, calls FROM atrium.ledger_balances WHERE tenant_id = %s"
            " AND month = date_trunc('month', now() AT TIME ZONE 'UTC')",
            [tenant.tenant_id],
        )
    ).fetchall()
    return {(row["scope"], row["scope_id"]): (row["spent"], row["reserved"], row["calls"]) for row in rows}
