"""Answers kept for the same request of the same tenant: exact match, off unless a request asks for it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from atrium.db import Database
from atrium.gateway import repository
from atrium.gateway.models import Answered, ChatCall, FinishReason
from atrium.kernel.principal import Principal
from atrium.providers.base import Message, ToolCall, Usage

# Changes whenever an answer to the same request would be another by our own doing.
_EDITION: Final = 1
_WHOLE: Final = frozenset({"stop", "tool_calls"})
# What a tenant can keep: answers cost it nothing where their model does not, and their place is everybody's.
MAX_ANSWERS: Final = 2_000
MAX_BYTES: Final = 128 * 1024  # of an answer


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it is kept."""

    model: str
    message: Message
    finish_reason: FinishReason
    usage: Usage

    def to_json(self) -> dict[str, Any]:
        """As a row holds it."""
        return {
            "model": self.model,
            "text": self.message.text,
            "tool_calls": [asdict(call) for call in self.message.tool_calls],
            "finish_reason": self.finish_reason,
            "usage": asdict(self.usage),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Kept":
        """From a row."""
        calls = tuple(ToolCall(**call) for call in row["tool_calls"])
        message = Message("assistant", row["text"], calls)
        return cls(row["model"], message, row["finish_reason"], Usage(**row["usage"]))


class AnswerCache:
    """A tenant's kept answers, by what was asked; nobody else's can be read by any key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, principal: Principal, call: ChatCall, models: tuple[str, ...]) -> Kept | None:
        """The answer to the same request, no older than the call allows."""
        async with self._database.transaction(principal) as tx:
            row = await repository.find_answer(tx, fingerprint(call, models), call.cache_seconds)
        return Kept.from_json(row) if row else None

    async def keep(self, principal: Principal, call: ChatCall, models: tuple[str, ...], answer: Answered) -> None:
        """Keep a whole answer for as long as the call says; what was cut short, by whomever, is not kept.

        Nor is what is very long; and of very many the oldest go.
        """
        if answer.finish_reason not in _WHOLE and (answer.finish_reason != "length" or call.max_tokens is None):
            return
        kept = Kept(answer.model, answer.message, answer.finish_reason, answer.usage).to_json()
        if len(json.dumps(kept)) > MAX_BYTES:
            return
        async with self._database.transaction(principal) as tx:
            await repository.keep_answer(tx, fingerprint(call, models), kept, call.cache_seconds, most=MAX_ANSWERS)


def fingerprint(call: ChatCall, models: tuple[str, ...]) -> bytes:
    """SHA-256 of everything that can change the answer: the models in their order, and the whole request."""
    request = asdict(call.request)
    for settled_elsewhere in ("model", "max_tokens", "timeout"):
        del request[settled_elsewhere]
    asked = {"edition": _EDITION, "models": models, "max_tokens": call.max_tokens, "request": request}
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"), default=_digest)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _digest(value: object) -> str:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(f"{type(value).__name__} is no part of a request")
