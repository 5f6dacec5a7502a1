"""The main job through the deployed local cloud: API and drop folder in, a streamed, verified answer out."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from infra.local import demo
from infra.local.api_client import ServerEvent, parse_events
from infra.local.cloud import Cloud
from tests.e2e.workers import lambda_workers

QUESTIONS: list[dict[str, str]] = json.loads((Path(__file__).parents[1] / "fixtures" / "questions.json").read_text())
PATIENCE = 120.0


class Tenant:
    """One fresh tenant, registered as the quick start does it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.http = httpx.Client(base_url=f"{cloud.url}/api/v1", timeout=60, trust_env=False)
        self.account = {"email": f"{uuid4().hex}@example.com", "password": "secret123"}
        registered = self.http.post("/auth/register", json=self.account | {"org_name": "Acme"})
        assert registered.status_code == 201, registered.text
        self.session = registered.json()
        self.id = self.session["org"]["id"]
        self.http.headers["Authorization"] = f"Bearer {self.session['token']}"

    def log_in(self) -> None:
        """A new access token: one lasts ten minutes."""
        session = self.http.post("/auth/login", json=self.account).raise_for_status().json()
        self.http.headers["Authorization"] = f"Bearer {session['token']}"

    def add(self, name: str, content: str) -> str:
        reply = self.http.post("/documents", json={"name": name, "content": content})
        assert reply.status_code == 202, reply.text
        assert reply.json()["status"] == "pending"
        return str(reply.json()["id"])

    def drop(self, path: str, data: bytes) -> None:
        self.cloud.emulator.client("s3").put_object(Bucket=self.cloud.bucket, Key=f"drop/{self.id}/{path}", Body=data)

    def status(self, document_id: str) -> dict[str, Any]:
        return dict(self.http.get(f"/documents/{document_id}/status").raise_for_status().json())

    def named(self, name: str) -> dict[str, Any] | None:
        listed = self.http.get("/documents", params={"name": name}).raise_for_status().json()["data"]
        return dict(listed[0]) if listed else None

    def ready(self, document_id: str) -> dict[str, Any]:
        return wait_for(lambda: finished(self.status(document_id)), f"document {document_id}")

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[ServerEvent]:
        with self.http.stream("POST", path, json=body) as reply:
            assert reply.status_code == 200
            assert reply.headers["content-type"].startswith("text/event-stream")
            yield from parse_events(reply.iter_lines())


def finished(status: dict[str, Any]) -> dict[str, Any] | None:
    return status if status["status"] in {"ready", "failed"} else None


def wait_for[T](look: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = look()
        if found is not None:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} took longer than {patience:.0f} s")


@pytest.fixture
def tenant(local_cloud: Cloud) -> Iterator[Tenant]:
    tenant = Tenant(local_cloud)
    yield tenant
    tenant.http.close()


def stored_text(tenant: Tenant, document_id: str, version: int = 1) -> str:
    key = f"text/{tenant.id}/{document_id}/{version}.txt"
    body = tenant.cloud.emulator.client("s3").get_object(Bucket=tenant.cloud.bucket, Key=key)["Body"].read()
    return bytes(body).decode()


def chunk_rows(cloud: Cloud, document_id: str) -> list[tuple[int, int, int, int]]:
    """(version, ordinal, char_start, char_end) of every stored chunk, past row level security."""
    with psycopg.connect(cloud.postgres.superuser_dsn) as connection:
        return connection.execute(
            "SELECT version, ordinal, char_start, char_end FROM atrium.chunks WHERE document_id = %s ORDER BY 1, 2", [document_id]
        ).fetchall()


def test_the_quick_start_runs_as_people_know_it(tenant: Tenant) -> None:
    text = "The reactor hall opens at nine. Visitors must wear a blue helmet. The canteen serves soup on Fridays."
    document_id = tenant.add("rules.txt", text)
    assert tenant.ready(document_id)["status"] == "ready"
    question = {"question": "What must visitors wear?", "top_k": 3}

    events = list(tenant.stream("/query", question))
    tokens = "".join(event.data for event in events if event.name == "message" and event.data != "[DONE]")
    assert "blue helmet" in tokens
    assert (events[-1].name, events[-1].data) == ("message", "[DONE]")
    assert any(event.name == "sources" for event in events)
    assert json.loads(next(event.data for event in events if event.name == "citation"))["verified"] is True

    answer = tenant.http.post("/query/sync", json=question).raise_for_status().json()
    assert "blue helmet" in answer["answer"]
    (citation,) = [c for c in answer["citations"] if "blue helmet" in c["quote"]]
    assert citation["verified"] is True
    assert citation["document_id"] == document_id
    assert stored_text(tenant, document_id)[citation["char_start"] : citation["char_end"]] == citation["quote"]
    assert answer["unsupported"] == []


@pytest.mark.parametrize("case", QUESTIONS, ids=[case["answer"].replace(" ", "-") for case in QUESTIONS])
def test_every_question_about_the_handbook_is_answered_from_its_document(local_cloud: Cloud, case: dict[str, str]) -> None:
    account = demo.run_demo(local_cloud)
    with httpx.Client(base_url=local_cloud.url, headers={"X-API-Key": account.api_key}, timeout=60, trust_env=False) as client:
        answer = client.post("/api/v1/rag/query", json={"question": case["question"], "top_k": 5}).raise_for_status().json()
    assert case["answer"].lower() in answer["answer"].lower().replace("\n", " ")
    assert all(citation["verified"] for citation in answer["citations"])
    assert case["document"] in {citation["document_name"] for citation in answer["citations"]}


