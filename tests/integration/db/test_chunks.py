"""What the chunk partitions promise to search: words beside the text, and quantized bits in a narrow table of their own."""

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
            'running mice', %(vector)s) RETURNING id, tsv::text AS tsv"""


@pytest.fixture(scope="module")
def owner(cluster: Cluster) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A filled partition, as the migrator."""
    with cluster.clone() as name:
        dsn = cluster.server.dsn("atrium_migrator", cluster.password, name)
        with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
            connection.execute(FILL, {"mine": MINE})
            yield connection


PAGES: dict[str, LiteralString] = {
    "bits": "SELECT count(DISTINCT (ctid::text::point)[0]) AS pages FROM atrium.chunk_bits WHERE tenant_id = %(mine)s",
    "chunks": "SELECT count(DISTINCT (ctid::text::point)[0]) AS pages FROM atrium.chunks_1 WHERE tenant_id = %(mine)s",
}
BITS: LiteralString = "SELECT bits::text AS bits FROM atrium.chunk_bits WHERE id = %(id)s"


def test_bits_and_words_are_kept(owner: psycopg.Connection[dict[str, Any]]) -> None:
    row = owner.execute(ONE, {"vector": "[0.5,-0.5,0.1,-0.1]"}).fetchone()
    assert row is not None
    assert row["tsv"] == "'hous':1 'mice':3 'run':2"
    assert owner.execute(BITS, row).fetchall() == [{"bits": "1010"}]


def test_bits_go_with_their_chunk(owner: psycopg.Connection[dict[str, Any]]) -> None:
    kept, gone = (owner.execute(ONE, {"vector": "[0.5,-0.5,0.1,-0.1]"}).fetchone() for _ in range(2))
    owner.execute("DELETE FROM atrium.chunks WHERE id = %(id)s", gone)
    assert owner.execute(BITS, gone).fetchall() == []
    assert len(owner.execute(BITS, kept).fetchall()) == 1


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


def test_a_tenants_bits_lie_close_together(owner: psycopg.Connection[dict[str, Any]]) -> None:
    count = {table: owner.execute(PAGES[table], {"mine": MINE}).fetchone() for table in PAGES}
    assert count["bits"] is not None
    assert count["chunks"] is not None
    assert count["bits"]["pages"] * 5 < count["chunks"]["pages"]
