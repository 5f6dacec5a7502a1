"""The documents area as clients see it: every route, bad input, roles, and two tenants."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.settings import Settings
from functions.auth.app import create_app as create_auth
from functions.documents.app import create_app as create_documents
from tests.factories.auth import UNLIMITED, LocalRuntime, WholeApi, bearer, client, make_key, register
from tests.factories.documents import World
from tests.unit.parsing.samples import pdf

Connection = psycopg.AsyncConnection[dict[str, Any]]
URL = "/api/v1/documents"
TEXT = "The lease of the house ends after seven years."
NOTE = {"name": "lease.txt", "content": TEXT}


@dataclass
class Api:
    """The API, two tenants' sessions, and what lies behind."""

    http: httpx.AsyncClient
    session: dict[str, Any]
    other: dict[str, Any]
    world: World

    async def call(self, method: str, path: str = "", **more: Any) -> httpx.Response:
        """As the first tenant's admin, unless headers say otherwise."""
        headers = bearer(self.session) | more.pop("headers", {})
        return await self.http.request(method, URL + path, headers=headers, **more)

    async def post(self, **more: Any) -> httpx.Response:
        return await self.call("POST", **more)

    async def ready(self, **fields: Any) -> dict[str, Any]:
        """A document that went through the pipeline."""
        answer = await self.post(json=NOTE | fields)
        assert answer.status_code == 202, answer.text
        before = set(self.world.workflow.started)
        (key,) = self.world.keys(f"uploads/{self.session['org']['id']}/{answer.json()['id']}/")
        await self.world.receive(self.world.arrival(key))
        for execution in self.world.workflow.started.keys() - before:
            await self.world.run(execution)
        document: dict[str, Any] = (await self.call("GET", f"/{answer.json()['id']}")).json()
        return document


@pytest.fixture
async def api(settings: Settings, database: Database) -> AsyncIterator[Api]:
    runtime = LocalRuntime(settings, database, upload_limit=2000, **UNLIMITED)
    world = World(settings, database)
    runtime.__dict__ |= {"storage": world.storage, "pipeline": world.workflow, "keyring": world.parts.keyring}
    app = WholeApi({"auth": create_auth(runtime), "documents": create_documents(runtime)}, nowhere="documents")
    async with client(app) as http:
        first = await register(http)
        second = await register(http, "bob@example.com", "Other")
        yield Api(http, first, second, world)


async def test_json_is_taken_and_becomes_a_document(api: Api) -> None:
    answer = await api.post(json=NOTE | {"metadata": {"year": 2026}, "collection": "contracts"})

    assert answer.status_code == 202
    reply = answer.json()
    assert (reply["status"], reply["name"], reply["collection"], reply["metadata"]) == (
        "pending", "lease.txt", "contracts", {"year": 2026},
    )  # fmt: skip
    assert (reply["version"], reply["ready_version"], reply["content_type"], reply["size"]) == (1, None, "text/plain", len(TEXT))
    assert answer.headers["location"] == f"{URL}/{reply['id']}"
    assert reply["created_by"] == f"user:{api.session['user']['id']}"
    assert len(api.world.keys("uploads/")) == 1


async def test_what_was_sent_is_audited_under_the_requests_id(api: Api, admin_connection: Connection) -> None:
    sent = await api.post(json=NOTE, headers={"X-Request-Id": "request-of-the-client"})
    logged = await (await admin_connection.execute(
        "SELECT actor, target, request_id FROM atrium.audit_log WHERE action = 'document.received'"
    )).fetchall()  # fmt: skip
    actor, target = f"user:{api.session['user']['id']}", f"document:{sent.json()['id']}"
    assert logged == [{"actor": actor, "target": target, "request_id": "request-of-the-client"}]


async def test_a_form_is_taken_with_its_fields(api: Api) -> None:
    answer = await api.post(
        files={"file": ("C:\\My Files\\Größe.md", b"# Title\n\nText", "text/markdown")},
        data={"metadata": '{"a": [1, 2]}', "collection": "notes"},
    )
    assert answer.status_code == 202, answer.text
    reply = answer.json()
    assert (reply["name"], reply["content_type"], reply["collection"]) == ("Größe.md", "text/markdown", "notes")
    assert reply["metadata"] == {"a": [1, 2]}
    named = await api.post(files={"file": ("x.txt", b"text", "text/plain")}, data={"name": "Another name"})
    assert named.json()["name"] == "Another name"


