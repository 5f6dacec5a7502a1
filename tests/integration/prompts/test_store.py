"""What the database itself holds: versions that nobody changes, the operator's door, turns of writers."""

import asyncio
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.errors import Conflict, Forbidden, NotFound
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Operator, Principal
from atrium.prompts.by_type import TypePrompts
from atrium.prompts.models import NewPrompt, PromptFilter, PromptType, Reference, Variant
from atrium.prompts.service import PromptService
from tests.integration.prompts.conftest import Connection, content

MADE = NewPrompt("greeting", content("Hello {{name}}"))


async def rows(connection: Connection, query: LiteralString) -> list[dict[str, Any]]:
    return await (await connection.execute(query)).fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE atrium.prompt_versions SET messages = '[]'",
        "DELETE FROM atrium.prompt_versions",
        "UPDATE atrium.prompt_labels SET variants = '[]'",
        "DELETE FROM atrium.prompt_labels",
        "UPDATE atrium.prompts SET key = 'other'",
        "INSERT INTO atrium.platform_prompts (id, key, created_by) VALUES (uuidv7(), 'mine', 'me')",
        "UPDATE atrium.platform_prompts SET key = 'other'",
        "UPDATE atrium.platform_prompt_versions SET messages = '[]'",
        "DELETE FROM atrium.platform_prompt_labels",
    ],
)
async def test_what_is_written_stays_written(
    database: Database, tenant: Principal, prompts: PromptService, statement: LiteralString
) -> None:
    made, _ = await prompts.create(tenant, MADE)
    await prompts.point(tenant, made.id, "production", [Variant(1)])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with database.transaction(tenant) as tx:
            await tx.execute(statement)


class TestTheOperatorsDoor:
    async def test_it_opens_for_the_operators_name_alone(self, prompts: PromptService, operator: Operator) -> None:
        made, version = await prompts.create(operator, MADE)
        assert (made.layer, made.created_by, version.version) == ("platform", "operator:theoperator", 1)
        for other in (Operator("somebody", operator.digest), Operator(operator.key_id, bytes(31) + b"x")):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await prompts.create(other, NewPrompt("other", content("x")))

    async def test_a_revoked_key_closes_it(
        self, prompts: PromptService, operator: Operator, admin_connection: Connection
    ) -> None:
        made, _ = await prompts.create(operator, MADE)
        await admin_connection.execute("UPDATE atrium.operator_keys SET revoked_at = now()")
        for attempt in (
            prompts.add_version(operator, made.id, content("x")),
            prompts.point(operator, made.id, "production", [Variant(1)]),
            prompts.delete(operator, made.id),
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await attempt

    @pytest.mark.parametrize(
        "call",
        [
            "SELECT atrium.platform_prompt_delete('theoperator', %(proof)s, %(id)s)",
            "SELECT atrium.platform_prompt_point('theoperator', %(proof)s, %(id)s, 'production', '[]')",
            "SELECT atrium.platform_prompt_add('theoperator', %(proof)s, %(id)s, NULL, '[]', NULL, '{}', '')",
            "SELECT atrium.platform_prompt_create('theoperator', %(proof)s, %(id)s, 'k', NULL, '', '[]', NULL, '{}', '')",
        ],
    )
    async def test_it_is_shut_inside_a_tenants_transaction(
        self, database: Database, tenant: Principal, operator: Operator, call: LiteralString
    ) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="the operator's"):
            async with database.transaction(tenant) as tx:
                await tx.execute(call, id=new_id(), proof=operator.digest)

    async def test_what_the_operator_deleted_is_remembered(
        self, prompts: PromptService, operator: Operator, tenant: Principal, admin_connection: Connection
    ) -> None:
        made, _ = await prompts.create(operator, MADE)
        await prompts.delete(operator, made.id)
        (row,) = await rows(admin_connection, "SELECT deleted_by, deleted_at IS NOT NULL AS deleted FROM atrium.platform_prompts")
        assert row == {"deleted_by": "operator:theoperator", "deleted": True}
        assert await prompts.list_page(tenant, PromptFilter()) == []
        with pytest.raises(NotFound):
            await prompts.delete(operator, made.id)


