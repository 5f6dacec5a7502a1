"""The order of trying: one candidate after the other, each with retries, none that has been failing for a while.

An attempt has succeeded when the first event, or the head of the response, is there; what breaks after that is not tried
elsewhere, because its reader has seen the beginning.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from atrium.gateway.circuits import Circuits, Way
from atrium.kernel.errors import ProviderError, ProviderRefused, ProviderUnavailable
from atrium.providers.catalogue import ChatSpec, EmbeddingSpec
from atrium.providers.credentials import Credentials

_log: Final = logging.getLogger(__name__)

# Attempts at one candidate; between them a wait of anything up to 0.25 s, 0.5 s, … 8 s (full jitter), or what the provider says.
TRIES: Final = 3
BASE: Final = 0.25
CAP: Final = 8.0
# A caller is kept waiting for so many seconds at most; for longer it is told to come again.
PATIENCE: Final = 20.0
# The provider is there, and busy with something: another call, or this tenant's many.
_LIMITED: Final = frozenset({408, 409, 429})

AttemptOutcome = Literal["ok", "unavailable", "timeout", "refused", "failed", "circuit_open", "not_configured"]


@dataclass(frozen=True, slots=True)
class Candidate[S: (ChatSpec, EmbeddingSpec) = ChatSpec]:
    """A model to ask, and the key to ask with."""

    spec: S
    credentials: Credentials
    own_key: bool = False  # it is the tenant's own

    @property
    def provider(self) -> str:
        """Its provider's name."""
        return self.spec.model.partition("/")[0]


