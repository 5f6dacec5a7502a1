"""A reserved call on the wire path: tried as the router says, settled where nobody answers, and asked again with a fresh key."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from atrium.gateway.bounds import uncautious
from atrium.gateway.metering import Meter
from atrium.gateway.preparing import ModelSet
from atrium.gateway.routing import Candidate, Routed, Router
from atrium.kernel.errors import ProviderError
from atrium.kernel.principal import Principal
from atrium.ledger.models import Outcome
from atrium.providers.base import Usage
from atrium.providers.catalogue import ChatSpec, EmbeddingSpec
from atrium.providers.credentials import Credentials
from atrium.providers.openai_relay import KeyRefused

# OpenAI's SDKs wait 600 s for an answer. A reservation is kept for some longer.
SECONDS: Final = 590.0
GRACE: Final = 60.0
FEATURE: Final = "openai"


async def answered[T, S: (ChatSpec, EmbeddingSpec)](
    router: Router,
    meter: Meter,
    candidate: Candidate[S],
    attempt: Callable[[Candidate[S]], Awaitable[T]],
    *,
    input_tokens: int,
) -> Routed[T, S]:
    """The first answer, still to be settled. `input_tokens`: cautiously counted. Errors: ProviderError with attempts, settled."""
    spec = candidate.spec
    try:
        return await router.first([candidate], attempt, deadline=router.now + SECONDS, tenant=meter.tenant)
    except ProviderError as error:
        await meter.settle(Outcome.FAILED, spec.model, attempts=error.attempts)
        raise
    except asyncio.CancelledError:
        # Its client left. Nobody knows what was produced; what was read is paid for.
        usage = Usage(uncautious(input_tokens))
        await meter.settle(Outcome.CANCELLED, spec.model, cost=spec.price.cost(usage), usage=usage, counted=False)
        raise
    except BaseException:
        await meter.settle(Outcome.FAILED, spec.model)
        raise


async def with_key[T, S: (ChatSpec, EmbeddingSpec)](
    principal: Principal, models: ModelSet, candidate: Candidate[S], ask: Callable[[Credentials], Awaitable[T]]
) -> T:
    """Ask, once more with a fresh key where this one is refused and was rotated.

    ProviderError where a key of another owner came into its place: the price that was planned with is not that key's.
    """
    try:
        return await ask(candidate.credentials)
    except KeyRefused:
        fresh = await models.credentials(principal, candidate.provider, refresh=True)
        if fresh == candidate.credentials:
            raise
        if fresh.own != candidate.own_key:
            raise ProviderError(f"The key of {candidate.provider} was changed while it was used. Try again.") from None
        return await ask(fresh)


def attempts_of[T, S: (ChatSpec, EmbeddingSpec)](routed: Routed[T, S]) -> tuple[Mapping[str, Any], ...]:
    """As the ledger and errors tell them."""
    return tuple(each.to_json() for each in routed.attempts)