async def test_a_document_is_looked_at_from_every_side(api: Api) -> None:
    document = await api.ready()
    assert (document["status"], document["ready_version"], document["chunk_count"], document["error"]) == ("ready", 1, 1, None)
    status = await api.call("GET", f"/{document['id']}/status")
    assert status.json() == {
        "id": document["id"], "version": 1, "status": "ready", "stage": None, "progress": 1.0, "error": None, "attempts": 1,
    }  # fmt: skip
    chunks = (await api.call("GET", f"/{document['id']}/chunks")).json()
    assert [chunk["text"] for chunk in chunks["data"]] == [TEXT]
    assert (chunks["data"][0]["char_start"], chunks["data"][0]["char_end"], chunks["next_cursor"]) == (0, len(TEXT), None)
    download = (await api.call("GET", f"/{document['id']}/download")).json()
    assert download["url"].startswith("http")
    assert download["expires_at"].endswith("Z")
    listed = {name: value for name, value in document.items() if name != "versions"}
    assert (await api.call("GET")).json() == {"data": [listed], "next_cursor": None}


async def test_a_failure_is_told_with_its_type(api: Api) -> None:
    document = await api.ready(content=" \n ")
    assert document["error"]["type"] == "empty-text"
    status = (await api.call("GET", f"/{document['id']}/status")).json()
    assert (status["status"], status["stage"], status["error"]) == ("failed", "extracting", document["error"])


