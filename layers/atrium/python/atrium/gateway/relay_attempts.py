"""A reserved call on the wire path: tried as the router says, settled where nobody answers, and asked again with a fresh key."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from atrium.gateway.bounds import FASTEST, count_body
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
_LARGE: Final = 256 * 1024


@dataclass(slots=True)
class Sent:
    """What is known of the attempt under way while it has no answer. `usage` is what an unreadable one told."""

    left: bool = False  # its client: nobody is asked anew
    reserved: int | None = None  # for this attempt, in nano-dollars; None: what was reserved at first
    usage: Usage | None = None
    _since: float = 0.0

    def begin(self, reserved: int) -> None:
        """An attempt goes out, for which so much is reserved. CancelledError: there is nobody to answer any more."""
        if self.left:
            raise asyncio.CancelledError
        self.reserved = reserved
        self.usage, self._since = None, asyncio.get_running_loop().time()

    def unseen(self, most: int) -> int:
        """Tokens that may have been written since, up to `most`, where nobody saw them."""
        return min(most, math.ceil((asyncio.get_running_loop().time() - self._since) * FASTEST))


async def counted(body: Mapping[str, Any], size: int) -> int:
    """`count_body`, in a thread where `size` bytes would hold up everybody else."""
    return await asyncio.to_thread(count_body, body) if size > _LARGE else count_body(body)


async def answered[T, S: (ChatSpec, EmbeddingSpec)](
    router: Router,
    meter: Meter,
    candidate: Candidate[S],
    attempt: Callable[[Candidate[S]], Awaitable[T]],
) -> Routed[T, S]:
    """The first answer, still to be settled. Errors: ProviderError with attempts, settled with what was lost on the way."""
    spec, spend = candidate.spec, meter.spend

    async def once(candidate: Candidate[S]) -> T:
        await meter.make_room(spec.model, spend.bound, spend.least, lost_by=spec.model)
        return await attempt(candidate)

    try:
        return await router.first([candidate], once, deadline=router.now + SECONDS, tenant=meter.tenant)
    except ProviderError as error:
        await meter.settle(Outcome.FAILED, spec.model, attempts=error.attempts)
        raise
    except asyncio.CancelledError:
        await meter.settle(Outcome.CANCELLED, spec.model)
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
