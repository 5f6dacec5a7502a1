"""The audit log over HTTP: read, narrowed, exported, verified."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from atrium.audit.sealing import close_days, seal
from atrium.db import Database
from atrium.kernel.budget import Budget
from atrium.kernel.principal import TenantId
from tests.factories.auth import bearer, join, make_key
from tests.integration.admin.conftest import Office
from tests.integration.db.test_isolation import insert, samples

AdminConnection = psycopg.AsyncConnection[dict[str, Any]]

ROOT: Final = Path(__file__).parents[3]
NOBODY: Final = "0" * 64


async def sealed(database: Database, office: Office) -> None:
    await seal(database, TenantId(UUID(office.session["org"]["id"])), Budget(30))


class TestList:
    async def test_the_newest_is_first_and_says_who_did_what(self, office: Office) -> None:
        made = await office.post("collections", name="notes")
        newest, oldest = (await office.json("audit"))["data"]
        assert (newest["action"], newest["target"]) == ("collection.created", "collection:notes")
        assert newest["actor"] == f"user:{office.session['user']['id']}"
        assert newest["request_id"] == made.headers["X-Request-Id"]
        assert newest["detail"]["embedding_model"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", newest["at"])
        assert (newest["seq"], newest["hash"]) == (None, None)
        assert oldest["action"] == "auth.registered"

    async def test_pages_have_every_entry_once(self, office: Office) -> None:
        for number in range(5):
            await office.post("collections", name=f"c{number}")
        whole = (await office.json("audit", limit=100))["data"]
        seen, cursor = [], None
        while True:
            page = await office.json("audit", limit=2, **({"cursor": cursor} if cursor else {}))
            seen += page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert len(seen) == 6
        assert seen == whole

    async def test_it_is_narrowed(self, office: Office, database: Database) -> None:
        made = await office.post("collections", name="notes")
        key = await make_key(office.http, office.session)
        user = f"user:{office.session['user']['id']}"
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        for params, expected in (
            ({"action": "collection"}, ["collection.created"]),
            ({"action": "collection.created"}, ["collection.created"]),
            ({"action": "collect"}, []),
            ({"target": f"api_key:{key['id']}"}, ["api_key.created"]),
            ({"request_id": made.headers["X-Request-Id"]}, ["collection.created"]),
            ({"actor": f"api_key:{key['id']}"}, []),
            ({"actor": user, "action": "api_key"}, ["api_key.created"]),
            ({"to": later, "action": "api_key"}, ["api_key.created"]),
            ({"from": later}, []),
        ):
            assert [entry["action"] for entry in (await office.json("audit", **params))["data"]] == expected, params

    @pytest.mark.parametrize("params", [{"from": "yesterday"}, {"to": "0.5"}, {"action": "Document"}, {"since": "2026-11-20"}])
    async def test_a_filter_that_says_nothing_is_refused(self, office: Office, params: dict[str, str]) -> None:
        assert (await office.get("audit", **params)).status_code == 422

    @pytest.mark.parametrize("path", ["audit", "audit/verify", "audit/export", "activity"])
    async def test_it_is_for_admins(self, office: Office, path: str) -> None:
        member = await join(office.http, office.session, "bob@example.com")
        narrow = await make_key(office.http, office.session, role="admin", scopes=["usage:read"])
        wide = await make_key(office.http, office.session, role="admin", scopes=["audit:read"])
        statuses = [
            (await office.http.get(f"/api/v1/admin/{path}", headers=headers)).status_code
            for headers in (bearer(member), {"X-API-Key": narrow["key"]}, {"X-API-Key": wide["key"]})
        ]
        assert statuses == [403, 403, 200]


class TestVerify:
    async def test_a_chain_is_verified_and_its_end_told(self, office: Office, database: Database) -> None:
        before = await office.json("audit/verify")
        assert (before["valid"], before["complete"], before["sealed"], before["unsealed"]) == (True, True, 0, 1)
        assert before["head"] == {"seq": 0, "hash": NOBODY, "sealed_at": None}
        await office.post("collections", name="notes")
        await sealed(database, office)
        after = await office.json("audit/verify")
        assert (after["valid"], after["verified_to"], after["sealed"], after["unsealed"]) == (True, 2, 2, 0)
        newest = (await office.json("audit"))["data"][0]
        assert (newest["seq"], newest["hash"]) == (2, after["head"]["hash"])
        assert after["head"]["sealed_at"] is not None

    async def test_an_end_that_was_noted_is_compared(self, office: Office, database: Database) -> None:
        await sealed(database, office)
        head = (await office.json("audit/verify"))["head"]
        await office.post("collections", name="notes")
        await sealed(database, office)
        good = await office.json("audit/verify", after_seq=head["seq"], after_hash=head["hash"])
        wrong = await office.json("audit/verify", after_seq=head["seq"], after_hash=NOBODY)
        assert (good["valid"], good["verified_to"], good["complete"]) == (True, 2, True)
        assert (wrong["valid"], wrong["first_broken_seq"], wrong["complete"]) == (False, 1, False)


class TestLedger:
    async def test_a_closed_day_is_compared(self, office: Office, database: Database, admin_connection: AdminConnection) -> None:
        tenant = TenantId(UUID(office.session["org"]["id"]))
        day = datetime.now(UTC) - timedelta(days=1)
        row = samples(tenant)["ledger_entries"] | {"created_at": day, "cost": 2_000_000_000, "attempts": Jsonb([])}
        await admin_connection.execute(insert("ledger_entries", row), row)
        before = await office.json("audit/ledger")
        assert (before["valid"], before["closed"], before["calls"], before["entry"]) == (False, False, 1, None)
        # The day is over for an hour, unless it is shortly after midnight.
        await admin_connection.execute("UPDATE atrium.ledger_entries SET created_at = created_at - interval '1 day'")
        await close_days(database, tenant, Budget(30))
        await sealed(database, office)
        closed = await office.json("audit/ledger", day=(day - timedelta(days=1)).date().isoformat())
        assert (closed["valid"], closed["closed"], closed["cost_usd"]) == (True, True, 2)
        assert (closed["entry"]["action"], closed["entry"]["detail"]["digest"]) == ("ledger.closed", closed["digest"])
        assert closed["entry"]["seq"] == 2

    @pytest.mark.parametrize("day", ["0", "yesterday", "1969-12-31", "2026-11-20T00:00:00Z"])
    async def test_what_is_no_day_is_refused(self, office: Office, day: str) -> None:
        assert (await office.get("audit/ledger", day=day)).status_code == 422


class TestExport:
    async def test_the_lines_are_the_chain_in_order(self, office: Office, database: Database) -> None:
        for number in range(4):
            await office.post("collections", name=f"c{number}")
        await sealed(database, office)
        await office.post("collections", name="unsealed")
        whole = await office.get("audit/export")
        assert whole.headers["Content-Type"] == "application/x-ndjson"
        assert "Link" not in whole.headers
        assert [json.loads(line)["seq"] for line in whole.text.splitlines()] == [1, 2, 3, 4, 5]
        paged, path = "", "/api/v1/admin/audit/export?limit=2"
        while path:
            page = await office.http.get(path, headers=bearer(office.session))
            paged += page.text
            path = page.links["next"]["url"] if "next" in page.links else ""
        assert paged == whole.text

    async def test_an_auditor_verifies_it_with_the_script_of_the_docs(
        self, office: Office, database: Database, tmp_path: Path
    ) -> None:
        await office.post("documents", name='Größe "1".txt', content="The answer is 42.")
        await office.post("collections", name="notes", metadata={"share": 0.10, "x": [None, True, "\u001f"]})
        await sealed(database, office)
        lines = (await office.get("audit/export")).text
        assert len(lines.splitlines()) >= 3
        end = (await office.json("audit/verify"))["head"]["hash"]
        assert audited(tmp_path, lines) == (0, f"{len(lines.splitlines())} entries, the last one's hash is {end}")
        status, said = audited(tmp_path, lines.replace("notes", "ideas"))
        assert status == 1
        assert said.startswith("broken at")
        assert audited(tmp_path, "".join(lines.splitlines(keepends=True)[1:])) == (1, "broken at 2")


def audited(folder: Path, lines: str) -> tuple[int, str]:
    """The exit status of the Python of docs/operations.md for an export, and what it says."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (script,) = [each for each in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "audit.jsonl" in each]
    (folder / "audit.jsonl").write_text(lines, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()
