"""Who belongs to a tenant."""

from uuid import UUID

from atrium.db import Database
from atrium.kernel.principal import Principal
from atrium.tenancy import repository


async def is_member(database: Database, principal: Principal, user_id: UUID) -> bool:
    """Whether this is a user of the principal's tenant who may still act; another tenant's is none."""
    async with database.transaction(principal) as tx:
        return await repository.find_user(tx, user_id) is not None
