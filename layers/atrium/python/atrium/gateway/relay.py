"""The wire path: a chat in OpenAI's shape, relayed to a provider that speaks it, or translated for one that does not.

Whoever calls has reserved what `plan_chat` says; from then on the reservation is settled here, whatever happens: before the
last bytes go out, when a provider fails or breaks off, and when the client leaves.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Final

from atrium.gateway import openai_shape
from atrium.gateway.bounds import LEAST_ANSWER, Plan, count_text, plan, uncautious
from atrium.gateway.metering import Meter, believed, keep
from atrium.gateway.models import ChatCall, Purpose
from atrium.gateway.openai_answers import DONE, Answer, read_usage, usage_within
from atrium.gateway.preparing import ModelSet, prepare
from atrium.gateway.relay_attempts import FEATURE, GRACE, SECONDS, Sent, answered, attempts_of, counted, with_key
from atrium.gateway.relay_streams import Opened, TranslatedStream, WireStream, written
from atrium.gateway.routing import Candidate, Routed
from atrium.gateway.service import GatewayService
from atrium.gateway.wire_fields import LIMITS, check_wire, limit_of
from atrium.kernel.errors import ProviderError
from atrium.kernel.principal import Principal
from atrium.ledger.models import Kind, Outcome, Reservation, Spend
from atrium.providers.base import ChatRequest, Completed, Partial, Usage
from atrium.providers.catalogue import Capability, ChatSpec, Provider, providers
from atrium.providers.openai_relay import OpenAIRelay

_CHAT: Final = "chat/completions"


@dataclass(frozen=True, slots=True)
class Asked:
    """A chat that was read. `request` is set where its model is on another wire; `ignored` is what that has no words for."""

    body: Mapping[str, Any]
    models: ModelSet
    candidate: Candidate
    plan: Plan
    stream: bool
    wants_usage: bool
    answers: int = 1
    request: ChatRequest | None = None
    ignored: tuple[str, ...] = ()

    @property
    def spec(self) -> ChatSpec:
        """The model."""
        return self.candidate.spec

    def spend(self, request_id: str) -> Spend:
        """What is to be reserved for it."""
        # In one sum: a long prompt makes every answer dearer.
        bound = self.spec.price.bound(self.plan.input_tokens, self.plan.max_tokens * self.answers)
        least = None if self.plan.least is None or self.answers > 1 else self.plan.least
        return Spend(Kind.CHAT, self.spec.model, FEATURE, bound, least, SECONDS + GRACE, request_id=request_id)


@dataclass(frozen=True, slots=True)
class Call:
    """A chat with its reservation. `heartbeat`: seconds of silence before a ping; `request_id`: of the request that asks."""

    principal: Principal
    asked: Asked
    reservation: Reservation
    heartbeat: float = 15.0
    request_id: str = ""
    sent: Sent = field(default_factory=Sent)

    def cost(self) -> int:
        """What the attempt under way may cost though nothing came of it: as its provider told, or the most it can have said."""
        return self.asked.spec.price.cost(self.sent.usage or self.usage(0, hidden=not self.asked.stream))

    def usage(self, produced: int, *, hidden: bool = False) -> Usage:
        """Tokens as counted here, `produced` cautiously. `hidden`: nothing is seen before the end, nor is what models think."""
        spec, made = self.asked.spec, uncautious(produced)
        if hidden or spec.reasoning or Capability.STREAMING not in spec.capabilities:
            made = max(made, self.sent.unseen(_affordable(self)) * self.asked.answers)
        return Usage(uncautious(self.asked.plan.input_tokens), made)


@dataclass(frozen=True, slots=True)
class _Whole:
    body: bytes
    usage: Usage | None
    produced: int


class Streaming:
    """A stream that has begun. Close it, also where no frame was asked for."""

    def __init__(self, call: Call, meter: Meter, routed: Routed[Opened]) -> None:
        self._call = call
        self._meter = meter
        self._routed = routed
        self._settled = False

    async def frames(self) -> AsyncGenerator[bytes]:
        """The frames; `[DONE]` goes out when the ledger knows. `ProviderError`, with attempts: the stream broke."""
        try:
            async with aclosing(self._routed.value.pieces()) as pieces:
                async for piece in pieces:
                    yield piece
        except Exception as error:  # whatever a provider sends, its reader is told and the ledger knows
            await self._settle(Outcome.CUT)
            told = error if isinstance(error, ProviderError) else ProviderError("The model's answer cannot be read.")
            told.attempts = told.attempts or attempts_of(self._routed)
            raise told from error
        await self._settle(Outcome.OK)
        yield DONE

    async def close(self) -> None:
        """End the provider's call. Where nobody waited for the end, what was produced so far is settled."""
        try:
            await self._settle(Outcome.CANCELLED)
        finally:
            await self._routed.value.close()

    async def _settle(self, outcome: Outcome) -> None:
        if self._settled:
            return
        opened = self._routed.value
        produced = 0 if opened.usage else opened.tokens
        self._settled = True
        await _settle(self._call, self._meter, outcome, opened.usage, produced, self._routed)


