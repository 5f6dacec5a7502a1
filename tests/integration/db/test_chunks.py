"""What the chunk partitions promise to search: quantized bits beside the vectors, read from the index alone."""

from collections.abc import Iterator
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.factories.cluster import Cluster

MINE = uuid4()
FILL: LiteralString = """
    INSERT INTO atrium.chunks (space_id, tenant_id, id, document_id, version, ordinal, collection,
                               char_start, char_end, text, embedding)
    SELECT 1, CASE WHEN n %% 2 = 0 THEN %(mine)s::uuid ELSE gen_random_uuid() END, gen_random_uuid(), gen_random_uuid(), 1, n,
           'default', 0, 10, 'Some words ' || n,
           (SELECT array_agg(sin(n * d)) FROM generate_series(1, 384) d)::public.vector::public.halfvec
    FROM generate_series(1, 4000) n"""
ONE: LiteralString = """
    INSERT INTO atrium.chunks (space_id, tenant_id, id, document_id, version, ordinal, collection, char_start, char_end,
                               heading, language, text, embedding)
    VALUES (1001, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 0, 'default', 0, 10, 'Houses', 'en',
            'running mice', %(vector)s) RETURNING bits::text AS bits, tsv::text AS tsv"""


@pytest.fixture(scope="module")
def owner(cluster: Cluster) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A filled and vacuumed partition, as the migrator, who may become the definer."""
    with cluster.clone() as name:
        dsn = cluster.server.dsn("atrium_migrator", cluster.password, name)
        with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
            # Vacuum marks no page as visible to all whose commit is not on disk yet; the test server does not wait for it.
            connection.execute("SET synchronous_commit = on")
            connection.execute(FILL, {"mine": MINE})
            connection.execute("VACUUM ANALYZE atrium.chunks_1")
            yield connection


def test_bits_and_words_are_generated(owner: psycopg.Connection[dict[str, Any]]) -> None:
    row = owner.execute(ONE, {"vector": "[0.5,-0.5,0.1,-0.1]"}).fetchone()
    assert row == {"bits": "1010", "tsv": "'hous':1 'mice':3 'run':2"}


@pytest.mark.parametrize("vector", ["[1,2,3]", "[1,2,3,4,5]"])
def test_a_vector_of_another_length_is_refused(owner: psycopg.Connection[dict[str, Any]], vector: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        owner.execute(ONE, {"vector": vector})


def test_vectors_lie_in_the_row_up_to_the_size_of_a_page(owner: psycopg.Connection[dict[str, Any]]) -> None:
    plain: LiteralString = """SELECT attstorage::text AS storage FROM pg_attribute WHERE attname = 'embedding'
                              AND attrelid = ANY (ARRAY['atrium.chunks_1', 'atrium.chunks_3']::regclass[])"""
    assert [row["storage"] for row in owner.execute(plain)] == ["p", "p"]
    owner.execute("CALL atrium.declare_embedding_space(99::smallint, 'test/long', 4000, 64)")
    long: LiteralString = (
        "SELECT attstorage::text AS s FROM pg_attribute WHERE attrelid = 'atrium.chunks_99'::regclass AND attname = 'embedding'"
    )
    assert [row["s"] for row in owner.execute(long)] == ["e"]


def test_a_fresh_visibility_map_is_kept(owner: psycopg.Connection[dict[str, Any]]) -> None:
    query: LiteralString = "SELECT reloptions FROM pg_class WHERE oid = 'atrium.chunks_1'::regclass"
    (row,) = owner.execute(query)
    assert {"autovacuum_vacuum_insert_scale_factor=0", "autovacuum_vacuum_insert_threshold=2000"} <= set(row["reloptions"])


def test_the_definer_reads_a_tenants_bits_from_the_index_alone(owner: psycopg.Connection[dict[str, Any]]) -> None:
    with owner.transaction():
        owner.execute("SET LOCAL ROLE atrium_definer")
        owner.execute("SET LOCAL enable_seqscan = off")  # as the search functions have it: half the table is this tenant's
        explained = owner.execute(
            """EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF, FORMAT JSON)
               SELECT id FROM atrium.chunks_1 WHERE tenant_id = %(mine)s
               ORDER BY bits <~> repeat('10', 192)::bit(384) LIMIT 200""",
            {"mine": MINE},
        ).fetchone()
    assert explained is not None
    scans = {
        node["Index Name"]: node for node in nodes(explained["QUERY PLAN"][0]["Plan"]) if node["Node Type"] == "Index Only Scan"
    }
    assert scans["chunks_1_bits"]["Heap Fetches"] == 0
    assert scans["chunks_1_bits"]["Actual Rows"] == 2000


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)
