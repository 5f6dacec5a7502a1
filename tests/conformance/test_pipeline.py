"""The pipeline over the services, with a state machine that is turned by a task of the test."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from atrium.db import Database
from atrium.documents.models import Upload
from atrium.kernel.errors import Unavailable
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.pipeline import ServicePipeline
from atrium.retrieval.reranking import Reranker
from tests.conformance.suites.pipeline import TERMS, Deployment, PipelineSuite
from tests.factories.documents import Parts, World


@dataclass
class Wired(Parts):
    """A runtime's parts without a reranker."""

    async def reranker(self, name: str) -> Reranker:
        raise Unavailable("no reranker here")


@pytest.fixture
def world(settings: Settings, database: Database) -> World:
    world = World(settings, database, chat_model="local/extractive")
    world.parts = Wired(**vars(world.parts))
    return world


async def turn(world: World) -> None:
    """Deliver every upload's arrival and run what it starts, for ever."""
    delivered: set[str] = set()
    while True:
        for key in set(world.keys("uploads/")) - delivered:
            await world.ingest(world.arrival(key))
            delivered.add(key)
        await asyncio.sleep(0.01)


class TestServicePipeline(PipelineSuite):
    @pytest.fixture
    async def deployment(self, world: World, tenant: Principal, other_tenant: Principal) -> AsyncIterator[Deployment]:
        assert isinstance(world.parts, Wired)
        turning = asyncio.create_task(turn(world))
        yield Deployment(ServicePipeline(world.parts), tenant, other_tenant)
        turning.cancel()


async def test_patience_ends(world: World, tenant: Principal) -> None:
    assert isinstance(world.parts, Wired)
    with pytest.raises(Unavailable):
        await ServicePipeline(world.parts, patience=0).ingest(tenant, Upload("terms.md", TERMS, "text/markdown"))
