"""What is looked at in a body before it costs anything; all else passes through to who understands it."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import JsonValue

from atrium.kernel.errors import FieldError, InvalidFields

Body = dict[str, Any]
_MOST_ANSWERS: Final = 128
_MOST_INPUTS: Final = 2048
_FORMATS: Final = ("float", "base64")


def chat_body(value: JsonValue) -> Body:
    """A chat's body. InvalidFields names what is wrong."""
    body = _body(value)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _wrong("/messages", "must be a list of at least one message.")
    for at, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise _wrong(f"/messages/{at}", "must be an object with a role.")
        if not isinstance(message.get("content"), str | list | None):
            raise _wrong(f"/messages/{at}/content", "must be a string or a list of parts.")
    _check(body, "stream", bool)
    _check(body, "stream_options", dict)
    _check(body, "tools", list)
    for name in ("max_tokens", "max_completion_tokens", "n"):
        _check_count(body, name)
    if (body.get("n") or 1) > _MOST_ANSWERS:
        raise _wrong("/n", f"must be at most {_MOST_ANSWERS}.")
    return body


def embeddings_body(value: JsonValue) -> Body:
    """The body of what is to be embedded. InvalidFields names what is wrong."""
    body = _body(value)
    given = body.get("input")
    inputs = given if isinstance(given, list) and not _is_tokens(given) else [given]
    if not inputs or len(inputs) > _MOST_INPUTS:
        raise _wrong("/input", f"must have 1 to {_MOST_INPUTS} texts.")
    for each in inputs:
        if not (isinstance(each, str) and each) and not _is_tokens(each):
            raise _wrong("/input", "must be a text, a list of token ids, or a list of either, none of them empty.")
    if len({type(each) for each in inputs}) > 1:
        raise _wrong("/input", "must be all texts or all token ids.")
    _check_count(body, "dimensions")
    if body.get("encoding_format") is not None and body["encoding_format"] not in _FORMATS:
        raise _wrong("/encoding_format", "must be float or base64.")
    return body


def inputs_of(body: Mapping[str, Any]) -> list[Any]:
    """The inputs, each a text or a list of token ids."""
    given = body["input"]
    return given if isinstance(given, list) and not _is_tokens(given) else [given]


def _is_tokens(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(each) is int and each >= 0 for each in value)


def _body(value: JsonValue) -> Body:
    if not isinstance(value, dict):
        raise _wrong("/body", "must be a JSON object.")
    model = value.get("model")
    if not isinstance(model, str) or not model:
        raise _wrong("/model", "must be the name of a model.")
    return value


def _check(body: Body, name: str, kind: type) -> None:
    if body.get(name) is not None and not isinstance(body[name], kind):
        raise _wrong(f"/{name}", f"must be {_NAMES[kind]}.")


def _check_count(body: Body, name: str) -> None:
    value = body.get(name)
    if value is not None and (type(value) is not int or value < 1):
        raise _wrong(f"/{name}", "must be a whole number of at least 1.")


def _wrong(place: str, detail: str) -> InvalidFields:
    return InvalidFields((FieldError(place, detail),))


_NAMES: Final[Mapping[type, str]] = {bool: "true or false", dict: "an object", list: "a list"}
