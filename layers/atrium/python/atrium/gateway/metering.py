"""One call in the ledger: reserved before it goes out, settled whatever becomes of it, and what it has produced so far."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, Protocol
from uuid import UUID

from atrium.gateway.bounds import count_text, uncautious
from atrium.gateway.models import Purpose
from atrium.kernel.errors import ProviderError
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, TenantId
from atrium.ledger.models import Kind, Outcome, Reservation, Settlement, Spend
from atrium.providers.base import ChatEvent, Message, TextDelta, ToolCall, ToolCallDelta, Usage
from atrium.providers.catalogue import ChatSpec

# A call that was not settled so long after its time is of a process that died.
GRACE: Final = 60.0


class Ledger(Protocol):
    """Where money is kept; `atrium.ledger.service.LedgerService` is one."""

    async def reserve(self, principal: Principal, spend: Spend) -> Reservation:
        """Room for a call. `BudgetExceeded` when there is none."""
        ...

    async def settle(self, principal: Principal, call_id: UUID, settlement: Settlement) -> bool:
        """What it came to; False when that was told before."""
        ...

    async def record(self, principal: Principal, spend: Spend, settlement: Settlement) -> object:
        """Both at once, of what is free."""
        ...


def spend_of(kind: Kind, model: str, purpose: Purpose, bound: int, *, least: int | None = None, seconds: float = 900) -> Spend:
    """What the ledger is told of a call before it goes out."""
    return Spend(
        kind,
        model,
        purpose.feature,
        bound,
        least,
        seconds,
        purpose.document_id,
        purpose.job_id,
        purpose.conversation_id,
        purpose.request_id,
    )


def believed(usage: Usage, spec: ChatSpec, answers: int = 1) -> Usage:
    """What a provider says was used, but for what no call of so many answers can use: a window and an answer for each.

    What is free is what it says: of a model that is not listed nobody here knows the window.
    """
    if not spec.price.cost(usage):
        return usage
    most = answers * (spec.context_window + spec.max_output)
    return Usage(min(usage.input_tokens, most), min(usage.output_tokens, most), min(usage.cached_tokens, most))


# Calls that nobody waits for any more, and settlements: a task that nobody holds may be collected before it ends.
_under_way: Final[set[asyncio.Task[Any]]] = set()
_PATIENCE: Final = 5.0  # seconds
_ROUNDS: Final = 3  # calls, those that were called off, and what they settled


async def finish(patience: float = _PATIENCE) -> None:
    """Wait for what goes on by itself, before the database is closed. What takes longer is called off, and settled as such."""
    for _ in range(_ROUNDS):
        mine = {task for task in _under_way if task.get_loop() is asyncio.get_running_loop()}
        if not mine:
            return
        _, late = await asyncio.wait(mine, timeout=patience)
        for task in late:
            task.cancel()


def keep[T](task: asyncio.Task[T]) -> asyncio.Task[T]:
    """Hold a task that goes on also when whoever waits for it is called off."""
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return task


async def reserve(ledger: Ledger, principal: Principal, spend: Spend) -> Reservation:
    """Room for a call. `BudgetExceeded` when there is none."""
    return await given_back(ledger, principal, spend, ledger.reserve(principal, spend))


async def given_back[T](ledger: Ledger, principal: Principal, spend: Spend, reserving: Awaitable[T]) -> T:
    """What `reserving` gives. Who is called off meanwhile gives `spend` back: the database may have said yes already."""
    task = asyncio.ensure_future(reserving)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.shield(_kept(_give_back(ledger, principal, spend, task)))
        raise


async def _give_back(ledger: Ledger, principal: Principal, spend: Spend, task: asyncio.Future[Any]) -> None:
    await asyncio.wait({task})
    if not task.cancelled() and task.exception() is None:
        await ledger.settle(principal, spend.id, Settlement(Outcome.CANCELLED, 0, spend.model))


def _kept[T](work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    return keep(asyncio.ensure_future(work))


class Meter:
    """A reserved call, settled once: the first word counts. `spend` is what was reserved for."""

    def __init__(self, ledger: Ledger, principal: Principal, reservation: Reservation, spend: Spend) -> None:
        self.reservation = reservation
        self.spend: Final = spend
        self._ledger = ledger
        self._principal = principal
        self._began = time.monotonic()
        self._settled = False
        # What attempts may have cost that came to no answer, in nano-dollars: it is added to the settlement.
        self.lost = 0
        self._settled_before = 0

    @property
    def tenant(self) -> TenantId:
        """Whose call it is."""
        return self._principal.tenant_id

    @property
    def unanswered(self) -> int:
        """What attempts may have cost that came to no answer, in nano-dollars, whichever reservation they were settled with."""
        return self._settled_before + self.lost

    async def make_room(self, model: str, bound: int, least: int | None, *, lost_by: str) -> None:
        """Room for another attempt: `model` may cost `bound`, or down to `least` where a budget has less.

        Where lost attempts have used up what was reserved, they are settled as a call of their own, and room is reserved anew:
        a budget never pays for more than it was asked for. BudgetExceeded where there is none.
        """
        if not self.lost or self.reservation.bound - self.lost >= bound:
            return
        await self.settle(Outcome.FAILED, lost_by, counted=False)
        self._settled_before, self.lost = self.unanswered, 0
        spend = replace(self.spend, id=new_id(), model=model, bound=bound, least=least)
        self.reservation = await reserve(self._ledger, self._principal, spend)
        self._settled = False

    @contextmanager
    def answerless(self, cost: Callable[[], int]) -> Iterator[None]:
        """An attempt, whose `cost` is lost where it went out and no answer came: it timed out, or its client left."""
        try:
            yield
        except asyncio.CancelledError:
            self.lost += cost()
            raise
        except ProviderError as error:
            self.lost += cost() if error.charged else 0
            raise

    async def settle(
        self,
        outcome: Outcome,
        model: str,
        *,
        cost: int = 0,
        usage: Usage | None = None,
        counted: bool = True,
        attempts: tuple[Mapping[str, Any], ...] = (),
    ) -> None:
        """Write what the call came to, `cost` and what was lost. Written also when whoever waits for it is called off."""
        if self._settled:
            return
        self._settled = True
        used = usage or Usage()
        spent = round((time.monotonic() - self._began) * 1000)
        settlement = Settlement(
            outcome,
            cost + self.lost,
            model,
            used.input_tokens,
            used.output_tokens,
            used.cached_tokens,
            milliseconds=spent,
            counted=counted and not self.lost,
            attempts=attempts,
        )
        await asyncio.shield(_kept(self._write(settlement)))

    async def _write(self, settlement: Settlement) -> None:
        await self._ledger.settle(self._principal, self.reservation.id, settlement)


class Produced:
    """What a model has said so far."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._calls: dict[int, ToolCall] = {}

    def take(self, event: ChatEvent) -> None:
        """Add an event."""
        if isinstance(event, TextDelta):
            self._text.append(event.text)
        elif isinstance(event, ToolCallDelta):
            known = self._calls.get(event.index, ToolCall("", "", ""))
            arguments = known.arguments + event.arguments
            self._calls[event.index] = ToolCall(known.id or event.id, known.name or event.name, arguments)

    @property
    def message(self) -> Message:
        """The whole turn."""
        return Message("assistant", "".join(self._text), tuple(self._calls[index] for index in sorted(self._calls)))

    def usage(self, input_tokens: int) -> Usage:
        """Tokens as we count them, for a call of which nobody else tells; `input_tokens` are a cautious count."""
        message = self.message
        said = count_text(message.text) + sum(count_text(call.name + call.arguments) for call in message.tool_calls)
        return Usage(uncautious(input_tokens), uncautious(said))

    def cost(self, spec: ChatSpec, input_tokens: int) -> int:
        """What it comes to by that count, in nano-dollars."""
        return spec.price.cost(self.usage(input_tokens))
