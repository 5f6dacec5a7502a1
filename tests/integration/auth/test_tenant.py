"""The tenant's own name and settings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from tests.factories.auth import bearer, join, make_key, register

Session = dict[str, Any]
Admin = psycopg.AsyncConnection[dict[str, Any]]
TENANT = "/api/v1/tenant"
DEFAULTS = {"chat_model": None, "invitation_days": 7, "api_key_max_days": None}


async def change(http: httpx.AsyncClient, session: Session, **body: object) -> httpx.Response:
    return await http.patch(TENANT, json=body, headers=bearer(session))


async def test_an_admin_sees_it(http: httpx.AsyncClient, session: Session) -> None:
    answer = await http.get(TENANT, headers=bearer(session))
    assert answer.json() == session["org"] | {"settings": DEFAULTS}


async def test_a_patch_changes_what_it_names(http: httpx.AsyncClient, session: Session, admin_connection: Admin) -> None:
    answer = await change(http, session, settings={"invitation_days": 3, "chat_model": "local/extractive"})
    assert answer.json()["settings"] == DEFAULTS | {"invitation_days": 3, "chat_model": "local/extractive"}
    answer = await change(http, session, name="Acme & Co", settings={"chat_model": None})
    assert (answer.json()["name"], answer.json()["settings"]) == ("Acme & Co", DEFAULTS | {"invitation_days": 3})
    assert (await http.get(TENANT, headers=bearer(session))).json() == answer.json()
    assert (await change(http, session)).json() == answer.json()
    rows = await (
        await admin_connection.execute("SELECT detail FROM atrium.audit_log WHERE action = 'tenant.updated' ORDER BY at")
    ).fetchall()
    assert [row["detail"] for row in rows] == [
        {"invitation_days": 3, "chat_model": "local/extractive"}, {"name": "Acme & Co", "chat_model": None},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"name": None}, "/name"), ({"name": ""}, "/name"), ({"settings": None}, "/settings"), ({"plan": "gold"}, "/plan"),
     ({"settings": {"theme": "dark"}}, "/settings/theme"), ({"settings": {"invitation_days": 0}}, "/settings/invitation_days"),
     ({"settings": {"invitation_days": "7"}}, "/settings/invitation_days"),
     ({"settings": {"chat_model": "no/such"}}, "/settings/chat_model"),
     ({"settings": {"api_key_max_days": 4000}}, "/settings/api_key_max_days")],
)  # fmt: skip
async def test_a_wrong_field_is_named(http: httpx.AsyncClient, session: Session, body: dict[str, Any], pointer: str) -> None:
    answer = await change(http, session, **body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_only_admins_manage_it(http: httpx.AsyncClient, session: Session) -> None:
    bob = await join(http, session, "bob@example.com")
    assert (await http.get(TENANT, headers=bearer(bob))).status_code == 403
    assert (await change(http, bob, name="Bob's")).status_code == 403


async def test_it_is_ones_own(http: httpx.AsyncClient, session: Session) -> None:
    eve = await register(http, "eve@example.com", "Other")
    await change(http, eve, name="Renamed", settings={"invitation_days": 1})
    assert (await http.get(TENANT, headers=bearer(session))).json()["name"] == "Acme"


async def test_invitations_and_keys_live_as_long_as_it_says(http: httpx.AsyncClient, session: Session) -> None:
    await change(http, session, settings={"invitation_days": 2, "api_key_max_days": 30})
    invited = await http.post("/api/v1/users", json={"email": "bob@example.com"}, headers=bearer(session))
    later = datetime.now(UTC) + timedelta(days=100)
    ends = [
        datetime.fromisoformat(each["expires_at"]) - datetime.now(UTC)
        for each in (invited.json(), await make_key(http, session), await make_key(http, session, expires_at=later.isoformat()))
    ]
    assert [round(end / timedelta(days=1)) for end in ends] == [2, 30, 30]
