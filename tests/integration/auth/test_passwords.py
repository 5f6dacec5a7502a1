"""Passwords: changed by who knows them, reset by who has the mailbox; and every session's end."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import httpx
import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.settings import Settings
from atrium.tenancy.models import Caller
from atrium.tenancy.passwords import verify_password
from functions.auth.app import create_app
from functions.auth.dependencies import password_service
from tests.factories.auth import PASSWORD, UNLIMITED, LocalRuntime, bearer, client, make_key, register

Session = dict[str, Any]
Admin = psycopg.AsyncConnection[dict[str, Any]]
AUTH = "/api/v1/auth"
NEW = "another secret"


async def login(http: httpx.AsyncClient, password: str = PASSWORD, email: str = "ada@example.com") -> httpx.Response:
    return await http.post(f"{AUTH}/login", json={"email": email, "password": password})


async def change(http: httpx.AsyncClient, session: Session, current: str = PASSWORD, new: str = NEW) -> httpx.Response:
    body = {"current_password": current, "new_password": new}
    return await http.post(f"{AUTH}/password", json=body, headers=bearer(session))


async def forgot(http: httpx.AsyncClient, email: str = "ada@example.com") -> httpx.Response:
    return await http.post(f"{AUTH}/password/forgot", json={"email": email})


async def reset(http: httpx.AsyncClient, token: str, password: str = NEW) -> httpx.Response:
    return await http.post(f"{AUTH}/password/reset", json={"token": token, "password": password})


async def alive(http: httpx.AsyncClient, session: Session) -> tuple[bool, bool]:
    """Whether the access token and the refresh token work; the latter is used up by asking."""
    me = await http.get(f"{AUTH}/me", headers=bearer(session))
    refreshed = await http.post(f"{AUTH}/refresh", json={"refresh_token": session["refresh_token"]})
    return me.status_code == 200, refreshed.status_code == 200


async def actions(admin: Admin) -> list[str]:
    rows = await (await admin.execute("SELECT action FROM atrium.audit_log ORDER BY at, id")).fetchall()
    return [row["action"] for row in rows]


class TestLogoutAll:
    async def test_every_login_of_the_user_ends_at_once_and_nobody_elses(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        other = (await login(http)).json()
        eve = await register(http, "eve@example.com", "Other")
        answer = await http.post(f"{AUTH}/logout-all", headers=bearer(session))
        assert (answer.status_code, answer.content) == (204, b"")
        assert [await alive(http, each) for each in (session, other, eve)] == [(False, False)] * 2 + [(True, True)]
        assert (await login(http)).status_code == 200
        assert "auth.logged_out_everywhere" in await actions(admin_connection)

    async def test_a_key_has_no_sessions(self, http: httpx.AsyncClient, session: Session) -> None:
        key = await make_key(http, session)
        assert (await http.post(f"{AUTH}/logout-all", headers={"X-API-Key": key["key"]})).status_code == 403


class TestChange:
    async def test_this_login_goes_on_and_the_others_end(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        other = (await login(http)).json()
        assert (await change(http, session)).status_code == 204
        assert await alive(http, other) == (False, False)
        assert await alive(http, session) == (True, True)
        assert [(await login(http, password)).status_code for password in (PASSWORD, NEW)] == [401, 200]
        assert "auth.password_changed" in await actions(admin_connection)

    async def test_a_wrong_current_password_changes_nothing_and_is_audited(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        answer = await change(http, session, current="wrong")
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/current_password"]
        assert (await login(http)).status_code == 200
        assert "auth.password_change_failed" in await actions(admin_connection)

    async def test_guessing_it_is_limited_as_logging_in_is(self, settings: Settings, database: Database) -> None:
        async with client(create_app(LocalRuntime(settings, database, **(UNLIMITED | {"rate_limit_public": 3})))) as http:
            session = await register(http)
            statuses = [(await change(http, session, current="wrong")).status_code for _ in range(4)]
            assert (statuses[0], statuses[-1]) == (422, 429)

    async def test_a_reset_token_that_was_asked_for_before_is_dead(self, http: httpx.AsyncClient, session: Session) -> None:
        token = (await forgot(http)).json()["token"]
        await change(http, session)
        assert (await reset(http, token)).status_code == 401

    async def test_of_two_at_once_one_wins(self, http: httpx.AsyncClient, session: Session) -> None:
        other = (await login(http)).json()
        answers = await asyncio.gather(change(http, session, new="first secret"), change(http, other, new="second secret"))
        # The second finds the password changed, or its own login ended.
        first, second = sorted(answer.status_code for answer in answers)
        assert first == 204
        assert second in {401, 409, 422}

    async def test_a_key_has_none(self, http: httpx.AsyncClient, session: Session) -> None:
        key = await make_key(http, session, role="admin")
        body = {"current_password": PASSWORD, "new_password": NEW}
        assert (await http.post(f"{AUTH}/password", json=body, headers={"X-API-Key": key["key"]})).status_code == 403

    @pytest.mark.parametrize(("current", "new", "pointer"), [("x" * 257, NEW, "current"), (PASSWORD, "short", "new")])
    async def test_a_wrong_field_is_named(
        self, http: httpx.AsyncClient, session: Session, current: str, new: str, pointer: str
    ) -> None:
        answer = await change(http, session, current, new)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{pointer}_password"]


class TestReset:
    async def test_a_token_sets_the_password_once_and_ends_every_session(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        asked = await forgot(http, "ADA@example.com")
        assert (asked.status_code, asked.json()["status"]) == (202, "accepted")
        assert (await reset(http, asked.json()["token"])).status_code == 204
        assert await alive(http, session) == (False, False)
        assert [(await login(http, password)).status_code for password in (PASSWORD, NEW)] == [401, 200]
        assert (await reset(http, asked.json()["token"], "a third secret")).status_code == 401
        assert {"auth.reset_requested", "auth.password_reset"} <= set(await actions(admin_connection))

    async def test_of_many_at_once_one_wins(self, http: httpx.AsyncClient, session: Session) -> None:
        token = (await forgot(http)).json()["token"]
        answers = await asyncio.gather(*(reset(http, token) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [204, 401, 401, 401]

    async def test_a_reset_and_a_removal_at_once_do_not_wait_in_a_ring(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        token = (await forgot(http)).json()["token"]
        async with admin_connection.transaction():
            await admin_connection.execute("SELECT FROM atrium.users FOR UPDATE")
            resetting = asyncio.create_task(reset(http, token))
            await asyncio.sleep(0.4)
            # The reset waits for the user, and holds nothing that this one needs.
            await admin_connection.execute("SELECT FROM atrium.password_resets FOR UPDATE NOWAIT")
            await admin_connection.execute("DELETE FROM atrium.users")
        assert (await resetting).status_code == 401

    async def test_the_newest_token_is_the_good_one(self, http: httpx.AsyncClient, session: Session) -> None:
        old, new = (await forgot(http)).json()["token"], (await forgot(http)).json()["token"]
        assert [(await reset(http, token)).status_code for token in (old, new)] == [401, 204]

    async def test_it_lives_an_hour_and_is_at_rest_as_a_hash(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        token = (await forgot(http)).json()["token"]
        query = "SELECT r::text AS all, expires_at - created_at AS life FROM atrium.password_resets r"
        row = await (await admin_connection.execute(query)).fetchone()
        assert row is not None
        assert (token in row["all"], row["life"].total_seconds()) == (False, 3600)
        await admin_connection.execute("UPDATE atrium.password_resets SET expires_at = now()")
        assert (await reset(http, token)).status_code == 401

    async def test_a_disabled_user_gets_none(self, http: httpx.AsyncClient, session: Session, admin_connection: Admin) -> None:
        token = (await forgot(http)).json()["token"]
        await admin_connection.execute("UPDATE atrium.users SET disabled_at = now()")
        assert (await reset(http, token)).status_code == 401
        assert (await reset(http, (await forgot(http)).json()["token"])).status_code == 401

    async def test_a_login_that_was_checked_before_a_reset_does_not_survive_it(
        self, http: httpx.AsyncClient, session: Session, runtime: LocalRuntime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def meanwhile(password: str, stored: str | None) -> bool:
            held = await verify_password(password, stored)
            assert (await reset(http, (await forgot(http)).json()["token"])).status_code == 204
            return held

        monkeypatch.setattr("atrium.tenancy.sessions.verify_password", meanwhile)
        assert (await login(http)).status_code == 401


class TestForgot:
    async def test_an_unknown_email_looks_the_same(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        known, unknown = await forgot(http), await forgot(http, "nobody@example.com")
        assert known.status_code == unknown.status_code == 202
        assert set(known.headers) == set(unknown.headers)
        assert known.json() | {"token": ""} == unknown.json() | {"token": ""}
        assert len(known.json()["token"]) == len(unknown.json()["token"])
        assert (await reset(http, unknown.json()["token"])).status_code == 401
        rows = await (await admin_connection.execute("SELECT FROM atrium.password_resets")).fetchall()
        assert len(rows) == 1

    @pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
    async def test_asking_is_limited_by_the_email_whoever_asks(self, settings: Settings, database: Database, email: str) -> None:
        app = create_app(LocalRuntime(settings, database, **(UNLIMITED | {"rate_limit_public": 20})))
        statuses = []
        async with client(app) as http:
            await register(http)
        for number in range(6):
            transport = httpx.ASGITransport(app, client=(f"192.0.2.{number}", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
                statuses.append((await forgot(http, email)).status_code)
        assert statuses == [202] * 5 + [429]


class TestMailing:
    @pytest.fixture
    def mailing(self, settings: Settings, database: Database) -> LocalRuntime:
        return LocalRuntime(settings, database, target="aws", mail_from="atrium@example.com", **UNLIMITED)

    async def test_the_token_is_mailed_and_not_told(self, mailing: LocalRuntime) -> None:
        async with client(create_app(mailing)) as http:
            await register(http)
            answers = await asyncio.gather(forgot(http), forgot(http, "nobody@example.com"))
            assert [(answer.status_code, answer.json()) for answer in answers] == [
                (202, {"status": "accepted", "token": None})
            ] * 2
            ((to, _, text),) = mailing.memory_mail.sent
            assert to == "ada@example.com"
            token = next(line for line in text.splitlines() if len(line) == 43)
            assert (await reset(http, token)).status_code == 204

    @pytest.mark.parametrize("trouble", ["slow", "down"])
    async def test_neither_time_nor_status_tells_of_a_mail(
        self, mailing: LocalRuntime, trouble: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A mail that takes longer than the answer may goes on; one that fails is logged."""
        mailing.memory_mail.slow, mailing.memory_mail.down = (0.6, False) if trouble == "slow" else (0, True)
        app = create_app(mailing)
        async with client(app) as http:
            await register(http)
            seconds = []
            for email in ("ada@example.com", "nobody@example.com"):
                begun = time.monotonic()
                service = await password_service(_request(app))
                service._answer_seconds = 0.3
                await service.forget(email=email, mail=mailing.mail, caller=_request(app).state.caller, request_id="r")
                seconds.append(time.monotonic() - begun)
            assert min(seconds) >= 0.3
            assert seconds[0] < 0.6
            await asyncio.sleep(0.4)
            assert len(mailing.memory_mail.sent) == (1 if trouble == "slow" else 0)
            failures = [record for record in caplog.records if record.levelname == "ERROR"]
            assert [(record.exc_info, "ada@" in str(record.__dict__)) for record in failures] == [(None, False)] * (
                trouble == "down"
            )

    async def test_without_a_sender_the_answer_names_the_setting_for_everyone(
        self, settings: Settings, database: Database
    ) -> None:
        async with client(create_app(LocalRuntime(settings, database, target="aws", **UNLIMITED))) as http:
            await register(http)
            for email in ("ada@example.com", "nobody@example.com"):
                answer = await forgot(http, email)
                assert (answer.status_code, "MAIL_FROM" in answer.json()["detail"]) == (503, True)


def _request(app: Any) -> Any:
    """What the dependencies need of a request."""
    return SimpleNamespace(app=app, state=SimpleNamespace(caller=Caller("192.0.2.1")))
