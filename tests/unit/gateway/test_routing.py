"""The order of trying, on a clock that only moves when somebody waits."""

import asyncio
from collections import defaultdict, deque

import pytest

from atrium.gateway.circuits import FAILURES, REST
from atrium.gateway.routing import BASE, CAP, PATIENCE, TRIES, Candidate, Routed, Router
from atrium.kernel.errors import InvalidInput, ProviderError, ProviderRefused, ProviderUnavailable
from atrium.providers.catalogue import chat_spec
from atrium.providers.credentials import Credentials

MINI = Candidate(chat_spec("openai/gpt-4o-mini"), Credentials("a"))
LARGE = Candidate(chat_spec("openai/gpt-4o"), Credentials("a"))
LOCAL = Candidate(chat_spec("local/extractive"), Credentials(""))
DOWN = ProviderUnavailable("is down", status=500)


class World:
    """A router whose waits take no time, and providers that answer as they are told."""

    def __init__(self, jitter: float = 1.0) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        self.asked: list[str] = []
        self.answers: dict[str, deque[Exception | None]] = defaultdict(deque)
        self.router = Router(clock=lambda: self.now, uniform=lambda low, high: low + jitter * (high - low), sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def tell(self, candidate: Candidate, *answers: Exception | None) -> None:
        self.answers[candidate.spec.model].extend(answers)

    async def attempt(self, candidate: Candidate) -> str:
        self.asked.append(candidate.spec.model)
        waiting = self.answers[candidate.spec.model]
        if waiting and (answer := waiting.popleft()) is not None:
            raise answer
        return f"answer of {candidate.spec.model}"

    async def first(self, *candidates: Candidate, seconds: float = 60, tenant: str = "acme") -> Routed[str]:
        return await self.router.first(candidates, self.attempt, deadline=self.now + seconds, tenant=tenant)

    async def fails(self, times: int, tenant: str = "acme", error: ProviderUnavailable = DOWN) -> None:
        """So many calls of a tenant."""
        for _ in range(times):
            self.answers[MINI.spec.model].clear()
            self.tell(MINI, *[error] * TRIES)
            with pytest.raises(ProviderUnavailable):
                await self.first(MINI, tenant=tenant)
        self.answers.clear()


def outcomes(error: ProviderError) -> list[tuple[str, str]]:
    return [(each["model"], each["outcome"]) for each in error.attempts]


async def test_the_first_that_answers_answers() -> None:
    world = World()
    routed = await world.first(MINI, LARGE)
    assert (routed.value, routed.candidate) == ("answer of openai/gpt-4o-mini", MINI)
    assert [each.outcome for each in routed.attempts] == ["ok"]


async def test_waits_double_with_full_jitter_and_end() -> None:
    world = World()
    world.tell(MINI, *[DOWN] * 9)
    with pytest.raises(ProviderUnavailable, match="is down") as caught:
        await world.first(MINI)
    assert world.waits == [BASE, 2 * BASE]
    assert outcomes(caught.value) == [("openai/gpt-4o-mini", "unavailable")] * TRIES
    assert [each["status"] for each in caught.value.attempts] == [500] * TRIES


async def test_retry_after_is_waited_for_where_it_fits() -> None:
    world = World(jitter=0)
    world.tell(MINI, ProviderUnavailable("slow down", status=429, retry_after=7), None)
    routed = await world.first(MINI)
    assert world.waits == [7]
    assert [each.outcome for each in routed.attempts] == ["unavailable", "ok"]


async def test_retry_after_beyond_the_deadline_goes_to_the_next_at_once() -> None:
    world = World()
    world.tell(MINI, ProviderUnavailable("slow down", status=429, retry_after=7))
    routed = await world.first(MINI, LARGE, seconds=5)
    assert (world.waits, routed.candidate) == ([], LARGE)


async def test_nobody_is_kept_waiting_for_long() -> None:
    world = World()
    world.tell(MINI, ProviderUnavailable("slow down", status=429, retry_after=PATIENCE + 1))
    with pytest.raises(ProviderUnavailable) as caught:
        await world.first(MINI)
    assert (world.waits, len(world.asked), caught.value.retry_after) == ([], 1, PATIENCE + 1)


async def test_retry_after_beyond_the_deadline_with_nobody_else_is_told() -> None:
    world = World()
    world.tell(MINI, ProviderUnavailable("slow down", status=429, retry_after=70))
    with pytest.raises(ProviderUnavailable) as caught:
        await world.first(MINI)
    assert (world.waits, caught.value.retry_after) == ([], 70)


async def test_a_long_wait_is_not_worth_it_where_others_are_there() -> None:
    world = World()
    world.tell(MINI, ProviderUnavailable("slow down", status=429, retry_after=CAP + 1))
    assert (await world.first(MINI, LARGE)).candidate == LARGE


@pytest.mark.parametrize("fault", [ProviderRefused("no such tool", 400), InvalidInput("wrong")])
async def test_the_requests_own_fault_is_nobody_elses(fault: ProviderRefused | InvalidInput) -> None:
    world = World()
    world.tell(MINI, fault)
    with pytest.raises(type(fault)):
        await world.first(MINI, LARGE)
    assert world.asked == ["openai/gpt-4o-mini"]


async def test_a_broken_answer_is_not_asked_for_again_but_elsewhere() -> None:
    world = World()
    world.tell(MINI, ProviderError("cannot be read"))
    routed = await world.first(MINI, LARGE)
    assert [each.outcome for each in routed.attempts] == ["failed", "ok"]
    assert world.waits == []


async def test_all_down_tells_everything_that_was_tried() -> None:
    world = World()
    world.tell(MINI, *[DOWN] * 9)
    world.tell(LARGE, ProviderError("no good"))
    with pytest.raises(ProviderError, match="no good") as caught:
        await world.first(MINI, LARGE)
    assert outcomes(caught.value) == [("openai/gpt-4o-mini", "unavailable")] * TRIES + [("openai/gpt-4o", "failed")]


async def test_a_circuit_opens_and_the_others_go_on() -> None:
    world = World()
    await world.fails(FAILURES)
    world.asked.clear()
    routed = await world.first(MINI, LARGE)
    assert world.asked == ["openai/gpt-4o"]
    assert [each.outcome for each in routed.attempts] == ["circuit_open", "ok"]


async def test_all_circuits_open_fails_at_once_and_says_when() -> None:
    world = World(jitter=0)
    await world.fails(FAILURES)
    world.asked.clear()
    with pytest.raises(ProviderUnavailable) as caught:
        await world.first(MINI)
    assert (world.asked, caught.value.retry_after) == ([], REST)
    world.now += REST
    assert (await world.first(MINI)).value == "answer of openai/gpt-4o-mini"


async def test_a_tenants_own_key_has_a_circuit_of_its_own() -> None:
    world = World(jitter=0)
    theirs = Candidate(MINI.spec, Credentials("theirs"))
    await world.fails(FAILURES)
    assert (await world.first(theirs)).value


async def test_what_one_tenant_makes_fail_closes_nobody_elses_door() -> None:
    world = World(jitter=0)
    await world.fails(3 * FAILURES, "evil")
    with pytest.raises(ProviderUnavailable, match="has been failing"):
        await world.first(MINI, tenant="evil")
    assert (await world.first(MINI, tenant="acme")).value


async def test_what_fails_for_two_tenants_is_left_alone_by_all() -> None:
    world = World(jitter=0)
    await world.fails(FAILURES - 1, "acme")
    await world.fails(1, "other")
    with pytest.raises(ProviderUnavailable, match="has been failing"):
        await world.first(MINI, tenant="third")
    world.now += REST
    assert (await world.first(MINI, tenant="third")).value
    assert (await world.first(MINI, tenant="acme")).value


async def test_a_call_counts_once_however_often_it_was_tried() -> None:
    world = World(jitter=0)
    await world.fails(FAILURES - 1)
    assert (await world.first(MINI)).value


@pytest.mark.parametrize("status", [408, 409, 429])
async def test_being_limited_opens_nothing(status: int) -> None:
    world = World(jitter=0)
    await world.fails(3 * FAILURES, error=ProviderUnavailable("slow down", status=status))
    assert (await world.first(MINI)).value


async def test_one_that_hangs_leaves_time_for_the_next() -> None:
    router = Router()

    async def attempt(candidate: Candidate) -> str:
        if candidate is MINI:
            await asyncio.Event().wait()
        return "here"

    routed = await router.first([MINI, LARGE], attempt, deadline=router.now + 0.08, tenant="acme")
    assert [(each.outcome, each.model) for each in routed.attempts] == [("timeout", MINI.spec.model), ("ok", LARGE.spec.model)]


async def test_a_timeout_of_the_attempts_own_is_not_ours() -> None:
    async def attempt(_: Candidate) -> str:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await Router().first([MINI], attempt, deadline=Router().now + 5, tenant="acme")


async def _cancelled_probe(world: World) -> None:
    async def forever(_: Candidate) -> str:
        await asyncio.Event().wait()
        return ""

    task = asyncio.ensure_future(world.router.first([MINI], forever, deadline=world.now + 60, tenant="acme"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_probe_that_was_called_off_leaves_the_place_to_another() -> None:
    world = World(jitter=0)
    await world.fails(FAILURES)
    world.now += REST
    await _cancelled_probe(world)
    assert (await world.first(MINI)).value


async def test_nothing_to_ask_is_unavailable() -> None:
    with pytest.raises(ProviderUnavailable):
        await World().first()
