"""The main job on real files: one document through the API, the rest through the drop folder, then a question."""

import json
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from rich.progress import BarColumn, Progress, TextColumn

from infra.local.api_client import ApiClient, ServerEvent
from infra.local.cloud import Cloud
from infra.local.console import console, step
from infra.local.emulator import REGION
from infra.local.state import CLONE, LocalCloudError, read_record, write_record

FIXTURES: Final = CLONE / "tests" / "fixtures" / "documents"
COLLECTION: Final = "handbook"
QUESTION: Final = "How long is the warranty of the Helios flow meter?"
OPERATOR: Final = "atrium/operator"
PATIENCE: Final = 180.0
_DROPPED: Final = (".docx", ".html", ".txt")
_DONE: Final = frozenset({"ready", "failed"})


@dataclass(frozen=True)
class Account:
    """The demo tenant's admin."""

    tenant_id: str
    email: str
    password: str
    api_key: str


def run_demo(cloud: Cloud) -> Account:
    """Make the demo tenant, ingest the documents and ask; what is there already is left as it is."""
    with step("a demo tenant"):
        account = ensure_account(cloud)
    client = ApiClient(cloud.url, account.api_key)
    try:
        with step("documents: one through the API, the rest through the drop folder"):
            names = ingest(cloud, client, account)
            follow(client, names)
        with step(f"a question: {QUESTION}"):
            answer(client, QUESTION)
    finally:
        client.close()
    return account


def ensure_account(cloud: Cloud) -> Account:
    """The account remembered in the state folder while its key still works, else a new one."""
    memory = cloud.state_dir / "demo.json"
    record = read_record(memory)
    if record and _works(cloud.url, record["api_key"]):
        return Account(**record)
    account = _register(cloud.url, _operator_key(cloud))
    write_record(memory, vars(account))
    return account


def _works(url: str, api_key: str) -> bool:
    client = ApiClient(url, api_key)
    try:
        client.get("/auth/me")
    except LocalCloudError:
        return False
    finally:
        client.close()
    return True


def _operator_key(cloud: Cloud) -> str:
    """With it the demo's tenant is made also where REGISTRATION is not open."""
    store = cloud.emulator.client("secretsmanager")
    try:
        return str(store.get_secret_value(SecretId=OPERATOR)["SecretString"])
    except store.exceptions.ResourceNotFoundException as error:
        raise LocalCloudError(f"The secret {OPERATOR} is missing. It is made again by: make migrate") from error


def _register(url: str, operator_key: str) -> Account:
    email, password = f"demo-{secrets.token_hex(3)}@example.com", secrets.token_urlsafe(12)
    operator = ApiClient(url, operator_key=operator_key)
    made = operator.post("/auth/register", {"org_name": "Demo", "email": email, "password": password})
    operator.close()
    admin = ApiClient(url, made["access_token"])
    key = admin.post("/api-keys", {"name": "demo"})
    admin.close()
    return Account(tenant_id=made["org"]["id"], email=email, password=password, api_key=key["key"])


def ingest(cloud: Cloud, client: ApiClient, account: Account) -> set[str]:
    """Hand over the documents that are not there yet, or failed before; returns the names of all."""
    known = {document["name"] for document in client.documents() if document["status"] != "failed"}
    posted = sorted(FIXTURES.glob("*.pdf"))[:1]
    dropped = sorted(path for path in FIXTURES.iterdir() if path.suffix in _DROPPED)
    for path in posted:
        if path.name not in known:
            client.upload(path, COLLECTION)
    store = cloud.emulator.client("s3")
    for path in dropped:
        if path.name not in known:
            store.upload_file(str(path), cloud.bucket, f"drop/{account.tenant_id}/{COLLECTION}/{path.name}")
    return {path.name for path in (*posted, *dropped)}


