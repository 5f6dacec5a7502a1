"""Register, log in, refresh, log out, who am I: over HTTP, against the database's own functions."""

import asyncio
import json
from base64 import urlsafe_b64encode
from typing import Any
from uuid import UUID

import httpx
import jwt
import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.settings import Settings
from atrium.tenancy.keys import key_mac, new_key
from functions.auth.app import create_app
from tests.factories.auth import PASSWORD, UNLIMITED, LocalRuntime, bearer, client, make_key, register

Session = dict[str, Any]
Admin = psycopg.AsyncConnection[dict[str, Any]]


async def login(http: httpx.AsyncClient, email: str = "ada@example.com", password: str = PASSWORD) -> httpx.Response:
    return await http.post("/api/v1/auth/login", json={"email": email, "password": password})


async def refresh(http: httpx.AsyncClient, token: str) -> httpx.Response:
    return await http.post("/api/v1/auth/refresh", json={"refresh_token": token})


async def me(http: httpx.AsyncClient, session: Session) -> int:
    return (await http.get("/api/v1/auth/me", headers=bearer(session))).status_code


async def actions(admin: Admin) -> list[str]:
    rows = await (await admin.execute("SELECT action FROM atrium.audit_log ORDER BY at, id")).fetchall()
    return [row["action"] for row in rows]