def speaks_openai(spec: ChatSpec) -> bool:
    """Whether bytes can be relayed to the model's provider as they are."""
    provider = providers().get(spec.model.partition("/")[0])
    return provider is not None and provider.wire == "openai" and spec.api == "chat"


async def plan_chat(principal: Principal, models: ModelSet, body: Mapping[str, Any], size: int = 0) -> Asked:
    """What a body of `size` bytes comes to. `body` is checked: see `reading` of the area.

    Errors: UnknownModel, ContextTooLong, InvalidInput, ProviderNotConfigured.
    """
    spec = models.chat(body["model"])
    options = body.get("stream_options") or {}
    stream, wants_usage = bool(body.get("stream")), bool(options.get("include_usage"))
    limit = limit_of(body)
    if not speaks_openai(spec):
        return await _translated(principal, models, body, spec, limit, stream=stream, wants_usage=wants_usage)
    provider = spec.model.partition("/")[0]
    own = providers()[provider].open
    check_wire(body, own=own, priced=not own or spec.price.bound(1, 1) > 0)
    planned = plan(spec, await counted({**body, "model": spec.model}, size), limit)
    candidate = Candidate(spec, await models.credentials(principal, provider), own_key=models.owns_key(provider))
    return Asked(body, models, candidate, planned, stream, wants_usage, answers=body.get("n") or 1)


async def _translated(
    principal: Principal,
    models: ModelSet,
    body: Mapping[str, Any],
    spec: ChatSpec,
    limit: int | None,
    *,
    stream: bool,
    wants_usage: bool,
) -> Asked:
    name = spec.api_name or spec.model.partition("/")[2]
    request = openai_shape.chat_request(body, model=name, max_tokens=limit or spec.max_output, timeout=SECONDS)
    prepared = await prepare(principal, ChatCall((spec.model,), request, Purpose(FEATURE), limit), models)
    ignored = tuple(openai_shape.ignored(body))
    return Asked(body, models, prepared.candidates[0], prepared.plans[0], stream, wants_usage, request=request, ignored=ignored)


class Relay:
    """One per process; shares with the gateway what it knows of models that have been failing."""

    def __init__(self, gateway: GatewayService, wire: OpenAIRelay) -> None:
        self._ledger = gateway.ledger
        self._router = gateway.router
        self._adapter = gateway.speaker
        self._models_of = gateway.models_of
        self._wire = wire

    async def plan(self, principal: Principal, body: Mapping[str, Any], size: int = 0) -> Asked:
        """What a body of `size` bytes comes to, and what of it the model's provider will not be told. Errors as `plan_chat`'s."""
        asked = await plan_chat(principal, await self._models_of(principal), body, size)
        if asked.request is None:
            return asked
        model = await self._adapter(asked.candidate)
        more = model.ignores(asked.request) if isinstance(model, Partial) else ()
        return replace(asked, ignored=tuple(dict.fromkeys((*asked.ignored, *more))))

    async def whole(self, call: Call) -> bytes:
        """The answer's JSON, settled. Errors: ProviderError with attempts.

        Where its client leaves, an answer that was asked for is waited for all the same: it is paid for, and says what it cost.
        """
        work = keep(asyncio.create_task(self._whole(call)))
        work.add_done_callback(_read)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            call.sent.left = True
            raise

    async def _whole(self, call: Call) -> bytes:
        meter = self._meter(call)
        routed = await self._first(call, meter, self._ask)
        answer = routed.value
        outcome = Outcome.CANCELLED if call.sent.left else Outcome.OK
        await _settle(call, meter, outcome, answer.usage, answer.produced, routed)
        return answer.body

    async def stream(self, call: Call) -> Streaming:
        """The answer's stream, once its first frame is there. Errors: ProviderError with attempts."""
        meter = self._meter(call)
        routed = await self._first(call, meter, self._open)
        return Streaming(call, meter, routed)

    def _meter(self, call: Call) -> Meter:
        return Meter(self._ledger, call.principal, call.reservation, call.asked.spend(call.request_id))

    async def _first[T](self, call: Call, meter: Meter, attempt: Callable[[Call, Candidate], Awaitable[T]]) -> Routed[T]:
        async def once(candidate: Candidate) -> T:
            call.sent.begin(meter.reservation.bound - meter.lost)
            with meter.answerless(call.cost):
                return await attempt(call, candidate)

        return await answered(self._router, meter, call.asked.candidate, once)

    async def _ask(self, call: Call, candidate: Candidate) -> _Whole:
        if call.asked.request is not None:
            return await self._ask_translated(call, candidate)
        provider, body = providers()[candidate.provider], wire_body(call)
        reply = await with_key(
            call.principal, call.asked.models, candidate, lambda key: self._wire.whole(provider, key, _CHAT, body)
        )
        try:
            return _read_whole(provider, reply)
        except ProviderError:
            call.sent.usage = usage_within(reply)
            raise

    async def _ask_translated(self, call: Call, candidate: Candidate) -> _Whole:
        answer = Answer(candidate.spec.model)
        model = await self._adapter(candidate)
        async with aclosing(model.stream(_request(call))) as events:
            async for event in events:
                answer.add(event)
        completed = answer.completed
        usage = completed.usage if isinstance(completed, Completed) and completed.counted else None
        return _Whole(answer.whole(), usage, 0 if usage else count_text(answer.produced))

    async def _open(self, call: Call, candidate: Candidate) -> Opened:
        asked = call.asked
        if asked.request is not None:
            translated = TranslatedStream(Answer(candidate.spec.model), wants_usage=asked.wants_usage, heartbeat=call.heartbeat)
            await translated.begin(await self._adapter(candidate), _request(call))
            return translated
        provider, body = providers()[candidate.provider], wire_body(call)
        reader = await with_key(
            call.principal, call.asked.models, candidate, lambda key: self._wire.stream(provider, key, _CHAT, body)
        )
        deadline = asyncio.get_running_loop().time() + SECONDS
        relayed = WireStream(reader, provider.label, wants_usage=asked.wants_usage, heartbeat=call.heartbeat, deadline=deadline)
        await relayed.begin()
        return relayed


