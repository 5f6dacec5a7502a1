"""What an operator relies on, in the deployed local cloud: schedules, housekeeping, metrics, an erasure that leaves nothing."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from psycopg import sql

from infra.local.cloud import Cloud
from tests.e2e.test_main_job import Tenant, wait_for
from tests.integration.db.catalog import TENANT_TABLES


@pytest.fixture
def tenant(local_cloud: Cloud) -> Iterator[Tenant]:
    tenant = Tenant(local_cloud)
    yield tenant
    tenant.http.close()


@pytest.fixture
def neighbour(local_cloud: Cloud) -> Iterator[Tenant]:
    tenant = Tenant(local_cloud)
    yield tenant
    tenant.http.close()


def versions(cloud: Cloud, tenant_id: str) -> list[str]:
    """Every object version and delete marker of a tenant, under whatever prefix."""
    pages = cloud.emulator.client("s3").get_paginator("list_object_versions").paginate(Bucket=cloud.bucket)
    return [
        entry["Key"]
        for page in pages
        for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        if tenant_id in entry["Key"]
    ]


def rows(cloud: Cloud, tenant_id: str) -> dict[str, int]:
    """How many rows a tenant has, by table; tables without any are left out."""
    with psycopg.connect(cloud.postgres.superuser_dsn) as connection:
        found = {}
        for _, table, *_ in connection.execute(TENANT_TABLES).fetchall():
            count = sql.SQL("SELECT count(*) FROM {} WHERE tenant_id = %s").format(sql.Identifier("atrium", table))
            found[table] = connection.execute(count, [tenant_id]).fetchall()[0][0]
    return {table: count for table, count in found.items() if count}


def invoke(cloud: Cloud, function: str, event: dict[str, Any]) -> dict[str, Any]:
    answer = cloud.emulator.client("lambda").invoke(FunctionName=f"atrium-{function}", Payload=json.dumps(event).encode())
    report: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, report
    return report


def test_schedules_are_there_and_their_functions_answer(local_cloud: Cloud) -> None:
    schedules = local_cloud.emulator.client("scheduler").list_schedules()["Schedules"]
    assert {each["Name"] for each in schedules if each["State"] == "ENABLED"} == {
        "atrium-sweep", "atrium-erase", "atrium-seal", "atrium-expire", "atrium-index",
    }  # fmt: skip
    assert set(invoke(local_cloud, "housekeeping", {"task": "all"})) == {"expire", "seal", "sweep", "erase"}
    assert set(invoke(local_cloud, "indexing", {})) == {"built", "dropped", "left"}


def test_an_erasure_leaves_nothing_and_the_neighbour_everything(local_cloud: Cloud, tenant: Tenant, neighbour: Tenant) -> None:
    for each in (tenant, neighbour):
        document = each.add("bridges.txt", "Bridges are built of steel. " * 40)
        assert each.ready(document)["status"] == "ready"
        each.drop("notes/dropped.txt", b"Ferries are built of wood.")
        each.drop("notes/dropped.txt", b"Ferries are built of steel.")
        wait_for(lambda one=each: one.named("dropped.txt"), "the dropped file")  # type: ignore[misc]  # lambda's default
    under_way = tenant.add("under-way.txt", "Tunnels are dug. " * 400)
    assert under_way
    theirs = rows(local_cloud, neighbour.id)

    answer = tenant.http.request("DELETE", "/tenant", json={"confirm": "Acme"})

    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "erased"
    assert tenant.http.get("/auth/me").status_code == 401
    tenant.drop("late.txt", b"Too late.")

    def gone() -> bool | None:
        return True if not versions(local_cloud, tenant.id) and rows(local_cloud, tenant.id) == {"erasures": 1} else None

    wait_for(gone, "the erasure")
    assert neighbour.http.get("/auth/me").status_code == 200
    assert rows(local_cloud, neighbour.id).keys() >= theirs.keys()
    assert any(key.startswith("drop/") for key in versions(local_cloud, neighbour.id))


def test_a_document_whose_execution_was_lost_goes_on_by_itself(local_cloud: Cloud, tenant: Tenant) -> None:
    document = tenant.add("a.txt", "Bridges are built of steel. " * 40)
    tenant.ready(document)
    with psycopg.connect(local_cloud.postgres.superuser_dsn) as connection:
        connection.execute(
            "UPDATE atrium.document_versions SET status = 'processing', stage = 'embedding', progress = 0.5,"
            " updated_at = now() - interval '1 hour' WHERE tenant_id = %s",
            [tenant.id],
        )
    assert tenant.status(document)["status"] == "processing"
    assert invoke(local_cloud, "housekeeping", {"task": "sweep"})["sweep"]["revived"] == 1
    assert tenant.ready(document) | {"attempts": 2, "status": "ready"} == tenant.status(document)


def test_the_operator_reads_metrics_and_tenants_do_not(local_cloud: Cloud, tenant: Tenant) -> None:
    key = local_cloud.emulator.client("secretsmanager").get_secret_value(SecretId="atrium/operator")["SecretString"]
    with httpx.Client(base_url=local_cloud.url, timeout=60, trust_env=False) as http:
        assert http.get("/metrics", headers=dict(tenant.http.headers)).status_code == 401
        answer = http.get("/metrics", headers={"X-API-Key": key})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = {each.name: each for each in text_string_to_metric_families(answer.text)}  # type: ignore[no-untyped-call]
    assert families["atrium_tenants"].samples[0].value >= 1
    assert tenant.id not in answer.text
