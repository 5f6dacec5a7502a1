"""Buckets: how many, for whom, when again, and what a caller is told."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.settings import Settings
from atrium.tenancy.admission import Admission
from atrium.tenancy.keys import new_key
from atrium.tenancy.models import Caller
from functions.auth.app import create_app
from tests.factories.auth import PASSWORD, UNLIMITED, LocalRuntime, bearer, client, make_key, register

Admin = psycopg.AsyncConnection[dict[str, Any]]


def limited(settings: Settings, database: Database, **limits: int) -> LocalRuntime:
    return LocalRuntime(settings, database, **(UNLIMITED | limits))


async def me(http: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
    return await http.get("/api/v1/auth/me", headers=headers)


async def wrong_login(http: httpx.AsyncClient, email: str) -> int:
    return (await http.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})).status_code


async def rewind(admin: Admin, seconds: float) -> None:
    """As if the buckets had rested for so long."""
    await admin.execute("UPDATE atrium.rate_buckets SET updated_at = updated_at - make_interval(secs => %s)", [seconds])


class TestPrincipals:
    async def test_a_user_has_their_tokens_and_then_waits(
        self, settings: Settings, database: Database, admin_connection: Admin
    ) -> None:
        async with client(create_app(limited(settings, database, rate_limit_principal=3))) as http:
            headers = bearer(await register(http))
            remaining = []
            for _ in range(3):
                answer = await me(http, headers)
                assert answer.headers["ratelimit-limit"] == "3"
                remaining.append(answer.headers["ratelimit-remaining"])
            assert remaining[0] == "2"
            # The bucket refills while we ask; as if no time had passed:
            await admin_connection.execute("UPDATE atrium.rate_buckets SET tokens = 0, updated_at = now() + interval '1 second'")
            refused = await me(http, headers)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert refused.json()["type"] == "urn:atrium:problem:rate-limited"
            await rewind(admin_connection, 2)
            assert (await me(http, headers)).status_code == 200

    async def test_the_tenants_bucket_is_shared_by_its_keys(
        self, settings: Settings, database: Database, admin_connection: Admin
    ) -> None:
        async with client(create_app(limited(settings, database, rate_limit_tenant=100))) as http:
            session = await register(http)
            keys = [{"X-API-Key": (await make_key(http, session))["key"]} for _ in range(2)]
            await admin_connection.execute(
                "UPDATE atrium.rate_buckets SET tokens = 0, updated_at = now() + interval '1 minute' WHERE bucket LIKE 'tenant:%'"
            )
            assert [(await me(http, key)).status_code for key in keys] == [429, 429]

    async def test_one_tenants_flood_is_not_anothers(
        self, settings: Settings, database: Database, admin_connection: Admin
    ) -> None:
        async with client(create_app(limited(settings, database))) as http:
            loud, quiet = await register(http), await register(http, "eve@example.com", "Quiet")
            await me(http, bearer(loud))
            await admin_connection.execute("UPDATE atrium.rate_buckets SET tokens = 0, updated_at = now() + interval '1 minute'")
            assert (await me(http, bearer(loud))).status_code == 429
            assert (await me(http, bearer(quiet))).status_code == 200

    async def test_no_more_pass_at_once_than_there_are_tokens(
        self, settings: Settings, database: Database, admin_connection: Admin
    ) -> None:
        async with client(create_app(limited(settings, database, rate_limit_principal=5))) as http:
            headers = bearer(await register(http))
            await me(http, headers)
            # A bucket from the future does not refill during the test.
            await admin_connection.execute("UPDATE atrium.rate_buckets SET tokens = 4, updated_at = now() + interval '1 minute'")
            answers = await asyncio.gather(*(me(http, headers) for _ in range(12)))
            assert sorted(answer.status_code for answer in answers) == [200] * 4 + [429] * 8


class TestPublic:
    async def test_an_address_has_20_a_minute(self, settings: Settings, database: Database, admin_connection: Admin) -> None:
        async with client(create_app(limited(settings, database, rate_limit_public=20))) as http:
            statuses = [await wrong_login(http, f"user{number}@example.com") for number in range(22)]
            assert statuses[:20] == [401] * 20
            assert statuses[21] == 429
            answer = await http.post("/api/v1/auth/refresh", json={"refresh_token": "x"})
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["retry-after"]) <= 3
            await rewind(admin_connection, 4)
            assert await wrong_login(http, "another@example.com") == 401

    async def test_every_answer_says_what_is_left(self, settings: Settings, database: Database) -> None:
        async with client(create_app(limited(settings, database, rate_limit_public=20))) as http:
            session = {"org_name": "Acme", "email": "ada@example.com", "password": PASSWORD}
            made = await http.post("/api/v1/auth/register", json=session)
            refused = await http.post("/api/v1/auth/login", json={"email": "ada@example.com", "password": "wrong"})
            refreshed = await http.post("/api/v1/auth/refresh", json={"refresh_token": made.json()["refresh_token"]})
            answers = (made, refused, refreshed)
            assert [answer.status_code for answer in answers] == [201, 401, 200]
            assert [answer.headers["ratelimit-limit"] for answer in answers] == ["20"] * 3
            left = [int(answer.headers["ratelimit-remaining"]) for answer in answers]
            assert left == sorted(left, reverse=True)
            assert left[0] == 19

    async def test_an_email_has_a_larger_one_whatever_the_address(self, settings: Settings, database: Database) -> None:
        app = create_app(limited(settings, database, rate_limit_public=2))
        statuses = []
        for number in range(22):
            transport = httpx.ASGITransport(app, client=(f"192.0.2.{number}", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
                statuses.append(await wrong_login(http, "Ada@example.com" if number % 2 else "ada@EXAMPLE.com"))
        assert statuses[0] == 401
        assert statuses[-1] == 429

    async def test_who_guesses_from_one_place_locks_nobody_out_at_another(self, settings: Settings, database: Database) -> None:
        app = create_app(limited(settings, database, rate_limit_public=4))
        statuses = []
        for address in ["192.0.2.1"] * 6 + ["192.0.2.2"]:
            transport = httpx.ASGITransport(app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
                statuses.append(await wrong_login(http, "ada@example.com"))
        assert (statuses[0], statuses[5], statuses[6]) == (401, 429, 401)

    async def test_a_tenant_invites_so_many_a_day(self, settings: Settings, database: Database, admin_connection: Admin) -> None:
        async with client(create_app(limited(settings, database, rate_limit_public=2))) as http:
            headers, statuses = bearer(await register(http)), []
            for number in range(22):
                # As if each were a minute after the one before.
                await rewind(admin_connection, 60)
                answer = await http.post("/api/v1/users", json={"email": f"{number}@example.com"}, headers=headers)
                statuses.append(answer.status_code)
        assert statuses == [201] * 20 + [429] * 2

    async def test_so_has_an_email_that_registers(self, settings: Settings, database: Database, admin_connection: Admin) -> None:
        app = create_app(limited(settings, database, rate_limit_public=1))
        statuses = []
        for number in range(11):
            transport = httpx.ASGITransport(app, client=(f"192.0.2.{number}", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
                body = {"org_name": "Acme", "email": "ada@example.com", "password": PASSWORD}
                statuses.append((await http.post("/api/v1/auth/register", json=body)).status_code)
            # Hashing a password takes its time; the buckets shall not refill in it.
            await admin_connection.execute("UPDATE atrium.rate_buckets SET updated_at = now() + interval '1 minute'")
        assert statuses == [201] + [409] * 9 + [429]

    async def test_what_a_client_says_of_its_address_is_not_believed(self, settings: Settings, database: Database) -> None:
        async with client(create_app(limited(settings, database, rate_limit_public=2))) as http:
            statuses = []
            for number in range(3):
                claimed = {"X-Forwarded-For": f"192.0.2.{number}", "X-Real-IP": "192.0.2.9", "Forwarded": "for=192.0.2.8"}
                answer = await http.post("/api/v1/auth/refresh", json={"refresh_token": "x"}, headers=claimed)
                statuses.append(answer.status_code)
            assert statuses == [401, 401, 429]

    @pytest.mark.parametrize(
        ("one", "other", "shared"),
        [
            ("2001:db8::1", "2001:db8::2", True),
            ("2001:db8::1", "2001:db8:0:1::1", False),
            ("192.0.2.1", "192.0.2.2", False),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
            ("::ffff:192.0.2.1", "192.0.2.1", True),
        ],
    )
    async def test_an_ipv6_caller_has_one_bucket_for_its_network(
        self, settings: Settings, database: Database, one: str, other: str, shared: bool
    ) -> None:
        admission = create_app(limited(settings, database)).state.runtime

        buckets = Admission(admission.database, admission.keyring, admission.settings)
        assert (await buckets.public_buckets(Caller(one)) == await buckets.public_buckets(Caller(other))) is shared

    async def test_addresses_and_emails_are_not_stored(
        self, settings: Settings, database: Database, admin_connection: Admin
    ) -> None:
        async with client(create_app(limited(settings, database))) as http:
            await wrong_login(http, "ada@example.com")
        names = [
            row["bucket"] for row in await (await admin_connection.execute("SELECT bucket FROM atrium.rate_buckets")).fetchall()
        ]
        assert sorted(name.split(":")[0] for name in names) == ["email", "emails", "ip"]
        assert all(re.fullmatch(r"\w+:[0-9a-f]{32}", name) for name in names)


class TestGuesses:
    """Credentials that do not hold take from the bucket of the address they come from."""

    LIMIT = 5

    @pytest.fixture
    async def http(self, settings: Settings, database: Database) -> AsyncIterator[httpx.AsyncClient]:
        async with client(create_app(limited(settings, database, rate_limit_public=self.LIMIT))) as http:
            yield http

    @pytest.fixture
    async def session(self, http: httpx.AsyncClient) -> dict[str, Any]:
        return await register(http)

    async def guess(self, admin: Admin, once: Callable[[], Awaitable[httpx.Response]]) -> list[httpx.Response]:
        """Three more than the limit, from a full bucket that does not refill in between."""
        await admin.execute("DELETE FROM atrium.rate_buckets")
        answers = [await once()]
        await admin.execute("UPDATE atrium.rate_buckets SET updated_at = now() + interval '1 hour'")
        return answers + [await once() for _ in range(self.LIMIT + 2)]

    def check(self, answers: list[httpx.Response], refusal: int = 401) -> None:
        assert [answer.status_code for answer in answers] == [refusal] * self.LIMIT + [429] * 3
        assert answers[-1].json()["type"] == "urn:atrium:problem:rate-limited"
        assert int(answers[-1].headers["retry-after"]) >= 1

    async def test_invented_keys_are_told_to_wait_and_a_good_one_beside_them_is_not(
        self, http: httpx.AsyncClient, session: dict[str, Any], admin_connection: Admin
    ) -> None:
        good = {"X-API-Key": (await make_key(http, session))["key"]}
        self.check(await self.guess(admin_connection, lambda: me(http, {"X-API-Key": new_key().text})))
        assert (await me(http, good)).status_code == 200
        assert (await me(http, bearer(session))).status_code == 200

    async def test_another_address_is_not_told_to_wait(
        self, http: httpx.AsyncClient, session: dict[str, Any], admin_connection: Admin
    ) -> None:
        await self.guess(admin_connection, lambda: me(http, {"X-API-Key": new_key().text}))
        transport = httpx.ASGITransport(http._transport.app, client=("192.0.2.7", 1))  # type: ignore[attr-defined]
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as elsewhere:
            assert (await me(elsewhere, {"X-API-Key": new_key().text})).status_code == 401

    async def test_who_shares_the_address_still_logs_in(
        self, http: httpx.AsyncClient, session: dict[str, Any], admin_connection: Admin
    ) -> None:
        await self.guess(admin_connection, lambda: me(http, {"X-API-Key": new_key().text}))
        body = {"email": "ada@example.com", "password": PASSWORD}
        assert (await http.post("/api/v1/auth/login", json=body)).status_code == 200

    async def test_a_refused_guess_says_what_is_left(self, http: httpx.AsyncClient) -> None:
        refused = await me(http, {"X-API-Key": new_key().text})
        assert (refused.status_code, refused.headers["ratelimit-limit"]) == (401, str(self.LIMIT))
        assert refused.headers["ratelimit-remaining"] == str(self.LIMIT - 1)

    async def test_a_known_key_with_another_secret_counts(
        self, http: httpx.AsyncClient, session: dict[str, Any], admin_connection: Admin
    ) -> None:
        key = {"X-API-Key": (await make_key(http, session))["key"]}
        await admin_connection.execute("UPDATE atrium.api_keys SET mac = %s", [bytes(32)])
        self.check(await self.guess(admin_connection, lambda: me(http, key)))

    async def test_a_key_of_a_pepper_that_is_gone_counts(
        self, http: httpx.AsyncClient, session: dict[str, Any], admin_connection: Admin
    ) -> None:
        key = {"X-API-Key": (await make_key(http, session))["key"]}
        await admin_connection.execute("UPDATE atrium.api_keys SET pepper_kid = 'gone'")
        self.check(await self.guess(admin_connection, lambda: me(http, key)))

    async def test_the_token_of_an_ended_session_counts(
        self, http: httpx.AsyncClient, session: dict[str, Any], admin_connection: Admin
    ) -> None:
        await http.post("/api/v1/auth/logout", headers=bearer(session))
        self.check(await self.guess(admin_connection, lambda: me(http, bearer(session))))

    async def test_asking_for_the_status_is_no_way_around(self, http: httpx.AsyncClient, admin_connection: Admin) -> None:
        def ask() -> Awaitable[httpx.Response]:
            return http.get("/api/v1/auth/status", headers={"X-API-Key": new_key().text})

        self.check(await self.guess(admin_connection, ask), refusal=200)
        assert (await http.get("/api/v1/auth/status")).status_code == 200

    async def test_nor_is_an_operators_key(self, http: httpx.AsyncClient, admin_connection: Admin) -> None:
        body = {"org_name": "Acme", "email": "eve@example.com", "password": PASSWORD}

        def ask() -> Awaitable[httpx.Response]:
            return http.post("/api/v1/auth/register", json=body, headers={"X-API-Key": new_key().text})

        self.check(await self.guess(admin_connection, ask))

    @pytest.mark.parametrize("headers", [{"X-API-Key": "atr_live_x"}, {"Authorization": "Bearer a.b.c"}, {}])
    async def test_what_costs_no_query_costs_no_token(
        self, http: httpx.AsyncClient, admin_connection: Admin, headers: dict[str, str]
    ) -> None:
        answers = [await me(http, headers) for _ in range(self.LIMIT + 1)]
        assert {answer.status_code for answer in answers} == {401}
        assert await (await admin_connection.execute("SELECT FROM atrium.rate_buckets")).fetchall() == []


async def test_with_the_database_down_everything_is_closed(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"database_port": 1})
    database = Database(nowhere)
    runtime = LocalRuntime(nowhere, database)
    async with client(create_app(runtime)) as http:
        for answer in (
            await me(http, {"X-API-Key": new_key().text}),
            await http.post("/api/v1/auth/login", json={"email": "a@b.com", "password": PASSWORD}),
        ):
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:atrium:problem:unavailable"
