"""Who belongs to a tenant: invited, accepted, changed, removed; and that an admin is always left."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.settings import Settings
from atrium.tenancy.keys import key_mac, new_key
from functions.auth.app import create_app
from tests.factories.auth import PASSWORD, UNLIMITED, LocalRuntime, bearer, client, join, make_key, register

Session = dict[str, Any]
Admin = psycopg.AsyncConnection[dict[str, Any]]
USERS = "/api/v1/users"


async def invite(http: httpx.AsyncClient, admin: Session, email: str = "bob@example.com", **body: object) -> httpx.Response:
    return await http.post(USERS, json={"email": email, **body}, headers=bearer(admin))


async def accept(http: httpx.AsyncClient, token: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
    return await http.post(f"{USERS}/accept", json={"token": token, "password": password}, headers=headers)


async def change(http: httpx.AsyncClient, admin: Session, identifier: str, **body: object) -> httpx.Response:
    return await http.patch(f"{USERS}/{identifier}", json=body, headers=bearer(admin))


async def members(http: httpx.AsyncClient, admin: Session) -> dict[str, tuple[str, str]]:
    page = (await http.get(USERS, headers=bearer(admin))).json()
    return {member["email"]: (member["role"], member["status"]) for member in page["data"]}


async def me(http: httpx.AsyncClient, session: Session) -> httpx.Response:
    return await http.get("/api/v1/auth/me", headers=bearer(session))


async def login(http: httpx.AsyncClient, email: str) -> httpx.Response:
    return await http.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})


class TestInviting:
    async def test_an_invitation_becomes_a_user_under_the_same_id(self, http: httpx.AsyncClient, session: Session) -> None:
        answer = await invite(http, session, "Bob@Example.com", role="viewer")
        invited = answer.json()
        assert (answer.status_code, invited["status"], invited["role"]) == (201, "invited", "viewer")
        assert await members(http, session) == {
            "ada@example.com": ("admin", "active"), "bob@example.com": ("viewer", "invited"),
        }  # fmt: skip
        joined = await accept(http, invited["token"])
        assert joined.status_code == 201
        assert set(joined.json()) == set(session)
        assert (joined.json()["user"]["id"], joined.json()["org"]) == (invited["id"], session["org"])
        assert (await me(http, joined.json())).json()["role"] == "viewer"
        assert (await members(http, session))["bob@example.com"] == ("viewer", "active")
        assert (await login(http, "bob@example.com")).status_code == 200

    async def test_a_token_is_of_one_use(self, http: httpx.AsyncClient, session: Session) -> None:
        token = (await invite(http, session)).json()["token"]
        answers = await asyncio.gather(*(accept(http, token) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [201, 401, 401]

    async def test_inviting_again_replaces_the_token_and_keeps_the_id(self, http: httpx.AsyncClient, session: Session) -> None:
        first, second = (await invite(http, session)).json(), (await invite(http, session, role="admin")).json()
        assert first["id"] == second["id"]
        assert (await accept(http, first["token"])).status_code == 401
        assert (await accept(http, second["token"])).json()["user"]["role"] == "admin"

    async def test_an_invitation_ends(self, http: httpx.AsyncClient, session: Session, admin_connection: Admin) -> None:
        token = (await invite(http, session)).json()["token"]
        await admin_connection.execute("UPDATE atrium.invitations SET expires_at = now()")
        assert (await accept(http, token)).status_code == 401

    async def test_a_user_of_this_tenant_is_409_and_of_another_is_not_told(
        self, http: httpx.AsyncClient, session: Session
    ) -> None:
        await register(http, "eve@example.com", "Other")
        assert (await invite(http, session, "ADA@example.com")).status_code == 409
        token = (await invite(http, session, "eve@example.com")).json()["token"]
        # Only who has the invitation in hand, and so the mailbox, learns of it.
        assert (await accept(http, token)).status_code == 409
        assert (await members(http, session))["eve@example.com"] == ("member", "invited")

    async def test_two_tenants_invite_the_same_person_who_chooses(self, http: httpx.AsyncClient, session: Session) -> None:
        eve = await register(http, "eve@example.com", "Other")
        one, other = (await invite(http, session)).json(), (await invite(http, eve)).json()
        assert (await accept(http, other["token"])).json()["org"] == eve["org"]
        assert (await accept(http, one["token"])).status_code == 409

    async def test_the_token_is_shown_once(self, http: httpx.AsyncClient, session: Session, admin_connection: Admin) -> None:
        headers = bearer(session) | {"Idempotency-Key": "k"}
        answers = [await http.post(USERS, json={"email": "bob@example.com"}, headers=headers) for _ in range(2)]
        token = answers[0].json()["token"]
        assert answers[1].json() == answers[0].json() | {"token": "[shown once]"}
        assert (await accept(http, token)).status_code == 201
        rows = await (
            await admin_connection.execute("SELECT encode(response, 'escape') AS r FROM atrium.idempotency_keys")
        ).fetchall()
        assert all(token not in row["r"] for row in rows)

    async def test_it_is_at_rest_as_a_hash(self, http: httpx.AsyncClient, session: Session, admin_connection: Admin) -> None:
        token = (await invite(http, session)).json()["token"]
        row = await (await admin_connection.execute("SELECT i::text AS all FROM atrium.invitations i")).fetchone()
        assert row is not None
        assert token not in row["all"]

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [({}, "/email"), ({"email": "nobody"}, "/email"), ({"email": "b@c.de", "role": "owner"}, "/role"),
         ({"email": "b@c.de", "name": "Bob"}, "/name"), ({"email": "b@c.de", "role": None}, "/role")],
    )  # fmt: skip
    async def test_a_wrong_field_is_named(
        self, http: httpx.AsyncClient, session: Session, body: dict[str, Any], pointer: str
    ) -> None:
        answer = await http.post(USERS, json=body, headers=bearer(session))
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    @pytest.mark.parametrize("role", ["member", "viewer"])
    async def test_only_admins_manage_people(self, http: httpx.AsyncClient, session: Session, role: str) -> None:
        bob = await join(http, session, "bob@example.com", role)
        assert (await invite(http, bob, "c@example.com")).status_code == 403
        assert (await http.get(USERS, headers=bearer(bob))).status_code == 403
        assert (await change(http, bob, bob["user"]["id"], role="admin")).status_code == 403
        assert (await http.delete(f"{USERS}/{session['user']['id']}", headers=bearer(bob))).status_code == 403

    async def test_a_key_gives_no_role_that_may_more_than_itself(self, http: httpx.AsyncClient, session: Session) -> None:
        scopes = ["users:manage", "documents:read", "rag:query", "prompts:read"]
        key = {"X-API-Key": (await make_key(http, session, role="admin", scopes=scopes))["key"]}
        for role, expected in (("admin", 403), ("member", 403), ("viewer", 201)):
            answer = await http.post(USERS, json={"email": f"{role}@example.com", "role": role}, headers=key)
            assert answer.status_code == expected
        own = await http.patch(f"{USERS}/{session['user']['id']}", json={"role": "member"}, headers=key)
        assert own.status_code == 403
        bob = await join(http, session, "bob@example.com", "admin")
        await change(http, session, bob["user"]["id"], disabled=True)
        answer = await http.patch(f"{USERS}/{bob['user']['id']}", json={"disabled": False}, headers=key)
        assert answer.status_code == 403


class TestMailing:
    @pytest.fixture
    def mailing(self, settings: Settings, database: Database) -> LocalRuntime:
        return LocalRuntime(settings, database, target="aws", mail_from="atrium@example.com", **UNLIMITED)

    async def test_the_token_travels_by_mail_after_the_commit(self, mailing: LocalRuntime) -> None:
        async with client(create_app(mailing)) as http:
            admin = await register(http, org_name="Acme\nBcc: x@y.z " + "long " * 30)
            answer = await invite(http, admin)
            assert (answer.status_code, answer.json()["token"]) == (201, None)
            ((to, subject, text),) = mailing.memory_mail.sent
            assert to == "bob@example.com"
            assert "\n" not in subject
            assert len(subject) < 120
            token = next(line for line in text.splitlines() if len(line) == 43)
            assert (await accept(http, token)).status_code == 201

    async def test_a_replay_has_nothing_to_redact_and_mails_nothing(self, mailing: LocalRuntime) -> None:
        async with client(create_app(mailing)) as http:
            headers = bearer(await register(http)) | {"Idempotency-Key": "k"}
            answers = [await http.post(USERS, json={"email": "b@example.com"}, headers=headers) for _ in range(2)]
            assert [answer.json()["token"] for answer in answers] == [None, None]
            assert len(mailing.memory_mail.sent) == 1

    async def test_a_mail_that_fails_can_be_sent_again(self, mailing: LocalRuntime) -> None:
        async with client(create_app(mailing)) as http:
            admin = await register(http)
            mailing.memory_mail.down = True
            assert (await invite(http, admin)).status_code == 503
            assert (await members(http, admin))["bob@example.com"] == ("member", "invited")
            mailing.memory_mail.down = False
            assert (await invite(http, admin)).status_code == 201
            assert len(mailing.memory_mail.sent) == 1

    async def test_without_a_sender_the_answer_names_the_setting(self, settings: Settings, database: Database) -> None:
        async with client(create_app(LocalRuntime(settings, database, target="aws", **UNLIMITED))) as http:
            admin = await register(http)
            answer = await invite(http, admin)
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:atrium:problem:unavailable")
            assert "MAIL_FROM" in answer.json()["detail"]
            assert await members(http, admin) == {"ada@example.com": ("admin", "active")}

    async def test_one_mailbox_is_not_flooded(self, settings: Settings, database: Database) -> None:
        changed = UNLIMITED | {"rate_limit_public": 20}
        async with client(create_app(LocalRuntime(settings, database, **changed))) as http:
            admin = await register(http)
            statuses = [(await invite(http, admin)).status_code for _ in range(7)]
            assert statuses == [201] * 5 + [429] * 2
            assert (await invite(http, admin, "carol@example.com")).status_code == 201


class TestModes:
    async def test_where_it_is_closed_nobody_joins(
        self, http: httpx.AsyncClient, session: Session, settings: Settings, database: Database, admin_connection: Admin
    ) -> None:
        token = (await invite(http, session)).json()["token"]
        closed = LocalRuntime(settings, database, registration="closed", **UNLIMITED)
        closed.memory_secrets.values[settings.keyring_secret] = await _keyring_of(http)
        key = new_key()
        pepper = (await closed.keyring.get()).pepper[0]
        await admin_connection.execute(
            "INSERT INTO atrium.operator_keys (key_id, mac, pepper_kid) VALUES (%s, %s, %s)",
            [key.key_id, key_mac(pepper, key), pepper.kid],
        )
        async with client(create_app(closed)) as shut:
            assert (await invite(shut, session, "c@example.com")).status_code == 403
            assert (await accept(shut, token)).status_code == 403
            assert (await accept(shut, token, **{"X-API-Key": new_key().text})).status_code == 401
            assert (await accept(shut, token, **{"X-API-Key": key.text})).status_code == 201

    async def test_where_it_is_by_invitation_the_invited_join(self, settings: Settings, database: Database) -> None:
        runtime = LocalRuntime(settings, database, **UNLIMITED)
        async with client(create_app(runtime)) as http:
            admin = await register(http)
            invited = runtime.settings.model_copy(update={"registration": "invite"})
            runtime.settings = invited
            body = {"org_name": "Other", "email": "x@example.com", "password": PASSWORD}
            assert (await http.post("/api/v1/auth/register", json=body)).status_code == 403
            assert (await join(http, admin, "bob@example.com"))["user"]["email"] == "bob@example.com"


async def _keyring_of(http: httpx.AsyncClient) -> str:
    """The keyring of the application behind a client, so that another one knows its tokens."""
    runtime: LocalRuntime = http._transport.app.state.runtime  # type: ignore[attr-defined]
    return runtime.memory_secrets.values[runtime.settings.keyring_secret]


class TestPower:
    async def test_a_key_changes_and_removes_nobody_who_may_more(self, http: httpx.AsyncClient, session: Session) -> None:
        await join(http, session, "bob@example.com", "admin")
        admin = (await invite(http, session, "carol@example.com", role="admin")).json()["id"]
        viewer = (await join(http, session, "dan@example.com", "viewer"))["user"]["id"]
        scopes = ["users:manage", "documents:read", "rag:query", "prompts:read"]
        key = {"X-API-Key": (await make_key(http, session, role="admin", scopes=scopes))["key"]}
        for stronger in (session["user"]["id"], admin):
            for body in ({"disabled": True}, {"role": "viewer"}):
                assert (await http.patch(f"{USERS}/{stronger}", json=body, headers=key)).status_code == 403
            assert (await http.delete(f"{USERS}/{stronger}", headers=key)).status_code == 403
        assert (await http.patch(f"{USERS}/{viewer}", json={"disabled": True}, headers=key)).status_code == 200
        assert (await http.delete(f"{USERS}/{viewer}", headers=key)).status_code == 204

    @pytest.mark.parametrize(
        ("end", "left"),
        [
            ({"disabled": True}, set()),
            ({"role": "viewer"}, {"viewer"}),
            ({"role": "member"}, {"member", "viewer"}),
            (None, set()),
        ],
    )
    async def test_an_admins_invitations_end_with_what_they_could_give(
        self, http: httpx.AsyncClient, session: Session, end: dict[str, Any] | None, left: set[str]
    ) -> None:
        bob = await join(http, session, "bob@example.com", "admin")
        for role in ("admin", "member", "viewer"):
            await invite(http, bob, f"{role}@example.com", role=role)
        await invite(http, session, "mine@example.com", role="admin")
        url = f"{USERS}/{bob['user']['id']}"
        answer = (
            await http.patch(url, json=end, headers=bearer(session)) if end else await http.delete(url, headers=bearer(session))
        )
        assert answer.is_success
        open_now = {email for email, (_, status) in (await members(http, session)).items() if status == "invited"}
        assert open_now == {"mine@example.com", *(f"{role}@example.com" for role in left)}

    async def test_a_keys_invitations_end_with_it(self, http: httpx.AsyncClient, session: Session) -> None:
        key = await make_key(http, session, role="admin")
        answer = await http.post(USERS, json={"email": "bob@example.com"}, headers={"X-API-Key": key["key"]})
        await http.delete(f"/api/v1/api-keys/{key['id']}", headers=bearer(session))
        assert (await accept(http, answer.json()["token"])).status_code == 401


class TestChanging:
    async def test_a_role_counts_at_once_and_old_access_tokens_end(self, http: httpx.AsyncClient, session: Session) -> None:
        bob = await join(http, session, "bob@example.com")
        answer = await change(http, session, bob["user"]["id"], role="admin")
        assert (answer.status_code, answer.json()["role"], answer.json()["status"]) == (200, "admin", "active")
        assert (await me(http, bob)).status_code == 401
        renewed = await http.post("/api/v1/auth/refresh", json={"refresh_token": bob["refresh_token"]})
        assert (await me(http, renewed.json())).json()["role"] == "admin"

    async def test_a_disabled_user_is_out_until_they_log_in_anew(self, http: httpx.AsyncClient, session: Session) -> None:
        bob = await join(http, session, "bob@example.com")
        refresh = {"refresh_token": bob["refresh_token"]}
        assert (await change(http, session, bob["user"]["id"], disabled=True)).json()["status"] == "disabled"
        assert (await me(http, bob)).status_code == 401
        assert (await http.post("/api/v1/auth/refresh", json=refresh)).status_code == 401
        assert (await login(http, "bob@example.com")).status_code == 401
        assert (await change(http, session, bob["user"]["id"], disabled=False)).json()["status"] == "active"
        # What was theirs before stays ended.
        assert (await http.post("/api/v1/auth/refresh", json=refresh)).status_code == 401
        assert (await login(http, "bob@example.com")).status_code == 200

    async def test_what_is_so_already_changes_nothing(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        own = session["user"]["id"]
        for body in ({}, {"role": "admin"}, {"disabled": False}, {"role": "admin", "disabled": False}):
            assert (await change(http, session, own, **body)).status_code == 200
        assert (await me(http, session)).status_code == 200
        rows = await (await admin_connection.execute("SELECT FROM atrium.audit_log WHERE action = 'user.updated'")).fetchall()
        assert rows == []

    async def test_an_invitation_has_a_role_to_change_and_nothing_to_disable(
        self, http: httpx.AsyncClient, session: Session
    ) -> None:
        invited = (await invite(http, session)).json()
        assert (await change(http, session, invited["id"], role="admin")).json()["status"] == "invited"
        assert (await change(http, session, invited["id"], disabled=True)).status_code == 409
        assert (await change(http, session, invited["id"], disabled=False)).status_code == 200
        assert (await accept(http, invited["token"])).json()["user"]["role"] == "admin"

    @pytest.mark.parametrize("body", [{"role": None}, {"disabled": None}, {"role": "owner"}, {"disabled": 1}, {"email": "x@y.z"}])
    async def test_a_wrong_field_is_named(self, http: httpx.AsyncClient, session: Session, body: dict[str, Any]) -> None:
        answer = await change(http, session, session["user"]["id"], **body)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{next(iter(body))}"]


class TestTheLastAdmin:
    @pytest.mark.parametrize("body", [{"role": "member"}, {"disabled": True}, {"role": "viewer", "disabled": True}, None])
    async def test_stays(self, http: httpx.AsyncClient, session: Session, body: dict[str, Any] | None) -> None:
        await join(http, session, "bob@example.com")
        await invite(http, session, "carol@example.com", role="admin")
        own = f"{USERS}/{session['user']['id']}"
        answer = await (
            http.delete(own, headers=bearer(session)) if body is None else http.patch(own, json=body, headers=bearer(session))
        )
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:atrium:problem:conflict")
        assert (await me(http, session)).json()["role"] == "admin"

    async def test_a_disabled_admin_is_none(self, http: httpx.AsyncClient, session: Session) -> None:
        bob = await join(http, session, "bob@example.com", "admin")
        assert (await change(http, session, bob["user"]["id"], disabled=True)).status_code == 200
        assert (await change(http, session, session["user"]["id"], role="member")).status_code == 409
        # One who is disabled already may be anything else.
        assert (await change(http, session, bob["user"]["id"], role="member")).status_code == 200

    async def test_two_who_remove_each_other_at_once_leave_one(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        admins = [session] + [await join(http, session, f"a{number}@example.com", "admin") for number in range(3)]
        following = admins[1:] + admins[:1]
        answers = await asyncio.gather(
            *(change(http, one, other["user"]["id"], role="member") for one, other in zip(admins, following, strict=True)),
            *(
                http.delete(f"{USERS}/{other['user']['id']}", headers=bearer(one))
                for one, other in zip(admins, following, strict=True)
            ),
        )
        assert {answer.status_code for answer in answers} <= {200, 204, 401, 403, 404, 409}
        left = await admin_connection.execute(
            "SELECT count(*) AS n FROM atrium.users WHERE role = 'admin' AND disabled_at IS NULL"
        )
        assert (await left.fetchone() or {})["n"] >= 1


class TestRemoving:
    async def test_a_removed_user_is_out_and_the_email_is_free(self, http: httpx.AsyncClient, session: Session) -> None:
        bob = await join(http, session, "bob@example.com")
        url = f"{USERS}/{bob['user']['id']}"
        assert (await http.delete(url, headers=bearer(session))).status_code == 204
        assert (await me(http, bob)).status_code == 401
        assert (await http.post("/api/v1/auth/refresh", json={"refresh_token": bob["refresh_token"]})).status_code == 401
        assert (await http.delete(url, headers=bearer(session))).status_code == 404
        assert (await register(http, "bob@example.com", "Bob's own"))["org"]["name"] == "Bob's own"

    async def test_a_removed_invitation_opens_nothing(self, http: httpx.AsyncClient, session: Session) -> None:
        invited = (await invite(http, session)).json()
        assert (await http.delete(f"{USERS}/{invited['id']}", headers=bearer(session))).status_code == 204
        assert (await accept(http, invited["token"])).status_code == 401

    async def test_all_of_it_is_in_the_audit_log(
        self, http: httpx.AsyncClient, session: Session, admin_connection: Admin
    ) -> None:
        bob = await join(http, session, "bob@example.com")
        await change(http, session, bob["user"]["id"], role="viewer", disabled=True)
        await http.delete(f"{USERS}/{bob['user']['id']}", headers=bearer(session))
        carol = (await invite(http, session, "carol@example.com")).json()
        await http.delete(f"{USERS}/{carol['id']}", headers=bearer(session))
        rows = await (
            await admin_connection.execute(
                "SELECT action, actor, target, detail FROM atrium.audit_log WHERE action LIKE 'user.%%' ORDER BY at, id"
            )
        ).fetchall()
        admin, target = f"user:{session['user']['id']}", f"user:{bob['user']['id']}"
        assert [(row["action"], row["actor"], row["target"]) for row in rows] == [
            ("user.invited", admin, target),
            ("user.accepted", target, target),
            ("user.updated", admin, target),
            ("user.deleted", admin, target),
            ("user.invited", admin, f"user:{carol['id']}"),
            ("user.uninvited", admin, f"user:{carol['id']}"),
        ]
        assert rows[2]["detail"] == {"role": "viewer", "disabled": True}
        assert "bob@" not in str(rows)


class TestListing:
    async def test_pages_hold_users_and_invitations_newest_first(self, http: httpx.AsyncClient, session: Session) -> None:
        for number in range(4):
            await invite(http, session, f"i{number}@example.com")
        await join(http, session, "bob@example.com")
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (
                await http.get(USERS, params={"limit": 2} | ({"cursor": cursor} if cursor else {}), headers=bearer(session))
            ).json()
            seen += [member["id"] for member in page["data"]]
            cursor = page["next_cursor"]
        assert seen == sorted(seen, key=lambda each: UUID(each).int, reverse=True)
        assert len(seen) == len(set(seen)) == 6
