"""What is reserved, and what is settled. Amounts are whole nano-dollars: a dollar for a million tokens is 1,000 a token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID

from atrium.kernel.ids import new_id

NANO: Final = 1_000_000_000


def dollars(amount: int) -> float:
    """Nano-dollars as JSON has them: a number of US dollars, exact to the nano-dollar below some millions."""
    return round(amount / NANO, 9)


def nano(amount: float) -> int:
    """US dollars as they are kept."""
    return round(amount * NANO)


class Kind(StrEnum):
    """What is paid for."""

    CHAT = "chat"
    EMBEDDING = "embedding"
    OCR = "ocr"
    TRAINING = "training"


class Outcome(StrEnum):
    """How a call ended. `unknown`: nobody came back to say, so it was settled at what was reserved."""

    OK = "ok"
    FAILED = "failed"  # the provider did not answer it, or refused it
    CANCELLED = "cancelled"  # its client left; settled for what was produced
    CUT = "cut"  # the provider's stream broke; settled for what was produced
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Spend:
    """What a call is going to be, and the most it can cost.

    `bound` in nano-dollars. `model` is `provider/name`; `feature` is the part of Atrium that asks: `chat`, `openai`, `rag`,
    `search`, `ingestion`, `extraction`. `seconds`: how long the call may take; a call not settled that long after, and some, is
    of a process that died.
    """

    kind: Kind
    model: str
    feature: str
    bound: int
    # A call whose answer's length nobody bounded takes less where a budget has less, down to this; None: all or nothing.
    least: int | None = None
    seconds: float = 900
    document_id: UUID | None = None
    job_id: UUID | None = None
    conversation_id: UUID | None = None
    request_id: str = ""
    id: UUID = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a call came to. `cost` in nano-dollars; `units` are pages of OCR. `model` is what answered, also after a fallback."""

    outcome: Outcome
    cost: int
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    units: int = 0
    milliseconds: int = 0
    counted: bool = True  # by the provider; else by us, from what was produced
    attempts: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Reservation:
    """A call that may go out, to be settled by its `id` whatever comes of it. `bound` is what was reserved."""

    id: UUID
    bound: int
    month: datetime


class Scope(StrEnum):
    """Whose budget it is."""

    TENANT = "tenant"
    USER = "user"
    API_KEY = "api_key"


class Origin(StrEnum):
    """Who set a limit: the operator, or the tenant's own admins."""

    PLATFORM = "platform"
    TENANT = "tenant"


class Mode(StrEnum):
    """What a spent budget does: `hard` refuses calls, `soft` only tells, by events."""

    HARD = "hard"
    SOFT = "soft"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a limit says. `monthly_budget` in nano-dollars, `rate` in requests a second; None: not limited by this one."""

    monthly_budget: int | None
    mode: Mode = Mode.HARD
    rate: int | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit in force, and this month's money of whom it limits."""

    scope: Scope
    id: UUID
    origin: Origin
    terms: Terms
    spent: int
    reserved: int
    calls: int
    updated_at: datetime

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """Of a row of `spending_limits` with its balance."""
        terms = Terms(row["monthly_budget"], Mode(row["mode"]), row["rate"])
        money = row["spent"], row["reserved"], row["calls"]
        return cls(Scope(row["scope"]), row["scope_id"], Origin(row["origin"]), terms, *money, row["updated_at"])


class GroupBy(StrEnum):
    """What usage is told apart by."""

    DAY = "day"
    MODEL = "model"
    PROVIDER = "provider"
    USER = "user"
    API_KEY = "api_key"
    FEATURE = "feature"
    DOCUMENT = "document"
    JOB = "job"
    CONVERSATION = "conversation"


@dataclass(frozen=True, slots=True)
class Period:
    """Days, UTC, both of them in it."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Usage:
    """What the calls of one `key` came to; that of calls without one (no user) is empty. `cost` in nano-dollars."""

    key: str
    calls: int
    failed: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    units: int
    cost: int

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """Of a row of sums."""
        return cls(**{name: row[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class UsageReport:
    """All calls of a period, and what they are by their keys. `truncated`: there are more keys than `lines`."""

    total: Usage
    lines: tuple[Usage, ...]
    truncated: bool
