"""What went on, for people: changes and calls of models in one list, and days in numbers."""

from datetime import UTC, datetime
from uuid import UUID

from atrium.db import Database
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, PrincipalKind, Role, TenantId
from atrium.ledger.models import Kind, Outcome, Settlement, Spend
from atrium.ledger.service import LedgerService
from tests.factories.auth import bearer, make_key
from tests.integration.admin.conftest import Office


def principal(office: Office) -> Principal:
    """The first admin, for the ledger."""
    tenant, user = UUID(office.session["org"]["id"]), UUID(office.session["user"]["id"])
    return Principal(TenantId(tenant), PrincipalKind.USER, user, Role.ADMIN)


async def spend(office: Office, database: Database, request_id: str = "", cost: int = 1_500_000, kind: Kind = Kind.CHAT) -> UUID:
    call = Spend(kind, "openai/gpt-4.1", "rag", cost, request_id=request_id)
    settlement = Settlement(Outcome.OK, cost, call.model, input_tokens=100, output_tokens=20)
    await LedgerService(database).record(principal(office), call, settlement)
    return call.id


async def test_it_reads_like_a_sentence(office: Office) -> None:
    key = await make_key(office.http, office.session, role="admin", name="CI")
    await office.http.post("/api/v1/collections", json={"name": "notes"}, headers={"X-API-Key": key["key"]})
    await office.post("documents", name="report.pdf.txt", content="The answer is 42.")
    activity = (await office.json("activity"))["data"]
    assert [each["summary"] for each in activity] == [
        "ada@example.com added document report.pdf.txt",
        "the API key CI created collection notes",
        "ada@example.com created API key CI",
        "ada@example.com registered the organisation",
    ]
    assert [each["actor_name"] for each in activity] == ["ada@example.com", "CI", "ada@example.com", "ada@example.com"]
    assert (activity[0]["target_name"], activity[0]["call"]) == ("report.pdf.txt", None)


async def test_calls_of_models_stand_among_the_changes(office: Office, database: Database) -> None:
    made = await office.post("collections", name="notes")
    request_id = made.headers["X-Request-Id"]
    call_id = await spend(office, database, request_id)
    newest = (await office.json("activity"))["data"][0]
    assert newest["summary"] == "ada@example.com asked openai/gpt-4.1 (rag)"
    assert (newest["action"], newest["target"], newest["id"]) == (None, None, str(call_id))
    assert newest["call"] == {
        "id": str(call_id), "kind": "chat", "model": "openai/gpt-4.1", "feature": "rag", "outcome": "ok",
        "input_tokens": 100, "output_tokens": 20, "cost_usd": 0.0015,
    }  # fmt: skip
    together = (await office.json("activity", request_id=request_id))["data"]
    assert [each["action"] for each in together] == [None, "collection.created"]
    assert [each["action"] for each in (await office.json("activity", kind="call"))["data"]] == [None]
    assert None not in [each["action"] for each in (await office.json("activity", kind="change"))["data"]]
    assert (await office.json("activity", actor=f"user:{new_id()}"))["data"] == []
    assert len((await office.json("activity", actor=newest["actor"]))["data"]) == 3


async def test_embeddings_are_shown_to_who_asks_for_calls(office: Office, database: Database) -> None:
    call_id = await spend(office, database, "r-1", kind=Kind.EMBEDDING)
    assert [each["call"] for each in (await office.json("activity"))["data"]] == [None]
    for asked in ({"kind": "call"}, {"request_id": "r-1"}):
        (shown,) = (await office.json("activity", **asked))["data"]
        assert (shown["id"], shown["summary"]) == (str(call_id), "ada@example.com embedded text with openai/gpt-4.1 (rag)")


async def test_pages_have_everything_once(office: Office, database: Database) -> None:
    for number in range(3):
        await office.post("collections", name=f"c{number}")
        await spend(office, database)
    whole = (await office.json("activity", limit=100))["data"]
    first = await office.json("activity", limit=4)
    second = await office.json("activity", limit=4, cursor=first["next_cursor"])
    assert first["data"] + second["data"] == whole
    assert (len(whole), second["next_cursor"], second["days"]) == (7, None, [])


async def test_days_are_counted(office: Office, database: Database) -> None:
    await spend(office, database)
    await spend(office, database)
    days = (await office.json("activity"))["days"]
    assert len(days) == 14
    assert days[0] == {"day": datetime.now(UTC).date().isoformat(), "changes": 1, "calls": 2, "cost_usd": 0.003}
    assert {(each["changes"], each["calls"]) for each in days[1:]} == {(0, 0)}


async def test_a_renewed_login_is_no_news_and_who_is_gone_has_no_name(office: Office) -> None:
    await office.http.post("/api/v1/auth/refresh", json={"refresh_token": office.session["refresh_token"]})
    key = await make_key(office.http, office.session)
    await office.http.delete(f"/api/v1/api-keys/{key['id']}", headers=bearer(office.session))
    summaries = [each["summary"] for each in (await office.json("activity"))["data"]]
    assert summaries[0] == "ada@example.com deleted API key a key"
    assert not any("refreshed" in each for each in summaries)
