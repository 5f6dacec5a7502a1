"""What tests of documents work with."""

import pytest

from atrium.db import Database
from atrium.kernel.settings import Settings
from tests.factories.documents import World


@pytest.fixture
def world(settings: Settings, database: Database) -> World:
    """The documents of a fresh deployment."""
    return World(settings, database)
