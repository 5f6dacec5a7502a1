"""The wire contracts of usage and limits. Money is in US dollars, as a number that is exact to the nano-dollar."""

import csv
import io
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import Field

from atrium.ledger.models import GroupBy, Limit, Mode, Origin, Period, Scope, Terms, Usage, UsageReport, dollars, nano
from atrium.web.schemas import JsonId, Reply, StrictModel, Timestamp

# What a spreadsheet takes for the beginning of a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\0")
_MOST_DOLLARS: Final = 1_000_000


class Format(StrEnum):
    """How usage is answered."""

    JSON = "json"
    CSV = "csv"


class UsageTotal(Reply):
    """What calls came to."""

    calls: int
    failed: int = Field(description="Of them those that no provider answered.")
    input_tokens: int
    output_tokens: int
    cached_tokens: int = Field(description="Of the input tokens those that the provider had read before.")
    units: int = Field(description="Pages of OCR.")
    cost_usd: float

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """The wire form."""
        numbers = {name: getattr(usage, name) for name in cls.model_fields if name != "cost_usd"}
        return cls(**numbers, cost_usd=dollars(usage.cost))


class UsageLine(UsageTotal):
    """What the calls of one key came to."""

    key: str = Field(description="The day, the model, the id …; empty for calls that have none.")


class UsageReply(Reply):
    """A tenant's usage of some days (UTC, both in it): days in their order, anything else dearest first."""

    group_by: GroupBy
    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    total: UsageTotal = Field(description="Of all calls, also of those whose line is missing.")
    data: list[UsageLine] = Field(description="10,000 at most.")
    truncated: bool = Field(description="Whether there are more lines than `data` has.")

    @classmethod
    def of(cls, group_by: GroupBy, period: Period, report: UsageReport) -> Self:
        """The wire form."""
        return cls(
            group_by=group_by,
            first=period.first,
            last=period.last,
            total=UsageTotal.of(report.total),
            data=[UsageLine.of(each) for each in report.lines],
            truncated=report.truncated,
        )


class LimitIn(StrictModel):
    """A limit; what it does not say is not limited by it."""

    scope: Scope = Field(strict=False)
    id: JsonId = Field(description="The tenant's, the user's or the API key's.")
    monthly_budget_usd: Annotated[float, Field(ge=0, le=_MOST_DOLLARS, allow_inf_nan=False)] | None = Field(
        default=None, description="What may be spent in a calendar month, UTC. 0: only what costs nothing."
    )
    mode: Mode = Field(
        default=Mode.HARD,
        strict=False,
        description="`hard`: calls that do not fit are refused. `soft`: events tell, nothing is refused.",
    )
    rate: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(default=None, description="Requests a second.")

    def terms(self) -> Terms:
        """What it says."""
        budget = self.monthly_budget_usd
        return Terms(None if budget is None else nano(budget), self.mode, self.rate)


class LimitReply(Reply):
    """A limit, and this month's money of whom it limits."""

    scope: Scope
    id: UUID
    set_by: Origin = Field(description="`platform`: the operator, and no admin can change it; `tenant`: your own.")
    monthly_budget_usd: float | None
    mode: Mode
    rate: int | None
    spent_usd: float
    reserved_usd: float = Field(description="By calls under way.")
    calls: int
    updated_at: Timestamp

    @classmethod
    def of(cls, limit: Limit) -> Self:
        """The wire form."""
        terms = limit.terms
        return cls(
            scope=limit.scope,
            id=limit.id,
            set_by=limit.origin,
            monthly_budget_usd=None if terms.monthly_budget is None else dollars(terms.monthly_budget),
            mode=terms.mode,
            rate=terms.rate,
            spent_usd=dollars(limit.spent),
            reserved_usd=dollars(limit.reserved),
            calls=limit.calls,
            updated_at=limit.updated_at,
        )


def as_csv(lines: Iterable[Usage]) -> str:
    """The lines for a spreadsheet, with a head; no cell is a formula, and no amount in powers of ten."""
    text = io.StringIO()
    writer = csv.writer(text)
    numbers = [name for name in UsageTotal.model_fields if name != "cost_usd"]
    writer.writerow(["key", *numbers, "cost_usd"])
    for line in map(UsageLine.of, lines):
        writer.writerow([_cell(line.key), *(getattr(line, name) for name in numbers), f"{line.cost_usd:.9f}"])
    return text.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