AnyCandidate = Candidate[ChatSpec] | Candidate[EmbeddingSpec]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. `model` is `provider/name`; `status` is what the provider answered, where it did; `detail` is fit to be shown."""

    provider: str
    model: str
    outcome: AttemptOutcome
    status: int | None = None
    milliseconds: int = 0
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """As in responses, problems and the ledger."""
        return {
            "provider": self.provider,
            "model": self.model,
            "outcome": self.outcome,
            "status": self.status,
            "milliseconds": self.milliseconds,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Routed[T, S: (ChatSpec, EmbeddingSpec) = ChatSpec]:
    """What the `candidate` that answered gave, and everything that was tried, the successful attempt last."""

    value: T
    candidate: Candidate[S]
    attempts: tuple[Attempt, ...]


@dataclass(slots=True)
class _Trial:
    """What came of one candidate: a value, or why there is none. `tenant` is whose call it is."""

    tenant: Hashable
    attempts: list[Attempt] = field(default_factory=list)
    error: ProviderError | None = None


class Router:
    """One per process. `clock` (seconds), `uniform` and `sleep` are parameters so that tests need not wait."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._uniform = uniform
        self._sleep = sleep
        self._circuits = Circuits(clock)

    @property
    def now(self) -> float:
        """The moment on the clock that deadlines are on."""
        return self._clock()

    async def first[T, S: (ChatSpec, EmbeddingSpec)](
        self,
        candidates: Sequence[Candidate[S]],
        attempt: Callable[[Candidate[S]], Awaitable[T]],
        *,
        deadline: float,
        tenant: Hashable,
        earlier: Sequence[Attempt] = (),
    ) -> Routed[T, S]:
        """The first answer to a tenant, in the candidates' order, before `deadline` on this router's clock.

        `ProviderUnavailable` is retried where it was, then passed on to the next; any other `ProviderError` is passed on at once.
        What the provider refuses, and InvalidInput, is the request's own fault and raised as it is. When nobody answers, the
        last error is raised. A provider's error has `attempts`, beginning with `earlier`: what the caller gave up itself.
        """
        tried = list(earlier)
        error: ProviderError = ProviderUnavailable("There is no model to ask.")
        for place, candidate in enumerate(candidates):
            trial = _Trial(tenant, tried)
            others = len(candidates) - place - 1
            answer = await self._try(candidate, attempt, deadline, others, trial)
            if answer is not None:
                return Routed(answer[0], candidate, tuple(tried))
            error = trial.error or error
        error.attempts = _json(tried)
        raise error

    async def _try[T, S: (ChatSpec, EmbeddingSpec)](
        self,
        candidate: Candidate[S],
        attempt: Callable[[Candidate[S]], Awaitable[T]],
        deadline: float,
        others: int,
        trial: _Trial,
    ) -> tuple[T] | None:
        """The answer in a tuple, or None with `trial.error` set."""
        way = self._circuits.way((candidate.spec.model, candidate.credentials), trial.tenant)
        for retry in range(TRIES):
            if not way.admit(self._clock()):
                self._leave_alone(candidate, way, trial)
                return None
            # With others to ask, one that hangs may not use up their time.
            limit = (deadline - self._clock()) / (others + 1)
            began = self._clock()
            try:
                answer = await _within(limit, candidate, attempt)
            except ProviderError as failure:
                self._note(_outcome(failure), failure, began, candidate, trial)
                self._tell(way, failure)
                if isinstance(failure, ProviderRefused):
                    failure.attempts = _json(trial.attempts)
                    raise
                trial.error = failure
            except BaseException:  # called off, or wrong before it went out: it tells nothing of the provider
                way.called_off()
                raise
            else:
                way.succeeded()
                self._note("ok", None, began, candidate, trial)
                return (answer,)
            wait = self._wait(trial.error, retry, deadline, others)
            if wait is None:
                return None
            await self._sleep(wait)
        return None

    def _tell(self, way: Way, failure: ProviderError) -> None:
        """What is refused, or cannot be read, shows that somebody is there; being limited tells nothing of the next call."""
        if not isinstance(failure, ProviderUnavailable):
            way.succeeded()
        elif failure.status in _LIMITED:
            way.called_off()
        else:
            way.failed(self._clock())

    def _note(
        self, outcome: AttemptOutcome, failure: ProviderError | None, began: float, candidate: AnyCandidate, trial: _Trial
    ) -> None:
        spent = round((self._clock() - began) * 1000)
        status, detail = getattr(failure, "status", None), failure.detail if failure else ""
        trial.attempts.append(Attempt(candidate.provider, candidate.spec.model, outcome, status, spent, detail))

    def _wait(self, failure: ProviderError, retry: int, deadline: float, others: int) -> float | None:
        """Seconds before the next attempt; None: there is none at this candidate."""
        if not isinstance(failure, ProviderUnavailable) or isinstance(failure, _Late) or retry == TRIES - 1:
            return None
        wait = self._uniform(0, min(CAP, BASE * 2**retry))
        if failure.retry_after is not None:
            # Somebody else may answer sooner than one who wants to be left alone for long; so may its own caller come again.
            if failure.retry_after > (CAP if others else PATIENCE):
                return None
            wait = max(wait, failure.retry_after)
        return wait if self._clock() + wait < deadline else None

    def _leave_alone(self, candidate: AnyCandidate, way: Way, trial: _Trial) -> None:
        rest = way.seconds_left(self._clock())
        detail = f"{candidate.spec.model} has been failing and is asked again in {rest:.0f} s."
        trial.attempts.append(Attempt(candidate.provider, candidate.spec.model, "circuit_open", detail=detail))
        # What failed in this very call tells more than that the circuit opened over it.
        trial.error = trial.error or ProviderUnavailable(detail, retry_after=rest)
        _log.warning("the circuit of %s is open for %.1f s", candidate.spec.model, rest)


class _Late(ProviderUnavailable):
    """The attempt's time is over: another would have none."""


async def _within[T, S: (ChatSpec, EmbeddingSpec)](
    seconds: float, candidate: Candidate[S], attempt: Callable[[Candidate[S]], Awaitable[T]]
) -> T:
    timer = asyncio.timeout(max(seconds, 0))
    try:
        async with timer:
            return await attempt(candidate)
    except TimeoutError as error:
        if not timer.expired():
            raise
        raise _Late(f"{candidate.spec.model} did not answer in time.") from error


def _outcome(failure: ProviderError) -> AttemptOutcome:
    match failure:
        case _Late():
            return "timeout"
        case ProviderUnavailable():
            return "unavailable"
        case ProviderRefused():
            return "refused"
    return "failed"


def _json(attempts: Sequence[Attempt]) -> tuple[Mapping[str, Any], ...]:
    return tuple(each.to_json() for each in attempts)
