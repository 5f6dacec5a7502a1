"""Every operation of the merged document is sent what its schema allows and what it forbids, in process, over a real
database; nothing may answer what it does not declare, accept what it must refuse, or fail.

The seed is fixed and examples are few, so that a run is the same everywhere and takes less than two minutes.
"""

import asyncio
import itertools
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atrium.db import Database
from atrium.web.idempotency import HEADER
from infra.openapi import area_apps
from tests.factories.auth import UNLIMITED, LocalRuntime, WholeApi, bearer, client, make_key, register
from tests.factories.cluster import Cluster

DOCUMENT: Final = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text(encoding="utf-8"))

# A schema cannot say everything. What a valid body may still be refused for, by operation.
REFUSALS: Final = {
    "register": "an e-mail that only looks like one; a text with a lone surrogate or NUL",
    "login": "as register",
    "refresh": "a token is text without NUL and lone surrogates",
    "logout": "as refresh",
    "create_api_key": "an expiry in the past; a name of blanks; NUL",
    "list_api_keys": "a cursor that this list did not make",
    "delete_api_key": "an id in another spelling of a UUID",
    "create_document": "bytes that are not of their declared type; a name without a usable extension; metadata that is no JSON",
    "list_documents": "a foreign cursor; metadata that is no JSON object; NUL",
    "get_document": "as delete_api_key",
    "delete_document": "as delete_api_key",
    "get_status": "as delete_api_key",
    "list_chunks": "as delete_api_key; a foreign cursor",
    "get_download": "as delete_api_key",
    "search": "NUL in the question; a filter of an unknown operator",
    "query": "as search; a model that is not configured",
    "stream_answer": "as query",
    "query_sync": "as query",
}
_REFUSED: Final = ["2xx", "400", "401", "403", "404", "409", "413", "415", "422"]
_PUBLIC: Final = ("healthz", "health", "health_live", "health_ready", "readyz", "signing_keys", "me", "status")
CONFIG: Final = SchemathesisConfig.from_dict(
    {
        "seed": 20261120,
        "generation": {"max-examples": 25},
        "operations": [
            {"include-operation-id": name, "checks": {"positive_data_acceptance": {"expected-statuses": _REFUSED}}}
            for name in REFUSALS
        ],
    }
)


class OneLoop:
    """An application whose requests all run on one event loop, whoever sends them: its database connections live there."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def run[T](self, work: Callable[[], Awaitable[T]]) -> T:
        async def whole() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(whole(), self._loop).result()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        callers = asyncio.get_running_loop()

        async def receive_there() -> Message:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_whole(receive()), callers))

        async def send_there(message: Message) -> None:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_whole(send(message)), callers))

        assert self.app is not None
        served = _whole(self.app(scope, receive_there, send_there))
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(served, self._loop))


async def _whole[T](awaitable: Awaitable[T]) -> T:
    return await awaitable


API: Final = OneLoop()
schema = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)
schema.app = API


class Credentials:
    """A tenant of the run's own. Logging out needs a login each time; everything else an API key of an admin."""

    def __init__(self) -> None:
        self.key: dict[str, str] = {}

    async def make(self) -> None:
        async with client(_app()) as http:
            key = await make_key(http, await register(http), role="admin")
        self.key = {"X-API-Key": key["key"]}

    async def fresh_login(self) -> dict[str, str]:
        async with client(_app()) as http:
            body = {"email": "ada@example.com", "password": "secret123"}
            return bearer((await http.post("/api/v1/auth/login", json=body)).json())


def _app() -> ASGIApp:
    assert API.app is not None
    return API.app


@pytest.fixture(scope="module")
def credentials(cluster: Cluster) -> Iterator[Credentials]:
    API.start()
    with cluster.clone() as name:
        database_settings = cluster.settings(name)
        database = Database(database_settings)
        API.app = WholeApi(area_apps(LocalRuntime(database_settings, database, **UNLIMITED)))
        made = Credentials()
        API.run(made.make)
        yield made
        API.run(database.close)
    API.stop()


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_keeps_its_word(case: Any, credentials: Credentials) -> None:
    is_logout = case.operation.definition.raw["operationId"] == "logout"
    secured = "security" in case.operation.definition.raw
    headers = API.run(credentials.fresh_login) if is_logout else credentials.key if secured else {}
    if is_logout and case.headers:
        # Made up for the other way to authenticate; an empty key is a wrong one.
        case.headers.pop("X-API-Key", None)
    _make_unique(case.headers)
    case.call_and_validate(headers=headers)


_numbers: Final = itertools.count()


def _make_unique(headers: Any) -> None:
    """A key that an earlier case used would hide this one behind "used with a different request"; longest ones stay."""
    if headers and headers.get(HEADER) and len(headers[HEADER]) < 240:
        headers[HEADER] = f"{headers[HEADER]}-{next(_numbers)}"


def test_every_operation_that_may_refuse_valid_data_has_a_reason() -> None:
    ids = {operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()}
    assert ids == (set(REFUSALS) & ids) | set(_PUBLIC)