async def test_deleting_answers_204_each_time(api: Api) -> None:
    document = await api.ready()
    for _ in range(2):
        answer = await api.call("DELETE", f"/{document['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
    for path in ("", "/status", "/chunks", "/download"):
        assert (await api.call("GET", f"/{document['id']}{path}")).status_code == 404
    assert (await api.call("GET")).json()["data"] == []
    assert api.world.storage.objects == {}


async def test_the_same_key_twice_makes_one_document(api: Api) -> None:
    headers = {"Idempotency-Key": "key-1"}
    first = await api.post(json=NOTE, headers=headers)
    again = await api.post(json=NOTE, headers=headers)
    assert (first.json(), first.status_code) == (again.json(), again.status_code)
    assert again.headers["idempotency-replayed"] == "true"
    other = await api.post(json=NOTE | {"content": "Something else."}, headers=headers)
    assert other.status_code == 422
    assert len((await api.call("GET")).json()["data"]) == 1


async def test_a_key_keeps_its_document_when_the_bucket_was_away(api: Api) -> None:
    api.world.storage.fail_puts = 1
    headers = {"Idempotency-Key": "key-1"}
    first = await api.post(json=NOTE, headers=headers)
    assert (first.status_code, first.json()["type"]) == (503, "urn:atrium:problem:unavailable")
    assert "retry-after" in first.headers
    (failed,) = (await api.call("GET")).json()["data"]
    assert (failed["status"], failed["error"]["type"]) == ("failed", "storage-unavailable")
    again = await api.post(json=NOTE, headers=headers)
    assert (again.status_code, again.json()["id"], again.json()["version"]) == (202, failed["id"], 2)


async def test_lists_are_paged_and_filtered(api: Api) -> None:
    for n in range(5):
        assert (await api.post(json=NOTE | {"name": f"{n}.txt", "metadata": {"n": n}})).status_code == 202
    names: list[str] = []
    cursor: str | None = None
    while True:
        page = (await api.call("GET", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        names += [document["name"] for document in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == ["4.txt", "3.txt", "2.txt", "1.txt", "0.txt"]
    for query, count in [
        ({"status": "pending"}, 5), ({"status": "ready"}, 0), ({"name": "3.txt"}, 1), ({"collection": "default"}, 5),
        ({"metadata": '{"n": 3}'}, 1), ({"user_id": api.session["user"]["id"]}, 5), ({"user_id": str(uuid4())}, 0),
    ]:  # fmt: skip
        found = await api.call("GET", params=query)
        assert (found.status_code, len(found.json()["data"])) == (200, count), query


async def test_chunks_are_paged(api: Api) -> None:
    paragraphs = "\n\n".join(f"# Part {n}\n\n" + f"What part {n} says. " * 8 for n in range(5))
    document = await api.ready(name="parts.md", content=paragraphs)
    first = (await api.call("GET", f"/{document['id']}/chunks", params={"limit": 3})).json()
    rest = (await api.call("GET", f"/{document['id']}/chunks", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [chunk["ordinal"] for chunk in first["data"] + rest["data"]] == list(range(5))
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"content": "x"}, "/name"),
        ({"name": "a.txt"}, "/content"),
        ({"name": "", "content": "x"}, "/name"),
        ({"name": " \t\u202e", "content": "x"}, "/name"),
        ({"name": "ä" * 600, "content": "x"}, "/name"),
        ({"name": "a.txt", "content": ""}, "/content"),
        ({"name": "a.txt", "content": 5}, "/content"),
        ({"name": "a.txt", "content": "x", "collection": "Not One"}, "/collection"),
        ({"name": "a.txt", "content": "x", "metadata": []}, "/metadata"),
        ({"name": "a.txt", "content": "x", "metadata": {"long": "x" * 16_384}}, "/metadata"),
        ({"name": "a.txt", "content": "x", "user_id": "me"}, "/user_id"),
        ({"name": "a.txt", "content": "x", "else": 1}, "/else"),
    ],
)
async def test_wrong_fields_are_named_and_nothing_is_stored(api: Api, body: dict[str, Any], pointer: str) -> None:
    answer = await api.post(content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code in {413, 422}, answer.text
    if len(json.dumps(body)) < 2000:
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await api.call("GET")).json()["data"] == []
    assert api.world.storage.objects == {}


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"name": "a", "name": "b", "content": "x"}', "application/json", 400),
        (b'{"name": "a", "content": "\\u0000"}', "application/json", 400),
        (b"null", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"", "application/json", 400),
        (b"name=a", "application/x-www-form-urlencoded", 415),
        (b"text", "text/plain", 415),
        (b"no boundary in it", "multipart/form-data; boundary=x", 400),
        (b"no boundary named", "multipart/form-data", 400),
    ],
)
async def test_bodies_that_cannot_be_read_are_refused(api: Api, content: bytes, kind: str, status: int) -> None:
    answer = await api.post(content=content, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


FILE = ("a.txt", b"text", "text/plain")


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ([("file", FILE), ("file", FILE)], 422),
        ([("file", (None, "not a file"))], 422),
        ([("document", FILE)], 422),
        ([("file", FILE), ("other", (None, "x"))], 422),
        ([("file", FILE), ("metadata", (None, "{"))], 422),
        ([("file", FILE), ("metadata", (None, "[1]"))], 422),
        ([("file", FILE), ("metadata", ("m.json", b"{}"))], 422),
        ([("file", FILE), ("collection", (None, "A B"))], 422),
        ([("file", FILE), ("name", (None, "a")), ("name", (None, "b"))], 422),
        ([("file", ("a.txt", b"", "text/plain"))], 422),
        ([("file", ("a.gif", b"GIF89a", "image/gif"))], 415),
        ([("file", ("a.svg", b"<svg/>", "image/svg+xml"))], 415),
        ([("file", ("a.xlsx", b"PK\x03\x04", "application/octet-stream"))], 415),
        ([("file", ("a.pdf", b"no PDF", "application/pdf"))], 415),
        ([("file", ("a.txt", b"%PDF-1.7", "text/plain"))], 415),
        ([("file", ("a.pdf", b"%PDF-1.7", "text/html"))], 415),
        ([("file", ("a.txt", b"x" * 2001, "text/plain"))], 413),
    ],
)
async def test_forms_that_are_wrong_are_refused_and_nothing_is_stored(api: Api, form: list[Any], status: int) -> None:
    answer = await api.post(files=form)
    assert answer.status_code == status, answer.text
    assert (await api.call("GET")).json()["data"] == []
    assert api.world.storage.objects == {}


