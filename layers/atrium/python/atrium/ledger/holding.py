"""What the database says to a call that wants to go out: a reservation, or which budget has no room."""

from datetime import UTC, datetime
from typing import Any, Final

from atrium.kernel.errors import BudgetExceeded
from atrium.ledger.models import NANO, Origin, Reservation, Spend

_WHOSE: Final = {"tenant": "the organisation", "user": "this user", "api_key": "this API key"}
_WAY_OUT: Final = {
    Origin.PLATFORM: "ask the operator of this deployment to raise it",
    Origin.TENANT: "an admin can raise it with PUT /api/v1/admin/limits",
}


def reservation_of(row: dict[str, Any], spend: Spend) -> Reservation:
    """The reservation in a row of `ledger_hold`. `BudgetExceeded` says whose budget, how large and how full it is."""
    if not row["granted"]:
        raise BudgetExceeded(row["scope"], _refusal(row, spend))
    month = row["month"]
    return Reservation(spend.id, row["bound"], datetime(month.year, month.month, 1, tzinfo=UTC))


def _refusal(row: dict[str, Any], spend: Spend) -> str:
    origin = Origin(row["origin"] or Origin.TENANT)
    return (
        f"The monthly budget of {_WHOSE[row['scope']]}, {_money(row['budget'])}, has no room for this call: it may cost "
        f"{_money(spend.bound)}, {_money(row['spent'])} is spent and {_money(row['reserved'])} is reserved by calls under way. "
        f"Allow fewer tokens (max_tokens) or use a cheaper model; {_WAY_OUT[origin]}, or wait for next month."
    )


def _money(amount: int) -> str:
    """`$1.50`, and as many more digits as it needs to be told from nothing."""
    digits = f"{amount / NANO:.9f}".rstrip("0")
    whole, _, fraction = digits.partition(".")
    return f"${whole}.{fraction:0<2}"