async def _settle(call: Call, meter: Meter, outcome: Outcome, usage: Usage | None, produced: int, routed: Routed[Any]) -> None:
    spec = routed.candidate.spec
    used = believed(usage, spec, call.asked.answers) if usage else call.usage(produced)
    cost, told = spec.price.cost(used), attempts_of(routed)
    await meter.settle(outcome, spec.model, cost=cost, usage=used, counted=usage is not None, attempts=told)


def _read(work: asyncio.Task[bytes]) -> None:
    """What went wrong is told to who waits; where nobody does any more, it is not news."""
    _ = work.cancelled() or work.exception()


def wire_body(call: Call) -> bytes:
    """The body as the provider is sent it: with its own name of the model, the usage asked for, one limit."""
    asked = call.asked
    spec, provider = asked.spec, providers()[asked.candidate.provider]
    body = {name: value for name, value in asked.body.items() if name not in LIMITS}
    body["model"] = spec.api_name or spec.model.partition("/")[2]
    if (limit := _limit(call)) is not None:
        body["max_tokens" if provider.open else "max_completion_tokens"] = limit
    if asked.stream:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _request(call: Call) -> ChatRequest:
    assert call.asked.request is not None
    return replace(call.asked.request, max_tokens=_affordable(call))


def _limit(call: Call) -> int | None:
    """Tokens of one answer, always told where they cost something: what was reserved holds by nothing else.

    Where its caller set none, it leaves room for the input by a cautious count, or the provider would refuse both together; and
    a server of one's own, where nothing costs, may write as long as it likes: what is known of its model is a guess.
    """
    planned, affordable = call.asked.plan, _affordable(call)
    if planned.least is None:
        return affordable
    if planned.bound == 0 and providers()[call.asked.candidate.provider].open:
        return None
    return min(affordable, max(LEAST_ANSWER, planned.spec.context_window - planned.input_tokens))


def _affordable(call: Call) -> int:
    """Tokens of one answer."""
    asked, reserved = call.asked, call.sent.reserved
    room = call.reservation.bound if reserved is None else reserved
    return asked.plan.max_tokens if asked.answers > 1 else asked.plan.affordable(room)


def _read_whole(provider: Provider, reply: bytes) -> _Whole:
    try:
        value = json.loads(reply)
        readable = isinstance(value["choices"], list) and value.get("error") is None
    except (ValueError, TypeError, KeyError, RecursionError):
        readable = False
        value = {}
    if not readable:
        raise ProviderError(f"The answer of {provider.label} cannot be read.", charged=True)
    usage = read_usage(value.get("usage"))
    return _Whole(reply, usage, 0 if usage else count_text(written(value)))