class TestNothingGrowsWithoutEnd:
    async def test_a_prompt_has_fifty_labels(self, prompts: PromptService, tenant: Principal) -> None:
        made, _ = await prompts.create(tenant, MADE)
        for number in range(50):
            await prompts.point(tenant, made.id, f"l{number}", [Variant(1)])
        with pytest.raises(Conflict, match="at most 50 labels of a prompt"):
            await prompts.point(tenant, made.id, "another", [Variant(1)])
        assert (await prompts.point(tenant, made.id, "l7", [Variant(1)])).revision == 2
        assert len((await prompts.get(tenant, made.id))[2]) == 50

    async def test_a_prompt_has_a_thousand_versions(
        self, prompts: PromptService, tenant: Principal, admin_connection: Connection
    ) -> None:
        made, _ = await prompts.create(tenant, MADE)
        await admin_connection.execute("UPDATE atrium.prompts SET latest_version = 999")
        await prompts.add_version(tenant, made.id, content("x"))
        with pytest.raises(Conflict, match="at most 1,000 versions of a prompt"):
            await prompts.add_version(tenant, made.id, content("x"))
        assert (await prompts.get(tenant, made.id))[0].latest_version == 1000

    async def test_an_organisation_has_a_thousand_prompts(
        self, prompts: PromptService, tenant: Principal, other_tenant: Principal, admin_connection: Connection
    ) -> None:
        made, _ = await prompts.create(tenant, MADE)
        await admin_connection.execute(
            "INSERT INTO atrium.prompts (tenant_id, id, key, created_by)"
            " SELECT %s, uuidv7(), 'p' || n, 'me' FROM generate_series(1, 999) n",
            [tenant.tenant_id],
        )
        with pytest.raises(Conflict, match="at most 1,000 prompts of an organisation"):
            await prompts.create(tenant, NewPrompt("another", content("x")))
        assert (await prompts.create(tenant, MADE, prompt_id=made.id))[0].id == made.id
        await prompts.create(other_tenant, MADE)


class TestWritersTakeTurns:
    @pytest.mark.parametrize("who", ["tenant", "operator"])
    async def test_versions_and_revisions_have_no_gap(
        self, prompts: PromptService, tenant: Principal, operator: Operator, who: str
    ) -> None:
        author = tenant if who == "tenant" else operator
        made, _ = await prompts.create(author, MADE)
        added = await asyncio.gather(*(prompts.add_version(author, made.id, content(f"{each}")) for each in range(6)))
        pointed = await asyncio.gather(*(prompts.point(author, made.id, "beta", [Variant(each)]) for each in range(1, 7)))
        assert sorted(version.version for _, version in added) == list(range(2, 8))
        assert sorted(label.revision for label in await prompts.label_history(author, made.id, "beta")) == list(range(1, 7))
        assert len(pointed) == 6

    async def test_one_of_several_makes_a_key(self, prompts: PromptService, tenant: Principal) -> None:
        outcomes = await asyncio.gather(*(prompts.create(tenant, MADE) for _ in range(4)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(Conflict) == 3

    async def test_a_try_that_was_cut_off_is_repeated_under_its_id(
        self, prompts: PromptService, tenant: Principal, admin_connection: Connection
    ) -> None:
        prompt_id = new_id()
        first, second = [await prompts.create(tenant, MADE, prompt_id=prompt_id) for _ in range(2)]
        assert first == second
        assert len(await rows(admin_connection, "SELECT FROM atrium.audit_log WHERE action = 'prompt.created'")) == 1

    async def test_a_types_prompt_is_made_once(self, database: Database, tenant: Principal) -> None:
        by_type = TypePrompts(database)
        await asyncio.gather(*(by_type.put(tenant, PromptType.CHAT, content(f"{each}")) for each in range(5)))
        found, versions = await by_type.active(tenant, PromptType.CHAT)
        assert [version.version for version in versions] == [5, 4, 3, 2, 1]
        assert (found.explain.label, found.explain.version) == ("production", 5)


async def test_another_tenant_has_a_key_of_its_own(prompts: PromptService, tenant: Principal, other_tenant: Principal) -> None:
    await prompts.create(tenant, MADE)
    await prompts.create(other_tenant, NewPrompt("greeting", content("Servus {{name}}")))
    reference = Reference("greeting", variables={"name": "you"})
    said = [(await prompts.resolve(who, reference)).messages[0].text for who in (tenant, other_tenant)]
    assert said == ["Hello you", "Servus you"]


async def test_a_tenant_leaves_the_platforms_alone(prompts: PromptService, tenant: Principal, operator: Operator) -> None:
    made, _ = await prompts.create(operator, MADE)
    with pytest.raises(Forbidden, match="greeting"):
        await prompts.delete(tenant, made.id)


async def test_who_gets_which_version_is_the_principals_own_by_default(prompts: PromptService, tenant: Principal) -> None:
    made, _ = await prompts.create(tenant, NewPrompt("split", content("one")))
    await prompts.add_version(tenant, made.id, content("two"))
    await prompts.point(tenant, made.id, "production", [Variant(1, 1), Variant(2, 1)])

    explained = (await prompts.resolve(tenant, Reference("split"))).explain
    named = {
        (await prompts.resolve(tenant, Reference("split", subject=str(UUID(int=each))))).explain.version for each in range(16)
    }

    assert (explained.subject, explained.label) == (tenant.subject, "production")
    assert named == {1, 2}
