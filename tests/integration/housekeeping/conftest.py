"""Housekeeping over a fresh deployment, logged in as its real roles."""

from collections.abc import AsyncIterator

import pytest

from atrium.db import Database
from atrium.housekeeping.service import HousekeepingService
from atrium.kernel.settings import Settings
from tests.factories.documents import Parts, World


class HousekeepingParts(Parts):
    """What the worker's runtime gives: the documents' parts and the relay's login."""

    relay_database: Database


@pytest.fixture
def world(settings: Settings, database: Database) -> World:
    return World(settings, database)


@pytest.fixture
async def relay(settings: Settings) -> AsyncIterator[Database]:
    """The database as `atrium_relay`."""
    database = Database(settings.model_copy(update={"database_user": "atrium_relay"}))
    yield database
    await database.close()


@pytest.fixture
def housekeeping(world: World, relay: Database) -> HousekeepingService:
    parts = HousekeepingParts(world.parts.settings, world.database, world.storage, world.workflow)
    parts.relay_database = relay
    return HousekeepingService(parts)
