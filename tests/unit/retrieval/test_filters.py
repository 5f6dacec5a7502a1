import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.errors import InvalidFields
from atrium.retrieval.filters import Comparison, Filter, Group, compile_filter

SCALARS = st.text(max_size=20) | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()


def test_a_group_of_comparisons_is_one_predicate() -> None:
    node = Group(
        "and",
        (Comparison("eq", "region", "eu"), Group("or", (Comparison("gte", "year", 2020), Comparison("in", "tag", ["a", "b"])))),
    )

    assert compile_filter(node) == '(($."region" == "eu") && (($."year" >= 2020) || ($."tag" == "a" || $."tag" == "b")))'


def test_the_opposite_also_holds_where_the_comparison_cannot_be_made() -> None:
    assert compile_filter(Comparison("ne", "a", 1)) == '(!(exists($ ? ($."a" == 1))))'


@given(key=st.text(max_size=30), value=st.text(max_size=30))
def test_what_texts_hold_stays_inside_their_literals(key: str, value: str) -> None:
    compiled = compile_filter(Comparison("eq", key, value))

    literals = re.findall(r'"(?:[^"\\]|\\.)*"', compiled, re.DOTALL)
    assert [json.loads(literal, strict=False) for literal in literals] == [key, value]
    assert re.sub(r'"(?:[^"\\]|\\.)*"', "_", compiled, flags=re.DOTALL) == "($._ == _)"


@pytest.mark.parametrize(
    ("node", "pointer"),
    [
        (Group("or", ()), "/filters/filters"),
        (Comparison("in", "a", "x"), "/filters/value"),
        (Comparison("eq", "a", ["x"]), "/filters/value"),
        (Comparison("in", "a", []), "/filters/value"),
        (Comparison("nin", "a", [1] * 101), "/filters/value"),
        (Comparison("gt", "a", True), "/filters/value"),
        (Comparison("lt", "a", float("inf")), "/filters/value"),
        (Group("and", (Comparison("eq", "a", 1),) * 51), "/filters"),
        (
            Group("or", (Comparison("nin", "a", [1] * 100), Comparison("in", "b", [1] * 100), Comparison("eq", "c", 1))),
            "/filters",
        ),
        (Group("and", (Comparison("eq", "a", 1), Comparison("gt", "b", float("nan")))), "/filters/filters/1/value"),
    ],
)
def test_what_cannot_be_compared_is_named(node: Filter, pointer: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        compile_filter(node)

    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_depth_is_bounded() -> None:
    node: Filter = Comparison("eq", "a", 1)
    for _ in range(5):
        node = Group("and", (node,))

    with pytest.raises(InvalidFields, match=r"invalid"):
        compile_filter(node)
