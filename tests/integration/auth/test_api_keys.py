"""API keys: made, shown once, listed, narrowed, ended; and what authentication notes and refetches."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from atrium.ports.keyring import new_keyring
from tests.factories.auth import LocalRuntime, bearer, make_key, register

Session = dict[str, Any]
Admin = psycopg.AsyncConnection[dict[str, Any]]


def header(key: dict[str, Any]) -> dict[str, str]:
    return {"X-API-Key": key["key"]}


async def status(http: httpx.AsyncClient, key: dict[str, Any]) -> int:
    return (await http.get("/api/v1/auth/me", headers=header(key))).status_code


class TestMaking:
    async def test_a_key_works_in_both_headers(self, http: httpx.AsyncClient, session: Session) -> None:
        key = await make_key(http, session, name="ci")
        for headers in (header(key), {"Authorization": f"Bearer {key['key']}"}, {"authorization": f"bearer {key['key']}"}):
            me = (await http.get("/api/v1/auth/me", headers=headers)).json()
            assert (me["kind"], me["api_key"]["name"], me["role"]) == ("api_key", "ci", "member")

    async def test_its_secret_is_shown_once_and_stored_never(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        key = await make_key(http, session)
        listed = await http.get("/api/v1/api-keys", headers=bearer(session))
        assert listed.json()["data"] == [{name: value for name, value in key.items() if name != "key"}]
        secret = key["key"].split("_")[3]
        assert secret[-4:] == key["last_four"]
        assert key["key"].startswith(key["prefix"])
        row = await (await admin_connection.execute("SELECT k::text AS all FROM atrium.api_keys k")).fetchone()
        assert row is not None
        assert secret not in row["all"]

    async def test_scopes_narrow_it(self, http: httpx.AsyncClient, session: Session) -> None:
        key = await make_key(http, session, role="admin", scopes=["documents:read"])
        assert (await http.get("/api/v1/auth/me", headers=header(key))).json()["permissions"] == ["documents:read"]
        assert (await http.get("/api/v1/api-keys", headers=header(key))).status_code == 403

    async def test_a_key_makes_no_key_that_may_more(self, http: httpx.AsyncClient, session: Session) -> None:
        key = await make_key(http, session, role="admin", scopes=["api_keys:manage", "documents:read"])
        for body, expected in (
            ({"name": "k", "role": "admin"}, 403),
            ({"name": "k", "role": "member"}, 403),
            ({"name": "k", "role": "viewer", "scopes": ["documents:read"]}, 201),
        ):
            assert (await http.post("/api/v1/api-keys", json=body, headers=header(key))).status_code == expected

    @pytest.mark.parametrize(("days", "expected"), [(None, 7), (30, 7), (3, 3)])
    async def test_a_key_makes_no_key_that_lives_longer(
        self, http: httpx.AsyncClient, session: Session, days: int | None, expected: int
    ) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        maker = await make_key(http, session, role="admin", expires_at=(now + timedelta(days=7)).isoformat())
        body = {"name": "child", "expires_at": days and (now + timedelta(days=days)).isoformat()}
        child = (await http.post("/api/v1/api-keys", json=body, headers=header(maker))).json()
        assert datetime.fromisoformat(child["expires_at"]) - now == timedelta(days=expected)

    async def test_a_key_without_end_makes_such_keys(self, http: httpx.AsyncClient, session: Session) -> None:
        maker = await make_key(http, session, role="admin")
        child = (await http.post("/api/v1/api-keys", json={"name": "child"}, headers=header(maker))).json()
        assert child["expires_at"] is None

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [({}, "/name"), ({"name": ""}, "/name"), ({"name": "k", "role": "owner"}, "/role"),
         ({"name": "k", "scopes": ["x"]}, "/scopes/0"),
         ({"name": "k", "scopes": "documents:read"}, "/scopes"), ({"name": "k", "expires_at": "tomorrow"}, "/expires_at"),
         ({"name": "k", "expires_at": "2030-01-01T00:00:00"}, "/expires_at"), ({"name": "k", "expires_at": 1}, "/expires_at"),
         ({"name": "k", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"), ({"name": "k", "id": "x"}, "/id")],
    )  # fmt: skip
    async def test_a_wrong_field_is_named(
        self, http: httpx.AsyncClient, session: Session, body: dict[str, Any], pointer: str
    ) -> None:
        answer = await http.post("/api/v1/api-keys", json=body, headers=bearer(session))
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    async def test_a_scope_beyond_the_role_is_no_scope(self, http: httpx.AsyncClient, session: Session) -> None:
        body = {"name": "k", "role": "viewer", "scopes": ["documents:read", "documents:write"]}
        answer = await http.post("/api/v1/api-keys", json=body, headers=bearer(session))
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/scopes/1"]


async def rotate(
    http: httpx.AsyncClient, headers: dict[str, str], key: dict[str, Any], overlap: int | None = None
) -> httpx.Response:
    body = None if overlap is None else {"overlap": overlap}
    return await http.post(f"/api/v1/api-keys/{key['id']}/rotate", json=body, headers=headers)


class TestRotation:
    async def test_a_new_secret_works_now_and_the_old_one_for_a_day(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        key = await make_key(http, session, scopes=["documents:read"])
        answer = await rotate(http, bearer(session), key)
        new = answer.json()
        assert answer.status_code == 200
        unlike = {"key", "last_four", "previous_until", "last_used_at"}
        assert {name: new[name] for name in set(new) - unlike} == {name: key[name] for name in set(key) - unlike}
        assert new["key"] != key["key"]
        assert new["key"].startswith(key["prefix"])
        assert round((datetime.fromisoformat(new["previous_until"]) - datetime.now(UTC)).total_seconds() / 3600) == 24
        assert [await status(http, each) for each in (key, new)] == [200, 200]
        await admin_connection.execute("UPDATE atrium.api_keys SET previous_until = now()")
        assert [await status(http, each) for each in (key, new)] == [401, 200]
        (listed,) = (await http.get("/api/v1/api-keys", headers=bearer(session))).json()["data"]
        assert listed["previous_until"] is None

    async def test_no_more_than_two_live_at_once(self, http: httpx.AsyncClient, session: Session) -> None:
        first = await make_key(http, session)
        second = (await rotate(http, bearer(session), first)).json()
        third = (await rotate(http, bearer(session), first, 60)).json()
        assert [await status(http, each) for each in (first, second, third)] == [401, 200, 200]

    async def test_without_overlap_the_old_one_ends_now(self, http: httpx.AsyncClient, session: Session) -> None:
        key = await make_key(http, session)
        new = (await rotate(http, bearer(session), key, 0)).json()
        assert new["previous_until"] is None
        assert [await status(http, each) for each in (key, new)] == [401, 200]

    async def test_deleting_ends_both(self, http: httpx.AsyncClient, session: Session) -> None:
        key = await make_key(http, session)
        new = (await rotate(http, bearer(session), key)).json()
        await http.delete(f"/api/v1/api-keys/{key['id']}", headers=bearer(session))
        assert [await status(http, each) for each in (key, new)] == [401, 401]
        assert (await rotate(http, bearer(session), key)).status_code == 404

    async def test_the_same_request_again_rotates_once_and_shows_nothing(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        key = await make_key(http, session)
        headers = bearer(session) | {"Idempotency-Key": "k"}
        first, again = await rotate(http, headers, key), await rotate(http, headers, key)
        assert again.json() == first.json() | {"key": "[shown once]"}
        assert again.headers["idempotency-replayed"] == "true"
        assert [await status(http, each) for each in (key, first.json())] == [200, 200]

    async def test_a_retry_whose_answer_was_lost_leaves_the_secret_in_use(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        key = await make_key(http, session)
        headers = bearer(session) | {"Idempotency-Key": "k"}
        lost = (await rotate(http, headers, key)).json()
        await admin_connection.execute(
            "UPDATE atrium.idempotency_keys SET state = 'running', status = NULL, lease_until = now() - interval '1 second'"
        )
        retried = (await rotate(http, headers, key)).json()
        assert [await status(http, each) for each in (key, lost, retried)] == [200, 401, 200]

    async def test_each_secret_is_of_the_pepper_it_was_made_under(
        self, http: httpx.AsyncClient, session: Session, runtime: LocalRuntime
    ) -> None:
        key = await make_key(http, session)
        await _rotate(runtime)
        runtime.keyring._read_at -= 1000
        new = (await rotate(http, bearer(session), key)).json()
        assert [await status(http, each) for each in (key, new)] == [200, 200]

    async def test_it_ends_by_the_policy_of_now(self, http: httpx.AsyncClient, session: Session) -> None:
        endless = await make_key(http, session)
        soon = (datetime.now(UTC) + timedelta(days=2)).isoformat()
        short = await make_key(http, session, expires_at=soon)
        await http.patch("/api/v1/tenant", json={"settings": {"api_key_max_days": 7}}, headers=bearer(session))
        ends = [
            datetime.fromisoformat((await rotate(http, bearer(session), key)).json()["expires_at"]) for key in (endless, short)
        ]
        assert [round((end - datetime.now(UTC)).total_seconds() / 86400) for end in ends] == [7, 2]

    async def test_nobody_renews_a_key_that_may_more_or_outlives_them(self, http: httpx.AsyncClient, session: Session) -> None:
        soon = (datetime.now(UTC) + timedelta(days=7)).isoformat()
        strong = await make_key(http, session, role="admin")
        weak = await make_key(http, session, role="admin", scopes=["api_keys:manage", "documents:read"])
        short = await make_key(http, session, role="admin", expires_at=soon)
        reader = await make_key(http, session, scopes=["documents:read"])
        assert (await rotate(http, header(weak), strong)).status_code == 403
        assert (await rotate(http, header(short), strong)).status_code == 403
        assert [await status(http, each) for each in (strong, weak, short)] == [200, 200, 200]
        assert (await rotate(http, header(weak), reader)).status_code == 200
        assert (await rotate(http, header(short), short)).json()["expires_at"] == short["expires_at"]

    async def test_an_expired_key_is_not_revived(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        key = await make_key(http, session)
        await admin_connection.execute("UPDATE atrium.api_keys SET expires_at = now()")
        assert (await rotate(http, bearer(session), key)).status_code == 409

    @pytest.mark.parametrize("overlap", [-1, 604_801, 1.5, "60", None, True])
    async def test_an_overlap_is_seconds_up_to_a_week(self, http: httpx.AsyncClient, session: Session, overlap: object) -> None:
        key = await make_key(http, session)
        url = f"/api/v1/api-keys/{key['id']}/rotate"
        answer = await http.post(url, json={"overlap": overlap}, headers=bearer(session))
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/overlap"]

    async def test_it_is_audited(self, http: httpx.AsyncClient, session: Session, admin_connection: Admin) -> None:
        key = await make_key(http, session)
        await rotate(http, bearer(session), key, 60)
        row = await (
            await admin_connection.execute("SELECT target, detail FROM atrium.audit_log WHERE action = 'api_key.rotated'")
        ).fetchone()
        assert row == {"target": f"api_key:{key['id']}", "detail": {"overlap": 60}}


class TestEnding:
    async def test_a_deleted_key_stops_at_once_and_is_gone(self, http: httpx.AsyncClient, session: Session) -> None:
        key = await make_key(http, session)
        url = f"/api/v1/api-keys/{key['id']}"
        assert (await http.delete(url, headers=bearer(session))).status_code == 204
        assert await status(http, key) == 401
        assert (await http.delete(url, headers=bearer(session))).status_code == 404
        assert (await http.get("/api/v1/api-keys", headers=bearer(session))).json()["data"] == []

    async def test_an_expired_key_is_refused(self, http: httpx.AsyncClient, session: Session, admin_connection: Admin) -> None:
        soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        key = await make_key(http, session, expires_at=soon)
        assert await status(http, key) == 200
        await admin_connection.execute("UPDATE atrium.api_keys SET expires_at = now()")
        assert await status(http, key) == 401

    async def test_a_changed_secret_is_refused(self, http: httpx.AsyncClient, session: Session) -> None:
        one, other = await make_key(http, session), await make_key(http, session)
        # Both halves are well-formed; together they are nobody's, and the checksum tells before the database does.
        mixed = one["key"][:25] + other["key"][25:]
        assert await status(http, {"key": mixed}) == 401

    async def test_another_tenants_key_is_absent(self, http: httpx.AsyncClient, session: Session) -> None:
        key = await make_key(http, session)
        eve = await register(http, "eve@example.com", "Evil")
        assert (await http.delete(f"/api/v1/api-keys/{key['id']}", headers=bearer(eve))).status_code == 404
        assert await status(http, key) == 200


class TestListing:
    async def test_pages_are_newest_first(self, http: httpx.AsyncClient, session: Session) -> None:
        made = [(await make_key(http, session, name=f"k{number}"))["id"] for number in range(5)]
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query = f"?limit=2&cursor={cursor}" if cursor else "?limit=2"
            page = (await http.get(f"/api/v1/api-keys{query}", headers=bearer(session))).json()
            seen += [key["id"] for key in page["data"]]
            cursor = page["next_cursor"]
        assert seen == made[::-1]

    async def test_a_cursor_of_another_tenant_is_400(self, http: httpx.AsyncClient, session: Session) -> None:
        for _ in range(2):
            await make_key(http, session)
        cursor = (await http.get("/api/v1/api-keys?limit=1", headers=bearer(session))).json()["next_cursor"]
        eve = await register(http, "eve@example.com", "Evil")
        answer = await http.get(f"/api/v1/api-keys?limit=1&cursor={cursor}", headers=bearer(eve))
        assert answer.status_code == 400


class TestAuthentication:
    async def test_last_use_is_noted_at_most_once_a_minute(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        async def last_used() -> datetime | None:
            row = await (await admin_connection.execute("SELECT last_used_at FROM atrium.api_keys")).fetchone()
            assert row is not None
            found: datetime | None = row["last_used_at"]
            return found

        key = await make_key(http, session)
        assert await last_used() is None
        await status(http, key)
        first = await last_used()
        await status(http, key)
        assert await last_used() == first is not None
        await admin_connection.execute("UPDATE atrium.api_keys SET last_used_at = now() - interval '61 seconds'")
        await status(http, key)
        assert await last_used() != first

    async def test_keys_of_an_older_pepper_work_and_a_newer_one_is_fetched(
        self, http: httpx.AsyncClient, session: Session, runtime: LocalRuntime, admin_connection: Admin
    ) -> None:
        key = await make_key(http, session)
        await _rotate(runtime)
        # Cached: nobody has seen the new keyring yet, and the old key is still of a known pepper.
        assert await status(http, key) == 200
        newer = await _key_under_the_new_pepper(http, session, runtime, admin_connection)
        runtime.keyring._read_at -= 60
        assert await status(http, newer) == 200
        assert await status(http, key) == 200

    async def test_tokens_of_a_newer_signing_key_are_accepted_after_one_refetch(
        self, http: httpx.AsyncClient, session: Session, runtime: LocalRuntime
    ) -> None:
        old = await runtime.keyring.get()
        await _rotate(runtime)
        runtime.keyring._read_at -= 1000
        fresh = (await http.post("/api/v1/auth/refresh", json={"refresh_token": session["refresh_token"]})).json()
        # A container that still holds the old keyring meets the new kid.
        runtime.keyring._known = old
        runtime.keyring._read_at -= 60
        assert (await http.get("/api/v1/auth/me", headers=bearer(fresh))).status_code == 200
        assert (await http.get("/api/v1/auth/me", headers=bearer(session))).status_code == 200

    async def test_the_secret_store_is_not_asked_for_every_forged_kid(
        self, http: httpx.AsyncClient, session: Session, runtime: LocalRuntime
    ) -> None:
        forged = {"Authorization": "Bearer eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6IngifQ.e30.AAAA"}
        for _ in range(5):
            assert (await http.get("/api/v1/auth/me", headers=forged)).status_code == 401
        assert len(runtime.memory_secrets.reads) == 1


async def _rotate(runtime: LocalRuntime) -> None:
    """Put a fresh key in front of each ring, as a rotation does."""
    import json

    name = runtime.settings.keyring_secret
    old, new = json.loads(runtime.memory_secrets.values[name]), json.loads(new_keyring())
    await runtime.secrets.put(name, json.dumps({use: new[use] + old[use] for use in old}))


async def _key_under_the_new_pepper(
    http: httpx.AsyncClient, session: Session, runtime: LocalRuntime, admin: Admin
) -> dict[str, Any]:
    """A key that another container made after the rotation: this one's keyring is put back to the old."""
    old, read_at = await runtime.keyring.get(), runtime.keyring._read_at
    runtime.keyring._read_at -= 1000
    key = await make_key(http, session, name="newer")
    runtime.keyring._known, runtime.keyring._read_at = old, read_at
    return key
