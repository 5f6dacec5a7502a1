"""The same key and body again: done once, answered again; while it runs 409, with another body 422."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

import httpx
import psycopg
import pytest
from fastapi import FastAPI, Request, UploadFile
from starlette.responses import StreamingResponse

from atrium.kernel.errors import Conflict, Unavailable
from atrium.kernel.principal import Principal
from atrium.ports.keyring import new_keyring
from atrium.tenancy.permissions import Permission
from atrium.web.app import create_area
from atrium.web.auth import require
from atrium.web.idempotency import Idempotent
from atrium.web.routing import area_router
from atrium.web.schemas import StrictModel
from functions.auth.routes import auth
from tests.factories.auth import LocalRuntime, bearer, client, make_key, register

Admin = psycopg.AsyncConnection[dict[str, Any]]
Writer = Annotated[Principal, require(Permission.DOCUMENTS_WRITE)]


class Order(StrictModel):
    what: str
    how: str = "well"


class Workshop:
    """Where orders are carried out; the test decides how it goes."""

    def __init__(self) -> None:
        self.made: list[UUID] = []
        self.started = asyncio.Event()
        self.may_finish = asyncio.Event()
        self.may_finish.set()
        self.failures: list[Exception] = []


def make_app(runtime: LocalRuntime, workshop: Workshop) -> FastAPI:
    router = area_router(prefix="/orders")

    @router.post("", status_code=201)
    async def order(body: Order, principal: Writer, claim: Idempotent) -> dict[str, str]:
        workshop.started.set()
        await workshop.may_finish.wait()
        if workshop.failures:
            raise workshop.failures.pop()
        workshop.made.append(claim.resource_id)
        return {"id": str(claim.resource_id), "what": body.what}

    @router.post("/other")
    async def other(body: Order, principal: Writer, claim: Idempotent) -> str:
        return str(claim.resource_id)

    @router.post("/file")
    async def file(file: UploadFile, principal: Writer, claim: Idempotent, request: Request) -> str:
        workshop.made.append(claim.resource_id)
        return f"{claim.resource_id} {len(await file.read())} {request.url.query}"

    @router.post("/stream")
    async def stream(principal: Writer) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            workshop.made.append(UUID(int=0))
            yield b"x"

        return StreamingResponse(pieces())

    return create_area("orders", router, auth, _keys(), runtime=runtime)


def _keys() -> Any:
    from functions.auth.routes import api_keys

    return api_keys


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
def app(runtime: LocalRuntime, workshop: Workshop) -> FastAPI:
    return make_app(runtime, workshop)


@pytest.fixture
async def ordering(app: FastAPI, session: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app, **bearer(session)) as http:
        yield http


async def place(
    http: httpx.AsyncClient, what: str = "chair", key: str = "key-1", path: str = "", **headers: str
) -> httpx.Response:
    return await http.post(f"/api/v1/orders{path}", json={"what": what}, headers={"Idempotency-Key": key, **headers})


# As if the function had died between its work and storing the answer, and its lease were over.
UNANSWERED = """
UPDATE atrium.idempotency_keys
   SET state = 'running', status = NULL, headers = NULL, response = NULL, lease_until = now() - interval '1 second'"""


async def ask_for_key(http: httpx.AsyncClient) -> httpx.Response:
    return await http.post("/api/v1/api-keys", json={"name": "k"}, headers={"Idempotency-Key": "k"})


async def key_status(http: httpx.AsyncClient, key: str) -> int:
    return (await http.get("/api/v1/auth/me", headers={"X-API-Key": key})).status_code


class TestReplay:
    async def test_the_second_request_gets_the_first_ones_answer(self, ordering: httpx.AsyncClient, workshop: Workshop) -> None:
        first, second = await place(ordering), await place(ordering)
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert "idempotency-replayed" not in first.headers
        assert second.headers["idempotency-replayed"] == "true"
        assert second.headers["content-type"] == first.headers["content-type"]
        assert len(workshop.made) == 1

    async def test_without_a_key_each_is_its_own(self, ordering: httpx.AsyncClient, workshop: Workshop) -> None:
        for _ in range(2):
            await ordering.post("/api/v1/orders", json={"what": "chair"})
        assert len(set(workshop.made)) == 2

    async def test_the_same_body_written_otherwise_is_the_same(self, ordering: httpx.AsyncClient, workshop: Workshop) -> None:
        for raw in (b'{"what": "chair", "how": "well"}', b'{"how":"w\\u0065ll","what":"chair"}'):
            headers = {"Idempotency-Key": "k", "content-type": "application/json"}
            assert (await ordering.post("/api/v1/orders", content=raw, headers=headers)).status_code == 201
        assert len(workshop.made) == 1

    async def test_an_alias_is_the_same_route(self, ordering: httpx.AsyncClient, workshop: Workshop) -> None:
        await place(ordering)
        headers = {"Idempotency-Key": "key-1"}
        assert (await ordering.post("/api/orders", json={"what": "chair"}, headers=headers)).status_code == 201
        assert len(workshop.made) == 1

    async def test_a_secret_is_not_stored(self, ordering: httpx.AsyncClient, admin_connection: Admin) -> None:
        answers = [
            (await ordering.post("/api/v1/api-keys", json={"name": "k"}, headers={"Idempotency-Key": "k"})).json()
            for _ in range(2)
        ]
        assert answers[0]["key"].startswith("atr_live_")
        assert answers[1] == answers[0] | {"key": "[shown once]"}
        row = await (await admin_connection.execute("SELECT response FROM atrium.idempotency_keys")).fetchone()
        assert row is not None
        assert answers[0]["key"].encode() not in row["response"]


class TestScope:
    async def test_another_body_is_a_mismatch(self, ordering: httpx.AsyncClient, workshop: Workshop) -> None:
        await place(ordering)
        answer = await place(ordering, "table")
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:atrium:problem:idempotency-mismatch")
        assert len(workshop.made) == 1

    async def test_another_query_is_a_mismatch(self, ordering: httpx.AsyncClient) -> None:
        await place(ordering)
        assert (await place(ordering, path="?x=1")).status_code == 422

    async def test_another_route_principal_or_tenant_has_keys_of_its_own(
        self, ordering: httpx.AsyncClient, session: dict[str, Any], app: FastAPI
    ) -> None:
        mine = (await place(ordering)).json()["id"]
        key = await make_key(ordering, session)
        async with client(app) as http:
            eve = await register(http, "eve@example.com", "Other")
            others = [
                (await place(ordering, path="/other")).json(),
                (await place(http, **{"X-API-Key": key["key"]})).json()["id"],
                (await place(http, **bearer(eve))).json()["id"],
            ]
        assert len({mine, *others}) == 4

    @pytest.mark.parametrize("key", [b"", b" ", b"a b", b"\xc3\xa9", b"x" * 256, b"\xff"])
    async def test_a_key_is_visible_ascii(self, ordering: httpx.AsyncClient, key: bytes) -> None:
        answer = await ordering.post("/api/v1/orders", json={"what": "chair"}, headers=[(b"Idempotency-Key", key)])
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/header/Idempotency-Key"

    async def test_files_count_by_their_content_name_and_fields(self, ordering: httpx.AsyncClient, workshop: Workshop) -> None:
        async def send(content: bytes, name: str = "a.txt") -> httpx.Response:
            files = {"file": (name, content, "text/plain")}
            return await ordering.post("/api/v1/orders/file", files=files, headers={"Idempotency-Key": "k"})

        first, again = await send(b"abc"), await send(b"abc")
        assert first.json().split()[1] == "3"
        assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
        assert (await send(b"abd")).status_code == 422
        assert (await send(b"abc", "b.txt")).status_code == 422
        assert len(workshop.made) == 1


class TestRunning:
    async def test_while_it_runs_the_second_is_409(self, ordering: httpx.AsyncClient, workshop: Workshop) -> None:
        workshop.may_finish.clear()
        first = asyncio.create_task(place(ordering))
        await workshop.started.wait()
        second = await place(ordering)
        assert (second.status_code, second.json()["type"]) == (409, "urn:atrium:problem:conflict")
        workshop.may_finish.set()
        assert (await first).status_code == 201
        assert len(workshop.made) == 1

    async def test_of_many_at_once_one_works(self, ordering: httpx.AsyncClient, workshop: Workshop) -> None:
        answers = await asyncio.gather(*(place(ordering) for _ in range(8)))
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len(workshop.made) == 1

    async def test_after_the_lease_a_retry_takes_over_with_the_same_id(
        self, ordering: httpx.AsyncClient, workshop: Workshop, admin_connection: Admin
    ) -> None:
        workshop.may_finish.clear()
        slow = asyncio.create_task(place(ordering))
        await workshop.started.wait()
        await admin_connection.execute("UPDATE atrium.idempotency_keys SET lease_until = now() - interval '1 second'")
        workshop.may_finish.set()
        retry = await place(ordering)
        assert (await slow).json() == retry.json()
        assert len(set(workshop.made)) == 1
        # Whoever held the lease last has stored the answer; it is the same.
        assert (await place(ordering)).json() == retry.json()

    async def test_the_lease_is_the_functions_time_and_five_seconds(
        self, ordering: httpx.AsyncClient, workshop: Workshop, admin_connection: Admin
    ) -> None:
        workshop.may_finish.clear()
        first = asyncio.create_task(place(ordering))
        await workshop.started.wait()
        query = "SELECT lease_until - created_at AS lease, expires_at - created_at AS life, state FROM atrium.idempotency_keys"
        row = await (await admin_connection.execute(query)).fetchone()
        workshop.may_finish.set()
        await first
        assert row is not None
        assert (row["lease"].total_seconds(), row["life"].total_seconds(), row["state"]) == (35, 86400, "running")

    async def test_a_crash_leaves_the_id_for_the_retry(
        self, ordering: httpx.AsyncClient, workshop: Workshop, admin_connection: Admin
    ) -> None:
        workshop.failures = [ZeroDivisionError()]
        assert (await place(ordering)).status_code == 500
        row = await (await admin_connection.execute("SELECT resource_id, state FROM atrium.idempotency_keys")).fetchone()
        assert row is not None
        assert row["state"] == "running"
        assert (await place(ordering)).json()["id"] == str(row["resource_id"])

    async def test_a_crash_before_the_answer_was_stored_makes_no_second_key(
        self, ordering: httpx.AsyncClient, admin_connection: Admin
    ) -> None:
        lost = (await ask_for_key(ordering)).json()
        await admin_connection.execute(UNANSWERED)
        retried = await ask_for_key(ordering)
        assert (retried.status_code, retried.json()["id"]) == (201, lost["id"])
        # Nobody has ever seen the secret that was lost; only the one that was delivered works.
        assert [await key_status(ordering, key) for key in (lost["key"], retried.json()["key"])] == [401, 200]
        listed = (await ordering.get("/api/v1/api-keys")).json()["data"]
        assert [(key["id"], key["prefix"]) for key in listed] == [(lost["id"], retried.json()["prefix"])]
        # The retry's answer is stored in its turn.
        assert (await ask_for_key(ordering)).headers["idempotency-replayed"] == "true"

    async def test_a_key_that_was_ended_meanwhile_is_not_revived(
        self, ordering: httpx.AsyncClient, admin_connection: Admin
    ) -> None:
        lost = (await ask_for_key(ordering)).json()
        await ordering.delete(f"/api/v1/api-keys/{lost['id']}")
        await admin_connection.execute(UNANSWERED)
        retried = await ask_for_key(ordering)
        assert (retried.status_code, retried.json()["type"]) == (409, "urn:atrium:problem:conflict")
        assert await key_status(ordering, lost["key"]) == 401

    async def test_a_failure_may_be_tried_again_at_once(self, ordering: httpx.AsyncClient, workshop: Workshop) -> None:
        workshop.failures = [Unavailable("down")]
        assert (await place(ordering)).status_code == 503
        assert (await place(ordering)).status_code == 201

    async def test_a_cancelled_request_may_be_tried_again_at_once(self, ordering: httpx.AsyncClient, workshop: Workshop) -> None:
        workshop.may_finish.clear()
        first = asyncio.create_task(place(ordering))
        await workshop.started.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        workshop.may_finish.set()
        assert (await place(ordering)).status_code == 201

    @pytest.mark.parametrize("refusal", ["conflict", "field"])
    async def test_a_refusal_frees_the_key_for_a_corrected_body(
        self, ordering: httpx.AsyncClient, workshop: Workshop, refusal: str
    ) -> None:
        headers = {"Idempotency-Key": "key-1"}
        if refusal == "conflict":
            workshop.failures = [Conflict("taken")]
        body = {"what": "chair"} if refusal == "conflict" else {"what": 5}
        assert (await ordering.post("/api/v1/orders", json=body, headers=headers)).status_code in {409, 422}
        assert (await place(ordering, "table")).status_code == 201

    async def test_a_day_later_the_key_is_new(self, ordering: httpx.AsyncClient, admin_connection: Admin) -> None:
        first = await place(ordering)
        await admin_connection.execute("UPDATE atrium.idempotency_keys SET expires_at = now()")
        second = await place(ordering, "table")
        assert second.status_code == 201
        assert second.json()["id"] != first.json()["id"]

    async def test_a_stream_is_not_kept(self, ordering: httpx.AsyncClient, workshop: Workshop) -> None:
        for _ in range(2):
            answer = await ordering.post("/api/v1/orders/stream", headers={"Idempotency-Key": "k"})
            assert answer.content == b"x"
        assert len(workshop.made) == 2


async def test_who_may_not_claims_nothing(ordering: httpx.AsyncClient, session: dict[str, Any], admin_connection: Admin) -> None:
    key = await make_key(ordering, session, role="viewer")
    async with httpx.AsyncClient(transport=ordering._transport, base_url="http://t", headers={"X-API-Key": key["key"]}) as viewer:
        assert (await place(viewer)).status_code == 403
    rows = await (await admin_connection.execute("SELECT FROM atrium.idempotency_keys WHERE subject LIKE 'api_key:%'")).fetchall()
    assert json.dumps(rows) == "[]"


class TestFingerprint:
    async def test_what_is_stored_cannot_be_guessed_from_the_body(
        self, ordering: httpx.AsyncClient, admin_connection: Admin, runtime: LocalRuntime
    ) -> None:
        await place(ordering)
        row = await (await admin_connection.execute("SELECT fingerprint FROM atrium.idempotency_keys")).fetchone()
        plain = sha256(b"/api/v1/orders?\n" + json.dumps({"what": "chair"}, sort_keys=True).encode()).digest()
        (key,) = (await runtime.keyring.get()).pepper
        assert row == {"fingerprint": hmac.digest(key.key, b"idempotency:" + plain, "sha256")}

    async def test_a_rotation_of_keys_parts_no_retry_from_its_request(
        self, ordering: httpx.AsyncClient, admin_connection: Admin, runtime: LocalRuntime, workshop: Workshop
    ) -> None:
        first = await place(ordering)
        rings = json.loads(await runtime.memory_secrets.get(runtime.settings.keyring_secret))
        rings["pepper"] = [*json.loads(new_keyring())["pepper"], *rings["pepper"]]
        await runtime.memory_secrets.put(runtime.settings.keyring_secret, json.dumps(rings))
        del runtime.keyring  # cached for minutes

        assert (await place(ordering)).json() == first.json()
        assert (await place(ordering, "table")).status_code == 422
        await admin_connection.execute(UNANSWERED)
        assert (await place(ordering)).json() == first.json()
        assert len(workshop.made) == 2
