"""What is reserved, and what is settled. Amounts are whole nano-dollars: a dollar for a million tokens is 1,000 a token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from atrium.kernel.ids import new_id

NANO: Final = 1_000_000_000


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
