"""The hash chain: what is sealed stays, and what did not stay is named."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, Final, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from atrium.audit import record, repository
from atrium.audit.canonical import GENESIS, canonical, parse
from atrium.audit.models import Link
from atrium.audit.reading import AuditService
from atrium.audit.sealing import seal
from atrium.audit.verifying import verify
from atrium.db import Database
from atrium.kernel.budget import Budget
from atrium.kernel.errors import Conflict, Unavailable
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from tests.factories.cluster import Cluster
from tests.integration.audit.conftest import AMPLE, Log

AdminConnection = psycopg.AsyncConnection[dict[str, Any]]
Intruder = Callable[..., Awaitable[int]]


async def chain(connection: AdminConnection) -> list[dict[str, Any]]:
    rows = await connection.execute(
        "SELECT seq, hash, target FROM atrium.audit_log WHERE seq IS NOT NULL ORDER BY tenant_id, seq"
    )
    return await rows.fetchall()


class TestSealing:
    async def test_entries_are_numbered_and_the_end_is_noted(self, log: Log, admin_connection: AdminConnection) -> None:
        await log.write(3)
        sealed, end = await log.seal()
        rows = await chain(admin_connection)
        assert sealed == 3
        assert [(row["seq"], row["target"]) for row in rows] == [(1, "thing:0"), (2, "thing:1"), (3, "thing:2")]
        assert (end.seq, end.hash) == (3, rows[-1]["hash"])
        verified = await log.verify()
        assert (verified.first_broken, verified.complete, verified.verified_to) == (None, True, 3)
        assert (verified.chain.end, verified.chain.unsealed, verified.chain.oldest_unsealed_at) == (end, 0, None)

    async def test_an_empty_log_is_whole(self, log: Log) -> None:
        verified = await log.verify()
        assert (verified.complete, verified.chain.end, verified.chain.sealed_at) == (True, Link(0, GENESIS), None)
        assert await log.seal() == (0, Link(0, GENESIS))
        assert (await log.verify()).complete

    async def test_the_tail_waits_and_is_told(self, log: Log) -> None:
        await log.write(2)
        await log.seal()
        await log.write(3)
        verified = await log.verify()
        assert (verified.complete, verified.chain.end.seq, verified.chain.unsealed) == (True, 2, 3)
        assert verified.chain.oldest_unsealed_at is not None
        assert (await log.seal())[1].seq == 5
        assert (await log.verify()).verified_to == 5

    async def test_what_commits_late_is_sealed_late(self, log: Log, settings: Settings) -> None:
        late = Database(settings)
        async with late.transaction(log.tenant) as tx:
            await record(tx, action="thing.late")
            await log.write(2)
            assert (await log.seal())[0] == 2
        await late.close()
        assert await log.seal() == (1, (await log.verify()).chain.end)
        assert (await log.verify()).verified_to == 3

    async def test_two_at_once_make_one_chain(self, log: Log, settings: Settings, admin_connection: AdminConnection) -> None:
        await log.write(40)
        others = [Database(settings) for _ in range(4)]
        writing = log.write(20)
        counts = await asyncio.gather(*(seal(each, log.tenant.tenant_id, Budget(AMPLE)) for each in others), writing)
        rest, _ = await log.seal()
        for each in others:
            await each.close()
        assert sum(count[0] for count in counts if count) + rest == 60
        assert [row["seq"] for row in await chain(admin_connection)] == list(range(1, 61))
        assert (await log.verify()).complete

    async def test_one_that_is_killed_leaves_the_chain_as_it_was(
        self, log: Log, settings: Settings, admin_connection: AdminConnection
    ) -> None:
        await log.write(2)
        await log.seal()
        await log.write(3)
        killed = Database(settings)

        async def be_killed() -> None:
            async with killed.transaction(log.tenant) as tx:
                await tx.execute("SELECT atrium.seal_audit(2)")
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await be_killed()
        assert len(await chain(admin_connection)) == 2
        assert (await log.verify()).chain.unsealed == 3
        async with killed.transaction(log.tenant) as tx:
            await tx.execute("SELECT atrium.seal_audit(2)")
        await killed.close()
        assert (await log.verify()).chain.unsealed == 1
        assert (await log.seal())[1].seq == 5
        assert (await log.verify()).complete

    async def test_a_server_that_dies_while_sealing_leaves_it_too(
        self, log: Log, settings: Settings, admin_connection: AdminConnection
    ) -> None:
        await log.write(3)
        dying = Database(settings)

        async def die() -> None:
            async with dying.transaction(log.tenant) as tx:
                row = await tx.fetch_one("SELECT pg_backend_pid() AS pid, atrium.seal_audit(2)")
                await admin_connection.execute("SELECT pg_terminate_backend(%s, 5000)", [row and row["pid"]])
                await tx.execute("SELECT 1")

        with pytest.raises(Unavailable):
            await die()
        await dying.close()
        assert (await log.seal())[0] == 3
        assert (await log.verify()).complete

    async def test_each_tenant_has_a_chain_of_its_own(self, log: Log, database: Database, other_tenant: Principal) -> None:
        theirs = Log(database, other_tenant)
        await log.write(3)
        await theirs.write(2)
        assert ((await log.seal())[1].seq, (await theirs.seal())[1].seq) == (3, 2)
        assert (await log.verify()).complete
        assert (await theirs.verify()).complete


class TestTampering:
    """Entry 3 of 5 is tampered with past every right and trigger; whoever verifies is told which one it was."""

    @pytest.fixture
    async def sealed(self, log: Log) -> Log:
        await log.write(5)
        await log.seal()
        assert (await log.verify()).complete
        return log

    @pytest.mark.parametrize(
        "change",
        [
            "at = at + interval '1 microsecond'", "actor = 'user:2'", "action = 'thing.undone'", "target = ''",
            "request_id = 'r'", "detail = '{}'", "detail = detail || '{\"n\": 2.0}'", "detail = '[]'", "id = uuidv7()",
            "hash = sha256(hash)", "seq = NULL, hash = NULL", "seq = 9",
        ],
    )  # fmt: skip
    async def test_a_changed_entry_is_named(self, sealed: Log, intruder: Intruder, change: str) -> None:
        assert await intruder(f"UPDATE atrium.audit_log SET {change} WHERE seq = 3") == 1
        verified = await sealed.verify()
        assert (verified.first_broken, verified.verified_to, verified.complete) == (3, 2, False)

    @pytest.mark.parametrize(("gone", "named"), [("seq = 3", 3), ("seq = 1", 1), ("seq >= 4", 4), ("seq = 5", 5), ("true", 1)])
    async def test_a_deleted_entry_is_missed(self, sealed: Log, intruder: Intruder, gone: str, named: int) -> None:
        assert await intruder(f"DELETE FROM atrium.audit_log WHERE {gone}") > 0
        assert (await sealed.verify()).first_broken == named

    async def test_a_truncated_log_is_missed(self, sealed: Log, intruder: Intruder) -> None:
        await intruder("TRUNCATE atrium.audit_log")
        assert (await sealed.verify()).first_broken == 1

    async def test_entries_that_changed_places_are_named(self, sealed: Log, intruder: Intruder) -> None:
        await intruder("UPDATE atrium.audit_log SET seq = seq + 100 WHERE seq IN (3, 4)")
        await intruder("UPDATE atrium.audit_log SET seq = 107 - seq WHERE seq > 100")
        assert (await sealed.verify()).first_broken == 3

    async def test_an_entry_put_between_is_named(self, sealed: Log, intruder: Intruder) -> None:
        await intruder("UPDATE atrium.audit_log SET seq = seq + 100 WHERE seq >= 3")
        await intruder("UPDATE atrium.audit_log SET seq = seq - 99 WHERE seq >= 100")
        copied = """INSERT INTO atrium.audit_log (tenant_id, id, actor, action, seq, hash)
                    SELECT tenant_id, uuidv7(), 'user:9', 'thing.forged', 3, hash FROM atrium.audit_log WHERE seq = 2"""
        await intruder(copied)
        await intruder("UPDATE atrium.audit_chains SET seq = 6")
        assert (await sealed.verify()).first_broken == 3

    async def test_one_put_behind_the_end_is_named(self, sealed: Log, intruder: Intruder) -> None:
        await intruder(
            """INSERT INTO atrium.audit_log (tenant_id, id, actor, action, seq, hash)
               SELECT tenant_id, uuidv7(), 'user:9', 'thing.forged', 6, hash FROM atrium.audit_log WHERE seq = 5"""
        )
        assert (await sealed.verify()).first_broken == 6

    @pytest.mark.parametrize(
        ("change", "named"), [("UPDATE atrium.audit_chains SET hash = sha256(hash)", 5), ("DELETE FROM atrium.audit_chains", 1)]
    )
    async def test_an_end_that_was_tampered_with_is_named(self, sealed: Log, intruder: Intruder, change: str, named: int) -> None:
        await intruder(change)
        assert (await sealed.verify()).first_broken == named

    async def test_a_chain_written_anew_is_found_by_who_noted_its_end(self, sealed: Log, intruder: Intruder) -> None:
        end = (await sealed.verify()).chain.end
        await intruder("UPDATE atrium.audit_log SET seq = NULL, hash = NULL, actor = 'user:2'")
        await intruder("DELETE FROM atrium.audit_chains")
        await sealed.seal()
        assert (await sealed.verify()).complete
        assert (await sealed.verify(after=end)).first_broken == end.seq

    async def test_a_noted_end_that_is_not_there_any_more_is_broken(self, sealed: Log, intruder: Intruder) -> None:
        end = (await sealed.verify()).chain.end
        await intruder("UPDATE atrium.audit_chains SET seq = 4, hash = l.hash FROM atrium.audit_log l WHERE l.seq = 4")
        await intruder("DELETE FROM atrium.audit_log WHERE seq = 5")
        assert (await sealed.verify()).complete
        assert (await sealed.verify(after=end)).first_broken == 5

    @pytest.mark.parametrize(
        "statement", ["UPDATE atrium.audit_log SET actor = 'user:2'", "DELETE FROM atrium.audit_log", "TRUNCATE atrium.audit_log"]
    )
    async def test_with_its_triggers_not_even_the_superuser_does_it_by_mistake(
        self, sealed: Log, admin_connection: AdminConnection, statement: LiteralString
    ) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="stays as it is"):
            await admin_connection.execute(statement)
        assert (await sealed.verify()).complete


class TestOneAtATime:
    async def test_who_verifies_while_somebody_does_is_told_to_wait(
        self, log: Log, database: Database, settings: Settings, other_tenant: Principal
    ) -> None:
        busy = Database(settings)
        async with busy.transaction(log.tenant) as tx:
            await repository.claim_verification(tx)
            for attempt in (log.verify(), AuditService(database).ledger_day(log.tenant, date(2026, 1, 1))):
                with pytest.raises(Conflict, match="being verified already"):
                    await attempt
            assert (await verify(database, other_tenant, Link(), Budget(AMPLE))).complete
        await busy.close()
        assert (await log.verify()).complete


class TestInParts:
    async def test_without_time_nothing_is_verified_and_it_says_so(self, log: Log) -> None:
        await log.write(2)
        await log.seal()
        verified = await log.verify(seconds=0)
        assert (verified.first_broken, verified.complete, verified.verified_to) == (None, False, 0)

    async def test_it_goes_on_where_it_stopped(self, log: Log, intruder: Intruder) -> None:
        await log.write(4)
        await log.seal()
        await intruder("UPDATE atrium.audit_log SET actor = 'user:2' WHERE seq = 1")
        assert (await log.verify()).first_broken == 1
        assert (await log.verify(after=Link(1))).complete
        assert (await log.verify(after=Link(4))).complete
        assert (await log.verify(after=Link(5))).first_broken == 5

    async def test_more_entries_than_a_batch(self, log: Log, admin_connection: AdminConnection, intruder: Intruder) -> None:
        await admin_connection.execute(
            """INSERT INTO atrium.audit_log (tenant_id, id, actor, action, target)
               SELECT %s, uuidv7(), 'user:1', 'thing.done', n::text FROM generate_series(1, 2500) n""",
            [log.tenant.tenant_id],
        )
        assert (await log.seal())[0] == 2500
        assert (await log.verify()).complete
        await intruder("UPDATE atrium.audit_log SET target = 'x' WHERE seq = 2001")
        assert (await log.verify()).first_broken == 2001


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO atrium.audit_log (tenant_id, id, actor, action, at)"
        " SELECT tenant_id, uuidv7(), 'a', 'a.b', now() FROM atrium.tenants",
        "INSERT INTO atrium.audit_log (tenant_id, id, actor, action, seq, hash)"
        " SELECT tenant_id, uuidv7(), 'a', 'a.b', 1, sha256('') FROM atrium.tenants",
        "UPDATE atrium.audit_log SET seq = 1, hash = sha256('')",
        "UPDATE atrium.audit_chains SET seq = 0",
        "INSERT INTO atrium.audit_chains (tenant_id) SELECT tenant_id FROM atrium.tenants",
        "DELETE FROM atrium.audit_chains",
    ],
)
async def test_the_application_does_not_write_the_chain_itself(log: Log, statement: LiteralString) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with log.database.transaction(log.tenant) as tx:
            await tx.execute(statement)


_texts: Final = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_values: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)


def test_postgres_and_we_write_the_same_text(cluster: Cluster) -> None:
    """Sealing renders in Postgres, verifying in Python: on whatever JSON, they agree."""
    with cluster.clone() as name, cluster.superuser(name) as connection:

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.dictionaries(_texts, _values, max_size=5))
        def same(detail: dict[str, Any]) -> None:
            row = connection.execute("SELECT %s::jsonb::text", [Jsonb(detail)]).fetchone()
            assert row is not None
            (text,) = row
            assert canonical(parse(text)) == text

        same()
