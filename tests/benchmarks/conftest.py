"""Benchmarks are collected only when they are asked for: `make bench`, or a path in tests/benchmarks."""

import os
import platform
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from atrium.db import Database
from atrium.kernel.settings import Settings
from tests.factories.cluster import Cluster
from tests.fakes.model import model_dir

__all__ = ["model_dir"]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = any("benchmarks" in str(argument) for argument in config.args)
    return None if asked else True


@pytest.fixture(scope="session", autouse=True)
def machine() -> Iterator[None]:
    """Says where the numbers come from, and whether the machine was quiet."""
    print(f"\n{platform.platform()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ", end="")
    print(f"load {os.getloadavg()[0]:.1f} at the start")
    yield
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


@pytest.fixture(scope="module")
def bench_settings(cluster: Cluster) -> Iterator[Settings]:
    """One database for a module's measurements."""
    with cluster.clone() as name:
        yield cluster.settings(name, pool_size=1)


@pytest.fixture
async def bench(bench_settings: Settings) -> AsyncIterator[Database]:
    database = Database(bench_settings)
    yield database
    await database.close()
