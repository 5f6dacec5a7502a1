"""Filters against a model of them in Python: whatever keys, texts and nesting there are, Postgres and Python agree."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from atrium.retrieval.filters import Comparison, Filter, Group, compile_filter
from tests.factories.cluster import Cluster

# Few keys and values, so that they meet; and what could end a literal, a path or a comparison.
KEYS = st.sampled_from(["a", "b", '"', "\\", "a.b", "$", "@", "ключ", "' OR 1=1 --", "a\n", "", "*", "[0]", "\u2028"])
TEXTS = st.sampled_from(["", "x", "y", '"', "\\", '" || true || "', "$.a", "1", "true", "\u00e9", "e\u0301", "\U0001f600"])
NUMBERS = st.sampled_from([0, 1, -1, 2**53, 1.5, -0.0, 1e300]) | st.integers(-(2**63), 2**63 - 1)
SCALARS = TEXTS | NUMBERS | st.booleans()
ORDERED = TEXTS | NUMBERS
VALUES = SCALARS | st.none() | st.lists(SCALARS | st.none(), max_size=3) | st.dictionaries(st.just("a"), SCALARS, max_size=1)
METADATA = st.dictionaries(KEYS, VALUES, max_size=4)
COMPARISONS = (
    st.builds(Comparison, st.sampled_from(["eq", "ne"]), KEYS, SCALARS)
    | st.builds(Comparison, st.sampled_from(["gt", "gte", "lt", "lte"]), KEYS, ORDERED)
    | st.builds(Comparison, st.sampled_from(["in", "nin"]), KEYS, st.lists(SCALARS, min_size=1, max_size=4))
)
FILTERS = st.recursive(
    COMPARISONS,
    lambda inner: st.builds(Group, st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)),
    max_leaves=8,
)


def holds(node: Filter, metadata: dict[str, Any]) -> bool:
    """What a filter means."""
    if isinstance(node, Group):
        results = [holds(part, metadata) for part in node.filters]
        return all(results) if node.type == "and" else any(results)
    if node.type in {"ne", "nin"}:
        return not holds(Comparison("eq" if node.type == "ne" else "in", node.key, node.value), metadata)
    if node.key not in metadata:
        return False
    found = metadata[node.key]
    wanted: list[Any] = [node.value] if isinstance(node.value, str | int | float) else list(node.value)
    return any(compares(node.type, each, value) for each in (found if isinstance(found, list) else [found]) for value in wanted)


def compares(sign: str, found: Any, value: Any) -> bool:
    """Only what is of one kind is compared: true is no number."""
    if kind(found) is None or kind(found) != kind(value):
        return False
    if sign in {"eq", "in"}:
        return bool(found == value)
    return bool({"gt": found > value, "gte": found >= value, "lt": found < value, "lte": found <= value}[sign])


def kind(value: Any) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else None


@pytest.fixture(scope="module")
def connection(cluster: Cluster) -> Iterator[psycopg.Connection[Any]]:
    with cluster.clone() as name, cluster.superuser(name) as connection:
        yield connection


@settings(deadline=None, max_examples=300)
@given(node=FILTERS, metadata=METADATA)
def test_postgres_and_the_model_agree(connection: psycopg.Connection[Any], node: Filter, metadata: dict[str, Any]) -> None:
    row = connection.execute(
        "SELECT coalesce(%s::jsonb @@ %s::jsonpath, false)", [Jsonb(metadata), compile_filter(node)]
    ).fetchone()
    assert row == (holds(node, metadata),)


@settings(deadline=None, max_examples=200)
@given(
    key=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
)
def test_any_text_is_only_itself(connection: psycopg.Connection[Any], key: str, value: str) -> None:
    path = compile_filter(Comparison("eq", key, value))
    others: list[dict[str, Any]] = [{}, {key: value + "x"}, {key + "x": value}, {"a": True}]
    rows = connection.execute(
        "SELECT coalesce(m @@ %s::jsonpath, false) FROM unnest(%s::jsonb[]) AS m",
        [path, [Jsonb(each) for each in [{key: value}, *others]]],
    ).fetchall()
    assert [row[0] for row in rows] == [True, *[False] * len(others)]