@pytest.mark.parametrize("size", [2001, 200_000])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "key-1"}])
async def test_too_large_says_where_larger_files_go(api: Api, size: int, headers: dict[str, str]) -> None:
    for more in ({"files": {"file": ("a.txt", b"x" * size, "text/plain")}}, {"json": NOTE | {"content": "x" * size}}):
        answer = await api.post(headers=headers, **more)
        assert answer.status_code == 413
        assert "/documents/uploads" in answer.json()["detail"]


async def test_a_user_speaks_for_nobody_else(api: Api) -> None:
    for somebody in (str(uuid4()), api.other["user"]["id"]):
        assert (await api.post(json=NOTE | {"user_id": somebody})).status_code == 403
    own = await api.post(json=NOTE | {"user_id": api.session["user"]["id"]})
    assert own.json()["created_by"] == f"user:{api.session['user']['id']}"


async def test_a_key_speaks_for_the_users_of_its_own_tenant(api: Api) -> None:
    headers = {"X-API-Key": (await make_key(api.http, api.session, role="member"))["key"]}
    own = {"user_id": api.session["user"]["id"]}
    for body in ({"json": NOTE | own}, {"files": {"file": ("b.txt", b"text", "text/plain")}, "data": own}):
        answer = await api.http.post(URL, headers=headers, **body)
        assert answer.json()["created_by"] == f"user:{own['user_id']}"


async def test_a_key_speaks_for_nobody_of_another_tenant_or_of_none(api: Api) -> None:
    headers = {"X-API-Key": (await make_key(api.http, api.session, role="member"))["key"]}
    for user_id in (api.other["user"]["id"], str(uuid4())):
        foreign = {"user_id": user_id}
        for body in ({"json": NOTE | foreign}, {"files": {"file": ("b.txt", b"text", "text/plain")}, "data": foreign}):
            answer = await api.http.post(URL, headers=headers, **body)
            assert answer.status_code == 422
            assert [error["pointer"] for error in answer.json()["errors"]] == ["/user_id"]
    assert (await api.call("GET")).json()["data"] == []


async def test_a_viewer_reads_and_writes_nothing(api: Api) -> None:
    document = await api.ready()
    key = await make_key(api.http, api.session, role="viewer")
    headers = {"X-API-Key": key["key"]}
    assert (await api.http.get(f"{URL}/{document['id']}", headers=headers)).status_code == 200
    assert (await api.http.post(URL, json=NOTE, headers=headers)).status_code == 403
    assert (await api.http.delete(f"{URL}/{document['id']}", headers=headers)).status_code == 403


async def test_without_credentials_there_is_nothing(api: Api) -> None:
    for method, path in [
        ("POST", ""),
        ("GET", ""),
        ("GET", f"/{uuid4()}"),
        ("DELETE", f"/{uuid4()}"),
        ("GET", f"/{uuid4()}/chunks"),
    ]:
        assert (await api.http.request(method, URL + path)).status_code == 401


async def test_another_tenants_document_looks_like_none(api: Api) -> None:
    document = await api.ready()
    for method, path in [("GET", ""), ("DELETE", ""), ("GET", "/status"), ("GET", "/chunks"), ("GET", "/download")]:
        theirs = await api.call(method, f"/{document['id']}{path}", headers=bearer(api.other))
        absent = await api.call(method, f"/{uuid4()}{path}", headers=bearer(api.other))
        assert theirs.status_code == absent.status_code == 404
        assert theirs.json() | {"instance": ""} == absent.json() | {"instance": ""}
    assert (await api.call("GET", headers=bearer(api.other))).json()["data"] == []
    assert (await api.call("GET", f"/{document['id']}")).json() == document


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"status": "done"}, 422), ({"limit": 0}, 422), ({"limit": 101}, 422), ({"cursor": "AAAA"}, 400),
        ({"collection": "A B"}, 422), ({"user_id": "me"}, 422), ({"metadata": "[]"}, 422), ({"metadata": "{"}, 422),
        ({"name": "a\0b"}, 422), ({"metadata": '{"a": "\\u0000"}'}, 422),
    ],
)  # fmt: skip
async def test_wrong_queries_are_refused(api: Api, query: dict[str, Any], status: int) -> None:
    assert (await api.call("GET", params=query)).status_code == status


