"""JSON as this API reads it: RFC 8259 and nothing that two parsers could read differently or a database cannot hold."""

import json
import math
import re
from typing import Final, NoReturn

from pydantic import JsonValue

from atrium.kernel.errors import MalformedRequest

MAX_DEPTH: Final = 64
_INT64: Final = range(-(2**63), 2**63)
_INT64_DIGITS: Final = 20
# A string, or what is left of one that never ends; possessive, so that no input makes it backtrack.
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[\]{}]")


def parse(raw: bytes) -> JsonValue:
    r"""The value of a JSON text in UTF-8.

    Raises `MalformedRequest` on broken JSON, a repeated key, NaN or Infinity, nesting over 64, an integer over
    64 bits, a number too large to hold, and on `\u0000` or a lone surrogate in any string or key.
    """
    _check_depth(raw)
    try:
        value: JsonValue = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_number,
        )
    except UnicodeDecodeError as exc:
        raise MalformedRequest("The body is not UTF-8.") from exc
    except json.JSONDecodeError as exc:
        raise MalformedRequest(f"The body is not JSON: {exc.msg} at character {exc.pos}.") from exc
    # Only an escape can bring in what UTF-8 itself cannot carry or the parser has refused.
    if b"\\u" in raw:
        _check_text(value)
    return value


def is_plain_text(text: str) -> bool:
    """Whether Postgres can hold the text: no NUL, no lone surrogate."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _check_depth(raw: bytes) -> None:
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", raw)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MAX_DEPTH:
            raise MalformedRequest(f"The JSON is nested more than {MAX_DEPTH} deep.")


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedRequest("An object repeats a key.")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedRequest(f"{name} is not JSON.")


def _integer(digits: str) -> int:
    if len(digits) > _INT64_DIGITS or (value := int(digits)) not in _INT64:
        raise MalformedRequest("An integer has more than 64 bits.")
    return value


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise MalformedRequest("A number is too large.")
    return value


def _check_text(value: JsonValue) -> None:
    match value:
        case str():
            if not is_plain_text(value):
                raise MalformedRequest("A string holds \\u0000 or a lone surrogate.")
        case list():
            for item in value:
                _check_text(item)
        case dict():
            for key, item in value.items():
                _check_text(key)
                _check_text(item)
