"""Documents through the deployed local cloud beyond the main job: files straight to the bucket, passwords, turns."""

from collections.abc import Iterator

import httpx
import pytest

from infra.local.cloud import Cloud
from tests.e2e.test_main_job import PATIENCE, Tenant, chunk_rows, wait_for
from tests.unit.parsing.samples import pdf

# More than INGEST_IN_FLIGHT.
_MANY = 20


@pytest.fixture
def tenant(local_cloud: Cloud) -> Iterator[Tenant]:
    tenant = Tenant(local_cloud)
    yield tenant
    tenant.http.close()


def begin(tenant: Tenant, name: str, content_type: str, **more: object) -> dict[str, object]:
    """A form for a file."""
    reply = tenant.http.post("/documents/uploads", json={"name": name, "content_type": content_type, **more})
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


def send(form: dict[str, object], data: bytes) -> httpx.Response:
    """What a browser does with it."""
    fields = {str(name): str(value) for name, value in dict(form["fields"]).items()}  # type: ignore[call-overload]
    return httpx.post(str(form["url"]), data=fields, files={"file": data}, trust_env=False, timeout=60)


def test_a_file_too_large_for_the_api_goes_straight_to_the_bucket(tenant: Tenant) -> None:
    data = ("The valve of pump P7 opens at 41 bar. " + "x" * 80 + "\n\n").encode() * 2 + b" " * (5 * 1024 * 1024)
    form = begin(tenant, "large.txt", "text/plain", size=len(data))
    assert send(form, data + b"one too many").status_code == 400
    assert tenant.status(str(form["id"]))["status"] == "pending"
    assert send(form, data).status_code == 204
    assert tenant.ready(str(form["id"]))["status"] == "ready"
    document = tenant.http.get(f"/documents/{form['id']}").json()
    assert (document["size"], len(document["sha256"])) == (len(data), 64)
    found = tenant.http.post("/rag/search", json={"query": "At how many bar does the valve of pump P7 open?"}).json()
    assert "41 bar" in found["results"][0]["text"]


def test_a_password_opens_an_encrypted_file_and_a_version_is_processed_again(tenant: Tenant) -> None:
    form = begin(tenant, "lease.pdf", "application/pdf")
    assert send(form, pdf("The lease ends after seven years.", password="Sesame")).status_code == 204
    document_id = str(form["id"])
    assert tenant.ready(document_id)["error"]["type"] == "encrypted"
    assert tenant.http.post(f"/documents/{document_id}/reprocess", json={"password": "Sesame"}).status_code == 202
    wait_for(lambda: tenant.status(document_id)["attempts"] == 2 or None, "the second attempt")
    status = tenant.ready(document_id)
    assert status["status"] == "ready", status
    again = tenant.http.post(f"/documents/{document_id}/reprocess", json={"password": "Sesame", "chunking": {"mode": "fixed"}})
    assert (again.status_code, again.json()["version"], again.json()["ready_version"]) == (202, 2, 1)
    assert tenant.ready(document_id)["status"] == "ready"
    assert {version for version, *_ in chunk_rows(tenant.cloud, document_id)} == {2}


def test_more_files_than_may_be_processed_at_once_all_become_ready_once(tenant: Tenant) -> None:
    for n in range(_MANY):
        tenant.drop(f"notes/{n}.txt", f"Note {n} says that locker {n} opens with the code {n * 37}.".encode())

    def all_ready() -> list[str] | None:
        listed = tenant.http.get("/documents", params={"collection": "notes", "status": "ready", "limit": 100}).json()["data"]
        return [document["id"] for document in listed] if len(listed) == _MANY else None

    ids = wait_for(all_ready, f"{_MANY} documents", 2 * PATIENCE)
    assert all(tenant.status(each)["attempts"] == 1 for each in ids)
    assert all(len(chunk_rows(tenant.cloud, each)) == 1 for each in ids)
    assert tenant.http.delete("/collections/notes").status_code == 409
    assert tenant.http.delete("/collections/notes", params={"documents": "delete"}).status_code == 204
    listing = tenant.cloud.emulator.client("s3").list_object_versions(Bucket=tenant.cloud.bucket, Prefix=f"drop/{tenant.id}/")
    assert listing.get("Versions", []) == []
