"""The local cloud itself: it starts once, comes back after anything is killed, and leaves nothing behind."""

import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import httpx
import psycopg
import pytest

from infra.local import cloud as clouds
from infra.local import demo
from infra.local.cloud import Cloud
from infra.local.invoke import invoke
from infra.local.logs import read_logs
from tests.e2e.workers import lambda_workers


def again(cloud: Cloud) -> Cloud:
    return clouds.start(cloud.state_dir, port=cloud.edge.port, env_file=None)


@pytest.fixture
def client(local_cloud: Cloud) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=local_cloud.url, timeout=60, trust_env=False) as client:
        yield client


def test_up_twice_changes_nothing_and_is_quick(local_cloud: Cloud) -> None:
    running, before = clouds.attach(local_cloud.state_dir), time.monotonic()
    assert again(local_cloud) == running
    assert time.monotonic() - before < 30


def test_the_documents_are_ingested_once_and_the_question_is_answered(
    local_cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    first = demo.run_demo(local_cloud)
    told = capsys.readouterr().out
    second = demo.run_demo(local_cloud)
    with psycopg.connect(local_cloud.postgres.superuser_dsn) as connection:
        rows = connection.execute(
            "SELECT d.name, count(*) FROM atrium.documents d"
            " JOIN atrium.document_versions v ON (v.tenant_id, v.document_id) = (d.tenant_id, d.id)"
            " WHERE d.tenant_id = %s GROUP BY d.name ORDER BY d.name",
            [first.tenant_id],
        ).fetchall()
    assert first == second
    assert rows == [(path.name, 1) for path in sorted(demo.FIXTURES.iterdir())]
    assert "36 months" in told
    assert "field-service-handbook.pdf, page" in told
    assert "verified" in told
    assert "NOT verified" not in told


def test_every_part_listens_on_loopback_only(local_cloud: Cloud) -> None:
    running = again(local_cloud)
    for part in (running.edge, running.emulator, running.postgres):
        assert listening(part.process.pid) == {("0100007F", part.port)}  # 127.0.0.1, as the kernel writes it


def listening(pid: int) -> set[tuple[str, int]]:
    """Address (hexadecimal, as in /proc/net) and port of every TCP socket that a process listens on."""
    owned = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    found = [row[1].rpartition(":") for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in owned]
    return {(address, int(port, 16)) for address, _, port in found}


def test_an_unknown_path_is_a_problem(client: httpx.Client) -> None:
    reply = client.get("/api/v1/no-such-thing")
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"


def test_the_streaming_area_answers_in_the_edge_not_in_a_worker(local_cloud: Cloud, client: httpx.Client) -> None:
    assert client.post("/api/v1/query", json={"question": "?"}).status_code == 401
    assert lambda_workers(local_cloud, "rag") == []


def test_a_function_is_invoked_and_its_log_is_read(local_cloud: Cloud) -> None:
    reply = invoke(local_cloud.emulator, "migrate", {})
    assert reply.error == ""
    assert reply.payload["applied"] == []
    assert list(read_logs(local_cloud.state_dir, "migrate"))


@pytest.mark.parametrize("part", ["edge", "emulator", "postgres"])
def test_a_killed_part_comes_back_with_its_data(local_cloud: Cloud, client: httpx.Client, part: str) -> None:
    account = demo.ensure_account(local_cloud)
    getattr(again(local_cloud), part).process.end(number=SIGKILL)
    again(local_cloud)
    reply = client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {account.api_key}"})
    assert reply.status_code == 200
    assert reply.json()["org"]["id"] == account.tenant_id


def test_down_ends_every_process_and_up_continues(local_cloud: Cloud, client: httpx.Client) -> None:
    account = demo.ensure_account(local_cloud)
    running = again(local_cloud)
    workers = lambda_workers(running, "auth")
    clouds.stop(running.state_dir)
    parts = [running.edge.process, running.emulator.process, running.postgres.process, *workers]
    assert [process for process in parts if process.alive] == []
    again(local_cloud)
    assert demo.ensure_account(local_cloud) == account
    assert client.get("/healthz").status_code == 200


def test_state_is_readable_by_its_owner_only(local_cloud: Cloud) -> None:
    secret = [local_cloud.state_dir / part for part in ("deploy", "edge", "emulator", "postgres/data")]
    assert [path for path in secret if path.stat().st_mode & 0o077] == []
    assert Path(local_cloud.state_dir).stat().st_mode & 0o007 == 0