async def test_an_id_that_is_none_is_named(api: Api) -> None:
    answer = await api.call("GET", "/not-an-id")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/path/id")


async def test_the_unversioned_path_is_the_same(api: Api) -> None:
    document = await api.ready()
    answer = await api.http.get(f"/api/documents/{document['id']}", headers=bearer(api.session))
    assert answer.json() == document


PLAN = {"name": "lease.txt", "content_type": "text/plain"}


async def test_a_large_file_goes_straight_to_the_bucket(api: Api) -> None:
    headers = {"Idempotency-Key": "key-1"}
    answer = await api.call("POST", "/uploads", json=PLAN | {"metadata": {"a": 1}}, headers=headers)
    assert answer.status_code == 201, answer.text
    reply = answer.json()
    assert set(reply) == {"id", "version", "url", "fields", "expires_at"}
    assert answer.headers["location"] == f"{URL}/{reply['id']}"
    again = await api.call("POST", "/uploads", json=PLAN | {"metadata": {"a": 1}}, headers=headers)
    assert again.json() == reply
    pending = (await api.call("GET", f"/{reply['id']}")).json()
    assert (pending["status"], pending["metadata"], pending["sha256"]) == ("pending", {"a": 1}, None)

    await api.world.storage.put(reply["fields"]["key"], TEXT.encode(), content_type="text/plain")
    await api.world.ingest(api.world.arrival(reply["fields"]["key"]))
    ready = (await api.call("GET", f"/{reply['id']}")).json()
    assert (ready["status"], ready["size"], ready["sha256"]) == ("ready", len(TEXT), sha256(TEXT.encode()).hexdigest())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"content_type": "image/svg+xml", "name": "a.svg"}, 415), ({"content_type": "text/html", "name": "a.pdf"}, 415),
        ({"size": 101 * 1024 * 1024}, 413), ({"size": 0}, 422), ({"name": " "}, 422), ({"collection": "A B"}, 422),
        ({"password": ""}, 422), ({"password": "x" * 257}, 422), ({"user_id": str(uuid4())}, 403), ({"else": 1}, 422),
    ],
)  # fmt: skip
async def test_wrong_plans_are_refused(api: Api, body: dict[str, Any], status: int) -> None:
    answer = await api.call("POST", "/uploads", json=PLAN | body)
    assert answer.status_code == status, answer.text
    assert (await api.call("GET")).json()["data"] == []


async def test_a_document_is_changed_and_a_taken_name_refused(api: Api) -> None:
    document = await api.ready()
    other = (await api.post(json=NOTE | {"name": "other.txt"})).json()
    answer = await api.call(
        "PATCH", f"/{document['id']}", json={"metadata": {"a": 1}, "name": "renamed.txt", "collection": "notes"}
    )
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert (changed["name"], changed["collection"], changed["metadata"]) == ("renamed.txt", "notes", {"a": 1})
    found = (await api.call("GET", params={"metadata": '{"a": 1}', "collection": "notes"})).json()["data"]
    assert [each["id"] for each in found] == [document["id"]]
    taken = await api.call("PATCH", f"/{other['id']}", json={"name": "renamed.txt", "collection": "notes"})
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:atrium:problem:conflict")
    for body, status in [({"metadata": []}, 422), ({"name": ""}, 422), ({"else": 1}, 422), ({}, 200)]:
        assert (await api.call("PATCH", f"/{document['id']}", json=body)).status_code == status, body


async def test_a_document_is_processed_again_and_keeps_its_history(api: Api) -> None:
    document = await api.ready()
    answer = await api.call("POST", f"/{document['id']}/reprocess", json={"chunking": {"mode": "sentence"}})
    assert (answer.status_code, answer.json()["version"], answer.json()["ready_version"]) == (202, 2, 1)
    assert (await api.call("POST", f"/{document['id']}/reprocess")).status_code == 409
    await api.world.run(f"{document['id']}-2-1")
    detail = (await api.call("GET", f"/{document['id']}", params={"versions": "true"})).json()
    assert [(version["version"], version["status"]) for version in detail["versions"]] == [(2, "ready"), (1, "ready")]
    assert (await api.call("GET", f"/{document['id']}")).json()["versions"] is None
    assert (await api.call("POST", f"/{document['id']}/reprocess")).json()["version"] == 3  # a body is not needed
    for version, status in [(1, 200), (2, 200), (9, 404), (0, 422)]:
        assert (await api.call("GET", f"/{document['id']}/download", params={"version": version})).status_code == status


