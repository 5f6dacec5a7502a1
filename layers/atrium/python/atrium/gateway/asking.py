"""One chat, from the candidates to the end of the answer: asked, told, and settled whatever becomes of it."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from atrium.gateway.bounds import FASTEST
from atrium.gateway.metering import Meter, Produced, believed
from atrium.gateway.models import Answered, ChatCall, GatewayEvent
from atrium.gateway.preparing import Prepared, request_for, retirement
from atrium.gateway.routing import Attempt, Candidate, Routed, Router
from atrium.kernel.errors import AtriumError, ProviderError, ProviderUnavailable
from atrium.ledger.models import Outcome
from atrium.providers.base import ChatEvent, ChatModel, Completed, Partial, Usage
from atrium.providers.catalogue import Capability

ModelOf = Callable[[Candidate], Awaitable[ChatModel]]
_UNCOUNTED: Final = "The provider told no usage: the tokens are counted here."
_SPENT: Final = "The answer ends where the budget does."


@dataclass(frozen=True, slots=True)
class _Opened:
    """An answer that has begun."""

    first: ChatEvent
    rest: AsyncGenerator[ChatEvent]
    ignored: tuple[str, ...]


class Asking:
    """The way of one reserved call. `model_of` gives the adapter that speaks for a candidate."""

    def __init__(self, call: ChatCall, prepared: Prepared, meter: Meter, router: Router, model_of: ModelOf) -> None:
        self._call = call
        self._prepared = prepared
        self._meter = meter
        self._router = router
        self._model_of = model_of
        self._deadline = router.now + call.timeout
        self._produced = Produced()
        # Whoever was asked last: what was produced when the client left was produced by them.
        self._asked: Candidate | None = None
        self._since = router.now

    async def events(self) -> AsyncGenerator[GatewayEvent]:
        """The answer as it comes, then `Answered`, which is settled before it is told.

        A provider's error in the middle has `attempts` too. Closing this in the middle cancels the provider's call and settles
        what was produced.
        """
        attempts: tuple[Attempt, ...] = ()
        try:
            routed = await self._router.first(
                self._prepared.candidates,
                self._open,
                deadline=self._deadline,
                tenant=self._meter.tenant,
                earlier=self._prepared.earlier,
            )
            attempts = routed.attempts
            async with aclosing(routed.value.rest), aclosing(self._told(routed)) as told:
                async for event in told:
                    yield event
        except AtriumError as error:
            await self._failed(error, attempts)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            await self._settle(Outcome.CANCELLED, attempts)
            raise
        except BaseException:
            # A fault of ours: what was produced was produced all the same.
            await self._settle(Outcome.CUT if attempts else Outcome.FAILED, attempts)
            raise

    async def _open(self, candidate: Candidate) -> _Opened:
        plan, before = self._prepared.plan_of(candidate), self._asked or candidate
        await self._meter.make_room(candidate.spec.model, plan.bound, plan.least, lost_by=before.spec.model)
        self._asked, self._since = candidate, self._router.now
        most = plan.affordable(self._meter.reservation.bound - self._meter.lost)
        request = request_for(self._call, candidate, most, self._deadline - self._router.now)
        model = await self._model_of(candidate)
        stream = model.stream(request)
        try:
            with self._meter.answerless(lambda: candidate.spec.price.cost(self._usage(candidate))):
                first = await _first(stream, candidate)
        except BaseException:
            await stream.aclose()
            raise
        return _Opened(first, stream, model.ignores(request) if isinstance(model, Partial) else ())

    async def _told(self, routed: Routed[_Opened]) -> AsyncGenerator[GatewayEvent]:
        event: ChatEvent | None = routed.value.first
        while event is not None:
            if isinstance(event, Completed):
                yield await self._answered(routed, event)
                return
            self._produced.take(event)
            yield event
            event = await anext(routed.value.rest, None)
        raise ProviderUnavailable(f"The answer of {routed.candidate.spec.model} broke off.")

    async def _answered(self, routed: Routed[_Opened], completed: Completed) -> Answered:
        spec, plan = routed.candidate.spec, self._prepared.plan_of(routed.candidate)
        usage = believed(completed.usage, spec) if completed.counted else self._usage(routed.candidate)
        cost, attempts = spec.price.cost(usage), tuple(each.to_json() for each in routed.attempts)
        await self._meter.settle(Outcome.OK, spec.model, cost=cost, usage=usage, counted=completed.counted, attempts=attempts)
        ignored = tuple(f"{spec.model} is not told {name}." for name in routed.value.ignored)
        most = plan.affordable(self._meter.reservation.bound - self._meter.lost)
        short = completed.finish_reason == "length" and most < plan.max_tokens
        own = (*([] if completed.counted else [_UNCOUNTED]), *([_SPENT] if short else []))
        return Answered(
            self._meter.reservation.id,
            spec.model,
            self._produced.message,
            completed.finish_reason,
            usage,
            cost + self._meter.unanswered,
            attempts,
            counted=completed.counted,
            warnings=(*self._call.warnings, *retirement(spec), *ignored, *own),
        )

    async def _failed(self, error: AtriumError, attempts: tuple[Attempt, ...]) -> None:
        """Nobody answered, or an answer broke off: then what it came to was produced."""
        if not attempts:
            tried = error.attempts if isinstance(error, ProviderError) else ()
            model = self._asked.spec.model if self._asked else self._prepared.plans[0].spec.model
            await self._meter.settle(Outcome.FAILED, model, attempts=tuple(tried))
            return
        if isinstance(error, ProviderError):
            cut = replace(attempts[-1], outcome="failed", detail=error.detail)
            attempts = (*attempts[:-1], cut)
            error.attempts = tuple(each.to_json() for each in attempts)
        await self._settle(Outcome.CUT, attempts)

    async def _settle(self, outcome: Outcome, attempts: tuple[Attempt, ...]) -> None:
        """What was produced, as we count it. Where nobody has begun to answer, what was lost is all there is."""
        if self._asked is None or not attempts:
            model = self._asked.spec.model if self._asked else self._prepared.plans[0].spec.model
            await self._meter.settle(outcome, model)
            return
        usage, spec = self._usage(self._asked), self._asked.spec
        told, cost = tuple(each.to_json() for each in attempts), spec.price.cost(usage)
        await self._meter.settle(outcome, spec.model, cost=cost, usage=usage, counted=False, attempts=told)

    def _usage(self, candidate: Candidate) -> Usage:
        """What the one who was asked last has read and written so far, as we count it, also what it keeps to itself."""
        plan = self._prepared.plan_of(candidate)
        seen = self._produced.usage(plan.input_tokens)
        if not candidate.spec.reasoning and Capability.STREAMING in candidate.spec.capabilities:
            return seen
        unseen = math.ceil((self._router.now - self._since) * FASTEST)
        most = plan.affordable(self._meter.reservation.bound - self._meter.lost)
        return replace(seen, output_tokens=max(seen.output_tokens, min(most, unseen)))


async def _first(stream: AsyncGenerator[ChatEvent], candidate: Candidate) -> ChatEvent:
    first = await anext(stream, None)
    if first is None:
        raise ProviderUnavailable(f"The answer of {candidate.spec.model} broke off.", charged=True)
    return first
