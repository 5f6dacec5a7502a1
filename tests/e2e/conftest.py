"""A whole local cloud of the test run's own: other state, other ports than `make up`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import cloud
from infra.local.cloud import Cloud
from infra.local.postgres import scratch_dir
from infra.local.processes import free_port

_HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here shares one cloud, so xdist (--dist loadgroup) runs it in one worker."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("local-cloud"))
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def local_cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """A running cloud: `url`, `bucket`, `outputs`, `emulator.client("s3")`, `postgres.superuser_dsn`, and every process.

    No provider keys: nothing here can reach a real model.
    """
    grouped = all("@local-cloud" in item.nodeid for item in request.session.items if _HERE in item.path.parents)
    assert grouped or not hasattr(request.config, "workerinput"), "xdist does not see the group: each worker would start a cloud"
    state_dir = scratch_dir()
    try:
        yield cloud.start(state_dir, port=free_port(), emulator_port=free_port(), env_file=None)
    finally:
        cloud.reset(state_dir)
