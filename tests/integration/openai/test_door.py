"""Nobody's work is done before they are known, and nothing stays reserved for who has left."""

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from atrium.kernel.errors import InvalidInput, Unauthenticated
from atrium.kernel.principal import Principal
from atrium.ledger.models import Kind, Spend
from atrium.tenancy.keys import new_key, parse_key
from atrium.tenancy.models import Caller
from atrium.web.bodies import StrictRequest
from functions.openai.door import Door
from tests.integration.openai.conftest import GPT, Api


@dataclass
class Planned:
    """A call at some price."""

    def spend(self, request_id: str) -> Spend:
        return Spend(Kind.CHAT, GPT, "openai", 1000, request_id=request_id)


class Visits:
    """Requests at one door, and whether each was admitted when its body was read."""

    def __init__(self, api: Api) -> None:
        self.door = Door(api.runtime.ledger)
        self.read: list[bool] = []
        self._state = SimpleNamespace(runtime=api.runtime)

    def request(self, key: str, length: int | None) -> StrictRequest:
        headers = [(b"x-api-key", key.encode())]
        headers += [] if length is None else [(b"content-length", str(length).encode())]
        state = {"caller": Caller("127.0.0.1"), "request_id": "r"}
        scope: dict[str, Any] = {"type": "http", "headers": headers, "state": state, "app": SimpleNamespace(state=self._state)}
        return StrictRequest(Request(scope), self._state.runtime.settings)

    async def enter(self, key: str, length: int | None = 100, wrong: bool = False) -> None:
        request = self.request(key, length)

        async def plan(_: Principal) -> Planned:
            self.read.append(hasattr(request.state, "admitted"))
            if wrong:
                raise InvalidInput("no")
            return Planned()

        await self.door.enter(request, plan)


async def test_only_a_small_body_of_a_whole_key_that_was_here_is_read_before_the_database_is_asked(api: Api) -> None:
    visits = Visits(api)
    for length in (100, 100, 64 * 1024, 64 * 1024 + 1, None):
        await visits.enter(api.key, length)
    assert visits.read == [True, False, False, True, True]
    visits.read.clear()
    forged = new_key(parse_key(api.key).key_id).text  # type: ignore[union-attr]
    with pytest.raises(Unauthenticated):
        await visits.enter(forged)
    assert visits.read == []
    with pytest.raises(InvalidInput):
        await visits.enter(api.key, wrong=True)


async def test_who_leaves_while_room_is_made_leaves_none_reserved(api: Api) -> None:
    visits = Visits(api)
    await visits.enter(api.key)
    (row,) = await (await api.rows.execute("DELETE FROM atrium.ledger_reservations RETURNING id")).fetchall()
    assert row
    for length in (100, None):
        for milliseconds in range(12):
            task = asyncio.create_task(visits.enter(api.key, length))
            await asyncio.sleep(milliseconds / 2000)
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
            if not task.cancelled():
                await api.rows.execute("DELETE FROM atrium.ledger_reservations")
            assert await (await api.rows.execute("SELECT id FROM atrium.ledger_reservations")).fetchall() == []