def follow(client: ApiClient, names: set[str], patience: float = PATIENCE) -> None:
    """Show every document's stage until all are ready. Raises LocalCloudError for one that failed or takes too long."""
    deadline = time.monotonic() + patience
    columns = (TextColumn("   {task.description:24}"), BarColumn(24), TextColumn("{task.fields[stage]}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks = {name: bars.add_task(name, total=1.0, stage="waiting") for name in sorted(names)}
        stages = dict.fromkeys(tasks, "waiting")
        while not _DONE.issuperset(stages.values()):
            for name, stage, progress in _progress(client, names):
                if stage != stages[name] and not console.is_terminal:
                    console.print(f"   {name}: {stage}")
                stages[name] = stage
                bars.update(tasks[name], completed=progress, stage=stage)
            if time.monotonic() > deadline:
                raise _late(stages, patience)
            time.sleep(0.3)
    _refuse_failed(client, names)


def _progress(client: ApiClient, names: set[str]) -> Iterator[tuple[str, str, float]]:
    """Name, stage (or end) and how far, from 0 to 1, of every document that is there by now."""
    for document in client.documents():
        if document["name"] in names:
            if document["status"] in _DONE:
                yield document["name"], document["status"], 1.0
            else:
                status = client.get(f"/documents/{document['id']}/status")
                yield document["name"], status["stage"] or status["status"], status["progress"]


def _late(stages: dict[str, str], patience: float) -> LocalCloudError:
    waiting = ", ".join(f"{name} ({stage})" for name, stage in stages.items() if stage not in _DONE)
    return LocalCloudError(f"Not ready after {patience:.0f} s: {waiting}. See: make logs AREA=ingest, make logs AREA=extract")


def _refuse_failed(client: ApiClient, names: set[str]) -> None:
    failed = [document for document in client.documents() if document["name"] in names and document["status"] == "failed"]
    if failed:
        reasons = "\n".join(f"  {document['name']}: {document['error']['detail']}" for document in failed)
        raise LocalCloudError(
            f"Ingestion failed:\n{reasons}\nmake logs AREA=extract, make logs AREA=embed show more; make up tries again."
        )


def answer(client: ApiClient, question: str) -> None:
    """Stream the answer as it comes, then its citations."""
    citations: list[dict[str, Any]] = []
    console.print("   ", end="")
    for event in client.stream("/query", {"question": question, "top_k": 5}):
        if event.name == "message" and event.data != "[DONE]":
            console.print(event.data, end="", markup=False, style="bold")
        elif event.name == "citation":
            citations.append(json.loads(event.data))
        elif event.name == "error":
            raise _broken(event)
    console.print()
    show_citations(citations)


def _broken(event: ServerEvent) -> LocalCloudError:
    return LocalCloudError(f"The answer broke off: {json.loads(event.data).get('detail', event.data)}")


def show_citations(citations: Iterable[dict[str, Any]]) -> None:
    """A line per citation: where the quote stands and whether it was found there."""
    for citation in citations:
        page = f", page {citation['page']}" if citation.get("page") else ""
        found = "verified" if citation["verified"] else "NOT verified"
        quote = " ".join(str(citation["quote"]).split())
        console.print(f"   [{citation['marker']}] {citation['document_name']}{page}, {found}: “{quote}”", markup=False)


def show_account(cloud: Cloud, account: Account) -> None:
    """What to do next, with everything filled in."""
    console.print(
        f"""
The API answers at {cloud.url}   (documentation: {cloud.url}/docs)

  e-mail     {account.email}
  password   {account.password}
  API key    {account.api_key}

Try:
  curl -N {cloud.url}/api/v1/query -H 'Authorization: Bearer {account.api_key}' \\
    -H 'Content-Type: application/json' -d '{{"question": "{QUESTION}", "top_k": 5}}'
  curl {cloud.url}/api/v1/documents -H 'Authorization: Bearer {account.api_key}' -F file=@your.pdf
  AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION={REGION} \\
    aws --endpoint-url {cloud.emulator.url} s3 cp your.pdf s3://{cloud.bucket}/drop/{account.tenant_id}/{COLLECTION}/
  make logs AREA=ingest    make down    make help""",
        markup=False,
    )
