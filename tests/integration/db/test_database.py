from atrium.db import Database
from atrium.kernel.principal import Principal


async def test_a_transaction_sees_its_own_tenant_only(database: Database, tenant: Principal, other_tenant: Principal) -> None:
    async with database.transaction(tenant) as tx:
        rows = await tx.fetch_all("SELECT tenant_id FROM atrium.tenants")
    assert [row["tenant_id"] for row in rows] == [tenant.tenant_id]


async def test_outside_a_transaction_no_row_is_seen(database: Database, tenant: Principal) -> None:
    assert await database.call("SELECT tenant_id FROM atrium.tenants") == []