async def test_a_wrong_way_to_process_again_is_named(api: Api) -> None:
    document = await api.ready()
    for chunking, pointer in [
        ({"mode": "random"}, "/chunking/mode"), ({"max_tokens": 5}, "/chunking/max_tokens"),
        ({"max_tokens": 64, "overlap_tokens": 40}, "/chunking/overlap_tokens"),
    ]:  # fmt: skip
        answer = await api.call("POST", f"/{document['id']}/reprocess", json={"chunking": chunking})
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [pointer])


async def test_a_forms_password_opens_its_file(api: Api) -> None:
    file = ("lease.pdf", pdf("The lease.", password="Sesame"), "application/pdf")
    answer = await api.post(files={"file": file}, data={"password": "Sesame"})
    assert answer.status_code == 202, answer.text
    assert "Sesame" not in answer.text
    (key,) = api.world.keys("uploads/")
    await api.world.ingest(api.world.arrival(key))
    assert (await api.call("GET", f"/{answer.json()['id']}/status")).json()["status"] == "ready"


COLLECTIONS = "/api/v1/collections"


async def test_collections_are_made_listed_changed_and_deleted(api: Api) -> None:
    async def call(method: str, path: str = "", **more: Any) -> httpx.Response:
        return await api.http.request(method, COLLECTIONS + path, headers=bearer(api.session), **more)

    made = await call(
        "POST", json={"name": "notes", "chunking": {"mode": "fixed", "max_tokens": 64}, "metadata": {"team": "legal"}}
    )
    assert (made.status_code, made.headers["location"]) == (201, f"{COLLECTIONS}/notes")
    assert made.json()["chunking"] == {"mode": "fixed", "max_tokens": 64, "overlap_tokens": 0, "contextual": True}
    assert (await call("POST", json={"name": "notes"})).status_code == 409
    first = (await call("GET", params={"limit": 1})).json()
    rest = (await call("GET", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [each["name"] for each in first["data"] + rest["data"]] == ["default", "notes"]
    changed = await call("PATCH", "/notes", json={"chunking": {"overlap_tokens": 8}, "metadata": {"team": None}})
    assert (changed.json()["chunking"]["max_tokens"], changed.json()["chunking"]["overlap_tokens"]) == (64, 8)
    assert changed.json()["metadata"] == {}

    await api.ready(collection="notes")
    assert (await call("GET", "/notes")).json()["document_count"] == 1
    refused = await call("DELETE", "/notes")
    assert (refused.status_code, "?documents=delete" in refused.json()["detail"]) == (409, True)
    assert (await call("PATCH", "/notes", json={"embedding_model": "local/all-minilm-l6-v2"})).status_code == 409
    assert (await call("DELETE", "/notes", params={"documents": "keep"})).status_code == 422
    assert (await call("DELETE", "/notes", params={"documents": "delete"})).status_code == 204
    for absent in (call("GET", "/notes"), call("DELETE", "/notes"), call("PATCH", "/notes", json={})):
        assert (await absent).status_code == 404
    assert (await call("DELETE", "/default", params={"documents": "delete"})).status_code == 409
    assert (await call("GET", "/Not%20One")).status_code == 422
    assert api.world.storage.objects == {}


async def test_a_viewer_changes_no_collection_and_starts_no_upload(api: Api) -> None:
    headers = {"X-API-Key": (await make_key(api.http, api.session, role="viewer"))["key"]}
    assert (await api.http.get(COLLECTIONS, headers=headers)).status_code == 200
    for method, path, body in [
        ("POST", COLLECTIONS, {"name": "notes"}), ("PATCH", f"{COLLECTIONS}/default", {}), ("POST", f"{URL}/uploads", PLAN),
        ("PATCH", f"{URL}/{uuid4()}", {}), ("POST", f"{URL}/{uuid4()}/reprocess", {}),
    ]:  # fmt: skip
        assert (await api.http.request(method, path, json=body, headers=headers)).status_code == 403, path
