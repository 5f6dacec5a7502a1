"""Filters over documents' metadata, compiled to one jsonpath, which travels as one parameter.

A comparison reads one top-level key. Where the metadata holds a list, it holds for the list when it holds for an element,
and `ne`, `nin` when it holds for none. A missing key, or a value of another type, is not equal, not less and not greater.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from atrium.kernel.errors import FieldError, InvalidFields

Scalar = str | int | float | bool
Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]

MAX_DEPTH: Final = 5
MAX_COMPARISONS: Final = 50
MAX_VALUES: Final = 100
MAX_ALL_VALUES: Final = 200  # of a whole filter: each is compared with each element of each document's list
_SIGNS: Final[dict[str, str]] = {"eq": "==", "in": "==", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_OPPOSITES: Final[dict[str, Operator]] = {"ne": "eq", "nin": "in"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`metadata[key]` against a value, or, for `in` and `nin`, against each of several."""

    type: Operator
    key: str
    value: Scalar | Sequence[Scalar]


@dataclass(frozen=True, slots=True)
class Group:
    """All of the parts, or any of them."""

    type: Literal["and", "or"]
    filters: Sequence["Filter"]


Filter = Comparison | Group


def compile_filter(node: Filter) -> str:
    """The jsonpath predicate for `metadata @@ …`. InvalidFields, with a pointer into `/filters`, for what cannot be compared."""
    if _count(node, 1) > MAX_COMPARISONS:
        raise _wrong("/filters", f"at most {MAX_COMPARISONS} comparisons")
    if _values_of(node) > MAX_ALL_VALUES:
        raise _wrong("/filters", f"at most {MAX_ALL_VALUES} values in all")
    return _compile(node, "/filters")


def _count(node: Filter, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise _wrong("/filters", f"at most {MAX_DEPTH} levels")
    return 1 if isinstance(node, Comparison) else sum(_count(part, depth + 1) for part in node.filters)


def _values_of(node: Filter) -> int:
    if isinstance(node, Group):
        return sum(_values_of(part) for part in node.filters)
    return 1 if isinstance(node.value, Scalar) else len(node.value)


def _compile(node: Filter, pointer: str) -> str:
    if isinstance(node, Comparison):
        return _comparison(node, pointer)
    if not node.filters:
        raise _wrong(f"{pointer}/filters", "must not be empty")
    joint = " && " if node.type == "and" else " || "
    return "(" + joint.join(_compile(part, f"{pointer}/filters/{i}") for i, part in enumerate(node.filters)) + ")"


def _comparison(node: Comparison, pointer: str) -> str:
    if node.type in _OPPOSITES:
        positive = _comparison(Comparison(_OPPOSITES[node.type], node.key, node.value), pointer)
        # What is unknown exists not, so the comparison is made once.
        return f"(!(exists($ ? {positive})))"
    values = _values(node, f"{pointer}/value")
    path = f"$.{_literal(node.key)}"
    return "(" + " || ".join(f"{path} {_SIGNS[node.type]} {value}" for value in values) + ")"


def _values(node: Comparison, pointer: str) -> list[str]:
    given = node.value
    many = not isinstance(given, Scalar)
    if many != (node.type == "in"):
        raise _wrong(pointer, "must be a list" if node.type == "in" else "must be a text, a number, true or false")
    values = [given] if isinstance(given, Scalar) else list(given)
    if not 1 <= len(values) <= MAX_VALUES:
        raise _wrong(pointer, f"must have 1 to {MAX_VALUES} values")
    if any(isinstance(value, float) and not math.isfinite(value) for value in values):
        raise _wrong(pointer, "must be finite")
    if node.type not in {"eq", "in"} and isinstance(given, bool):
        raise _wrong(pointer, "true and false have no order")
    return [_literal(value) for value in values]


def _literal(value: Scalar) -> str:
    """A jsonpath literal is written as JSON writes it: what a text holds cannot end it."""
    return json.dumps(value, ensure_ascii=False)


def _wrong(pointer: str, detail: str) -> InvalidFields:
    return InvalidFields((FieldError(pointer, detail),))
