"""JSON schemas in the subset that Anthropic's constrained decoding takes.

It takes objects that name all their properties, arrays, scalars, literals, `anyOf` and references that do not recur. Limits
such as `minimum` are no part of it: they are told to the model in the description.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

_SCALARS: Final = frozenset({"string", "integer", "number", "boolean", "null"})
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
)
_DEFINITIONS: Final = ("$defs", "definitions")
# What says nothing about a value, and what `_shape` has dealt with.
_SILENT: Final = frozenset({"$schema", "$id", "$comment", "default", "examples", "title", "description", *_DEFINITIONS})
_SHAPE: Final = frozenset(
    {"$ref", "type", "enum", "const", "anyOf", "oneOf", "properties", "required", "additionalProperties", "items"},
)
# What changes the meaning of the rest, so that the rest alone would be another schema.
_BEYOND: Final = frozenset(
    {
        *("allOf", "not", "if", "then", "else", "patternProperties", "propertyNames", "prefixItems", "contains"),
        *("dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems"),
        *("$dynamicRef", "$recursiveRef"),
    }
)


class _NoWords(Exception):
    """The subset cannot say it."""


def enforceable(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema in the subset, or None where it has no words for it: free objects, recursion, `allOf`.

    Where an object does not say whether it takes more properties than it names, it takes none.
    """
    # In what is no schema at all the wrong types meet.
    with suppress(_NoWords, RecursionError, TypeError):
        defined = {name: each for key in _DEFINITIONS for name, each in _mapping(schema.get(key, {})).items()}
        refs: dict[str, set[str]] = {}
        definitions = {name: _said(each, refs.setdefault(name, set())) for name, each in defined.items()}
        used: set[str] = set()
        said = _said(schema, used)
        if _sound(refs, used):
            return said | ({"$defs": definitions} if definitions else {})
    return None


def _sound(refs: dict[str, set[str]], used: set[str]) -> bool:
    """Whether every reference leads somewhere, and none back to itself."""
    if not used.union(*refs.values()) <= refs.keys():
        return False
    try:
        TopologicalSorter(refs).prepare()
    except CycleError:
        return False
    return True


def _said(schema: object, refs: set[str]) -> dict[str, Any]:
    node = _mapping(schema)
    shape = _shape(node, refs)
    notes = {key: value for key, value in node.items() if key not in shape and key not in _SILENT | _SHAPE}
    words = [str(node["description"])] if node.get("description") else []
    if notes:
        words.append("; ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in notes.items()))
    told = ({"title": str(node["title"])} if node.get("title") else {}) | ({"description": "\n".join(words)} if words else {})
    # A reference stands alone.
    return ({"anyOf": [shape]} if told and "$ref" in shape else shape) | told


def _shape(node: Mapping[str, Any], refs: set[str]) -> dict[str, Any]:
    alternatives = [key for key in ("$ref", "enum", "const", "anyOf", "oneOf") if key in node]
    if node.keys() & _BEYOND or len(alternatives) > 1 or (alternatives and node.keys() & {"properties", "items"}):
        raise _NoWords
    match alternatives:
        case ["$ref"]:
            return {"$ref": f"#/$defs/{_reference(node['$ref'], refs)}"}
        case ["enum" | "const" as key]:
            return {key: _literals(node[key])}
        case [key] if node[key]:
            return {"anyOf": [_said(each, refs) for each in node[key]]}
    return _typed(node, refs)


def _typed(node: Mapping[str, Any], refs: set[str]) -> dict[str, Any]:
    match node.get("type"):
        case "object":
            return _object(node, refs)
        case "array":
            few = {"minItems": node["minItems"]} if node.get("minItems") in {0, 1} else {}
            return {"type": "array", "items": _said(node.get("items"), refs)} | few
        case str(scalar) if scalar in _SCALARS:
            known = scalar == "string" and node.get("format") in _FORMATS
            return {"type": scalar} | ({"format": node["format"]} if known else {})
        case list(types) if types:
            return {"anyOf": [_typed({**node, "type": each}, refs) for each in types]}
    raise _NoWords


def _object(node: Mapping[str, Any], refs: set[str]) -> dict[str, Any]:
    properties = _mapping(node.get("properties", {}))
    closed = node.get("additionalProperties")
    # An object of which nothing is said may hold anything; closed, it could hold nothing.
    if not (closed is False or (closed is None and properties)):
        raise _NoWords
    return {
        "type": "object",
        "properties": {name: _said(each, refs) for name, each in properties.items()},
        "required": list(node.get("required", ())),
        "additionalProperties": False,
    }


def _literals(value: object) -> object:
    if not all(each is None or isinstance(each, str | int | float) for each in (value if isinstance(value, list) else [value])):
        raise _NoWords
    return value


def _reference(ref: object, refs: set[str]) -> str:
    for key in _DEFINITIONS:
        if isinstance(ref, str) and ref.startswith(f"#/{key}/"):
            name = ref.removeprefix(f"#/{key}/")
            refs.add(name)
            return name
    raise _NoWords


def _mapping(schema: object) -> Mapping[str, Any]:
    if not isinstance(schema, Mapping):
        raise _NoWords
    return schema