def test_a_stream_over_the_edge_arrives_piece_by_piece(tenant: Tenant) -> None:
    document_id = tenant.add("long.txt", "The pump was inspected on Monday and found in order. " * 40)
    tenant.ready(document_id)
    with tenant.http.stream("POST", "/query", json={"question": "When was the pump inspected?"}) as reply:
        pieces = list(reply.iter_raw())
    assert len(pieces) > 3


def test_a_file_in_the_drop_folder_becomes_a_document_and_a_new_one_its_next_version(tenant: Tenant) -> None:
    tenant.drop("manuals/pumps/p1.md", b"# Pump P1\n\nThe seal is replaced every 400 hours.\n")
    found = wait_for(lambda: tenant.named("pumps/p1.md"), "the dropped document")
    assert tenant.ready(found["id"])["status"] == "ready"
    assert (found["collection"], found["source"]) == ("manuals", "drop")

    tenant.drop("manuals/pumps/p1.md", b"# Pump P1\n\nThe seal is replaced every 900 hours.\n")
    wait_for(lambda: ((d := tenant.status(found["id"]))["version"] == 2 and finished(d)) or None, "its second version")
    answer = tenant.http.post("/query/sync", json={"question": "When is the seal of pump P1 replaced?"}).json()
    assert "900" in answer["answer"]
    assert "400" not in answer["answer"]
    assert {version for version, *_ in chunk_rows(tenant.cloud, found["id"])} == {2}


def test_a_broken_file_ends_in_a_typed_failure_that_its_owner_reads(tenant: Tenant) -> None:
    tenant.drop("broken.pdf", b"%PDF-1.7\nnothing of a PDF follows")
    found = wait_for(lambda: tenant.named("broken.pdf"), "the dropped document")
    status = tenant.ready(found["id"])
    assert status["status"] == "failed"
    assert status["error"]["type"] == "corrupt"
    assert "Traceback" not in status["error"]["detail"]


@pytest.mark.parametrize(("function", "stage"), [("extract", {"inspecting", "extracting"}), ("embed", {"chunking", "embedding"})])
def test_a_worker_killed_in_mid_ingest_loses_and_doubles_nothing(tenant: Tenant, function: str, stage: set[str]) -> None:
    paragraphs = [f"Entry {n}. The valve with serial number {n * 7919} was tested and opened at {n} bar." for n in range(3000)]
    text = "\n\n".join(paragraphs)
    document_id = tenant.add(f"{function}.txt", text)

    def at_stage() -> bool | None:
        status = tenant.status(document_id)
        assert not finished(status), f"the document was {status['status']} before the worker could be killed"
        return True if status["stage"] in stage and lambda_workers(tenant.cloud, function) else None

    wait_for(at_stage, f"stage {stage}")
    killed = lambda_workers(tenant.cloud, function)
    for process in killed:
        process.end(number=SIGKILL)
    assert killed

    status = tenant.ready(document_id)
    assert status["status"] == "ready", status
    rows = chunk_rows(tenant.cloud, document_id)
    assert [ordinal for _, ordinal, _, _ in rows] == list(range(len(rows)))
    stored = stored_text(tenant, document_id)
    covered = set[int]().union(*(range(start, end) for _, _, start, end in rows))
    assert [at for at, character in enumerate(stored) if not character.isspace() and at not in covered] == []
    answer = tenant.http.post("/query/sync", json={"question": f"What about serial number {2999 * 7919}?"}).json()
    assert "2999 bar" in answer["answer"]


def test_a_deleted_document_leaves_no_chunk_and_no_object(tenant: Tenant) -> None:
    document_id = tenant.add("secret.txt", "The vault code is written on the ceiling.")
    tenant.ready(document_id)
    assert tenant.http.delete(f"/documents/{document_id}").status_code == 204
    assert chunk_rows(tenant.cloud, document_id) == []
    listing = tenant.cloud.emulator.client("s3").list_object_versions(Bucket=tenant.cloud.bucket)
    assert [v["Key"] for v in listing.get("Versions", []) if document_id in v["Key"]] == []
    assert tenant.http.get(f"/documents/{document_id}").status_code == 404
    answer = tenant.http.post("/query/sync", json={"question": "Where is the vault code?"}).json()
    assert answer["citations"] == []


def test_a_download_is_the_uploaded_file(tenant: Tenant) -> None:
    document_id = tenant.add("note.txt", "Grüße aus Bergen")
    tenant.ready(document_id)  # by now its row names the object's version, and so does the link
    link = tenant.http.get(f"/documents/{document_id}/download").raise_for_status().json()
    fetched = httpx.get(link["url"], trust_env=False)
    assert fetched.text == "Grüße aus Bergen"
    assert fetched.headers["content-disposition"].startswith("attachment")


def test_another_tenant_finds_nothing_of_it(tenant: Tenant, local_cloud: Cloud) -> None:
    document_id = tenant.add("plan.txt", "The takeover of Northwind is planned for March.")
    tenant.ready(document_id)
    stranger = Tenant(local_cloud)
    assert stranger.http.get(f"/documents/{document_id}").status_code == 404
    found = stranger.http.post("/rag/search", json={"query": "takeover of Northwind"}).raise_for_status().json()
    assert found["results"] == []
    answer = stranger.http.post("/query/sync", json={"question": "When is the takeover of Northwind planned?"}).json()
    assert "March" not in answer["answer"]
    stranger.http.close()
