"""The streaming areas' entry under Lambda Web Adapter: the real script, started as the adapter starts it."""

import json
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


def refused(url: str) -> urllib.error.HTTPError:
    """The error that a question without credentials is answered with."""
    question = urllib.request.Request(url, data=b'{"query": "Who?"}', headers={"Content-Type": "application/json"}, method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(question, timeout=20)
    return caught.value


def test_the_real_rag_area_answers_behind_the_entry(tmp_path: Path) -> None:
    bundles.build_bundle(Places("local", ROOT), "rag", tmp_path)
    port = free_port()
    with started(tmp_path, port) as entry:
        status_when_up(f"http://127.0.0.1:{port}/healthz", entry)
        with refused(f"http://127.0.0.1:{port}/api/v1/query") as answer:
            problem = json.loads(answer.read())
    assert (answer.code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert (problem["type"], problem["status"]) == ("urn:atrium:problem:unauthenticated", 401)
    assert problem["instance"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("area", STREAMING)
def test_the_entry_serves_the_area_where_the_adapter_asks(tmp_path: Path, area: str) -> None:
    bundles.build_bundle(Places("local", ROOT), area, tmp_path)
    port = free_port()
    with started(tmp_path, port) as entry:
        assert status_when_up(f"http://127.0.0.1:{port}/healthz", entry) < UNREADY
        # exec: a signal to the script reaches the server itself.
        entry.terminate()
        entry.wait(timeout=20)
