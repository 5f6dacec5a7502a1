"""What the gateway is asked, and what it answers with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from atrium.providers.base import ChatRequest, Message, TextDelta, ToolCallDelta, Usage, Vectors

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a call is for, as the ledger tells it apart. `feature`: `chat`, `openai`, `rag`, `search`, `ingestion`, `summary`."""

    feature: str
    document_id: UUID | None = None
    job_id: UUID | None = None
    conversation_id: UUID | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class ChatCall:
    """A chat: `models` in order of preference, by any of their names. The `request`'s own model and timeout do not matter, and
    its `max_tokens` only where `max_tokens` is told; None: as long as the model writes and the budget has room for.

    `timeout`: seconds for everything. `cache_seconds`: an answer to the same request may be as old, and this one is kept so long;
    0: neither.
    """

    models: tuple[str, ...]
    request: ChatRequest
    purpose: Purpose
    max_tokens: int | None = None
    cache_seconds: int = 0
    timeout: float = 300.0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """The end of an answer, always last: all of it, by whom and for how much. `id` is the ledger's; `cost` in nano-dollars.

    `cached`: it was kept from an earlier call, and costs nothing. `counted` False: the provider told no usage.
    """

    id: UUID
    model: str
    message: Message
    finish_reason: FinishReason
    usage: Usage
    cost: int
    attempts: tuple[Mapping[str, Any], ...] = ()
    cached: bool = False
    counted: bool = True
    warnings: tuple[str, ...] = ()


GatewayEvent = TextDelta | ToolCallDelta | Answered


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors, by whom and for how much; `cost` in nano-dollars."""

    id: UUID
    model: str
    vectors: Vectors
    input_tokens: int
    cost: int
    attempts: tuple[Mapping[str, Any], ...] = field(default=())
