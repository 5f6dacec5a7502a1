"""OpenAI's own specification of its wire, to hold bodies and frames against."""

import json
from functools import cache
from typing import Any

import jsonschema_rs
import pytest

from tests.conformance.real_data import DATA

SPECIFICATION = DATA / "openai" / "openapi.json"

needs_specification = pytest.mark.skipif(
    not SPECIFICATION.is_file(), reason=f"no specification of OpenAI at {SPECIFICATION}; set ATRIUM_CONFORMANCE_DATA"
)


def complaints(schema: str, value: Any) -> list[str]:
    """What is wrong with a value under a schema of OpenAI's, by its name; nothing when it is right."""
    errors = _validator(schema).iter_errors(value)
    return [f"{'/'.join(map(str, each.instance_path))}: {each.message[:300]}" for each in errors]


@cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{schema}", "components": _components()}, validate_formats=False
    )


@cache
def _components() -> Any:
    return _readable(json.loads(SPECIFICATION.read_bytes())["components"])


def _readable(schema: Any) -> Any:
    """`nullable`, which the document still uses, in the words of JSON Schema; and its `oneOf`s overlap: `anyOf` is meant."""
    if isinstance(schema, list):
        return [_readable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {"anyOf" if name == "oneOf" else name: _readable(each) for name, each in schema.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain
