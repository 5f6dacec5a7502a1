"""What changes anything leaves an entry in the audit log under its request's id.

A new operation that changes something needs nothing here; one that changes nothing is named, with the reason.
"""

from typing import Any, Final

import psycopg
import pytest

from tests.integration.operations import OPERATIONS
from tests.integration.test_two_tenants import REACH, World, world  # noqa: F401  a fixture

AdminConnection = psycopg.AsyncConnection[dict[str, Any]]

UNAUDITED: Final = {
    "search": "reads",
    "render_prompt": "reads",
    "query": "reads; the model's call is in the ledger, under the request's id",
    "stream_answer": "as query",
    "query_sync": "as query",
    "delete_tenant": "its log goes along; the operator's record, `erasures`, says who asked and when",
}
# They end what the others need; each has a login of its own.
ENDING: Final = ("change_password", "logout", "logout_all")
# Calls of models: the ledger has an entry of each.
CALLS: Final = ("/api/v1/llm/", "/v1/")
CHANGING: Final = sorted(
    name
    for name, (method, path, _) in OPERATIONS.items()
    if name in REACH and method != "GET" and not path.startswith(CALLS) and name not in {*UNAUDITED, *ENDING}
)


async def actions(connection: AdminConnection, request_id: str) -> list[str]:
    """What the log says was done by a request."""
    rows = await connection.execute("SELECT action FROM atrium.audit_log WHERE request_id = %s", [request_id])
    return [row["action"] for row in await rows.fetchall()]


async def test_every_operation_that_changes_something_is_in_the_log(world: World, admin_connection: AdminConnection) -> None:  # noqa: F811
    silent = []
    # Whatever is deleted is changed before.
    for name in sorted(CHANGING, key=lambda each: (OPERATIONS[each][0] == "DELETE", each)):
        thing = REACH[name].thing
        answer = await world.ask(name, world.first if thing else world.second, world.things.get(thing, ""))
        assert answer.status_code < 300, (name, answer.text)
        if not await actions(admin_connection, answer.headers["X-Request-Id"]):
            silent.append(name)
    assert silent == []


@pytest.mark.parametrize("name", ENDING)
async def test_so_are_the_ends_of_sessions(world: World, admin_connection: AdminConnection, name: str) -> None:  # noqa: F811
    answer = await world.ask(name, world.first)
    assert answer.status_code < 300, answer.text
    assert await actions(admin_connection, answer.headers["X-Request-Id"])
