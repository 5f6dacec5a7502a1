"""From a call's model names to candidates that can take it, each with its plan."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Protocol

from atrium.gateway.bounds import Plan, count_input, plan
from atrium.gateway.models import ChatCall
from atrium.gateway.routing import Attempt, Candidate
from atrium.kernel.clock import now
from atrium.kernel.errors import FieldError, InvalidFields, InvalidInput, ProviderNotConfigured
from atrium.kernel.principal import Principal
from atrium.providers.base import ChatRequest, File, Image, Message, Text
from atrium.providers.catalogue import Capability, ChatSpec, EmbeddingSpec, providers
from atrium.providers.credentials import Credentials

_SOON: Final = timedelta(days=30)
_NAMED: Final = 5
_LARGE: Final = 256 * 1024  # characters and bytes
_WORDS: Final = {
    Capability.VISION: "read images",
    Capability.PDF: "read PDF files",
    Capability.TOOLS: "call tools",
    Capability.JSON_SCHEMA: "answer by a JSON schema",
}


class ModelSet(Protocol):
    """The models that a tenant may use, and the keys to ask them with; `atrium.gateway.tenant_models.ModelSet` is one."""

    def chat(self, name: str) -> ChatSpec:
        """The chat model of a name. `UnknownModel` names the nearest."""
        ...

    def embedding(self, name: str) -> EmbeddingSpec:
        """The embedding model of a name. `UnknownModel` names the nearest."""
        ...

    def all(self) -> Iterable[ChatSpec | EmbeddingSpec]:
        """Every model."""
        ...

    async def credentials(self, principal: Principal, provider: str, *, refresh: bool = False) -> Credentials:
        """The key to ask a provider with. `ProviderNotConfigured` names the setting that gives one."""
        ...

    def owns_key(self, provider: str) -> bool:
        """Whether that key is the tenant's own."""
        ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """What can be tried. `plans` stand in the candidates' order; `earlier` are models that could not even be tried."""

    candidates: tuple[Candidate, ...]
    plans: tuple[Plan, ...]
    earlier: tuple[Attempt, ...]

    @property
    def bound(self) -> int:
        """What the dearest can cost, in nano-dollars: whoever answers, it was reserved."""
        return max(each.bound for each in self.plans)

    @property
    def least(self) -> int | None:
        """The least that is worth a try with whoever answers."""
        least = [each.least for each in self.plans if each.least is not None]
        return max(least) if least else None

    def plan_of(self, candidate: Candidate) -> Plan:
        """The candidate's plan."""
        return self.plans[self.candidates.index(candidate)]


async def prepare(principal: Principal, call: ChatCall, models: ModelSet) -> Prepared:
    """Candidates for every model that has a key. Each must be able to do what is asked, also the last: InvalidInput.

    ProviderNotConfigured when none has a key; UnknownModel; ContextTooLong.
    """
    if not call.models:
        raise InvalidFields((FieldError("/model", "a model, or models, must be named"),))
    specs = tuple(dict.fromkeys(models.chat(name) for name in call.models))
    plans = await _plans(call, specs, models)
    candidates: list[Candidate] = []
    usable: list[Plan] = []
    earlier: list[Attempt] = []
    missing: ProviderNotConfigured | None = None
    for each in plans:
        provider = each.spec.model.partition("/")[0]
        try:
            key = await models.credentials(principal, provider)
            candidates.append(Candidate(each.spec, key, own_key=models.owns_key(provider)))
            usable.append(each)
        except ProviderNotConfigured as error:
            missing = missing or error
            earlier.append(Attempt(provider, each.spec.model, "not_configured", detail=error.detail))
    if missing is not None and not candidates:
        raise missing
    return Prepared(tuple(candidates), tuple(usable), tuple(earlier))


def request_for(call: ChatCall, candidate: Candidate, max_tokens: int, timeout: float) -> ChatRequest:
    """The call as one candidate is asked."""
    spec = candidate.spec
    name = spec.api_name or spec.model.partition("/")[2]
    return replace(call.request, model=name, max_tokens=max_tokens, timeout=timeout)


def retirement(spec: ChatSpec) -> tuple[str, ...]:
    """A warning, where the model's provider is about to retire it."""
    if spec.retires is None or spec.retires > (now() + _SOON).date():
        return ()
    return (f"{spec.model} is retired by its provider on {spec.retires.isoformat()}.",)


async def _plans(call: ChatCall, specs: Sequence[ChatSpec], models: ModelSet) -> list[Plan]:
    """A long request is counted in a thread: everybody else would wait for it."""

    def every() -> list[Plan]:
        return [_planned(call, spec, models) for spec in specs]

    long = sum(_length(message) for message in call.request.messages) > _LARGE
    return await asyncio.to_thread(every) if long else every()


def _length(message: Message) -> int:
    if isinstance(message.content, str):
        return len(message.content)
    return sum(len(part.text if isinstance(part, Text) else part.data) for part in message.content)


def _planned(call: ChatCall, spec: ChatSpec, models: ModelSet) -> Plan:
    for needed in _needs(call.request):
        if needed not in spec.capabilities:
            raise InvalidInput(f"{spec.model} cannot {_WORDS[needed]}. {_who_can(needed, models)}")
    if _fetches(call.request) and (known := providers().get(spec.model.partition("/")[0])) and known.open:
        raise InvalidInput(f"{spec.model} is sent pictures as bytes: a server of one's own would fetch their URLs from inside.")
    asked = replace(call.request, model=spec.model)
    return plan(spec, count_input(asked), call.max_tokens)


def _needs(request: ChatRequest) -> list[Capability]:
    parts = [part for message in request.messages for part in _parts(message)]
    needs = [Capability.VISION] if any(isinstance(part, Image) for part in parts) else []
    needs += [Capability.PDF] if any(isinstance(part, File) for part in parts) else []
    needs += [Capability.TOOLS] if request.tools else []
    # An empty schema asks for any JSON, which more models know.
    needs += [Capability.JSON_SCHEMA] if request.response_format and request.response_format.schema else []
    return needs


def _fetches(request: ChatRequest) -> bool:
    return any(isinstance(part, Image) and part.url for message in request.messages for part in _parts(message))


def _parts(message: Message) -> Sequence[Any]:
    return () if isinstance(message.content, str) else message.content


def _who_can(needed: Capability, models: ModelSet) -> str:
    able = [each.model for each in models.all() if isinstance(each, ChatSpec) and needed in each.capabilities]
    return f"Models that can: {', '.join(able[:_NAMED])}." if able else "No model here can."
