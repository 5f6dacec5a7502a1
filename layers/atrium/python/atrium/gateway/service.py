"""Every model behind one door: routed, metered, and answered from what was kept where a request asks for it."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Final, Literal, Protocol
from uuid import UUID

from atrium.db import Database
from atrium.gateway.adapters import Adapters, Platform
from atrium.gateway.asking import Asking
from atrium.gateway.cache import AnswerCache, Kept
from atrium.gateway.embedding import LOCAL, Embedding
from atrium.gateway.metered import MeteredChat, MeteredEmbedder
from atrium.gateway.metering import GRACE, Ledger, Meter, reserve, spend_of
from atrium.gateway.models import Answered, ChatCall, Embedded, GatewayEvent, Purpose
from atrium.gateway.preparing import ModelSet, Prepared, prepare
from atrium.gateway.routing import Candidate, Router
from atrium.gateway.summaries import FEATURE, INSTRUCTIONS, Summarising, Summary, check_text
from atrium.gateway.tenant_models import TenantModels
from atrium.kernel.errors import ProviderError
from atrium.kernel.principal import Principal
from atrium.ledger.models import Kind, Outcome, Settlement
from atrium.providers.base import ChatModel, Embedder, TextDelta, ToolCallDelta

# What reads scanned pages.
_log: Final = logging.getLogger(__name__)
SEARCH: Final = "search"
OCR: Final = "local/tesseract"


class Parts(Platform, Protocol):
    """What the gateway is built from; `atrium.runtime.Runtime` is one."""

    @property
    def database(self) -> Database:
        """Tenant transactions."""
        ...

    @property
    def ledger(self) -> Ledger:
        """Where money is kept."""
        ...

    @property
    def tenant_models(self) -> TenantModels:
        """What models each tenant has."""
        ...


class GatewayService:
    """One per process: it knows which models have been failing. `router` is a parameter so that tests need not wait."""

    def __init__(self, parts: Parts, router: Router | None = None) -> None:
        self.ledger = parts.ledger
        self._tenant_models = parts.tenant_models
        self.router = router or Router()
        self.adapters = Adapters(parts)
        self._cache = AnswerCache(parts.database)

    async def models_of(self, principal: Principal) -> ModelSet:
        """The models that the principal's tenant has, and its keys."""
        return await self._tenant_models.of(principal)

    async def chat(self, principal: Principal, call: ChatCall) -> AsyncGenerator[GatewayEvent]:
        """The answer as it comes, then `Answered`, exactly once and last. Closing it cancels and settles.

        Errors: UnknownModel, InvalidInput, ContextTooLong, BudgetExceeded, ProviderNotConfigured, ProviderError with `attempts`.
        """
        prepared = await prepare(principal, call, await self.models_of(principal))
        names = tuple(each.spec.model for each in prepared.candidates)
        kept = await self._cache.find(principal, call, names) if call.cache_seconds else None
        if kept is not None:
            for event in await self._replayed(principal, call, kept):
                yield event
            return
        async with aclosing(await self._asked(principal, call, prepared)) as events:
            async for event in events:
                if isinstance(event, Answered) and call.cache_seconds:
                    await self._keep(principal, call, names, event)
                yield event

    async def answer(self, principal: Principal, call: ChatCall) -> Answered:
        """The same, only its end."""
        async with aclosing(self.chat(principal, call)) as events:
            async for event in events:
                if isinstance(event, Answered):
                    return event
        raise ProviderError("The model's answer did not come to an end.")

    async def embed(
        self, principal: Principal, model: str, texts: Sequence[str], kind: Literal["document", "query"], purpose: Purpose
    ) -> Embedded:
        """Vectors of texts, metered. Errors as `chat`'s; none is cut silently."""
        embedding = await self._embedding(principal, purpose)
        await embedding.check(model, texts)
        return await embedding.embed(model, texts, kind)

    async def summarise(
        self,
        principal: Principal,
        text: str | Sequence[str],
        model: str,
        *,
        purpose: Purpose | None = None,
        instructions: str = INSTRUCTIONS,
        max_tokens: int = 500,
        seconds: float = 600,
    ) -> Summary:
        """A summary of a text, or of its pieces in order, of about `max_tokens`; each call is metered by itself.

        Errors as `chat`'s, and InvalidFields for an empty text; ProviderUnavailable when `seconds` do not suffice.
        """
        pieces = [text] if isinstance(text, str) else text
        check_text(pieces)
        spec = (await self.models_of(principal)).chat(model)
        for_what = purpose or Purpose(FEATURE)
        ask = partial(self.chat, principal)
        work = Summarising(ask, spec, for_what, instructions=instructions, max_tokens=max_tokens)
        return await work.run(pieces, seconds)

    async def chat_model(self, principal: Principal, model: str, purpose: Purpose) -> ChatModel:
        """A chat model for another feature: each of its answers is routed and metered for the principal."""
        return MeteredChat(partial(self.chat, principal), model, purpose)

    async def embedder(self, principal: Principal, model: str, purpose: Purpose) -> Embedder:
        """An embedding model for another feature: each of its calls is routed and metered for the principal."""
        if purpose.feature == SEARCH and model.startswith(LOCAL):
            # One question, on this machine: a row of the ledger would take longer than its vector.
            return await self.adapters.embedding(model)
        embedding = await self._embedding(principal, purpose)
        return MeteredEmbedder(await embedding.adapter(model), model, embedding)

    async def record_pages(self, principal: Principal, call: UUID, pages: int, purpose: Purpose) -> None:
        """Pages that were read by OCR, on machines of our own, so at no price; once, by the call's id."""
        spend = replace(spend_of(Kind.OCR, OCR, purpose, 0), id=call)
        await self.ledger.record(principal, spend, Settlement(Outcome.OK, 0, OCR, units=pages))

    async def close(self) -> None:
        """Close what was opened for tenants' own keys."""
        await self.adapters.close()

    async def _asked(self, principal: Principal, call: ChatCall, prepared: Prepared) -> AsyncGenerator[GatewayEvent]:
        first = prepared.candidates[0].spec.model
        spend = spend_of(Kind.CHAT, first, call.purpose, prepared.bound, least=prepared.least, seconds=call.timeout + GRACE)
        meter = Meter(self.ledger, principal, await reserve(self.ledger, principal, spend), spend)
        return Asking(call, prepared, meter, self.router, self.speaker).events()

    async def speaker(self, candidate: Candidate) -> ChatModel:
        """The adapter that speaks to a candidate, with its key."""
        return await self.adapters.chat(candidate.spec.model, candidate.credentials if candidate.own_key else None)

    async def _replayed(self, principal: Principal, call: ChatCall, kept: Kept) -> list[GatewayEvent]:
        """A kept answer in the shape of a new one. The ledger shows it too, at no cost."""
        spend = spend_of(Kind.CHAT, kept.model, call.purpose, 0)
        tried = ({"provider": kept.model.partition("/")[0], "model": kept.model, "outcome": "kept"},)
        await self.ledger.record(principal, spend, Settlement(Outcome.OK, 0, kept.model, attempts=tried))
        message = kept.message
        events: list[GatewayEvent] = [TextDelta(message.text)] if message.text else []
        events += [ToolCallDelta(at, each.id, each.name, each.arguments) for at, each in enumerate(message.tool_calls)]
        return [*events, Answered(spend.id, kept.model, message, kept.finish_reason, kept.usage, 0, (), cached=True)]

    async def _keep(self, principal: Principal, call: ChatCall, names: tuple[str, ...], answer: Answered) -> None:
        """For the next who asks. What is paid for is told also where it cannot be kept."""
        try:
            await self._cache.keep(principal, call, names, answer)
        except Exception:  # noqa: BLE001  whatever is wrong with its keeping, the answer is there, and paid for
            _log.exception("an answer could not be kept")

    async def _embedding(self, principal: Principal, purpose: Purpose) -> Embedding:
        models = await self.models_of(principal)
        return Embedding(self.ledger, self.router, self.adapters, models, principal, purpose)