class TestRegister:
    async def test_the_request_that_people_know_works_as_it_is(self, http: httpx.AsyncClient) -> None:
        body = {"org_name": "Acme", "email": "admin@acme.com", "password": "secret123"}
        answer = await http.post("/api/auth/register", json=body)
        assert answer.status_code == 201
        session = answer.json()
        assert session["token"] == session["access_token"]
        assert (session["expires_in"], session["token_type"]) == (600, "Bearer")
        assert session["user"]["email"] == "admin@acme.com"
        assert session["user"]["role"] == "admin"
        assert session["org"]["name"] == "Acme"
        assert UUID(session["user"]["id"]).version == UUID(session["org"]["id"]).version == 7
        assert await me(http, session) == 200

    async def test_an_email_is_one_persons_in_any_spelling(self, http: httpx.AsyncClient, session: Session) -> None:
        body = {"org_name": "Other", "email": "ADA@EXAMPLE.com", "password": PASSWORD}
        answer = await http.post("/api/v1/auth/register", json=body)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:atrium:problem:conflict")

    async def test_a_refused_registration_leaves_nothing(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        await http.post("/api/v1/auth/register", json={"org_name": "Other", "email": "ada@example.com", "password": PASSWORD})
        counts = await admin_connection.execute("SELECT count(*) AS n FROM atrium.tenants")
        assert await counts.fetchone() == {"n": 1}

    async def test_of_many_at_once_one_wins(self, http: httpx.AsyncClient) -> None:
        body = {"org_name": "Race", "email": "race@example.com", "password": PASSWORD}
        answers = await asyncio.gather(*(http.post("/api/v1/auth/register", json=body) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]

    @pytest.mark.parametrize(
        ("field", "value"),
        [("email", "nobody"), ("email", "a@b@c"), ("password", "seven77"), ("password", "x" * 257), ("org_name", ""),
         ("org_name", " "), ("org_name", "x" * 201)],
    )  # fmt: skip
    async def test_a_wrong_field_is_named(self, http: httpx.AsyncClient, field: str, value: str) -> None:
        body = {"org_name": "Acme", "email": "ada@example.com", "password": PASSWORD, field: value}
        answer = await http.post("/api/v1/auth/register", json=body)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]
        assert value not in answer.text or field != "password"

    async def test_any_unicode_is_a_password(self, http: httpx.AsyncClient) -> None:
        password = "пароль 🔑 " + "é" * 240
        body = {"org_name": "Acme", "email": "u@example.com", "password": password}
        assert (await http.post("/api/v1/auth/register", json=body)).status_code == 201
        assert (await login(http, "u@example.com", password)).status_code == 200


class TestModes:
    @pytest.fixture(params=["invite", "closed"])
    def shut(self, request: pytest.FixtureRequest, settings: Settings, database: Database) -> LocalRuntime:
        return LocalRuntime(settings, database, registration=request.param, **UNLIMITED)

    async def test_nobody_registers_where_it_is_not_open(self, shut: LocalRuntime) -> None:
        async with client(create_app(shut)) as http:
            body = {"org_name": "Acme", "email": "a@example.com", "password": PASSWORD}
            assert (await http.post("/api/v1/auth/register", json=body)).status_code == 403

    async def test_the_operator_registers_in_every_mode(self, shut: LocalRuntime, admin_connection: Admin) -> None:
        key = new_key()
        pepper = (await shut.keyring.get()).pepper[0]
        await admin_connection.execute(
            "INSERT INTO atrium.operator_keys (key_id, mac, pepper_kid) VALUES (%s, %s, %s)",
            [key.key_id, key_mac(pepper, key), pepper.kid],
        )
        async with client(create_app(shut), **{"X-API-Key": key.text}) as http:
            assert (await register(http))["org"]["name"] == "Acme"
            # It belongs to no tenant, so it opens no tenant's routes.
            assert (await http.get("/api/v1/auth/me")).status_code == 401
        rows = await (await admin_connection.execute("SELECT actor FROM atrium.audit_log")).fetchall()
        assert rows[0]["actor"] == f"operator:{key.key_id}"

    async def test_another_key_is_not_the_operators(self, http: httpx.AsyncClient, session: Session) -> None:
        key = await make_key(http, session, role="admin")
        body = {"org_name": "Acme", "email": "b@example.com", "password": PASSWORD}
        for text in (key["key"], new_key().text, "x", ""):
            answer = await http.post("/api/v1/auth/register", json=body, headers={"X-API-Key": text})
            assert answer.status_code == 401


class TestLogin:
    async def test_the_right_password_opens_a_session(self, http: httpx.AsyncClient, session: Session) -> None:
        answer = await login(http, "Ada@Example.com")
        assert answer.status_code == 200
        assert answer.json()["user"] == session["user"]
        assert await me(http, answer.json()) == 200

    async def test_unknown_and_wrong_look_the_same(self, http: httpx.AsyncClient, session: Session) -> None:
        wrong, unknown = await login(http, password="secret124"), await login(http, "eve@example.com")
        assert wrong.status_code == unknown.status_code == 401
        assert wrong.json() | {"instance": ""} == unknown.json() | {"instance": ""}
        assert set(wrong.headers) == set(unknown.headers)

    async def test_a_disabled_user_is_unknown(self, http: httpx.AsyncClient, session: Session, admin_connection: Admin) -> None:
        await admin_connection.execute("UPDATE atrium.users SET disabled_at = now()")
        assert (await login(http)).status_code == 401
        assert await me(http, session) == 401
        assert (await refresh(http, session["refresh_token"])).status_code == 401

    async def test_what_happened_is_in_the_audit_log(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        answer = await login(http)
        await login(http, password="secret124")
        await refresh(http, answer.json()["refresh_token"])
        await http.post("/api/v1/auth/logout", headers=bearer(answer.json()))
        assert await actions(admin_connection) == [
            "auth.registered", "auth.logged_in", "auth.login_failed", "auth.refreshed", "auth.logged_out",
        ]  # fmt: skip

    async def test_secrets_are_at_rest_as_hashes(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        rows = await (
            await admin_connection.execute("SELECT u::text || t::text AS all FROM atrium.users u, atrium.refresh_tokens t")
        ).fetchall()
        assert rows
        assert all(PASSWORD not in row["all"] and session["refresh_token"] not in row["all"] for row in rows)


class TestRefresh:
    async def test_each_use_rotates(self, http: httpx.AsyncClient, session: Session) -> None:
        first = (await refresh(http, session["refresh_token"])).json()
        second = (await refresh(http, first["refresh_token"])).json()
        assert len({session["refresh_token"], first["refresh_token"], second["refresh_token"]}) == 3
        assert await me(http, second) == 200
        assert second["org"] == session["org"]

    async def test_a_lost_answer_may_be_asked_for_once_more(self, http: httpx.AsyncClient, session: Session) -> None:
        first = await refresh(http, session["refresh_token"])
        again = await refresh(http, session["refresh_token"])
        assert (first.status_code, again.status_code) == (200, 200)
        assert (await refresh(http, again.json()["refresh_token"])).status_code == 200

    async def test_a_third_use_ends_everything(self, http: httpx.AsyncClient, session: Session, admin_connection: Admin) -> None:
        other_login = (await login(http)).json()
        first = (await refresh(http, session["refresh_token"])).json()
        second = (await refresh(http, session["refresh_token"])).json()
        assert (await refresh(http, session["refresh_token"])).status_code == 401
        for stolen in (first, second):
            assert (await refresh(http, stolen["refresh_token"])).status_code == 401
        # Every access token of the user stops; another login goes on by its own refresh token.
        for known in (session, first, second, other_login):
            assert await me(http, known) == 401
        assert (await refresh(http, other_login["refresh_token"])).status_code == 200
        assert "auth.refresh_reused" in await actions(admin_connection)

    async def test_a_grandparent_is_not_the_direct_parent(self, http: httpx.AsyncClient, session: Session) -> None:
        first = (await refresh(http, session["refresh_token"])).json()
        second = (await refresh(http, first["refresh_token"])).json()
        assert (await refresh(http, session["refresh_token"])).status_code == 401
        assert (await refresh(http, second["refresh_token"])).status_code == 401

    async def test_after_ten_seconds_a_second_use_is_theft(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        first = (await refresh(http, session["refresh_token"])).json()
        await admin_connection.execute("UPDATE atrium.refresh_tokens SET used_at = used_at - interval '11 seconds'")
        assert (await refresh(http, session["refresh_token"])).status_code == 401
        assert (await refresh(http, first["refresh_token"])).status_code == 401

    async def test_of_many_at_once_two_get_a_child_and_then_the_family_ends(
        self, http: httpx.AsyncClient, session: Session
    ) -> None:
        answers = await asyncio.gather(*(refresh(http, session["refresh_token"]) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 401, 401]
        for answer in answers:
            if answer.status_code == 200:
                assert (await refresh(http, answer.json()["refresh_token"])).status_code == 401

    @pytest.mark.parametrize("column", ["idle_expires_at", "family_expires_at", "revoked_at"])
    async def test_an_old_or_revoked_one_is_refused(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin, column: str
    ) -> None:
        await admin_connection.execute(f"UPDATE atrium.refresh_tokens SET {column} = now()")
        assert (await refresh(http, session["refresh_token"])).status_code == 401

    async def test_a_child_that_was_born_while_its_family_ended_is_refused(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        child = (await refresh(http, session["refresh_token"])).json()
        # A logout that began before the refresh had committed saw the parent alone.
        await admin_connection.execute("UPDATE atrium.refresh_tokens SET revoked_at = now() WHERE parent_id IS NULL")
        assert (await refresh(http, child["refresh_token"])).status_code == 401
        assert "auth.refresh_reused" not in await actions(admin_connection)

    async def test_a_family_lives_60_days_and_idles_14(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        await admin_connection.execute("UPDATE atrium.refresh_tokens SET family_expires_at = now() + interval '1 day'")
        await refresh(http, session["refresh_token"])
        query = "SELECT extract(day FROM idle_expires_at - now()) AS idle, parent_id IS NULL AS first FROM atrium.refresh_tokens"
        rows = await (await admin_connection.execute(query + " ORDER BY issued_at")).fetchall()
        assert [(row["first"], int(row["idle"])) for row in rows] == [(True, 13), (False, 0)]

    @pytest.mark.parametrize("token", ["x", "é", "atr_live_x", "A" * 43])
    async def test_what_is_none_is_refused(self, http: httpx.AsyncClient, token: str) -> None:
        assert (await refresh(http, token)).status_code == 401


class TestLogout:
    async def test_this_login_ends_at_once_and_the_others_go_on(self, http: httpx.AsyncClient, session: Session) -> None:
        other = (await login(http)).json()
        assert (await http.post("/api/v1/auth/logout", headers=bearer(session))).status_code == 204
        assert await me(http, session) == 401
        assert (await refresh(http, session["refresh_token"])).status_code == 401
        assert await me(http, other) == 200

    async def test_the_refresh_token_of_another_login_ends_that_one_too(self, http: httpx.AsyncClient, session: Session) -> None:
        other = (await login(http)).json()
        body = {"refresh_token": other["refresh_token"]}
        assert (await http.post("/api/v1/auth/logout", json=body, headers=bearer(session))).status_code == 204
        assert await me(http, other) == 401

    async def test_another_users_refresh_token_is_left_alone(self, http: httpx.AsyncClient, session: Session) -> None:
        eve = await register(http, "eve@example.com", "Evil")
        body = {"refresh_token": session["refresh_token"]}
        assert (await http.post("/api/v1/auth/logout", json=body, headers=bearer(eve))).status_code == 204
        assert await me(http, session) == 200

    async def test_a_key_has_no_session(self, http: httpx.AsyncClient, session: Session) -> None:
        key = await make_key(http, session)
        assert (await http.post("/api/v1/auth/logout", headers={"X-API-Key": key["key"]})).status_code == 403


class TestMe:
    async def test_a_user_sees_themself_and_what_they_may(self, http: httpx.AsyncClient, session: Session) -> None:
        answer = (await http.get("/api/v1/auth/me", headers=bearer(session))).json()
        assert answer["kind"] == "user"
        assert answer["user"] == session["user"]
        assert answer["org"] == session["org"]
        assert "api_keys:manage" in answer["permissions"]

    async def test_a_role_of_now_counts_not_of_when_the_token_was_made(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        await admin_connection.execute("UPDATE atrium.users SET role = 'viewer'")
        assert (await http.get("/api/v1/api-keys", headers=bearer(session))).status_code == 403
        assert (await http.get("/api/v1/auth/me", headers=bearer(session))).json()["role"] == "viewer"

    async def test_status_is_for_everyone(self, http: httpx.AsyncClient, session: Session) -> None:
        open_to_all = {"kind": None, "authenticated": False, "registration": "open"}
        assert (await http.get("/api/v1/auth/status")).json() == open_to_all
        assert (await http.get("/api/v1/auth/status", headers={"Authorization": "Bearer x"})).json() == open_to_all
        known = (await http.get("/api/v1/auth/status", headers=bearer(session))).json()
        assert known == {"kind": "user", "authenticated": True, "registration": "open"}

    @pytest.mark.parametrize(
        "headers",
        [{}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "}, {"Authorization": "Basic YTpi"},
         {"Authorization": "Bearer a.b.c"}, {"X-API-Key": ""}, {"X-API-Key": "atr_live_x"}, {"X-API-Key": new_key().text},
         {"Authorization": f"Bearer {new_key().text}"}],
    )  # fmt: skip
    async def test_no_or_wrong_credentials_are_401(self, http: httpx.AsyncClient, headers: dict[str, str]) -> None:
        answer = await http.get("/api/v1/auth/me", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["type"] == "urn:atrium:problem:unauthenticated"

    async def test_two_of_one_header_are_refused(self, http: httpx.AsyncClient, session: Session) -> None:
        twice = [("Authorization", f"Bearer {session['token']}")] * 2
        assert (await http.get("/api/v1/auth/me", headers=twice)).status_code == 401

    async def test_a_wrong_key_is_not_saved_by_a_good_token(self, http: httpx.AsyncClient, session: Session) -> None:
        headers = bearer(session) | {"X-API-Key": new_key().text}
        assert (await http.get("/api/v1/auth/me", headers=headers)).status_code == 401

    async def test_credentials_come_before_the_body(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/api/v1/api-keys", content=b"{" * 10_000_000, headers={"content-type": "x"})
        assert answer.status_code == 401

    async def test_the_tenant_of_a_token_is_signed(self, http: httpx.AsyncClient, session: Session) -> None:
        eve = await register(http, "eve@example.com", "Evil")
        claims = jwt.decode(eve["token"], options={"verify_signature": False}) | {"tenant": session["org"]["id"]}
        head, _, tail = eve["token"].split(".")
        payload = urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        assert await me(http, {"access_token": f"{head}.{payload}.{tail}"}) == 401
