"""Whatever comes twice, late, out of order, or is killed in the middle: in the end each name serves its last content,
chunk by chunk, once; what was deleted is gone; nothing waits for ever, and no more is under way than may be."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atrium.db import Database
from atrium.documents.ingestion.arrivals import ObjectCreated
from atrium.documents.models import DocumentFilter
from atrium.documents.reprocessing import Again
from atrium.kernel.errors import Conflict, Unavailable
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from tests.factories.documents import World
from tests.factories.tenancy import make_tenant

Connection = psycopg.AsyncConnection[dict[str, Any]]

CONTENTS = [
    "\n\n".join(
        f"# Part {part}\n\n" + " ".join([f"Edition {edition} says {part} of {edition} things."] * 6) for part in range(edition)
    )
    for edition in range(1, 5)
]
CRASHES = ["", "", "get", "put", "start"]
IN_FLIGHT = 2

written = st.tuples(st.sampled_from(["drop", "upload"]), st.integers(0, 1), st.integers(0, len(CONTENTS) - 1))
deleted = st.tuples(st.just("delete"), st.integers(0, 1), st.integers(0, 1))
moved = st.tuples(
    st.sampled_from(["deliver", "deliver", "step", "step", "step", "retry"]), st.integers(0, 9), st.sampled_from(CRASHES)
)
histories = st.lists(st.one_of(written, moved, moved, moved, deleted), min_size=4, max_size=30)


@dataclass
class Execution:
    """An execution and how far it is; the state machine goes on only after a success."""

    payload: dict[str, object]
    done: int = 0
    batches: list[int] = field(default_factory=list)

    def states(self) -> list[tuple[str, int]]:
        embeds = [("embed", batch) for batch in self.batches]
        return [("inspect", 0), ("extract", 0), ("chunk", 0), *embeds, ("publish", 0)]


class Play:
    """A history as it happens, and what has to be true at its end."""

    def __init__(self, world: World, tenant: Principal) -> None:
        self.world = world
        self.tenant = tenant
        self.arrivals: list[ObjectCreated] = []
        self.executions: dict[str, Execution] = {}
        self.expected: dict[str, str] = {}

    async def act(self, verb: str, which: int, how: Any) -> None:
        match verb:
            case "drop":
                self.arrivals.append(await self.world.drop(self.tenant, f"notes/dropped-{which}.md", CONTENTS[how].encode()))
                self.expected[f"dropped-{which}.md"] = CONTENTS[how]
            case "upload":
                await self.upload(f"uploaded-{which}.md", CONTENTS[how])
            case "delete":
                await self.delete(f"{['dropped', 'uploaded'][how]}-{which}.md")
            case "retry":
                await self.retry(which)
            case "deliver" if self.arrivals:
                await self.crashing(how, self.deliver(self.arrivals[which % len(self.arrivals)]))
            case "step" if self.executions:
                execution = list(self.executions.values())[which % len(self.executions)]
                await self.crashing(how, self.step(execution, again=which % 3 == 0))

    async def upload(self, name: str, text: str) -> None:
        document = await self.world.upload(self.tenant, name, text, content_type="text/markdown", collection="notes")
        self.expected[name] = text
        if document.version.object_key in self.world.storage.objects:
            self.arrivals.append(self.world.arrival(document.version.object_key))

    async def delete(self, name: str) -> None:
        for document in await self.world.documents.list_page(self.tenant, DocumentFilter(name=name)):
            await self.world.documents.delete(self.tenant, document.id)
            del self.expected[name]

    async def retry(self, which: int) -> None:
        documents = await self.world.documents.list_page(self.tenant, DocumentFilter())
        for document in documents[which % 3 : which % 3 + 1]:
            try:
                await self.world.reprocessing.reprocess(self.tenant, document.id, Again(), idle=0)
            except Conflict:
                continue
            self.notice()

    async def deliver(self, arrival: ObjectCreated) -> None:
        await self.world.receive(arrival)
        self.notice()

    def notice(self) -> None:
        for name, payload in self.world.workflow.started.items():
            self.executions.setdefault(name, Execution(payload))

    async def step(self, execution: Execution, *, again: bool = False) -> None:
        """The next state; or the last one again, as when its answer was lost."""
        states = execution.states()
        if again and execution.done:
            name, batch = states[min(execution.done, len(states)) - 1]
            await self.world.step(execution.payload, name, batch=batch)
        elif execution.done < len(states):
            name, batch = states[execution.done]
            reply = await self.world.step(execution.payload, name, batch=batch)
            execution.done += 1
            execution.batches = reply["batches"] if name == "chunk" else execution.batches
            if execution.done == len(execution.states()):
                self.world.workflow.ended.add("{document_id}-{version}-{attempt}".format(**execution.payload))
        self.notice()

    async def crashing(self, where: str, work: Any) -> None:
        """Do some work that is killed at its first call of a port, if it makes one."""

        async def crash() -> None:
            raise Unavailable("killed")

        storage, workflow = self.world.storage, self.world.workflow
        storage.before_get, storage.before_put = (crash if where == "get" else None), (crash if where == "put" else None)
        workflow.down = where == "start"
        try:
            await work
        except Unavailable:
            assert where
        finally:
            storage.before_get = storage.before_put = None
            workflow.down = False

    async def drain(self, *, late: bool, overtaking: bool) -> None:
        """Every message comes (again), every execution goes on to its end, the newest first or the oldest; then a sweep."""
        for arrival in self.arrivals[:: -1 if late else 1]:
            await self.deliver(arrival)
        swept = 1
        while swept:
            for execution in list(self.executions.values())[:: -1 if overtaking else 1]:
                while execution.done < len(execution.states()):
                    await self.step(execution)
            swept = await self.world.upkeep.start_waiting(self.tenant.tenant_id, idle=0)
            self.notice()


async def under_way(connection: Connection, tenant: Principal) -> tuple[int, int]:
    """How many versions of living documents executions work on, and how many are not at their end."""
    row = await (await connection.execute(
        """SELECT count(*) FILTER (WHERE v.attempts > 0 AND v.waiting_since IS NULL) AS working, count(*) AS unfinished
           FROM atrium.document_versions v JOIN atrium.documents d ON (d.tenant_id, d.id) = (v.tenant_id, v.document_id)
           WHERE v.tenant_id = %s AND v.status IN ('pending', 'processing') AND d.deleted_at IS NULL""",
        [tenant.tenant_id],
    )).fetchone()  # fmt: skip
    assert row is not None
    return row["working"], row["unfinished"]


def texts(contents: str) -> Iterator[str]:
    """The chunks of a content: one for each part."""
    for part in contents.split("# ")[1:]:
        yield part.strip()


@settings(
    max_examples=40, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(history=histories, late=st.booleans(), overtaking=st.booleans())
async def test_every_history_ends_with_the_last_contents(
    settings: Settings,
    database: Database,
    admin_connection: Connection,
    history: list[tuple[str, int, Any]],
    late: bool,
    overtaking: bool,
) -> None:
    tenant = await make_tenant(admin_connection)
    world = World(settings, database, batch_size=1, ingest_in_flight=IN_FLIGHT)
    play = Play(world, tenant)
    for verb, which, how in history:
        await play.act(verb, which, how)
        assert (await under_way(admin_connection, tenant))[0] <= IN_FLIGHT
    await play.drain(late=late, overtaking=overtaking)
    assert await under_way(admin_connection, tenant) == (0, 0)

    documents = await world.documents.list_page(tenant, DocumentFilter(), limit=100)
    assert {document.name for document in documents} == set(play.expected)
    for document in documents:
        chunks = await world.documents.chunks(tenant, document.id)
        assert [chunk.text for chunk in chunks] == list(texts(play.expected[document.name])), document
        assert {chunk.version for chunk in chunks} == {document.ready_version}
    count = await (await admin_connection.execute(
        "SELECT count(*) AS n FROM atrium.chunks WHERE tenant_id = %s", [tenant.tenant_id]
    )).fetchone()  # fmt: skip
    assert count == {"n": sum(document.version.chunk_count or 0 for document in documents)}
    assert world.keys("work/") == []
    assert {key.split("/")[2] for key in world.keys("text/")} <= {str(document.id) for document in documents}
