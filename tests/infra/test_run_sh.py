"""The streaming areas' entry under Lambda Web Adapter: the real script, started as the adapter starts it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.areas import AREAS
from infra.packaging import bundles
from infra.packaging.places import ROOT, Places

STREAMING = [area.name for area in AREAS if area.streaming]
# From this status on the adapter takes an answer for "not ready yet".
UNREADY = 500


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(task_root: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """The bundle's run.sh with Lambda's variables; this environment's packages stand in for the layers."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "LAMBDA_TASK_ROOT": str(task_root),
        "PYTHONPATH": str(ROOT / "layers" / "atrium" / "python"),
        "AWS_LWA_PORT": str(port),
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    entry = subprocess.Popen(
        [str(task_root / "run.sh")], cwd=task_root, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield entry
    finally:
        entry.terminate()
        entry.communicate(timeout=20)


def status_when_up(url: str, entry: subprocess.Popen[str], patience: float = 60) -> int:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and entry.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"run.sh does not serve: {entry.communicate(timeout=20)[0] if entry.poll() is not None else 'no answer'}")


@pytest.mark.parametrize("area", STREAMING)
def test_the_entry_serves_the_area_where_the_adapter_asks(tmp_path: Path, area: str) -> None:
    bundles.build_bundle(Places("local", ROOT), area, tmp_path)
    port = free_port()
    with started(tmp_path, port) as entry:
        assert status_when_up(f"http://127.0.0.1:{port}/healthz", entry) < UNREADY
        # exec: a signal to the script reaches the server itself.
        entry.terminate()
        entry.wait(timeout=20)
