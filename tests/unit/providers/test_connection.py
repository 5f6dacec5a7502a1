"""SDKs are imported beside the event loop, and within a call's time."""

import asyncio
import sys
from pathlib import Path

import pytest

from atrium.kernel.errors import ProviderUnavailable
from atrium.providers.connection import imported, was_sent

SLOW = "slow_sdk_of_the_tests"


async def test_an_import_leaves_the_loop_to_others_and_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{SLOW}.py").write_text("import time\ntime.sleep(0.3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(ProviderUnavailable):
        await imported((SLOW,), began + 0.05)
    assert loop.time() - began < 0.25
    await imported((SLOW,), loop.time() + 60)
    assert SLOW in sys.modules
    del sys.modules[SLOW]


def test_a_call_without_a_connection_was_not_sent() -> None:
    class ConnectTimeout(Exception):
        """As the SDKs' clients name it."""

    for cause, sent in ((ConnectTimeout(), False), (TimeoutError(), True)):
        error = RuntimeError()
        error.__cause__ = cause
        assert was_sent(error) is sent
