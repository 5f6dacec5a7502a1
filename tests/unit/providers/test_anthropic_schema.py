"""Schemas become what Anthropic enforces, or are known to be beyond it."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.providers.anthropic_schema import enforceable
from tests.fakes.anthropic_rules import check
from tests.fakes.mind import instance

SCALARS = st.sampled_from([{"type": kind} for kind in ("string", "integer", "number", "boolean", "null")])
LITERALS = st.one_of(
    st.lists(st.one_of(st.text(min_size=1), st.integers(min_value=1)), min_size=1).map(lambda values: {"enum": values}),
    st.text(min_size=1).map(lambda value: {"const": value}),
)
NOTES = st.fixed_dictionaries(
    {}, optional={"title": st.text(), "description": st.text(), "default": st.none(), "x-unit": st.text()}
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Schemas around schemas, some of which are beyond the subset."""
    properties = st.dictionaries(st.text(max_size=5), inner, max_size=3)
    closed = st.fixed_dictionaries({"additionalProperties": st.sampled_from([False, True, {"type": "string"}])})
    objects = st.builds(lambda fields, more: {"type": "object", "properties": fields, **more}, properties, closed | st.just({}))
    arrays = st.builds(lambda items: {"type": "array", "items": items}, inner)
    choices = st.builds(
        lambda key, several: {key: several}, st.sampled_from(["anyOf", "oneOf"]), st.lists(inner, min_size=1, max_size=3)
    )
    beyond = st.builds(lambda key, each: {"type": "object", "properties": {}, key: each}, st.sampled_from(["not", "if"]), inner)
    return st.builds(lambda shape, notes: {**notes, **shape}, objects | arrays | choices | beyond | SCALARS | LITERALS, NOTES)


@given(st.recursive(SCALARS | LITERALS, nested, max_leaves=8))
def test_what_is_enforced_is_taken_and_fits_what_was_asked(schema: dict[str, Any]) -> None:
    said = enforceable(schema)
    if said is not None:
        accepted(said)
        example = instance(said)
        jsonschema.validate(example, said)
        if "oneOf" not in str(schema):
            jsonschema.validate(example, schema)


WORDS = st.sampled_from(
    ["type", "properties", "items", "anyOf", "enum", "required", "$ref", "$defs", "minItems", "format", "object"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(WORDS, JSON, max_size=4))
def test_what_is_no_schema_is_no_trouble(schema: dict[str, Any]) -> None:
    said = enforceable(schema)
    assert said is None or isinstance(said, dict)


def accepted(schema: dict[str, Any]) -> None:
    output = {"format": {"type": "json_schema", "schema": schema}}
    messages = [{"role": "user", "content": "Hi."}]
    check({"model": "claude-haiku-4-5", "max_tokens": 1, "messages": messages, "output_config": output})


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def test_limits_are_told_in_words() -> None:
    assert enforceable({"type": "integer", "minimum": 1, "maximum": 9, "description": "A grade."}) == {
        "type": "integer",
        "description": "A grade.\nminimum: 1; maximum: 9",
    }
    assert enforceable({"type": "string", "format": "phone"}) == {"type": "string", "description": 'format: "phone"'}
    assert enforceable({"type": "array", "items": {"type": "string"}, "minItems": 3}) == {
        "type": "array",
        "items": {"type": "string"},
        "description": "minItems: 3",
    }


def test_what_the_subset_has_stays() -> None:
    for schema in (
        {"type": "string", "format": "date"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        closed(name={"type": "string", "title": "Name"}),
        {**closed(), "properties": {}},
    ):
        assert enforceable(schema) == schema


def test_several_types_are_alternatives() -> None:
    said = enforceable(closed(name={"type": ["string", "null"], "description": "If known."}))
    assert said == closed(name={"anyOf": [{"type": "string"}, {"type": "null"}], "description": "If known."})


def test_an_object_that_does_not_say_is_closed() -> None:
    assert enforceable({"type": "object", "properties": {"a": {"type": "string"}}}) == {
        **closed(a={"type": "string"}),
        "required": [],
    }


def test_definitions_are_followed() -> None:
    said = enforceable(
        {
            **closed(to={"$ref": "#/definitions/Place", "description": "There."}),
            "definitions": {"Place": closed(x={"type": "integer"})},
        }
    )
    assert said == {
        **closed(to={"anyOf": [{"$ref": "#/$defs/Place"}], "description": "There."}),
        "$defs": {"Place": closed(x={"type": "integer"})},
    }
    accepted(said)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {"a": {}}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "allOf": [{"required": ["a"]}]},
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "anyOf": [{"type": "object", "properties": {"b": {"type": "null"}}}],
        },
        {"type": "array"},
        {"type": "array", "items": True},
        {"enum": [{"a": 1}]},
        {"anyOf": []},
        {"type": []},
        {"type": "text"},
        {"type": 7},
        {"properties": "nonsense", "type": "object"},
        {"$ref": "#/$defs/Missing"},
        {"$ref": "#"},
        {"$ref": "https://example.org/schema.json"},
        {"$ref": "#/$defs/Tree", "$defs": {"Tree": closed(left={"$ref": "#/$defs/Tree"})}},
        {"$ref": "#/$defs/A", "$defs": {"A": closed(b={"$ref": "#/$defs/B"}), "B": closed(a={"$ref": "#/$defs/A"})}},
    ],
)
def test_what_is_beyond_it_is_known(schema: dict[str, Any]) -> None:
    assert enforceable(schema) is None


def test_a_schema_nested_without_end_is_beyond_it() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(100_000):
        deep = {"type": "array", "items": deep}
    assert enforceable(deep) is None
